//! `make demo`: the five steps, without secrets, and nothing left behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::sidecar::eventually;

/// Built by `cargo test --workspace` beside the sidecar.
fn emulator() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_irsa-sidecar")).with_file_name("emulator");
    assert!(
        path.is_file(),
        "missing, needed by this test: {}; run the tests with --workspace",
        path.display()
    );
    path
}

/// The demo with a place of its own for temporary files.
fn demo(sidecar: &str, files: &TempDir) -> Command {
    let mut command = Command::new(emulator());
    command
        .args(["demo", "--sidecar", sidecar])
        .env_clear()
        .env("TMPDIR", files.path())
        // Where the demo runs, anything may be set: none of it is for the sidecar.
        .env("AWS_PROFILE", "nobody")
        .env("IRSA_SIDECAR_DURATION", "for ever")
        .stdin(Stdio::null());
    command
}

fn is_empty(files: &TempDir) -> bool {
    let mut entries = fs::read_dir(files.path()).expect("the directory");
    entries.next().is_none()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn failed(output: &Output) -> String {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    stderr
}

/// A sidecar that is none.
fn script(files: &TempDir, body: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = files.path().join("sidecar");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    path.display().to_string()
}

#[test]
fn once_shows_every_step_and_no_secret_and_leaves_nothing_behind() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let output = demo(env!("CARGO_BIN_EXE_irsa-sidecar"), &files)
        .arg("--once")
        .output()
        .expect("the emulator runs");
    let (page, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{page}\n{errors}");
    assert_eq!(errors, "");
    let mut rest = page.as_str();
    for shown in [
        "1  The token",
        "system:serviceaccount:team:app",
        "sts.amazonaws.com",
        "2  The exchange",
        "arn:aws:iam::111122223333:role/app",
        "Success",
        "3  The credentials",
        "200 application/json",
        "40 characters, not shown",
        "4  A rotation",
        "a new token",
        "noticed it",
        "AssumeRoleWithWebIdentity: Success",
        "new credentials",
        "client   200, ASIA",
        "5  The same with a real AWS CLI",
        "export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:",
        "export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/",
        "export AWS_ENDPOINT_URL_STS=http://127.0.0.1:",
        "export AWS_DEFAULT_REGION=",
        "export AWS_EC2_METADATA_DISABLED=true",
        "aws sts get-caller-identity",
    ] {
        let Some((_, after)) = rest.split_once(shown) else {
            panic!("{shown:?} is missing, or out of order, in\n{page}");
        };
        rest = after;
    }
    assert_no_secret(&page);
    assert!(!page.contains('\x1b'), "colour, and this is no terminal");
    assert!(is_empty(&files), "temporary files are left behind");
}

/// The demo's emulator cannot be asked what it issued, but what it issues has a form.
fn assert_no_secret(page: &str) {
    assert!(!page.contains("eyJ"), "a token:\n{page}");
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+=_-".contains(c);
    for run in page.split(|c| !is_base64(c)) {
        assert!(
            !run.starts_with("ASIA") || run.len() <= 8,
            "a key id: {run}\n{page}"
        );
        assert!(!run.starts_with("IQoJ"), "a session token: {run}\n{page}");
    }
    // 18 characters, a slash, 20 characters and a plus: the emulator's secret access keys, and nothing else on the page.
    let is_key = |word: &str| {
        word.split_once('/')
            .is_some_and(|(head, tail)| head.len() == 18 && tail.len() == 21 && tail.ends_with('+'))
    };
    assert!(
        !page.split_whitespace().any(is_key),
        "a secret key:\n{page}"
    );
}

#[test]
fn ctrl_c_takes_down_the_sidecar_and_its_files() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let mut child = demo(env!("CARGO_BIN_EXE_irsa-sidecar"), &files)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the emulator runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let url = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("GET http://")?.1.to_owned()))
        .expect("the door's address");
    let door: SocketAddr = url
        .split('/')
        .next()
        .and_then(|address| address.parse().ok())
        .expect("an address");
    assert!(TcpStream::connect(door).is_ok());

    let interrupted = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(interrupted.success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(rest.last().map(String::as_str), Some("stopped"), "{rest:?}");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    assert!(eventually(|| TcpStream::connect(door).is_err()));
    assert!(is_empty(&files), "temporary files are left behind");
}

#[test]
fn a_sidecar_that_ends_is_named_with_its_log() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let place = tempfile::tempdir().expect("a temporary directory");
    let sidecar = script(&place, "echo 'its last words' >&2; exit 78");
    let output = demo(&sidecar, &files).output().expect("the emulator runs");
    let reason = failed(&output);
    assert!(reason.contains("the sidecar ended"), "{reason}");
    assert!(reason.contains("78"), "{reason}");
    assert!(reason.contains("its last words"), "{reason}");
    assert!(is_empty(&files), "temporary files are left behind");
}

#[test]
fn a_sidecar_that_is_missing_is_named() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let output = demo("/nowhere/irsa-sidecar", &files)
        .output()
        .expect("the emulator runs");
    let reason = failed(&output);
    assert!(reason.contains("/nowhere/irsa-sidecar"), "{reason}");
    assert!(is_empty(&files), "temporary files are left behind");
}
