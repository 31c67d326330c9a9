//! What the sidecar needs around it, and the sidecar in it: the release binary in the environment of a pod.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::time::Duration;

use emulator::{Emulator, ROLE_ARN, TokenRequest, Volume};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::Failure;
use crate::process::Process;

/// The region of the pod and of its cluster.
pub const REGION: &str = "eu-west-1";

/// An emulator, a token, and a place for files.
pub struct World {
    /// The other side.
    pub emulator: Emulator,
    /// What the volume holds.
    pub token: String,
    volume: Volume,
    dir: TempDir,
}

/// A sidecar with credentials.
pub struct Sidecar {
    /// The program.
    pub process: Process,
    /// Its credentials door.
    pub address: SocketAddr,
    /// From the moment before its exec
    pub listening_after: Duration,
    /// … until it had credentials.
    pub ready_after: Duration,
}

impl World {
    /// Without a sidecar yet.
    pub fn new() -> Result<Self, Failure> {
        let emulator = Emulator::start();
        let dir = tempfile::tempdir()?;
        let token = emulator.issuer().token(&TokenRequest::default());
        let volume = Volume::create(&dir.path().join("token"), &token)?;
        Ok(Self {
            emulator,
            token,
            volume,
            dir,
        })
    }

    /// Starts this program, which is the sidecar or runs it, and waits for its first credentials.
    pub fn start(&self, mut command: Command) -> Result<Sidecar, Failure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .arg("serve")
            .env_clear()
            .env("PATH", path)
            .env("AWS_ROLE_ARN", ROLE_ARN)
            .env("AWS_REGION", REGION)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", self.volume.token_path())
            .env("AWS_ENDPOINT_URL_STS", self.emulator.url())
            .env("IRSA_SIDECAR_LISTEN", "127.0.0.1:0")
            .env("IRSA_SIDECAR_OPS_LISTEN", "127.0.0.1:0")
            .env(
                "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE",
                self.authorization_token_file(),
            )
            .env("IRSA_SIDECAR_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let log = child.stderr.take().expect("it was asked for");
        let process = Process(child);
        let (mut address, mut listening_after) = (None, None);
        let mut lines = Lines::of(log);
        while let Some(event) = lines.next() {
            match event["message"].as_str() {
                Some("listening") if event["door"] == "credentials" && address.is_none() => {
                    listening_after = Some(started.elapsed());
                    address = event["address"].as_str().and_then(|text| text.parse().ok());
                }
                Some("refreshed credentials") => {
                    let ready_after = started.elapsed();
                    lines.drain();
                    return Ok(Sidecar {
                        process,
                        address: address.ok_or("the sidecar did not say where it listens")?,
                        listening_after: listening_after.unwrap_or(ready_after),
                        ready_after,
                    });
                }
                _ => {}
            }
        }
        Err(format!("the sidecar did not get credentials:\n{}", lines.text).into())
    }

    /// A place for a client's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What clients have to show is in this file.
    pub fn authorization_token_file(&self) -> PathBuf {
        self.dir.path().join("authorization-token")
    }
}

/// The log, line by line.
struct Lines {
    log: BufReader<ChildStderr>,
    text: String,
}

impl Lines {
    fn of(log: ChildStderr) -> Self {
        Self {
            log: BufReader::new(log),
            text: String::new(),
        }
    }

    /// The next line; null when it is no JSON, nothing at the end.
    fn next(&mut self) -> Option<Value> {
        let from = self.text.len();
        match self.log.read_line(&mut self.text) {
            Ok(1..) => Some(serde_json::from_str(&self.text[from..]).unwrap_or_default()),
            _ => None,
        }
    }

    /// Reads the rest and throws it away: a full pipe would stop the sidecar.
    fn drain(mut self) {
        std::thread::spawn(move || {
            while self.next().is_some() {
                self.text.clear();
            }
        });
    }
}
