//! Images: the sidecar's, as `make image` wrote it, and small ones for apps, made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::cluster::ctr;
use crate::kubectl;

/// What holds a pod's namespaces.
pub const SANDBOX: &str = "test/sandbox:1";
/// An app's: a shell, and the drivers of the matrix of clients below `/drivers`, each in a folder named after its row.
const APP: &str = "test/app:1";
/// The sidecar's, with the emulator's CA at `/emulator/ca.pem`.
pub const SIDECAR_WITH_CA: &str = "test/irsa-sidecar:1";
/// kubectl and nothing else: no shell.
const KUBECTL: &str = "test/kubectl:1";

/// Imports them into containerd.
pub fn import_all(ca_pem: &str) {
    let folder = tempfile::tempdir().expect("a directory");
    let with_ca = sidecar_with_ca(&folder.path().join("sidecar"), ca_pem);
    std::thread::scope(|scope| {
        for image in [sandbox(), kubectl_alone(), app(), with_ca] {
            let archive = folder.path().join(image.name.replace('/', "-"));
            scope.spawn(move || {
                image.write(&archive);
                import(&archive, &format!("docker.io/{}", image.name));
            });
        }
        scope.spawn(|| import(&sidecar_archive(), SIDECAR));
    });
}

fn sandbox() -> Image {
    Image {
        name: SANDBOX,
        entrypoint: &["/bin/sleep", "2147483647"],
        files: vec![(BUSYBOX.into(), "bin/sleep")],
    }
}

fn kubectl_alone() -> Image {
    Image {
        name: KUBECTL,
        entrypoint: &["/kubectl"],
        files: vec![(kubectl::program(), "kubectl")],
    }
}

fn app() -> Image {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/images");
    let mut files = vec![
        (clients().join("matrix/go"), "drivers"),
        (ours.join("the-app"), "bin/the-app"),
        (ours.join("the-job"), "bin/the-job"),
    ];
    for tool in ["bin/cat", "bin/grep", "bin/sh", "bin/sleep", "bin/tee"] {
        files.push((BUSYBOX.into(), tool));
    }
    Image {
        name: APP,
        entrypoint: &["/bin/the-app"],
        files,
    }
}

/// The program of the sidecar's image in one of its own, for containers that nothing can be mounted in.
fn sidecar_with_ca(folder: &Path, ca_pem: &str) -> Image {
    let root = folder.join("root");
    fs::create_dir_all(&root).expect("a directory");
    run(Command::new("tar")
        .arg("--extract")
        .arg("--file")
        .arg(sidecar_archive())
        .arg("--directory")
        .arg(folder));
    let read = |path: &Path| -> Value {
        let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).expect("JSON")
    };
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().expect("a digest");
        folder.join("blobs").join(digest.replace(':', "/"))
    };
    let manifest = read(&blob(&read(&folder.join("index.json"))["manifests"][0]));
    for layer in manifest["layers"].as_array().expect("layers") {
        run(Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(blob(layer))
            .arg("--directory")
            .arg(&root));
    }
    fs::write(folder.join("ca.pem"), ca_pem).expect("a file");
    Image {
        name: SIDECAR_WITH_CA,
        entrypoint: &["/irsa-sidecar"],
        files: vec![
            (root.join("irsa-sidecar"), "irsa-sidecar"),
            (folder.join("ca.pem"), "emulator/ca.pem"),
        ],
    }
}

/// Static.
const BUSYBOX: &str = "/bin/busybox";

/// The name in the manifests, as containerd completes it.
const SIDECAR: &str = concat!("docker.io/library/irsa-sidecar:", env!("CARGO_PKG_VERSION"));

fn import(archive: &Path, name: &str) {
    let archive = archive.to_str().expect("a path of ours is UTF-8");
    let name = if name.starts_with("docker.io/") {
        name.to_owned()
    } else {
        format!("docker.io/{name}")
    };
    let imported = ctr(&["images", "import", "--index-name", &name, archive]);
    imported.unwrap_or_else(|error| panic!("{archive}: {error}"));
}

fn sidecar_archive() -> PathBuf {
    let archive = std::env::var_os("IRSA_SIDECAR_TEST_IMAGE").map(PathBuf::from);
    let archive =
        archive.expect("IRSA_SIDECAR_TEST_IMAGE names the sidecar's image: use `make pod-test`");
    assert!(
        archive.exists(),
        "no {}; `make image` writes it",
        archive.display()
    );
    archive
}

fn clients() -> PathBuf {
    let clients = std::env::var_os("IRSA_SIDECAR_TEST_CLIENTS").map(PathBuf::from);
    clients.expect("IRSA_SIDECAR_TEST_CLIENTS names the folder of the clients: use `make pod-test`")
}

/// An image of one layer.
struct Image {
    name: &'static str,
    entrypoint: &'static [&'static str],
    /// A file or a folder of this machine, and where it lies in the image.
    files: Vec<(PathBuf, &'static str)>,
}

impl Image {
    /// As an OCI image layout: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.
    fn write(&self, archive: &Path) {
        let parts = archive.with_extension("parts");
        let root = parts.join("root");
        for (from, to) in &self.files {
            let to = root.join(to);
            fs::create_dir_all(to.parent().expect("it lies below the root")).expect("a directory");
            run(Command::new("cp").args(["-RL", "--"]).arg(from).arg(&to));
        }
        let layer = parts.join("layer.tar");
        run(tar(&layer)
            .args(["--owner=0", "--group=0", "--directory"])
            .arg(&root)
            .arg("."));
        let layer_digest = hex(&fs::read(&layer).expect("the layer"));
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": { "Entrypoint": self.entrypoint },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        });
        let size = fs::metadata(&layer).expect("the layer").len();
        let blobs = parts.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("a directory");
        fs::rename(&layer, blobs.join(&layer_digest)).expect("the layer");
        let blob = |media_type: &str, content: &Value| {
            let text = content.to_string();
            let digest = hex(text.as_bytes());
            fs::write(blobs.join(&digest), &text).expect("a blob");
            descriptor(media_type, &digest, text.len() as u64)
        };
        let config = blob("application/vnd.oci.image.config.v1+json", &config);
        let layer = descriptor(
            "application/vnd.oci.image.layer.v1.tar",
            &layer_digest,
            size,
        );
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [layer],
        });
        let manifest = blob("application/vnd.oci.image.manifest.v1+json", &manifest);
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        fs::write(parts.join("index.json"), index.to_string()).expect("a file");
        fs::write(
            parts.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .expect("a file");
        run(tar(archive).arg("--directory").arg(&parts).args([
            "oci-layout",
            "index.json",
            "blobs",
        ]));
    }
}

fn descriptor(media_type: &str, digest: &str, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
}

fn tar(archive: &Path) -> Command {
    let mut command = Command::new("tar");
    command.arg("--create").arg("--file").arg(archive);
    command
}

fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn hex(content: &[u8]) -> String {
    let bytes = digest(&SHA256, content);
    bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
