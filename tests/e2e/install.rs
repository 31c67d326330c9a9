//! `irsa-sidecar install DIR`: the program, whole and ready to be run, in a volume that another container has too.

mod places;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::sidecar::{Finished, Launch, Pod, Sidecar};

const BINARY: &str = env!("CARGO_BIN_EXE_irsa-sidecar");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn install(directory: &Path) -> Launch {
    Launch::new(["install"]).arg(directory)
}

/// Done, with this one line on stderr.
#[track_caller]
fn assert_done(finished: &Finished, line: &str) {
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert_eq!(finished.stdout, "");
    assert_eq!(finished.stderr, format!("irsa-sidecar: {line}\n"));
}

#[track_caller]
fn assert_refused(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stdout, "");
    for part in words {
        assert!(finished.stderr.contains(part), "{part:?}: {finished:?}");
    }
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
}

/// The program and nothing else, ready to be run by anybody.
#[track_caller]
fn assert_installed(directory: &Path) {
    let entries = fs::read_dir(directory).expect("a directory").flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["irsa-sidecar"]);
    let place = directory.join("irsa-sidecar");
    let found = fs::symlink_metadata(&place).expect("a file");
    assert!(found.is_file());
    assert_eq!(found.mode() & 0o7777, 0o755);
    let same = fs::read(&place).expect("a copy") == fs::read(BINARY).expect("the binary");
    assert!(same, "another content");
}

fn installed(directory: &Path) -> String {
    format!(
        "installed {}, version {VERSION}",
        directory.join("irsa-sidecar").display()
    )
}

#[test]
fn the_copy_is_this_program_and_runs() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_done(&install(dir.path()).ends(), &installed(dir.path()));
    assert_installed(dir.path());
    let run = std::process::Command::new(dir.path().join("irsa-sidecar"))
        .arg("--version")
        .env_clear()
        .output();
    let run = run.expect("the copy runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert_eq!(said, format!("irsa-sidecar {VERSION}\n"));
}

/// The app's container has another user than the init container.
#[test]
fn its_mode_is_the_same_under_any_umask() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = "umask 0077; exec \"$0\" \"$@\"";
    let mut command = install(dir.path()).wrapped("sh", &["-c", script, BINARY]);
    let run = command.output().expect("sh");
    assert!(run.status.success(), "{run:?}");
    assert_installed(dir.path());
}

#[test]
fn a_copy_that_is_there_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    install(dir.path()).ends();
    let place = dir.path().join("irsa-sidecar");
    let file = || {
        let found = fs::metadata(&place).expect("a file");
        (found.ino(), found.ctime(), found.ctime_nsec())
    };
    let before = file();
    let left = format!(
        "{} is this program already, version {VERSION}; left as it is",
        place.display()
    );
    assert_done(&install(dir.path()).ends(), &left);
    // The copy itself, asked to install where it is.
    let copy = std::process::Command::new(&place)
        .arg("install")
        .arg(dir.path())
        .output()
        .expect("the copy runs");
    assert!(copy.status.success(), "{copy:?}");
    assert_eq!(file(), before);
    assert_installed(dir.path());
}

#[test]
fn what_is_there_and_is_not_quite_this_program_is_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("irsa-sidecar");
    let program = fs::read(BINARY).expect("the binary");
    let (mut longer, mut other) = (program.clone(), program.clone());
    longer.push(0);
    *other.last_mut().expect("bytes") ^= 1;
    for (content, mode) in [
        (&b""[..], 0o755),
        (&program[..program.len() - 1], 0o755),
        (&longer, 0o755),
        (&other, 0o755),
        (&program, 0o644),
        (&program, 0o777),
        (&program, 0o4755),
    ] {
        fs::write(&place, content).expect("a file");
        fs::set_permissions(&place, Permissions::from_mode(mode)).expect("its mode");
        assert_done(&install(dir.path()).ends(), &installed(dir.path()));
        assert_installed(dir.path());
        fs::remove_file(&place).expect("a file");
    }
}

/// An upgrade while the app runs kubectl by the old copy.
#[test]
fn an_older_copy_that_runs_is_replaced_and_goes_on_running() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("irsa-sidecar");
    // Through cp: what this process itself writes, another test's child may hold open for a moment.
    let script = "cp \"$0\" \"$1\" && chmod 755 \"$1\" && echo >> \"$1\"";
    let copied = std::process::Command::new("sh")
        .args(["-c", script, BINARY])
        .arg(&place)
        .status();
    assert!(copied.is_ok_and(|copied| copied.success()));
    let pod = Pod::new();
    let old = pod.serve().wrapped(place.to_str().expect("a path"), &[]);
    let old = Sidecar::spawn(old);
    old.wait_ready();
    assert_done(&install(dir.path()).ends(), &installed(dir.path()));
    assert_installed(dir.path());
    assert_eq!(old.get_credentials(&pod).status, 200);
}

#[test]
fn a_directory_may_be_relative() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("shared")).expect("a directory");
    for (directory, line) in [
        (
            "shared",
            format!("installed shared/irsa-sidecar, version {VERSION}"),
        ),
        (".", format!("installed ./irsa-sidecar, version {VERSION}")),
    ] {
        let mut command = install(directory.as_ref()).command();
        let run = command.current_dir(dir.path()).output().expect("a run");
        assert!(run.status.success(), "{run:?}");
        assert_eq!(
            String::from_utf8_lossy(&run.stderr),
            format!("irsa-sidecar: {line}\n")
        );
    }
    assert_installed(&dir.path().join("shared"));
}

#[test]
fn without_a_directory_it_is_bad_usage() {
    let arguments: [&[&str]; 4] = [&[], &[""], &["/a", "/b"], &["--to=/a"]];
    for arguments in arguments {
        let mut launch = Launch::new(["install"]);
        for argument in arguments {
            launch = launch.arg(*argument);
        }
        let finished = launch.ends();
        assert_eq!(
            finished.status.code(),
            Some(64),
            "{arguments:?}: {finished:?}"
        );
        assert!(finished.stderr.contains("DIR"), "{finished:?}");
    }
}
