//! `emulator serve`: the program around the library.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::client::{eventually, send};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emulator"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running program and its line, killed when a test fails.
struct Program {
    child: Child,
    line: Value,
}

impl Program {
    fn serve(arguments: &[&str]) -> Self {
        let mut child = command(&[&["serve"], arguments].concat()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let line = serde_json::from_str(&line).expect("one line of JSON");
        Self { child, line }
    }

    fn get(&self, name: &str) -> &str {
        self.line[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.line))
    }

    /// Sends SIGTERM; the exit code and what stood on stderr.
    fn terminate(&mut self) -> (Option<i32>, String) {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended already, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn one_line_says_where_everything_is() {
    let dir = tempfile::tempdir().unwrap();
    let token_dir = dir.path().join("token");
    let mut program = Program::serve(&["--token-dir", token_dir.to_str().unwrap()]);
    let token = fs::read_to_string(program.get("token_file")).unwrap();
    let body = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName=pod-1\
         &WebIdentityToken={token}",
        program.get("role_arn"),
    );
    let reply = send(program.get("url"), "POST", "/", "", &body).unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.element("Provider"), program.get("issuer"));
    for url in ["tls_url", "cluster_url"] {
        assert!(program.get(url).starts_with("https://localhost:"));
    }
    let ca = send(program.get("control_url"), "GET", "/ca.pem", "", "").unwrap();
    assert_eq!(fs::read_to_string(program.get("ca_file")).unwrap(), ca.body);
    assert!(dir.path().join("ca.pem").is_file());

    let (code, log) = program.terminate();
    assert_eq!(code, Some(0));
    assert!(
        log.contains("sts: AssumeRoleWithWebIdentity: Success, session pod-1"),
        "{log}"
    );
}

#[test]
fn the_token_is_rotated_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let token_dir = dir.path().join("token");
    let ca_file = dir.path().join("ca");
    let mut program = Program::serve(&[
        "--token-dir",
        token_dir.to_str().unwrap(),
        "--rotate-every=1",
        "--ca-file",
        ca_file.to_str().unwrap(),
    ]);
    assert!(ca_file.is_file());
    let read = || fs::read_to_string(program.get("token_file")).ok();
    let first = read().unwrap();
    eventually(|| read().is_some_and(|token| token != first));
    let (_, log) = program.terminate();
    assert!(log.contains("kubelet: rotated the token"), "{log}");
}

#[test]
fn bad_usage_is_exit_code_64() {
    let output = command(&["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token-dir is missing"));
}

#[test]
fn a_port_in_use_is_exit_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "serve",
        "--listen",
        &address,
        "--token-dir",
        dir.path().to_str().unwrap(),
    ];
    assert_eq!(command(&arguments).output().unwrap().status.code(), Some(1));
}

#[test]
fn help_teaches_on_stdout() {
    let output = command(&["--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Usage: emulator serve"));
}
