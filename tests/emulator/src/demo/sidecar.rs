//! The sidecar: the real program in the environment of a pod. It is taken down with this value.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use emulator::{Emulator, ROLE_ARN, Volume};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::client::{self, Served};
use crate::cli::Demo;

pub(super) const REGION: &str = "eu-west-1";

/// The running program.
pub(super) struct Sidecar {
    child: Child,
    program: PathBuf,
    authorization_token_file: PathBuf,
    output_dir: PathBuf,
    credentials: Option<SocketAddr>,
}

impl Sidecar {
    /// Starts it; the receiver gets the lines of its log.
    pub(super) fn start(
        options: &Demo,
        emulator: &Emulator,
        volume: &Volume,
        dir: &Path,
    ) -> io::Result<(Self, UnboundedReceiver<String>)> {
        let authorization_token_file = dir.join("authorization-token");
        let output_dir = dir.join("kubernetes");
        let program = std::path::absolute(&options.sidecar)?;
        let mut command = Command::new(&program);
        command
            .args(["serve", "--kubeconfig", "--eks-cluster"])
            .arg(emulator.cluster().name())
            .arg("--output-dir")
            .arg(&output_dir)
            // Whatever AWS variables or proxies are set where the demo runs: a pod would not have them.
            .env_clear()
            .env("AWS_ROLE_ARN", ROLE_ARN)
            .env("AWS_REGION", REGION)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", volume.token_path())
            .env("AWS_ENDPOINT_URL_STS", emulator.url())
            .env("AWS_ENDPOINT_URL_EKS", emulator.url())
            .env("IRSA_SIDECAR_LISTEN", "127.0.0.1:0")
            .env("IRSA_SIDECAR_OPS_LISTEN", "127.0.0.1:0")
            .env(
                "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE",
                &authorization_token_file,
            )
            .env("IRSA_SIDECAR_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for the demo, which then stops the sidecar in good order.
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", options.sidecar.display())))?;
        let stderr = child.stderr.take().expect("it was asked for");
        let (sender, lines) = unbounded_channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let sidecar = Self {
            child,
            program,
            authorization_token_file,
            output_dir,
            credentials: None,
        };
        Ok((sidecar, lines))
    }

    /// Takes note of a door.
    pub(super) fn listens(&mut self, door: &str, address: String) {
        // Of the two addresses 127.0.0.1 is the first, and the one that every SDK takes.
        if door == "credentials" && self.credentials.is_none() {
            self.credentials = address.parse().ok();
        }
    }

    pub(super) fn credentials_url(&self) -> io::Result<String> {
        Ok(format!("http://{}/v1/credentials", self.door()?))
    }

    pub(super) fn get_credentials(&self) -> io::Result<Served> {
        client::get_credentials(self.door()?, &self.authorization()?)
    }

    pub(super) fn authorization_token_file(&self) -> &Path {
        &self.authorization_token_file
    }

    /// The program, as an absolute path.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Where the token files and the kubeconfig are.
    pub(super) fn output_dir(&self) -> &Path {
        &self.output_dir
    }

    /// How it ended, if it did.
    pub(super) fn fate(&mut self) -> Option<String> {
        let status = self.wait(Duration::from_millis(200))?;
        Some(format!("the sidecar ended, which it must not: {status}"))
    }

    fn door(&self) -> io::Result<SocketAddr> {
        self.credentials
            .ok_or_else(|| io::Error::other("the sidecar did not say where it listens"))
    }

    fn authorization(&self) -> io::Result<String> {
        fs::read_to_string(&self.authorization_token_file)
    }

    fn wait(&mut self, patience: Duration) -> Option<std::process::ExitStatus> {
        const LOOK_EVERY: Duration = Duration::from_millis(10);
        for _ in 0..=patience.as_millis() / LOOK_EVERY.as_millis() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(LOOK_EVERY);
        }
        None
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let asked = self
            .door()
            .and_then(|door| client::shut_down(door, &self.authorization()?));
        if asked.is_err() || self.wait(Duration::from_secs(3)).is_none() {
            // Fails when it has ended already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
