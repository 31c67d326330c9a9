//! A command of the program: how it is started, and how it ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{PATIENCE, Sidecar, eventually_within, is_root};

/// A command line and an environment; nothing is inherited but `PATH`.
pub struct Launch {
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
}

impl Launch {
    pub fn new<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Launch {
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
        }
    }

    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(&OsString::from(name));
        self
    }

    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// These arguments instead of `serve`.
    pub fn with_arguments<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// The command, for tests that wrap it (prlimit, unshare).
    pub fn command(&self) -> Command {
        self.wrapped(env!("CARGO_BIN_EXE_irsa-sidecar"), &[] as &[&str])
    }

    /// The same behind another program, which gets the binary's path after its own arguments.
    pub fn wrapped(&self, program: &str, before: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(before).args(&self.arguments);
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(&self.environment);
        command
    }

    /// The same without what lets root read and write whatever its mode is.
    pub fn without_capabilities(&self) -> Command {
        const BINARY: &str = env!("CARGO_BIN_EXE_irsa-sidecar");
        match is_root() {
            true => self.wrapped(
                "setpriv",
                &["--bounding-set=-all", "--inh-caps=-all", BINARY],
            ),
            false => self.command(),
        }
    }

    /// Runs to the end with this on stdin.
    pub fn given(&self, stdin: &[u8]) -> Finished {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let bytes = stdin.to_owned();
        // What is not read to its end breaks the pipe.
        let writer = std::thread::spawn(move || pipe.write_all(&bytes));
        let output = child.wait_with_output().expect("its output");
        let _ = writer.join().expect("a writer");
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs to the end; for commands that do not stay.
    pub fn output(&self) -> Finished {
        let output = self
            .command()
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs");
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs what should end by itself; killed, with a test's patience, when it does not.
    pub fn ends(&self) -> Finished {
        self.ends_within(PATIENCE)
    }

    /// The same for what takes its time before it gives up.
    pub fn ends_within(&self, patience: Duration) -> Finished {
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let ended = eventually_within(patience, || child.try_wait().expect("a child").is_some());
        if !ended {
            child.kill().expect("a child that still runs");
        }
        let output = child.wait_with_output().expect("its output");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(ended, "it should have ended; its log:\n{stderr}");
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr,
        }
    }

    /// Starts `serve` and returns when its doors are open.
    pub fn start(&self) -> Sidecar {
        Sidecar::spawn(self.command())
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}
