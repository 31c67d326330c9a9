//! `doctor --explain`: the documentation, where there is nothing but the program.

use irsa_sidecar::diagnosis::{findings, steps};

use crate::sidecar::{Finished, Launch};

fn explained(id: &str) -> Finished {
    Launch::new(["doctor", "--explain", id]).output()
}

#[test]
fn an_id_is_explained_without_looking_at_anything() {
    for (id, title) in [
        (
            findings::STS_ACCESS_DENIED.id,
            findings::STS_ACCESS_DENIED.title,
        ),
        (steps::EKS_LOGIN.id, steps::EKS_LOGIN.title),
        (
            findings::LINK_LOCAL_ADDRESS.id,
            findings::LINK_LOCAL_ADDRESS.title,
        ),
    ] {
        let finished = explained(id);
        assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
        let lines: Vec<&str> = finished.stdout.lines().collect();
        assert_eq!(lines[0], format!("{id}: {title}"));
        assert!(lines.len() > 2 && lines[2].len() > 20, "{finished:?}");
        assert!(!finished.stdout.contains("\n#"), "{finished:?}");
    }
}

#[test]
fn an_id_is_found_in_capitals_and_with_underscores() {
    let meant = explained("sts-access-denied").stdout;
    for typed in ["STS-ACCESS-DENIED", "sts_access_denied"] {
        let finished = explained(typed);
        assert_eq!(
            (finished.status.code(), &finished.stdout),
            (Some(0), &meant)
        );
    }
}

#[test]
fn an_unknown_id_is_bad_usage_and_says_which_comes_near_and_which_there_are() {
    let finished = explained("sts-acces-denied");
    assert_eq!((finished.status.code(), &*finished.stdout), (Some(64), ""));
    assert!(
        finished
            .stderr
            .ends_with("\ndid you mean sts-access-denied?\n"),
        "{finished:?}"
    );
    let finished = explained("What clients are told");
    assert_eq!((finished.status.code(), &*finished.stdout), (Some(64), ""));
    let listed: Vec<&str> = finished.stderr.split_whitespace().collect();
    let ids = findings::ALL.iter().map(|it| it.id);
    for id in ids.chain(steps::ALL.iter().map(|it| it.id)) {
        assert!(listed.contains(&id), "{id}");
    }
}

#[test]
fn explaining_goes_with_no_other_flag() {
    for more in ["--json", "--offline", "--region=eu-west-1"] {
        let finished = Launch::new(["doctor", "--explain", "exchange", more]).output();
        assert_eq!(finished.status.code(), Some(64), "{more}: {finished:?}");
    }
}
