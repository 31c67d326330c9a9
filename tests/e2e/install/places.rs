//! Places that will not do. What was there stays, nothing half is left, and the words say what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{BINARY, assert_installed, assert_refused, install};
use crate::sidecar::{Finished, read};

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn names_in(directory: &Path) -> usize {
    fs::read_dir(directory).expect("a directory").count()
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let dir = directory();
    let missing = dir.path().join("shared");
    let words = [
        &format!("{} is not there", missing.display()),
        "mount a volume there, an emptyDir for example",
    ];
    assert_refused(&install(&missing).ends(), &words);
    assert!(!missing.exists());
}

#[test]
fn what_is_no_directory_is_left_alone() {
    let dir = directory();
    let file = dir.path().join("shared");
    fs::write(&file, "mine").expect("a file");
    let words = [
        &format!("{} is no directory", file.display()),
        "mount a volume",
    ];
    assert_refused(&install(&file).ends(), &words);
    assert_eq!(read(&file), "mine");
    assert_refused(
        &install(&file.join("below")).ends(),
        &["cannot be looked at", "mount a volume"],
    );
}

#[test]
fn what_is_no_file_in_its_place_is_left_alone() {
    let dir = directory();
    let place = dir.path().join("irsa-sidecar");
    fs::create_dir(&place).expect("a directory");
    assert_refused(
        &install(dir.path()).ends(),
        &["a directory, a pipe or a device stands there"],
    );
    assert_eq!((names_in(dir.path()), place.is_dir()), (1, true));
    fs::remove_dir(&place).expect("a directory");
    let made = Command::new("mkfifo").arg(&place).status();
    assert!(made.is_ok_and(|made| made.success()), "mkfifo of coreutils");
    assert_refused(
        &install(dir.path()).ends(),
        &["a directory, a pipe or a device stands there"],
    );
    assert_eq!(names_in(dir.path()), 1);
}

/// In a shared volume another container could have laid it.
#[test]
fn a_symlink_in_its_place_is_replaced_and_not_followed() {
    for leads_to in ["a copy", "another file", "nowhere"] {
        let (dir, elsewhere) = (directory(), directory());
        let target = elsewhere.path().join("target");
        match leads_to {
            "a copy" => drop(fs::copy(BINARY, &target).expect("a copy")),
            "another file" => fs::write(&target, "mine").expect("a file"),
            _ => {}
        }
        symlink(&target, dir.path().join("irsa-sidecar")).expect("a symlink");
        let finished = install(dir.path()).ends();
        assert!(finished.status.success(), "{finished:?}");
        assert_installed(dir.path());
        assert_eq!(target.exists(), leads_to != "nowhere");
        if leads_to == "another file" {
            assert_eq!(read(&target), "mine");
        }
    }
}

#[test]
fn a_directory_that_this_user_cannot_write_to_is_named_with_the_cure() {
    let dir = directory();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o555)).expect("its mode");
    let run = install(dir.path()).without_capabilities().output();
    let run = run.expect("setpriv (of util-linux) cannot be run, and this test needs it");
    let words = [
        "Permission denied",
        &format!(
            "let this user write to {} (in a pod with fsGroup)",
            dir.path().display()
        ),
    ];
    assert_refused(&finished(run), &words);
    assert_eq!(names_in(dir.path()), 0);
}

#[test]
fn a_volume_that_is_read_only_or_full_is_named_with_the_cure() {
    let (finished, left) = on_volume("ro");
    assert_refused(
        &finished,
        &[
            "Read-only file system",
            "mount a volume that can be written to",
        ],
    );
    assert_eq!(left, "");
    let (finished, left) = on_volume("size=64k");
    assert_refused(
        &finished,
        &[
            "No space left on device",
            "raise the sizeLimit of its volume",
        ],
    );
    assert_eq!(left, "", "half a program");
}

/// Another container may have the volume mounted in another way: the program is there, and the word is a warning.
#[test]
fn a_volume_from_which_nothing_can_be_run_is_warned_about() {
    let (finished, left) = on_volume("noexec");
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{finished:?}");
    for words in [
        "cannot be run from here: Permission denied",
        "must not be mounted noexec",
    ] {
        assert!(lines[1].contains(words), "{finished:?}");
    }
    assert_eq!(left, "irsa-sidecar\n");
}

/// `install` into a file system of its own in memory with these options, and the names that are there afterwards.
fn on_volume(options: &str) -> (Finished, String) {
    let dir = directory();
    let names = dir.path().join("names");
    let volume = dir.path().join("volume");
    fs::create_dir(&volume).expect("a directory");
    let script = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" || exit 99; \"$0\" install \"$2\"; code=$?; ls -A \"$2\" > \"$3\"; exit $code";
    let run = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            BINARY,
            options,
        ])
        .args([&volume, &names])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output();
    let run = run.expect("unshare (of util-linux) cannot be run, and this test needs it");
    let finished = finished(run);
    let mounted = finished.status.code() != Some(99) && names.exists();
    assert!(
        mounted,
        "this test needs user and mount namespaces: {finished:?}"
    );
    (finished, read(&names))
}

fn finished(run: std::process::Output) -> Finished {
    Finished {
        status: run.status,
        stdout: String::from_utf8_lossy(&run.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&run.stderr).into_owned(),
    }
}
