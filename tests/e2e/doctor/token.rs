//! The token: file, mount, text, claims and age.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use emulator::TokenRequest;
use irsa_sidecar::diagnosis::{Finding, findings};
use serde_json::Value;

use super::{Row, finding_of, findings_of, words};
use crate::claims::wrong::{Wrong, wrong_claims, wrong_files, wrong_tokens};
use crate::clock::pod_on_a_node_with_a_wrong_clock;
use crate::sidecar::{Finished, Pod, read};

const OFFLINE: [&str; 3] = ["doctor", "--json", "--offline"];

pub fn rows() -> Vec<Row> {
    let fails = |finding, run| Row {
        finding,
        status: "fail",
        run,
    };
    let warns = |finding, run| Row {
        finding,
        status: "warn",
        run,
    };
    vec![
        fails(findings::TOKEN_MISSING, || met(findings::TOKEN_MISSING)),
        fails(findings::TOKEN_UNREADABLE, || {
            met(findings::TOKEN_UNREADABLE)
        }),
        fails(findings::TOKEN_NOT_A_FILE, || {
            met(findings::TOKEN_NOT_A_FILE)
        }),
        fails(findings::TOKEN_EMPTY, || met(findings::TOKEN_EMPTY)),
        fails(findings::TOKEN_TOO_LARGE, || met(findings::TOKEN_TOO_LARGE)),
        fails(findings::TOKEN_NOT_UTF8, || met(findings::TOKEN_NOT_UTF8)),
        fails(findings::TOKEN_NOT_A_JWT, || met(findings::TOKEN_NOT_A_JWT)),
        fails(findings::CLAIM_MISSING, || met(findings::CLAIM_MISSING)),
        fails(findings::CLAIM_MALFORMED, || met(findings::CLAIM_MALFORMED)),
        fails(findings::TOKEN_AUDIENCE, || met(findings::TOKEN_AUDIENCE)),
        fails(findings::TOKEN_IS_API_TOKEN, || {
            met(findings::TOKEN_IS_API_TOKEN)
        }),
        fails(findings::TOKEN_IS_LEGACY_SECRET, || {
            met(findings::TOKEN_IS_LEGACY_SECRET)
        }),
        fails(findings::TOKEN_IS_POD_IDENTITY, || {
            met(findings::TOKEN_IS_POD_IDENTITY)
        }),
        fails(findings::TOKEN_EXPIRED, || met(findings::TOKEN_EXPIRED)),
        fails(findings::TOKEN_NOT_YET_VALID, || {
            met(findings::TOKEN_NOT_YET_VALID)
        }),
        warns(findings::TOKEN_NOT_ROTATING, || copied("").1),
        warns(findings::TOKEN_BLANKS, || copied("\n").1),
        warns(findings::TOKEN_ROTATION_LATE, || aged(80_000)),
    ]
}

fn tables() -> impl Iterator<Item = Wrong> {
    let tables = [wrong_files(), wrong_claims(), wrong_tokens()];
    tables.into_iter().flatten()
}

fn met(finding: Finding) -> Finished {
    let wrong = tables().find(|row| row.finding == finding.id);
    wrong_token(&wrong.expect("a row with this finding"))
}

/// As a user without root's privileges, who may not read everything.
fn wrong_token(row: &Wrong) -> Finished {
    let pod = Pod::new();
    let dir = pod.path("mount");
    (row.put)(&pod, &dir);
    let launch = pod
        .alone(OFFLINE)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", dir.join("token"));
    finished(launch.without_capabilities())
}

fn finished(mut command: Command) -> Finished {
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("setpriv (of util-linux) or the binary cannot be run");
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A copy of the token with this behind it; the token itself, and what was found.
fn copied(behind: &str) -> (String, Finished) {
    let pod = Pod::new();
    let token = read(&pod.volume.token_path());
    fs::write(pod.path("copy"), format!("{token}{behind}")).expect("a copy");
    let launch = pod
        .alone(OFFLINE)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", pod.path("copy"));
    (token, launch.ends())
}

/// A day's token of this age in seconds.
fn aged(age: u64) -> Finished {
    let pod = Pod::with(TokenRequest {
        lifetime: Duration::from_secs(86_400),
        issued_ago: Duration::from_secs(age),
        ..TokenRequest::default()
    });
    pod.alone(OFFLINE).ends()
}

fn step(finished: &Finished, id: &str) -> (Value, String) {
    let finding = finding_of(finished, id);
    let found = finding["found"].as_str().expect("a text").to_owned();
    (finding["status"].clone(), found)
}

/// Every trouble with a token that `serve` names is named here in its words, once, and what hangs on it is not judged.
#[test]
fn a_wrong_token_is_one_failure_in_the_words_of_serve() {
    std::thread::scope(|scope| {
        for row in tables() {
            scope.spawn(move || {
                let finished = wrong_token(&row);
                let findings = findings_of(&finished);
                let failed: Vec<&Value> = findings
                    .iter()
                    .filter(|finding| finding["status"] == "fail")
                    .collect();
                let [finding] = failed.as_slice() else {
                    panic!("{}: {failed:?}", row.finding);
                };
                assert_eq!(finding["id"], row.finding);
                let said = [
                    finding["found"].as_str().expect("a text"),
                    "; expected ",
                    finding["expected"].as_str().expect("a text"),
                    "; ",
                    finding["fix"].as_str().expect("a text"),
                ];
                let sentence = said.concat();
                for part in row.sentence {
                    assert!(
                        sentence.contains(part),
                        "{}: {part:?} is not in {sentence:?}",
                        row.finding
                    );
                }
            });
        }
    });
}

#[test]
fn a_healthy_token_says_who_it_is_for_and_how_long_and_nothing_is_warned_about() {
    let pod = Pod::new();
    let finished = pod.alone(OFFLINE).ends();
    let token = read(&pod.volume.token_path());
    let path = pod.volume.token_path().display().to_string();
    let length = token.len();
    for (id, parts) in [
        (
            "token-file",
            vec![
                format!("{path} holds {length} characters"),
                "(mode 0644, owner ".to_owned(),
            ],
        ),
        ("token-mount", vec!["through ..data".to_owned()]),
        ("token-text", vec!["no blanks".to_owned()]),
        (
            "claims",
            vec![
                "system:serviceaccount:team:app of pod app-7d9f8b6c5-x2x4q, a projected token, aud sts.amazonaws.com, iss https://".to_owned(),
                "59m".to_owned(),
                ", until 20".to_owned(),
            ],
        ),
        (
            "token-rotation",
            vec!["issued ".to_owned(), "the kubelet brings the next one in about 47m".to_owned()],
        ),
    ] {
        let (status, found) = step(&finished, id);
        assert_eq!(status, "ok", "{id}: {found}");
        for part in parts {
            assert!(found.contains(&part), "{part:?} is not in {found}");
        }
    }
    for secret in [pod.request.pod_uid(), token.as_str()] {
        assert!(!finished.stdout.contains(secret));
        assert!(!finished.stderr.contains(secret));
    }
}

#[test]
fn a_copy_never_rotates_so_that_its_age_is_not_judged_too() {
    let (token, finished) = copied(" \n");
    let (status, found) = step(&finished, "token-blanks");
    assert_eq!(status, "warn");
    assert!(
        found.contains(
            "copy holds 0 bytes of blanks or line breaks before the token and 2 behind it"
        ),
        "{found}"
    );
    let words = words(&finding_of(&finished, "token-not-rotating"));
    assert!(words.contains("subPath"), "{words}");
    assert_eq!(step(&finished, "token-rotation").0, "skipped");
    assert_eq!(step(&finished, "claims").0, "ok", "it is good all the same");
    assert!(!finished.stdout.contains(&token));
}

#[test]
fn serve_warns_of_blanks_in_the_same_words() {
    let pod = Pod::new();
    let token = std::fs::read_to_string(pod.volume.token_path()).expect("a token");
    pod.volume
        .rotate(&format!("{token}\n"))
        .expect("a rotation");
    let finished = pod.alone(["doctor", "--json", "--offline"]).ends();
    let finding = finding_of(&finished, "token-blanks");
    let sidecar = pod.ready_sidecar();
    let event = sidecar.wait_event("token-blanks", |event| {
        event["finding"] == "token-blanks" && event["level"] == "WARN"
    });
    let said = event["message"].as_str().expect("words");
    for field in ["found", "expected", "fix"] {
        let words = finding[field].as_str().expect("a text");
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
}

#[test]
fn a_rotation_is_late_long_after_the_kubelet_should_have_done_it() {
    let words = words(&finding_of(&aged(80_000), "token-rotation-late"));
    for part in [
        "issued 22h 13m ",
        "its rotation is 3h 1m ",
        "good for another 1h 46m ",
        "kubelet",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    let (status, found) = step(&aged(70_000), "token-rotation");
    assert_eq!(status, "ok", "{found}");
}

/// The node's clock is not the one that counts.
#[test]
fn claims_are_judged_by_the_time_that_sts_tells() {
    for (skew, wrongly) in [(86_400, "token-not-yet-valid"), (-86_400, "token-expired")] {
        let pod = pod_on_a_node_with_a_wrong_clock(skew);
        let asked = pod.alone(["doctor", "--json"]).ends();
        let (status, found) = step(&asked, "claims");
        assert_eq!(status, "ok", "{found}");
        assert!(found.contains(", 29m "), "{found}");
        assert_eq!(step(&asked, "token-rotation").0, "ok");
        let alone = pod.alone(OFFLINE).ends();
        assert_eq!(step(&alone, wrongly).0, "fail");
    }
}
