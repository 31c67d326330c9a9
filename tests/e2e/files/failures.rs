//! Places where nothing can be written: named with path and cure, and written to once they are mended.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::readiness::assert_not_ready;
use super::{add_cluster, assert_taken, names_in, serve, token_file};
use crate::sidecar::{Launch, Pod, Sidecar, is_root, read};

const FINDING: &str = "file-not-written";

/// A bad place: how it gets so, what is said of it, and how it is mended.
pub struct Bad {
    pub name: &'static str,
    pub start: fn(&Pod, &Launch) -> Sidecar,
    pub sentence: &'static [&'static str],
    pub mend: fn(&Pod, &Sidecar),
}

/// For a file of any kind.
pub fn bad_places() -> Vec<Bad> {
    vec![
        Bad {
            name: "another user's",
            start: |pod, launch| {
                fs::create_dir(pod.path("out")).expect("a directory");
                permit(pod, 0o555);
                Sidecar::spawn(launch.without_capabilities())
            },
            sentence: &["Permission denied", "let this user write to ", "fsGroup"],
            mend: |pod, _| permit(pod, 0o755),
        },
        Bad {
            name: "a file instead of the directory",
            start: |pod, launch| {
                fs::write(pod.path("out"), "mine").expect("a file");
                launch.start()
            },
            sentence: &["is no directory; name another place"],
            mend: |pod, _| {
                assert_eq!(read(&pod.path("out")), "mine");
                fs::remove_file(pod.path("out")).expect("a file");
            },
        },
        Bad {
            name: "a full volume",
            start: |pod, launch| {
                const FILL: &str = r#"mount -t tmpfs -o size=64k tmpfs "$0"; head -c 1M /dev/zero >"$0/ballast"; exec "$@""#;
                on_a_volume_of_its_own(pod, launch, FILL)
            },
            sentence: &["No space left on device", "make room at ", "sizeLimit"],
            mend: |pod, sidecar| {
                fs::remove_file(inside(sidecar, &pod.path("out/ballast"))).expect("the ballast");
            },
        },
        Bad {
            name: "a read-only volume",
            start: |pod, launch| {
                const READ_ONLY: &str = r#"mount -t tmpfs -o ro tmpfs "$0"; exec "$@""#;
                on_a_volume_of_its_own(pod, launch, READ_ONLY)
            },
            sentence: &[
                "Read-only file system",
                "mount a volume that can be written to",
            ],
            mend: |pod, sidecar| {
                let mut enter = Command::new("nsenter");
                enter.args(["--target", &sidecar.id().to_string(), "--mount"]);
                if !is_root() {
                    enter.args(["--user", "--preserve-credentials"]);
                }
                enter
                    .args(["mount", "-o", "remount,rw"])
                    .arg(pod.path("out"));
                let mended = enter.status().expect("nsenter, of util-linux, is needed");
                assert!(mended.success());
            },
        },
    ]
}

const A_DIRECTORY: Bad = Bad {
    name: "a directory instead of the file",
    start: |pod, launch| {
        fs::create_dir_all(token_file(pod, "demo")).expect("a directory");
        launch.start()
    },
    sentence: &["a directory, a pipe or a device stands there"],
    mend: |pod, _| fs::remove_dir(token_file(pod, "demo")).expect("a directory"),
};

fn permit(pod: &Pod, mode: u32) {
    fs::set_permissions(pod.path("out"), Permissions::from_mode(mode)).expect("a mode");
}

/// With a mount namespace of its own, so that nothing of it is left behind.
fn on_a_volume_of_its_own(pod: &Pod, launch: &Launch, script: &str) -> Sidecar {
    let out = pod.path("out");
    fs::create_dir(&out).expect("a directory");
    let mut before = vec!["--mount"];
    if !is_root() {
        before.push("--map-root-user");
    }
    let out = out.to_str().expect("a path");
    before.extend(["sh", "-c", script, out, env!("CARGO_BIN_EXE_irsa-sidecar")]);
    Sidecar::spawn(launch.wrapped("unshare", &before))
}

/// A path as the sidecar sees it.
pub fn inside(sidecar: &Sidecar, path: &Path) -> PathBuf {
    let relative = path.strip_prefix("/").expect("an absolute path");
    Path::new(&format!("/proc/{}/root", sidecar.id())).join(relative)
}

#[test]
fn a_place_that_cannot_be_written_to_is_named_with_its_cure_and_used_once_it_is_mended() {
    thread::scope(|scope| {
        for bad in bad_places().into_iter().chain([A_DIRECTORY]) {
            scope.spawn(move || try_one(&bad));
        }
    });
}

fn try_one(bad: &Bad) {
    let pod = Pod::new();
    let sidecar = (bad.start)(&pod, &serve(&pod, &["demo"]));
    sidecar.wait_finding(FINDING);
    assert_not_ready(&sidecar, FINDING);
    let event = sidecar.wait_event(bad.name, |event| event["finding"] == FINDING);
    assert_eq!(event["level"], "ERROR", "{event}");
    let sentence = event["error"].as_str().unwrap_or_default();
    let path = token_file(&pod, "demo").display().to_string();
    for part in bad.sentence.iter().chain([&path.as_str()]) {
        assert!(
            sentence.contains(part),
            "{}: {part:?} is not in {sentence:?}",
            bad.name
        );
    }
    // Whoever needs credentials and no file gets them.
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    let seen = inside(&sidecar, &pod.path("out"));
    if seen.is_dir() {
        let drafts = names_in(&seen)
            .into_iter()
            .filter(|name| name.starts_with('.'));
        assert_eq!(drafts.collect::<Vec<_>>(), Vec::<String>::new());
    }

    (bad.mend)(&pod, &sidecar);
    sidecar.wait_ready();
    assert_taken(
        pod.emulator.cluster(),
        &inside(&sidecar, &token_file(&pod, "demo")),
    );
}

#[test]
fn each_file_that_cannot_be_written_is_named_by_itself_and_once() {
    let pod = Pod::new();
    let names = ["demo", "second", "third"];
    for name in &names[1..] {
        add_cluster(&pod, name, "eu-west-1");
        fs::create_dir_all(token_file(&pod, name)).expect("a directory");
    }
    let sidecar = serve(&pod, &names).start();
    sidecar.wait_finding(FINDING);
    let said = |name: &str| {
        let path = token_file(&pod, name).display().to_string();
        let is_about = |event: &serde_json::Value| {
            let error = event["error"].as_str().unwrap_or_default();
            event["finding"] == FINDING && event["file"] == path.as_str() && error.contains(&path)
        };
        sidecar
            .events()
            .iter()
            .filter(|event| is_about(event))
            .count()
    };
    assert_taken(pod.emulator.cluster(), &token_file(&pod, "demo"));
    fs::remove_dir(token_file(&pod, "second")).expect("a directory");
    let written = crate::sidecar::eventually(|| token_file(&pod, "second").is_file());
    assert!(written, "{}", sidecar.log());
    assert_eq!(names.map(said), [0, 1, 1], "{}", sidecar.log());
    fs::remove_dir(token_file(&pod, "third")).expect("a directory");
    sidecar.wait_ready();
}

#[test]
fn a_file_that_is_gone_and_cannot_be_written_again_is_no_longer_ready() {
    let pod = Pod::new();
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_ready();
    fs::rename(pod.path("out"), pod.path("gone")).expect("a directory");
    fs::write(pod.path("out"), "").expect("a file before the next look of the sidecar's");
    sidecar.wait_finding(FINDING);
    assert_not_ready(&sidecar, FINDING);
    fs::remove_file(pod.path("out")).expect("a file");
    sidecar.wait_ready();
    assert_taken(pod.emulator.cluster(), &token_file(&pod, "demo"));
}

#[test]
fn one_file_that_cannot_be_written_keeps_no_other_from_being_fresh() {
    let pod = Pod::new();
    let other = add_cluster(&pod, "other", "eu-west-1");
    fs::create_dir_all(token_file(&pod, "demo")).expect("a directory");
    let sidecar = serve(&pod, &["demo", "other"]).start();
    sidecar.wait_finding(FINDING);
    assert_not_ready(&sidecar, FINDING);
    assert_taken(&other, &token_file(&pod, "other"));
}
