//! The shared credentials file: there before ready, whole and alive at every moment, and everything in it that is not
//! ours left as it was.

mod clients;
mod configuration;
mod failures;
mod life;
mod others;
mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use emulator::{Fault, Issued};

use crate::files::{mode_of, names_in};
use crate::sidecar::{Launch, Pod, Sidecar, eventually, read};

/// `serve` with the file in the pod's `out`, which is not there yet.
fn serve(pod: &Pod) -> Launch {
    let launch = pod.serve().arg("--output-dir").arg(pod.path("out"));
    launch.arg("--credentials-file")
}

fn path(pod: &Pod) -> PathBuf {
    pod.path("out/credentials")
}

/// Writes the file before the sidecar does, or over it.
fn write(pod: &Pod, text: &str) {
    std::fs::create_dir_all(pod.path("out")).expect("a directory");
    std::fs::write(path(pod), text).expect("a file");
}

/// What of a session stands in its profile.
fn keys(session: &Issued) -> String {
    let Issued {
        access_key_id,
        secret_access_key,
        session_token,
        ..
    } = session;
    format!(
        "aws_access_key_id = {access_key_id}\naws_secret_access_key = {secret_access_key}\naws_session_token = {session_token}\naws_security_token = {session_token}\n"
    )
}

/// A whole profile.
fn profile(name: &str, session: &Issued) -> String {
    format!("[{name}]\n{}region = eu-west-1\n", keys(session))
}

fn newest(pod: &Pod) -> Issued {
    pod.emulator.sts().issued().pop().expect("a session")
}

/// Waits until the file holds what `expected` makes of the newest session.
#[track_caller]
fn wait_content(pod: &Pod, sidecar: &Sidecar, expected: impl Fn(&Issued) -> String) {
    let mut last = String::new();
    let came = eventually(|| {
        last = std::fs::read_to_string(path(pod)).unwrap_or_default();
        last == expected(&newest(pod))
    });
    let expected = expected(&newest(pod));
    assert!(
        came,
        "expected\n{expected}\nfound\n{last}\n{}",
        sidecar.log()
    );
}

/// Every profile as Python's configparser reads it, and with it botocore; what it refuses is no file of ours.
fn as_python_reads(path: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    const SCRIPT: &str = "import configparser, json, sys\nfile = configparser.RawConfigParser()\nfile.read_file(open(sys.argv[1], encoding='utf-8'))\nprint(json.dumps({name: dict(file.items(name)) for name in file.sections()}))";
    let mut python = Command::new("python3");
    let output = python.args(["-c", SCRIPT]).arg(path).output();
    let output = output.expect("python3, which is needed here");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{}", read(path));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn it_is_there_before_ready_and_is_the_profile_and_nothing_else() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.fail_next(1, Fault::Latency(Duration::from_secs(1)));
    let sidecar = serve(&pod).start();
    let ready = eventually(|| {
        let answer = sidecar.ops_get("/startupz");
        assert!(
            answer.status != 200 || path(&pod).exists(),
            "ready without its file"
        );
        answer.status == 200
    });
    assert!(ready, "{}", sidecar.log());
    assert_eq!(read(&path(&pod)), profile("default", &newest(&pod)));
    assert_eq!(names_in(&pod.path("out")), ["credentials"]);
    let fresh = sidecar.wait_message("the files in output-dir are fresh");
    assert_eq!(fresh["files"], 1);
}

#[test]
fn it_has_the_mode_that_was_asked_for_whatever_the_umask() {
    for (mode, umask) in [(None, "0077"), (None, "0"), (Some("0600"), "0")] {
        let pod = Pod::new();
        let launch = match mode {
            Some(mode) => serve(&pod).arg("--output-mode").arg(mode),
            None => serve(&pod),
        };
        let script = format!(r#"umask {umask} && exec "$0" "$@""#);
        let binary = env!("CARGO_BIN_EXE_irsa-sidecar");
        let sidecar = Sidecar::spawn(launch.wrapped("sh", &["-c", &script, binary]));
        sidecar.wait_ready();
        let found = format!("{:04o}", mode_of(&path(&pod)));
        assert_eq!(found, mode.unwrap_or("0640"), "with umask {umask}");
    }
}

#[test]
fn it_goes_with_token_files_and_ready_means_all_of_them() {
    let pod = Pod::new();
    std::fs::create_dir_all(path(&pod)).expect("a directory where the file belongs");
    let sidecar = serve(&pod).arg("--eks-cluster=demo").start();
    sidecar.wait_finding("file-not-written");
    let token = pod.path("out/demo.eks-token");
    assert!(eventually(|| token.exists()), "{}", sidecar.log());
    assert_ne!(sidecar.ops_get("/readyz").status, 200);
    std::fs::remove_dir(path(&pod)).expect("a directory");
    sidecar.wait_ready();
    let fresh = sidecar.wait_message("the files in output-dir are fresh");
    assert_eq!(fresh["files"], 2);
    assert_eq!(
        names_in(&pod.path("out")),
        ["credentials", "demo.eks-token"]
    );

    // The other way round: a token that cannot be written.
    std::fs::remove_file(&token).expect("a file");
    std::fs::create_dir(&token).expect("a directory where the file belongs");
    sidecar.wait_finding("file-not-written");
    assert_eq!(read(&path(&pod)), profile("default", &newest(&pod)));
}

#[test]
fn what_is_in_it_is_never_logged() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(10)));
    let other = "[other]\naws_secret_access_key = somebody/elses+secret\n";
    write(&pod, other);
    let mut sidecar = serve(&pod).arg("--log-level=trace").start();
    sidecar.wait_ready();
    write(&pod, &format!("{other}junk\n[default] junk\n"));
    sidecar.wait_finding("file-not-written");
    write(&pod, other);
    sidecar.wait_ready();
    let refreshed = eventually(|| pod.emulator.sts().exchanges() >= 2);
    assert!(refreshed, "{}", sidecar.log());
    sidecar.signal("TERM");
    let log = sidecar.whole_log();
    assert!(log.contains("the files in output-dir are fresh"), "{log}");
    let issued = pod.emulator.sts().issued();
    let ours = issued
        .iter()
        .flat_map(|one| [&one.secret_access_key[..], &one.session_token[..40]]);
    for secret in ours.chain(["somebody/elses+secret"]) {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}
