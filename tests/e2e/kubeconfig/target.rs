//! Which file: the one that is named, one of `$KUBECONFIG`, or the one in the home.

use std::env::join_paths;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BAD_USAGE, FAILED, alone, assert_failed, default_path};
use crate::sidecar::{Launch, Pod, read};

const ARGUMENTS: [&str; 3] = ["--cluster-name", "demo", "--exec"];

fn with_list(pod: &Pod, list: &[&PathBuf]) -> Launch {
    let list = join_paths(list).expect("paths without a colon");
    alone(pod, &ARGUMENTS).env("KUBECONFIG", list)
}

#[track_caller]
fn assert_written(pod: &Pod, launch: &Launch, path: &Path) {
    let ended = launch.output();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let told = format!(" {}\n", path.display());
    assert!(ended.stdout.ends_with(&told), "{}", ended.stdout);
    assert!(read(path).contains(pod.emulator.cluster().url()));
}

#[test]
fn the_file_is_the_one_named_or_one_of_the_list_or_the_one_in_the_home() {
    let pod = Pod::new();
    let [first, second, third] = ["first", "second", "new/third"].map(|name| pod.path(name));
    fs::write(&second, "apiVersion: v1\n").expect("a file");
    // The first of the list that is named, there or not …
    assert_written(&pod, &with_list(&pod, &[&third, &second]), &third);
    assert_eq!(read(&second), "apiVersion: v1\n");
    // … unless a later one has the cluster already.
    assert_written(&pod, &with_list(&pod, &[&first, &second, &third]), &third);
    assert!(!first.exists());
    // An empty entry is none.
    assert_written(&pod, &with_list(&pod, &[&PathBuf::new(), &third]), &third);
    let explicit = with_list(&pod, &[&third]).arg("--kubeconfig").arg(&first);
    assert_written(&pod, &explicit, &first);
    assert!(!default_path(&pod).exists());
    for list in ["", ":"] {
        let launch = alone(&pod, &ARGUMENTS).env("KUBECONFIG", list);
        assert_written(&pod, &launch, &default_path(&pod));
    }
}

#[test]
fn without_a_home_a_file_has_to_be_named() {
    let pod = Pod::new();
    let homeless = || alone(&pod, &ARGUMENTS).without("HOME");
    let output = homeless().command().current_dir(pod.dir.path()).output();
    let output = output.expect("the binary runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), BAD_USAGE, "{words}");
    assert!(
        words.contains("set --kubeconfig, KUBECONFIG or HOME"),
        "{words}"
    );
    assert!(!pod.path(".kube").exists());
    let file = pod.path("file");
    assert_written(&pod, &homeless().env("KUBECONFIG", &file), &file);
}

#[test]
fn a_place_that_cannot_be_read_or_written_is_named() {
    let pod = Pod::new();
    let named = |path: &PathBuf| alone(&pod, &ARGUMENTS).arg("--kubeconfig").arg(path);
    let directory = pod.path("directory");
    fs::create_dir(&directory).expect("a directory");
    let pipe = pod.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo, of coreutils, is needed").success());
    for path in [&directory, &pipe] {
        let parts = [
            path.to_str().expect("a path"),
            "is a directory, a pipe or a device",
        ];
        assert_failed(&named(path).ends(), FAILED, &parts);
    }
    let file = pod.path("file");
    fs::write(&file, "").expect("a file");
    let below = file.join("kubeconfig");
    assert_failed(
        &named(&below).output(),
        FAILED,
        &[below.to_str().expect("a path")],
    );

    fs::set_permissions(&directory, Permissions::from_mode(0o555)).expect("a mode");
    let mut command = named(&directory.join("kubeconfig")).without_capabilities();
    let output = command.output().expect("the binary runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), FAILED, "{words}");
    for part in [
        "cannot be written: Permission denied",
        "let this user write to ",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}
