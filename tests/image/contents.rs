//! What is in the image, and what it says of itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use crate::archive::Image;

/// All that the image may take: it is built on nothing.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Type and mode, owner, group and path below `dir` of everything in it, sorted.
fn listing(dir: &Path) -> Vec<String> {
    fn walk(top: &Path, dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).expect("a folder").flatten() {
            let path = entry.path();
            let meta = path.symlink_metadata().expect("its metadata");
            let shown = path.strip_prefix(top).expect("below it").display();
            let (mode, uid, gid) = (meta.mode(), meta.uid(), meta.gid());
            found.push(format!("/{shown} {mode:o} {uid}:{gid}"));
            if meta.is_dir() {
                walk(top, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

#[test]
#[ignore = "needs the image: `make image`"]
fn it_holds_the_binary_and_the_ca_certificates_which_its_user_cannot_change_and_nothing_else() {
    let image = Image::open();
    let expected = [
        "/etc 40755 0:0",
        "/etc/ssl 40755 0:0",
        "/etc/ssl/certs 40755 0:0",
        "/etc/ssl/certs/ca-certificates.crt 100644 0:0",
        "/irsa-sidecar 100755 0:0",
    ];
    assert_eq!(listing(&image.rootfs()), expected);
}

#[test]
#[ignore = "needs the image: `make image`"]
fn it_takes_eight_mebibytes_at_most() {
    let image = Image::open();
    let size = |path: &str| {
        image
            .rootfs()
            .join(path)
            .metadata()
            .expect("its metadata")
            .len()
    };
    let (binary, certificates) = (
        size("irsa-sidecar"),
        size("etc/ssl/certs/ca-certificates.crt"),
    );
    println!("binary: {binary} bytes; CA certificates: {certificates} bytes");
    assert!(
        binary + certificates <= LIMIT,
        "{binary} + {certificates} bytes; expected {LIMIT} at most"
    );
}

/// By the headers of an ELF file of 64 bits, little-endian.
#[test]
#[ignore = "needs the image: `make image`"]
fn the_binary_asks_for_no_interpreter() {
    const INTERPRETER: u32 = 3;
    let image = Image::open();
    let binary = fs::read(image.rootfs().join("irsa-sidecar")).expect("the binary");
    assert_eq!(
        binary[..6],
        *b"\x7fELF\x02\x01",
        "not the ELF that is read here"
    );
    let short = |at: usize| usize::from(u16::from_le_bytes([binary[at], binary[at + 1]]));
    let word = |at: usize| u32::from_le_bytes(binary[at..at + 4].try_into().expect("four bytes"));
    let (table, size, count) = (word(0x20) as usize, short(0x36), short(0x38));
    let kinds: Vec<u32> = (0..count).map(|n| word(table + n * size)).collect();
    assert!(kinds.contains(&1), "no segment is loaded: {kinds:?}");
    assert!(!kinds.contains(&INTERPRETER), "it is linked dynamically");
}

#[test]
#[ignore = "needs the image: `make image`"]
fn it_runs_the_binary_as_65532_and_says_no_more_than_that() {
    let image = Image::open();
    assert_eq!(
        image.name,
        concat!("irsa-sidecar:", env!("CARGO_PKG_VERSION"))
    );
    let mut config = image.configuration["config"].clone();
    let config = config.as_object_mut().expect("a configuration");
    for of_no_consequence in ["Labels", "WorkingDir"] {
        config.remove(of_no_consequence);
    }
    // What builds images gives each of them a PATH.
    let environment = config.remove("Env").unwrap_or_default();
    for variable in environment.as_array().into_iter().flatten() {
        let variable = variable.as_str().expect("a variable");
        assert!(variable.starts_with("PATH="), "{variable}");
    }
    let expected = json!({
        "User": "65532:65532",
        "Entrypoint": ["/irsa-sidecar"],
        "ExposedPorts": {"9911/tcp": {}},
    });
    assert_eq!(json!(config), expected);
}

#[test]
#[ignore = "needs the image: `make image`"]
fn its_labels_say_what_it_is_and_where_it_is_from() {
    let image = Image::open();
    let labels = &image.configuration["config"]["Labels"];
    let label = |name: &str| {
        let value = labels[format!("org.opencontainers.image.{name}")].as_str();
        value.unwrap_or_else(|| panic!("no label {name} in {labels}"))
    };
    assert_eq!(label("title"), env!("CARGO_PKG_NAME"));
    assert_eq!(label("description"), env!("CARGO_PKG_DESCRIPTION"));
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    for name in ["source", "revision", "created"] {
        assert_ne!(label(name), "");
    }
}
