//! What it prints: the JSON as documented, the checklist, and no secret.

mod explain;
mod schema;
mod secrets;
mod text;

use std::collections::BTreeSet;

use emulator::TokenRequest;
use irsa_sidecar::diagnosis::{findings, steps};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sidecar::Finished;

/// These names in this order, and no other.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Report {
    ok: bool,
    findings: Vec<Said>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Said {
    id: String,
    status: String,
    title: String,
    found: String,
    expected: String,
    fix: String,
    docs: String,
}

/// The JSON is as `docs/doctor.md` has it, its words are whole, and nothing in them is secret.
pub fn conforms(report: &Value, finished: &Finished) {
    let parsed: Report = serde_json::from_value(report.clone())
        .unwrap_or_else(|error| panic!("{error}: {report:#}"));
    let mut printed = serde_json::to_string_pretty(&parsed).expect("JSON");
    printed.push('\n');
    assert_eq!(finished.stdout, printed, "not these names in this order");
    let fails = parsed.findings.iter().any(|it| it.status == "fail");
    assert_eq!(parsed.ok, !fails, "{report:#}");
    assert_eq!(finished.status.code(), Some(i32::from(fails)));
    parsed.findings.iter().for_each(conforms_alone);
    assert_eq!(parsed.findings.len(), steps::ALL.len(), "{report:#}");
    let steps: Vec<&str> = steps::ALL.iter().map(|step| step.id).collect();
    let places = parsed.findings.iter().enumerate();
    for (place, said) in places.filter(|(_, said)| is_of_step(said)) {
        assert_eq!(said.id, steps[place], "not in the order of the way");
    }
    shows_nothing(&finished.stdout);
    shows_nothing(&finished.stderr);
}

fn is_of_step(said: &Said) -> bool {
    ["ok", "skipped"].contains(&&*said.status)
}

fn conforms_alone(said: &Said) {
    let Said { id, status, .. } = said;
    let known: BTreeSet<(&str, &str)> = match &**status {
        "ok" | "skipped" => steps::ALL.iter().map(|it| (it.id, it.title)).collect(),
        "warn" | "fail" => findings::ALL.iter().map(|it| (it.id, it.title)).collect(),
        _ => panic!("{id} is {status:?}"),
    };
    assert!(
        known.contains(&(&*said.id, &*said.title)),
        "{status} {id}: {}",
        said.title
    );
    assert_eq!(said.docs, format!("docs/troubleshooting.md#{id}"));
    assert!(is_said(&said.found), "{id} is {status} without a fact");
    let is_of_step = is_of_step(said);
    for words in [&said.expected, &said.fix] {
        assert_eq!(words.is_empty(), is_of_step, "{id} is {status}: {words:?}");
        assert!(is_of_step || is_said(words), "{id}: {words:?}");
    }
    for words in [&said.found, &said.expected, &said.fix] {
        let drawn = words.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(drawn, None, "{id}: {words:?}");
    }
}

fn is_said(words: &str) -> bool {
    words.contains(char::is_alphanumeric) && words.trim_start() == words
}

/// Nothing of the shape of a secret, whoever's it is, and not the pod's UID.
fn shows_nothing(text: &str) {
    for secret in [
        "k8s-aws-v1.aHR0",
        "X-Amz-Signature=",
        "X-Amz-Security-Token=",
        "SecretAccessKey",
        "SessionToken",
        "<ErrorResponse",
        "<AssumeRole",
        TokenRequest::default().pod_uid(),
    ] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    // `{"` in base64, by which each part of a token begins but the last.
    let mut begun = text.split("eyJ").skip(1);
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_token = |rest: &str| rest.find(|c| !is_base64(c)).unwrap_or(rest.len()) > 12;
    assert!(!begun.any(is_token), "a token in\n{text}");
}

#[test]
fn what_has_the_shape_of_a_secret_is_found() {
    for secret in [
        "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
        "k8s-aws-v1.aHR0cHM6Ly9zdHM",
        "https://sts.eu-west-1.amazonaws.com/?X-Amz-Signature=00",
        TokenRequest::default().pod_uid(),
    ] {
        let hunt = || shows_nothing(&format!("see {secret} there"));
        assert!(std::panic::catch_unwind(hunt).is_err(), "{secret}");
    }
    shows_nothing("a token that begins with \"k8s-aws-v1.\", at /tmp/.tmpeyJabc/token");
}
