//! `make demo`: its steps to the end, without secrets, and nothing left behind.

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

/// Of this machine, for what the demo runs by itself.
fn with_kubectl(command: &mut Command) -> &mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    assert!(
        std::env::split_paths(&path).any(|dir| dir.join("kubectl").is_file()),
        "missing, needed by this test: kubectl on the PATH"
    );
    command.env("PATH", path)
}

/// A kubectl that is none, in the only place where the demo finds one.
fn with_script_for_kubectl<'a>(
    command: &'a mut Command,
    place: &TempDir,
    body: &str,
) -> &'a mut Command {
    script(place, "kubectl", body);
    command.env("PATH", place.path())
}

/// What a demo that goes well prints.
fn page_of(demo: &mut Command) -> String {
    let output = demo.output().expect("the emulator runs");
    let (page, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{page}\n{errors}");
    assert_eq!(errors, "");
    page
}

/// All of it, in this order.
fn shows(page: &str, all: &[&str]) {
    let mut rest = page;
    for shown in all {
        let Some((_, after)) = rest.split_once(shown) else {
            panic!("{shown:?} is missing, or out of order, in\n{page}");
        };
        rest = after;
    }
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

/// A program that is not what its name says.
fn script(files: &TempDir, name: &str, body: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = files.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    path.display().to_string()
}

/// Ctrl-C.
fn interrupt(id: u32) {
    let interrupted = Command::new("kill")
        .args(["-INT", &id.to_string()])
        .status()
        .expect("kill runs");
    assert!(interrupted.success());
}

#[test]
fn once_shows_every_step_and_no_secret_and_leaves_nothing_behind() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let mut demo = demo(env!("CARGO_BIN_EXE_irsa-sidecar"), &files);
    let page = page_of(with_kubectl(&mut demo).arg("--once"));
    shows(
        &page,
        &[
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
            "6  kubectl in the EKS cluster demo",
            "/kubernetes/kubeconfig",
            "server         https://localhost:",
            "tokenFile      /",
            "/demo.eks-token",
            "characters, not shown",
            "export KUBECONFIG=/",
            "$ kubectl auth whoami",
            "asked STS whose token that is: Success",
            "Username",
            " job:app-7d9f8b6c5-x2x4q\n",
            " [jobs system:authenticated]\n",
            " [arn:aws:sts::111122223333:assumed-role/app/app-7d9f8b6c5-x2x4q]\n",
            "$ kubectl auth can-i get pods\n   yes\n",
            "$ kubectl get pods\n",
            "Running",
            "as exec plugin",
            "export KUBECONFIG=/",
            "$ irsa-sidecar kubeconfig --exec --cluster-name demo",
            "Added new context demo",
            "$ kubectl auth can-i get pods\n   yes\n",
        ],
    );
    assert_no_secret(&page);
    assert!(!page.contains('\x1b'), "colour, and this is no terminal");
    let is_wide = |line: &&str| line.chars().count() > 100 && !line.contains("/irsa-demo-");
    assert_eq!(page.lines().find(is_wide), None, "too wide for the page");
    assert!(is_empty(&files), "temporary files are left behind");
}

/// The demo's emulator cannot be asked what it issued, but what it issues has a form.
fn assert_no_secret(page: &str) {
    assert!(!page.contains("eyJ"), "a token:\n{page}");
    assert!(!page.contains("k8s-aws-v1."), "an EKS token:\n{page}");
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
fn without_kubectl_it_says_how_to_get_it_and_shows_all_that_takes_none() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let nothing = tempfile::tempdir().expect("a temporary directory");
    let mut demo = demo(env!("CARGO_BIN_EXE_irsa-sidecar"), &files);
    let page = page_of(demo.env("PATH", nothing.path()).arg("--once"));
    shows(
        &page,
        &[
            "6  kubectl in the EKS cluster demo",
            "/demo.eks-token",
            "arn:aws:iam::111122223333:role/app",
            "job:app-7d9f8b6c5-x2x4q",
            "jobs",
            "not on the PATH; https://kubernetes.io/docs/tasks/tools/",
            "not shown        kubectl auth whoami, kubectl auth can-i get pods, kubectl get pods",
            "$ irsa-sidecar kubeconfig --exec --cluster-name demo",
            "Added new context demo",
        ],
    );
    assert!(!page.contains("$ kubectl"), "there is none:\n{page}");
    assert_no_secret(&page);
    assert!(is_empty(&files), "temporary files are left behind");
}

#[test]
fn what_kubectl_is_refused_is_said_in_its_words() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut demo = demo(env!("CARGO_BIN_EXE_irsa-sidecar"), &files);
    let refused = "echo 'You must be logged in to the server' >&2; exit 1";
    let output = with_script_for_kubectl(&mut demo, &place, refused)
        .arg("--once")
        .output()
        .expect("the emulator runs");
    let reason = failed(&output);
    assert!(reason.contains("`kubectl auth whoami`"), "{reason}");
    assert!(
        reason.contains("You must be logged in to the server"),
        "{reason}"
    );
    assert!(is_empty(&files), "temporary files are left behind");
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

    interrupt(child.id());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(rest.last().map(String::as_str), Some("stopped"), "{rest:?}");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    assert!(eventually(|| TcpStream::connect(door).is_err()));
    assert!(is_empty(&files), "temporary files are left behind");
}

#[test]
fn ctrl_c_takes_down_a_kubectl_that_hangs() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let place = tempfile::tempdir().expect("a temporary directory");
    let pid_file = place.path().join("pid");
    let hangs = format!("echo $$ > {}; exec /bin/sleep 600", pid_file.display());
    let mut demo = demo(env!("CARGO_BIN_EXE_irsa-sidecar"), &files);
    let mut child = with_script_for_kubectl(&mut demo, &place, &hangs)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the emulator runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut asks = lines.by_ref().map_while(Result::ok);
    assert!(asks.any(|line| line.contains("$ kubectl auth whoami")));
    let mut kubectl = String::new();
    assert!(eventually(|| {
        kubectl = fs::read_to_string(&pid_file).unwrap_or_default();
        kubectl.ends_with('\n')
    }));

    interrupt(child.id());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(rest.last().map(String::as_str), Some("stopped"), "{rest:?}");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    let process = Path::new("/proc").join(kubectl.trim());
    assert!(eventually(|| !process.exists()), "kubectl still runs");
    assert!(is_empty(&files), "temporary files are left behind");
}

#[test]
fn a_sidecar_that_ends_is_named_with_its_log() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let place = tempfile::tempdir().expect("a temporary directory");
    let sidecar = script(&place, "sidecar", "echo 'its last words' >&2; exit 78");
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
