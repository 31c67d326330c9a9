//! Places where it cannot be written and files that cannot be edited: named with path and cure, left alone, and used once
//! they are mended.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use super::{newest, path, profile, serve, wait_content, write};
use crate::files::failures::{Bad, bad_places, inside};
use crate::files::names_in;
use crate::files::readiness::assert_not_ready;
use crate::sidecar::{Pod, Sidecar, read};

const FINDING: &str = "file-not-written";

const A_PIPE: Bad = Bad {
    name: "a pipe in its place",
    start: |pod, launch| {
        fs::create_dir(pod.path("out")).expect("a directory");
        let made = Command::new("mkfifo").arg(path(pod)).status();
        assert!(made.expect("mkfifo").success());
        launch.start()
    },
    sentence: &["a directory, a pipe or a device stands there"],
    mend: |pod, _| fs::remove_file(path(pod)).expect("a pipe"),
};

#[test]
fn a_place_that_cannot_be_written_to_is_named_with_its_cure_and_used_once_it_is_mended() {
    thread::scope(|scope| {
        for bad in bad_places().into_iter().chain([A_PIPE]) {
            scope.spawn(move || try_one(&bad));
        }
    });
}

fn try_one(bad: &Bad) {
    let pod = Pod::new();
    let sidecar = (bad.start)(&pod, &serve(&pod));
    assert_said(&pod, &sidecar, bad.name, bad.sentence);
    // Whoever needs credentials and no file gets them.
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    let seen = inside(&sidecar, &pod.path("out"));
    // In one of them there is no directory.
    let names = if seen.is_dir() {
        names_in(&seen)
    } else {
        Vec::new()
    };
    let drafts: Vec<_> = names.iter().filter(|name| name.starts_with('.')).collect();
    assert!(drafts.is_empty(), "{drafts:?}");
    (bad.mend)(&pod, &sidecar);
    sidecar.wait_ready();
    let written = read(&inside(&sidecar, &path(&pod)));
    assert_eq!(written, profile("default", &newest(&pod)));
}

/// Not ready, and the log says once what is in the way, where, and what to do.
#[track_caller]
fn assert_said(pod: &Pod, sidecar: &Sidecar, name: &str, sentence: &[&str]) {
    sidecar.wait_finding(FINDING);
    assert_not_ready(sidecar, FINDING);
    let event = sidecar.wait_event(name, |event| event["finding"] == FINDING);
    assert_eq!(event["level"], "ERROR", "{event}");
    let said = event["error"].as_str().unwrap_or_default();
    let path = path(pod).display().to_string();
    for part in sentence.iter().chain([&path.as_str()]) {
        assert!(said.contains(part), "{name}: {part:?} is not in {said:?}");
    }
}

/// Content, and what is said of it.
const NOT_EDITABLE: &[(&[u8], &[&str])] = &[
    (
        b"{\"aws_access_key_id\": \"mine\"}\n[default]\n",
        &[
            "line 1 stands before the first [profile]",
            "put the line right",
        ],
    ),
    (
        b"[other]\nregion = a\0b\n",
        &["line 2 holds a control character", "put the line right"],
    ),
    (
        b"[other]\nregion = \xff\n",
        &["it is not UTF-8 text", "take the file away"],
    ),
    (
        b"[other]\n\n[default] for all\nregion = x\n",
        &[
            "line 3 begins a profile for some SDKs and not for others",
            "write [NAME]",
        ],
    ),
    (
        b"[default]\noutput = json\n  region = x\n",
        &["line 3 is indented", "take the indentation away"],
    ),
    (
        b"[default]\nregion x\n",
        &[
            "line 2 has no = and begins no profile",
            "put the line right",
        ],
    ),
];

#[test]
fn a_file_that_cannot_be_edited_without_harm_is_left_alone_until_it_is_mended() {
    let large = format!("#{}\n", "x".repeat(1024 * 1024));
    let large: (&[u8], &[&str]) = (large.as_bytes(), &["larger than 1024 KiB"]);
    thread::scope(|scope| {
        for &(content, sentence) in NOT_EDITABLE.iter().chain([&large]) {
            scope.spawn(move || left_alone(content, sentence));
        }
    });
}

fn left_alone(content: &[u8], sentence: &[&str]) {
    let pod = Pod::new();
    fs::create_dir(pod.path("out")).expect("a directory");
    fs::write(path(&pod), content).expect("a file");
    let sidecar = serve(&pod).start();
    assert_said(&pod, &sidecar, sentence[0], sentence);
    assert_eq!(fs::read(path(&pod)).expect("a file"), content);
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    let mended = "[other]\nregion = mine\n";
    write(&pod, mended);
    wait_content(&pod, &sidecar, |session| {
        format!("{mended}\n{}", profile("default", session))
    });
    sidecar.wait_ready();
    let events = sidecar.events();
    let said = events.iter().filter(|event| event["finding"] == FINDING);
    assert_eq!(said.count(), 1, "said once: {}", sidecar.log());
}

#[test]
fn a_file_that_is_another_users_secret_is_left_alone() {
    let pod = Pod::new();
    write(&pod, "[other]\nregion = mine\n");
    let permit = |mode| {
        fs::set_permissions(path(&pod), Permissions::from_mode(mode)).expect("a mode");
    };
    permit(0o000);
    let sidecar = Sidecar::spawn(serve(&pod).without_capabilities());
    let words = ["cannot be read", "let this user read it"];
    assert_said(&pod, &sidecar, "unreadable", &words);
    permit(0o644);
    wait_content(&pod, &sidecar, |session| {
        format!("[other]\nregion = mine\n\n{}", profile("default", session))
    });
    sidecar.wait_ready();
}

/// All of them are one finding, and each has a cure of its own.
#[test]
fn a_second_cause_is_said_too_though_the_first_was_not_mended() {
    let pod = Pod::new();
    write(&pod, "[other]\nregion = a\0b\n");
    let sidecar = serve(&pod).start();
    let said = |words: &str| {
        sidecar.wait_event(words, |event| {
            let error = event["error"].as_str().unwrap_or_default();
            event["finding"] == FINDING && error.contains(words)
        });
    };
    said("line 2 holds a control character");
    write(&pod, "junk\n[other]\n");
    said("line 1 stands before the first [profile]");
    let events = sidecar.events();
    let causes = events.iter().filter(|event| event["finding"] == FINDING);
    assert_eq!(causes.count(), 2, "each once: {}", sidecar.log());
}

#[test]
fn a_file_that_becomes_bad_while_it_is_kept_is_no_longer_ready() {
    let pod = Pod::new();
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    write(&pod, "junk\n");
    let sentence = ["line 1 stands before the first [profile]"];
    assert_said(&pod, &sidecar, "junk", &sentence);
    assert_eq!(read(&path(&pod)), "junk\n");
    fs::remove_file(path(&pod)).expect("a file");
    sidecar.wait_ready();
    assert_eq!(read(&path(&pod)), profile("default", &newest(&pod)));
}
