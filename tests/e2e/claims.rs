//! Every way in which a token can be wrong: named, never sent to STS, and forgotten once the right one is there.

pub mod wrong;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;

use emulator::Volume;
use irsa_sidecar::diagnosis::findings;

use self::wrong::{Wrong, wrong_claims, wrong_files, wrong_tokens};
use crate::sidecar::{Pod, Sidecar, read};

/// What only deserves a warning: `rotation` and `doctor::token` hold it.
const NO_REASON_TO_REFUSE: [&str; 3] = [
    findings::TOKEN_NOT_ROTATING.id,
    findings::TOKEN_BLANKS.id,
    findings::TOKEN_ROTATION_LATE.id,
];

#[test]
fn every_wrong_file_is_named_and_the_right_one_taken_once_it_is_there() {
    try_all(wrong_files());
}

#[test]
fn every_wrong_claim_is_named_and_its_token_never_sent_to_sts() {
    try_all(wrong_claims());
}

#[test]
fn tokens_for_others_and_for_other_times_are_told_apart_and_never_sent_to_sts() {
    try_all(wrong_tokens());
}

#[test]
fn every_finding_about_tokens_and_claims_is_tried_here() {
    let tables = [wrong_files(), wrong_claims(), wrong_tokens()];
    let tried: BTreeSet<&str> = tables.iter().flatten().map(|row| row.finding).collect();
    let known = findings::ALL.iter().map(|finding| finding.id);
    let about_tokens: BTreeSet<&str> = known
        .filter(|id| id.starts_with("token-") || id.starts_with("claim-"))
        .filter(|id| !NO_REASON_TO_REFUSE.contains(id))
        .collect();
    assert_eq!(tried, about_tokens);
}

fn try_all(rows: Vec<Wrong>) {
    thread::scope(|scope| {
        for row in rows {
            scope.spawn(move || try_one(&row));
        }
    });
}

fn try_one(row: &Wrong) {
    let pod = Pod::new();
    let dir = pod.path("mount");
    (row.put)(&pod, &dir);
    let sidecar = serve(&pod, &dir);

    sidecar.wait_finding(row.finding);
    let authorization = read(&pod.path("authorization-token"));
    let answer = sidecar.get("/v1/credentials", &[("authorization", &authorization)]);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "CredentialsUnavailable"),
        "{answer:?}"
    );
    let sentence = answer.message();
    for part in row.sentence {
        assert!(
            sentence.contains(part),
            "{}: {part:?} is not in {sentence:?}",
            row.finding
        );
    }
    let event = sidecar.wait_event(row.finding, |event| {
        event["finding"] == row.finding && event["level"] == "ERROR"
    });
    assert!(
        event["error"]
            .as_str()
            .is_some_and(|error| row.sentence.iter().all(|part| error.contains(part))),
        "{event}"
    );
    // A bare request for STS's time may come first; it carries nothing.
    assert_eq!(pod.exchange_calls(), [], "{} was sent to STS", row.finding);
    let calls = pod.emulator.sts().calls();
    assert!(
        calls
            .iter()
            .all(|call| call.subject.is_none() && call.action.is_empty()),
        "{calls:?}"
    );

    put_right(&pod, &dir);
    sidecar.wait_ready();
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    assert_eq!(pod.exchange_calls().len(), 1);
}

fn serve(pod: &Pod, dir: &Path) -> Sidecar {
    let launch = pod
        .serve()
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", dir.join("token"));
    Sidecar::spawn(launch.without_capabilities())
}

/// The right token in a projected volume, as after a fixed pod spec.
fn put_right(pod: &Pod, dir: &Path) {
    let path = dir.join("token");
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => fs::remove_dir(&path).expect("an empty directory"),
        Ok(found) if !found.is_symlink() => fs::remove_file(&path).expect("a file"),
        _ => {}
    }
    Volume::create(dir, &pod.emulator.issuer().token(&pod.request)).expect("a volume");
}
