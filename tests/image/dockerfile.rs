//! What the Dockerfile says agrees with what it builds. No image is needed.

use std::path::{Path, PathBuf};

use crate::sidecar::read;

fn file(name: &str) -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
}

/// What stands in quotes after the first `before`.
fn quoted<'a>(text: &'a str, before: &str) -> &'a str {
    let after = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before}"))
        .1;
    after
        .split('"')
        .nth(1)
        .unwrap_or_else(|| panic!("no value of {before}"))
}

/// Without its comments.
fn instructions() -> String {
    let text = file("Dockerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_label_has_the_version_of_the_crate() {
    let dockerfile = instructions();
    let version = quoted(&dockerfile, "org.opencontainers.image.version=");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_base_has_the_rust_of_the_toolchain_file() {
    let toolchain = file("rust-toolchain.toml");
    let version = quoted(&toolchain, "channel =");
    let base = format!("ARG RUST_IMAGE=docker.io/library/rust:{version}-");
    assert!(instructions().contains(&base), "expected {base}…");
}

#[test]
fn every_member_of_the_workspace_is_let_in_with_its_manifest_alone() {
    let manifest = file("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").expect("members");
    let (members, _) = members.split_once(']').expect("their end");
    let members = members
        .split(',')
        .map(|member| member.trim().trim_matches('"'));
    let mut let_in = vec![
        "*".to_owned(),
        "!Cargo.toml".to_owned(),
        "!Cargo.lock".to_owned(),
        "!src".to_owned(),
        "!docs/troubleshooting.md".to_owned(),
    ];
    for member in members {
        let copied = format!("COPY {member}/Cargo.toml {member}/");
        assert!(instructions().contains(&copied), "no {copied:?}");
        let_in.push(format!("!{member}/Cargo.toml"));
    }
    let ignore = file(".dockerignore");
    let lines: Vec<&str> = ignore
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(lines, let_in);
}

#[test]
fn no_instruction_names_an_architecture_or_checks_health_with_a_command() {
    let instructions = instructions();
    for word in [
        "x86",
        "amd64",
        "aarch64",
        "arm64",
        "--target",
        "HEALTHCHECK",
    ] {
        assert!(!instructions.contains(word), "{word} in the Dockerfile");
    }
}

#[test]
fn whatever_the_sources_include_is_let_in_and_copied_in_a_layer_above_the_build() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut included = Vec::new();
    collect(&sources, &mut included);
    assert!(!included.is_empty(), "the sources were not found");
    let instructions = instructions();
    let built = instructions.find("cargo rustc").expect("the build");
    for (source, path) in included {
        let path = source.parent().expect("a folder").join(path);
        let path = path.canonicalize().expect("a file that is there");
        let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR"));
        let path = path.expect("a file of the project");
        if path.starts_with("src") {
            continue;
        }
        let (file, folder) = (path.display(), path.parent().expect("a folder").display());
        let copied = instructions.find(&format!("COPY {file} {folder}/"));
        assert!(copied.is_some_and(|copied| copied < built), "{file}");
        assert!(self::file(".dockerignore").contains(&format!("\n!{file}\n")));
    }
}

/// What the sources below a folder take in as text, each with the source that does. Tests are not built there.
fn collect(folder: &Path, included: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, included);
        }
        if path.is_dir() || path.ends_with("tests.rs") {
            continue;
        }
        let text = read(&path);
        let taken = ["include_str!(\"", "include_bytes!(\""]
            .into_iter()
            .flat_map(|call| text.split(call).skip(1))
            .filter_map(|rest| rest.split('"').next());
        included.extend(taken.map(|taken| (path.clone(), taken.to_owned())));
    }
}
