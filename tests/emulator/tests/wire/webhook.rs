//! The webhook by which an API server asks about a token.

use emulator::{Emulator, Fault, Issued, ROLE_ARN};
use serde_json::{Value, json};

use crate::client::{exchange, send};
use crate::signer::token_of;

fn with_session() -> (Emulator, Issued) {
    let emulator = Emulator::start();
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    (emulator, issued)
}

#[test]
fn the_webhook_answers_in_the_version_that_it_is_asked_in() {
    let (emulator, issued) = with_session();
    for version in ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"] {
        let (status, review) = ask_webhook(&emulator, version, &token_of(&issued));
        assert_eq!((status, &review["apiVersion"]), (200, &json!(version)));
        assert_eq!(review["status"]["authenticated"], true);
        let user = &review["status"]["user"];
        assert_eq!(user["username"], "job:pod-1");
        assert_eq!(user["groups"], json!(["jobs"]));
        assert_eq!(user["extra"]["canonicalArn"], json!([ROLE_ARN]));
        assert_eq!(user["extra"]["sessionName"], json!(["pod-1"]));
    }
}

#[test]
fn the_webhook_refuses_with_403_and_asks_for_patience_with_429() {
    let (emulator, issued) = with_session();
    let ask = |token: &str| ask_webhook(&emulator, "authentication.k8s.io/v1beta1", token);
    let (status, review) = ask("k8s-aws-v1.x");
    assert_eq!((status, review["status"].get("authenticated")), (403, None));
    emulator.sts().fail_next(1, Fault::Throttle);
    assert_eq!(ask(&token_of(&issued)).0, 429);
    assert_eq!(ask(&token_of(&issued)).0, 200);
}

#[test]
fn what_is_no_token_review_is_a_bad_request() {
    let emulator = Emulator::start();
    let call = |method: &str, target: &str, body: &str| {
        send(emulator.control_url(), method, target, "", body).unwrap()
    };
    let target = "/authenticate?cluster=demo";
    for body in [
        "",
        "{}",
        r#"{"kind":"TokenReview","apiVersion":"v1","spec":{"token":"t"}}"#,
    ] {
        let reply = call("POST", target, body);
        assert_eq!(reply.body, "expected a request body to be a TokenReview");
        assert_eq!(reply.status, 400);
    }
    assert_eq!(call("GET", target, "").status, 405);
    assert_eq!(
        call("POST", "/authenticate?cluster=nowhere", "").status,
        404
    );
}

#[test]
fn an_api_server_finds_the_webhook_without_a_query_too() {
    let (emulator, issued) = with_session();
    let review = json!({
        "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
        "spec": { "token": token_of(&issued) },
    });
    let ask = |target| {
        send(
            emulator.control_url(),
            "POST",
            target,
            "",
            &review.to_string(),
        )
    };
    let reply = ask("/clusters/demo/authenticate").unwrap();
    assert_eq!(reply.json()["status"]["authenticated"], true);
    assert_eq!(ask("/clusters/nowhere/authenticate").unwrap().status, 404);
}

fn ask_webhook(emulator: &Emulator, version: &str, token: &str) -> (u16, Value) {
    let review =
        json!({ "kind": "TokenReview", "apiVersion": version, "spec": { "token": token } });
    let target = "/authenticate?cluster=demo";
    let reply = send(
        emulator.control_url(),
        "POST",
        target,
        "",
        &review.to_string(),
    )
    .unwrap();
    (reply.status, reply.json())
}
