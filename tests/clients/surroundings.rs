//! What a row meets in its network namespace: a pod whose sidecars have every door on its usual address.

use std::path::{Path, PathBuf};
use std::process::Command;

use emulator::{Call, TokenRequest};

use crate::door::Door;
use crate::mask::masked;
use crate::row::Row;
use crate::sidecar::{Launch, Pod, Sidecar};

/// A pod and its sidecars.
pub struct Surroundings {
    pub pod: Pod,
    pub sidecar: Sidecar,
    /// One has one place for instance metadata: this one has it on loopback, for those who can be told where it is.
    elsewhere: Option<Sidecar>,
}

impl Surroundings {
    /// Where credentials can be had.
    pub fn sound(row: &Row) -> Self {
        let around = Surroundings::with(row, TokenRequest::default());
        around.sidecars().for_each(Sidecar::wait_ready);
        around
    }

    /// Where they cannot: the token is for somebody else.
    pub fn broken(row: &Row) -> Self {
        let audiences = vec!["sts.amazon.com".to_owned()];
        let around = Surroundings::with(
            row,
            TokenRequest {
                audiences,
                ..TokenRequest::default()
            },
        );
        around
            .sidecars()
            .for_each(|sidecar| sidecar.wait_finding("token-audience"));
        around
    }

    fn with(row: &Row, request: TokenRequest) -> Self {
        let pod = Pod::with(request);
        pod.emulator.sts().set_session_lifetime(Some(row.session));
        std::fs::create_dir(pod.path("output")).expect("a directory");
        std::fs::create_dir(pod.path("home")).expect("a directory");
        let sidecar = pod
            .serve()
            .env("IRSA_SIDECAR_LISTEN", "127.0.0.1:9910")
            .env(
                "IRSA_SIDECAR_LINK_LOCAL_LISTEN",
                "169.254.170.2:80,169.254.170.23:80",
            )
            .env("IRSA_SIDECAR_IMDS_LISTEN", "169.254.169.254:80")
            .env("IRSA_SIDECAR_IMDS_V1", row.imds_v1.to_string())
            .env("IRSA_SIDECAR_OUTPUT_DIR", pod.path("output"))
            .env("IRSA_SIDECAR_CREDENTIALS_FILE", "true")
            .start();
        let elsewhere = row.doors.contains('E').then(|| {
            pod.serve()
                .env("IRSA_SIDECAR_IMDS_LISTEN", "127.0.0.1:1338")
                .env("IRSA_SIDECAR_IMDS_V1", row.imds_v1.to_string())
                .env(
                    "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE",
                    pod.path("authorization-token-elsewhere"),
                )
                .start()
        });
        Surroundings {
            pod,
            sidecar,
            elsewhere,
        }
    }

    /// The calls that somebody signed, be it well or badly.
    pub fn signed(&self) -> Vec<Call> {
        let mut calls = self.pod.emulator.sts().calls();
        calls.retain(|call| call.access_key_id.is_some());
        calls
    }

    fn sidecars(&self) -> impl Iterator<Item = &Sidecar> {
        [&self.sidecar].into_iter().chain(&self.elsewhere)
    }

    /// The one behind a door.
    pub fn behind(&self, door: Door) -> &Sidecar {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere
            .filter(|_| door == Door::ImdsEndpoint)
            .unwrap_or(&self.sidecar)
    }

    /// What the one behind a door says of itself, without its settings.
    pub fn log(&self, door: Door) -> String {
        let log = self.behind(door).log();
        let lines = log
            .lines()
            .filter(|line| !line.contains("\"configuration\""));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The key that is given out behind a door now.
    pub fn served_key(&self, door: Door) -> String {
        let credentials = self.behind(door).get_credentials(&self.pod).json();
        credentials["AccessKeyId"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The AWS config file of an app: its region.
    pub fn config(&self) -> PathBuf {
        self.written("config", "[default]\nregion = eu-west-1\n")
    }

    /// The same with our own `credential_process`.
    pub fn config_with_process(&self) -> PathBuf {
        let program = env!("CARGO_BIN_EXE_irsa-sidecar");
        let token_file = self.pod.path("authorization-token");
        let process = format!(
            "{program} credential-process --listen 127.0.0.1:9910 --authorization-token-file {}",
            token_file.display()
        );
        self.written(
            "config-with-process",
            &format!("[default]\nregion = eu-west-1\ncredential_process = {process}\n"),
        )
    }

    /// A client's words without what is of this run only.
    pub fn masked(&self, text: &str, home: &Path) -> String {
        let paths = [
            (home.display().to_string(), "MATRIX_HOME"),
            (self.pod.dir.path().display().to_string(), "POD"),
            (
                env!("CARGO_BIN_EXE_irsa-sidecar").to_owned(),
                "irsa-sidecar",
            ),
            (env!("CARGO_MANIFEST_DIR").to_owned(), "."),
            (self.pod.request.pod_uid().to_owned(), "POD_UID"),
        ];
        masked(text, &paths)
    }

    /// A file with these words.
    pub fn written(&self, name: &str, text: &str) -> PathBuf {
        let path = self.pod.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

/// Makes the namespace that we are in into a pod's: loopback, and the addresses that the old doors are on.
pub fn prepare_network() {
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .output();
    let up = up.expect("ip (of iproute2) cannot be run, and this test needs it");
    assert!(
        up.status.success(),
        "{}",
        String::from_utf8_lossy(&up.stderr)
    );
    let added = Launch::new(["link-local", "--imds", "--pod-identity"]).output();
    assert!(added.status.success(), "{}", added.stderr);
}
