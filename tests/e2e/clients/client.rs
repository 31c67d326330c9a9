//! One real client as a process of the app's container.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sidecar::{Pod, Sidecar};

/// A client and how it is asked who it is.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    /// The AWS CLI with these arguments.
    Aws(&'static [&'static str]),
    Python(&'static str),
    JavaScript(&'static str),
}

impl Client {
    /// A clean home, no instance metadata, and `STS` is the emulator.
    pub fn command(self, pod: &Pod) -> Command {
        let (python, scripts) = (installed("python/bin"), scripts());
        let mut command = match self {
            Client::Aws(arguments) => {
                let mut command = Command::new(python.join("python"));
                command.arg(python.join("aws")).args(arguments);
                command
            }
            Client::Python(script) => {
                let mut command = Command::new(python.join("python"));
                command.arg(scripts.join(script));
                command
            }
            Client::JavaScript(provider) => {
                let mut command = Command::new("node");
                command
                    .arg(scripts.join("javascript_identity.cjs"))
                    .arg(provider);
                command
            }
        };
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .stdin(Stdio::null())
            .env("HOME", pod.dir.path())
            .env("NODE_PATH", installed("javascript/node_modules"))
            .env("AWS_REGION", "eu-west-1")
            // Version 1 of the CLI knows no AWS_REGION.
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_ENDPOINT_URL_STS", pod.emulator.url())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// With the variables of a container whose SDK knows authorization token files.
    pub fn with_token_file(self, pod: &Pod, sidecar: &Sidecar) -> Command {
        let mut command = self.command(pod);
        command
            .env(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("http://{}/v1/credentials", sidecar.credentials),
            )
            .env(
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                pod.path("authorization-token"),
            );
        command
    }

    /// With the one variable that SDKs of any age know, and no header.
    pub fn with_pod_uid(self, pod: &Pod, sidecar: &Sidecar) -> Command {
        let mut command = self.command(pod);
        let path = format!("/v2/credentials/{}", pod.request.pod_uid());
        command.env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://{}{path}", sidecar.credentials),
        );
        command
    }
}

pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients")
}

/// A test that cannot run has not passed.
pub fn installed(what: &str) -> PathBuf {
    let Some(folder) = std::env::var_os("IRSA_SIDECAR_TEST_CLIENTS") else {
        panic!(
            "the real clients are not there: run `make test`, or `make clients` and set IRSA_SIDECAR_TEST_CLIENTS to the folder that it fills"
        );
    };
    let path = PathBuf::from(folder).join(what);
    assert!(
        path.exists(),
        "{} is missing: run `make clients`",
        path.display()
    );
    path
}
