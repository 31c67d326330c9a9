//! An OCI archive, opened: the image's configuration and its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// The image in a folder of its own, to be used and thrown away.
pub struct Image {
    dir: TempDir,
    /// What the archive calls it.
    pub name: String,
    /// The configuration, as the image specification has it.
    pub configuration: Value,
}

impl Image {
    /// The one that `make image` built.
    pub fn open() -> Self {
        let path = std::env::var_os("IRSA_SIDECAR_TEST_IMAGE").expect(
            "IRSA_SIDECAR_TEST_IMAGE has to name the OCI archive; `make image` builds it and runs this test",
        );
        let dir = tempfile::tempdir().expect("a temporary directory");
        unpack(Path::new(&path), &dir.path().join("archive"));
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().expect("a digest");
            dir.path()
                .join("archive/blobs")
                .join(digest.replace(':', "/"))
        };
        let index = json(&dir.path().join("archive/index.json"));
        let [descriptor] = index["manifests"].as_array().expect("manifests").as_slice() else {
            panic!("one image was expected: {index}")
        };
        let manifest = json(&blob(descriptor));
        for layer in manifest["layers"].as_array().expect("layers") {
            unpack(&blob(layer), &dir.path().join("rootfs"));
        }
        Image {
            name: descriptor["annotations"]["org.opencontainers.image.ref.name"]
                .as_str()
                .expect("a name")
                .to_owned(),
            configuration: json(&blob(&manifest["config"])),
            dir,
        }
    }

    /// Its files, to look at or to run in.
    pub fn rootfs(&self) -> PathBuf {
        self.dir.path().join("rootfs")
    }

    /// Where the rest of what one needs to run it may lie.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

fn json(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// With owners and modes as they are in the archive; for that it takes root.
fn unpack(tar: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let unpacked = Command::new("tar")
        .args([
            "--extract",
            "--same-owner",
            "--same-permissions",
            "--numeric-owner",
        ])
        .arg("--directory")
        .arg(to)
        .arg("--file")
        .arg(tar)
        .status()
        .expect("tar runs");
    assert!(unpacked.success(), "{} cannot be unpacked", tar.display());
}
