//! Secrets: nowhere in logs, metrics, answers that are errors, or the command line, at any level and in any failure.

mod life;

use std::thread;

use emulator::{Fault, TokenRequest};
use serde_json::json;

use self::life::{Life, Needle};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Pieces of what STS, or what stands in its place, sends as a body.
const BODIES_OF_STS: [&str; 4] = [
    "Please log in to use this network",
    "<html",
    "<ErrorResponse",
    "ResponseMetadata",
];

#[test]
fn no_secret_is_in_anything_that_is_said_with_logs_in_json() {
    hunt("json");
}

#[test]
fn no_secret_is_in_anything_that_is_said_with_logs_in_text() {
    hunt("text");
}

fn hunt(format: &'static str) {
    thread::scope(|scope| {
        for level in LEVELS {
            scope.spawn(move || {
                let mut life = Life::begin(level, format);
                live(&mut life);
                life.end();
                let leaks = found(&life.needles, &life.haystack);
                assert!(
                    leaks.is_empty(),
                    "at level {level}, {format}: {leaks:?} in\n{}",
                    life.haystack
                );
                for body in BODIES_OF_STS {
                    assert!(
                        !life.haystack.contains(body),
                        "{body} at level {level}, {format}"
                    );
                }
                assert_hunt_was_honest(&life, level);
            });
        }
    });
}

/// STS quotes the parameter that it does not like, and this one is a secret.
fn quoting(code: &str, token: &str) -> Fault {
    Fault::Error {
        status: 400,
        code: code.to_owned(),
        message: format!(
            "1 validation error detected: Value '{token}' at 'webIdentityToken' failed to satisfy constraint"
        ),
    }
}

/// Every kind of failure, each with a new token, then success. Neighbours differ in their finding: it is what says that
/// the failure was met.
fn live(life: &mut Life) {
    life.wait_for_a_repetition();
    for (code, finding) in [
        ("ValidationError", "sts-invalid-request"),
        ("InvalidIdentityToken", "sts-token-rejected"),
        ("AccessDenied", "sts-access-denied"),
        ("SomethingNew", "sts-refused"),
    ] {
        life.meet(|token| quoting(code, token), whole, finding);
    }
    for (fault, finding) in [
        (Fault::ServerError(503), "sts-unavailable"),
        (Fault::Garbage, "sts-garbled"),
        // Whole, and dead on arrival: nobody may see these either.
        (Fault::ExpiredCredentials, "sts-useless-credentials"),
        (Fault::VerificationKey, "sts-verification-key"),
        (Fault::EmptyCredentials, "sts-useless-credentials"),
        (Fault::Reset, "sts-connect"),
        (Fault::Hang, "sts-timeout"),
        (Fault::Down, "sts-connect"),
    ] {
        life.meet(|_| fault.clone(), whole, finding);
    }
    // Wrong files, made of the right token.
    let without_signature = |token: &str| token.rsplit_once('.').expect("three parts").0.into();
    life.meet(|_| Fault::Down, without_signature, "token-not-a-jwt");
    life.meet(
        |_| Fault::Down,
        |token| token.repeat(40).into(),
        "token-too-large",
    );
    life.meet(
        |_| Fault::Down,
        |token| [token.as_bytes(), b"\xff"].concat(),
        "token-not-utf8",
    );
    let for_another = TokenRequest {
        claims_patch: json!({ "aud": ["pods.eks.amazonaws.com"] }),
        ..TokenRequest::default()
    };
    let for_another = life.token(&for_another);
    life.meet(
        |_| Fault::Down,
        |_| for_another.into(),
        "token-is-pod-identity",
    );
    life.recover();
    life.sign();
}

fn whole(token: &str) -> Vec<u8> {
    token.into()
}

fn found(needles: &[Needle], haystack: &str) -> Vec<&'static str> {
    let found = needles
        .iter()
        .filter(|needle| haystack.contains(&needle.text));
    found.map(|needle| needle.name).collect()
}

/// Nothing is found in nothing: there was much to look at, and what is hidden in it is found.
fn assert_hunt_was_honest(life: &Life, level: &str) {
    assert!(life.needles.len() >= 60, "{} needles", life.needles.len());
    assert!(
        life.haystack.len() >= 50_000,
        "{} bytes",
        life.haystack.len()
    );
    for (word, expected) in [
        ("CredentialsUnavailable", true),
        ("irsa_sidecar_refreshes_total", true),
        // In place of the token that STS quoted.
        ("[token]", true),
        ("no credentials", true),
        // Of a role that cannot be assumed.
        ("assume-role-denied", level != "error"),
        ("EksTokenTooLarge", true),
        ("refreshed credentials", !matches!(level, "error" | "warn")),
        (
            "still no new credentials",
            matches!(level, "debug" | "trace"),
        ),
        // The command line.
        ("serve\0", true),
    ] {
        let there = life.haystack.contains(word);
        assert!(there || !expected, "{word:?} is not there at level {level}");
    }
    for one in &life.needles {
        let planted = format!("…{}…", one.text);
        assert!(found(&life.needles, &planted).contains(&one.name));
    }
}
