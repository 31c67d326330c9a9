//! A client at work: a process of its ecosystem that answers lines on stdin with lines of JSON on stdout.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::door::Door;
use crate::row::{Ecosystem, Row};
use crate::surroundings::Surroundings;

/// More than any SDK tries for, on a machine with better things to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running driver; killed when dropped.
pub struct Driver {
    name: String,
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Driver {
    /// Starts the row's driver in the app's container, by one door; `change` comes last.
    pub fn start(
        ecosystem: &Ecosystem,
        row: &Row,
        door: Door,
        around: &Surroundings,
        change: &[(&str, &str)],
    ) -> Self {
        let home = ecosystem.home(row);
        let mut command = (ecosystem.command)(row, &home);
        let url = around.pod.emulator.url();
        command.arg(door.letter().to_string());
        // What a driver's interpreter needs is the ecosystem's to say; nothing else is inherited.
        let own: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command.env_clear().envs(own);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .env("HOME", around.pod.path("home"))
            .env("MATRIX_HOME", &home)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env(
                "NO_PROXY",
                "127.0.0.1,localhost,169.254.170.2,169.254.170.23,169.254.169.254",
            )
            .env("STS_ENDPOINT_URL", url)
            .env("S3_ENDPOINT_URL", url)
            .envs(door.environment(around))
            .envs(change.iter().copied());
        Driver::spawn(format!("{} by {door:?}", row.name), command)
    }

    fn spawn(name: String, mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let spawned = command.spawn();
        let mut child =
            spawned.unwrap_or_else(|error| panic!("{name}: {command:?} does not start: {error}"));
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = child.stdout.take().expect("a pipe");
        let mut stderr = child.stderr.take().expect("a pipe");
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // Nobody listens any more once the driver is dropped.
            lines
                .take_while(|line| sender.send(line.clone()).is_ok())
                .for_each(drop);
        });
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Driver {
            name,
            child,
            stdin,
            answers,
            stderr: Some(stderr),
        }
    }

    /// Asks for a signed call; what the developer would see where there is none.
    pub fn identity(&mut self) -> Result<(), String> {
        let answer = self.ask("identity");
        match answer["error"].as_str() {
            None if answer["ok"] == true => Ok(()),
            Some(error) => Err(error.to_owned()),
            None => panic!("{}: {answer} is neither ok nor an error", self.name),
        }
    }

    /// Lets the client believe, where it judges the age of its credentials, that so many seconds have passed.
    pub fn later(&mut self, seconds: u32) {
        let answer = self.ask(&format!("later {seconds}"));
        assert_eq!(answer["ok"], true, "{}: {answer}", self.name);
    }

    fn ask(&mut self, line: &str) -> Value {
        let sent = writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush());
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = match (sent, answer) {
            (Ok(()), Ok(answer)) => answer,
            (sent, answer) => {
                let _ = self.child.kill();
                let stderr = self
                    .stderr
                    .take()
                    .map(|reader| reader.join().expect("a reader"));
                panic!(
                    "{}: no answer to {line:?} ({sent:?}, {answer:?}); it wrote:\n{}",
                    self.name,
                    stderr.unwrap_or_default()
                );
            }
        };
        serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{}: {answer:?} is no JSON: {error}", self.name))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
