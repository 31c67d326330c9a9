//! What the sidecar needs around it, and the sidecar in it: the release binary in the environment of a pod.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Stdio};
use std::time::Duration;

use emulator::{Emulator, ROLE_ARN, TokenRequest, Volume};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::Failure;
use crate::cores::Cores;
use crate::load::Mode;
use crate::process::Process;

/// An emulator, a token, and a place for files.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) token: String,
    volume: Volume,
    dir: TempDir,
    sidecar: PathBuf,
}

/// A sidecar with credentials.
pub(crate) struct Sidecar {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// From the moment before its exec.
    pub(crate) listening_after: Duration,
    pub(crate) ready_after: Duration,
}

impl World {
    pub(crate) fn new(sidecar: &Path) -> Result<Self, Failure> {
        let emulator = Emulator::start();
        let dir = tempfile::tempdir()?;
        let token = emulator.issuer().token(&TokenRequest::default());
        let volume = Volume::create(&dir.path().join("token"), &token)?;
        Ok(Self {
            emulator,
            token,
            volume,
            dir,
            sidecar: sidecar.to_owned(),
        })
    }

    /// Starts it and waits for its first credentials.
    pub(crate) fn start(&self, cores: &Cores) -> Result<Sidecar, Failure> {
        let mut command = cores.server(&self.sidecar);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .arg("serve")
            .env_clear()
            .env("PATH", path)
            .env("AWS_ROLE_ARN", ROLE_ARN)
            .env("AWS_REGION", "eu-west-1")
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
            .map_err(|error| format!("{}: {error}", self.sidecar.display()))?;
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

    /// What a client with an authorization token sends.
    pub(crate) fn request(&self, address: SocketAddr, mode: Mode) -> Result<String, Failure> {
        let authorization = fs::read_to_string(self.authorization_token_file())?;
        let connection = match mode {
            Mode::KeepAlive => "keep-alive",
            Mode::NewConnection => "close",
        };
        Ok(format!(
            "GET /v1/credentials HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\n\
             user-agent: bench\r\naccept: */*\r\nconnection: {connection}\r\n\r\n"
        ))
    }

    fn authorization_token_file(&self) -> PathBuf {
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
