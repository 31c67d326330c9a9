//! Answers that are none, and servers that are not the cluster's.

use std::io;
use std::net::{TcpListener, TcpStream};

use emulator::{ApiFault, ROLE_ARN};
use serde_json::json;

use super::{AUDIENCE, Annotated, ROLE};
use crate::sidecar::{Pod, Sidecar};

/// Leads every connection to the target.
pub fn relay(door: &TcpListener, target: &str) {
    for inbound in door.incoming().map_while(Result::ok) {
        let outbound = TcpStream::connect(target).expect("the target");
        let pair = |one: &TcpStream| one.try_clone().expect("a stream");
        let (mut from, mut to) = (pair(&inbound), pair(&outbound));
        std::thread::spawn(move || io::copy(&mut from, &mut to));
        let (mut from, mut to) = (outbound, inbound);
        std::thread::spawn(move || io::copy(&mut from, &mut to));
    }
}

fn assert_unreachable(annotated: &Annotated, sidecar: &Sidecar, words: &[&str]) {
    sidecar.wait_finding("api-unreachable");
    let answer = sidecar.get_credentials(&annotated.pod);
    for part in words {
        assert!(
            answer.message().contains(part),
            "{part:?} is not in {}",
            answer.message()
        );
    }
    assert_eq!(annotated.pod.exchange_calls(), []);
}

#[test]
fn an_answer_that_is_no_service_account_is_none() {
    let account = |kind: &str, namespace: &str, name: &str| {
        let metadata =
            json!({ "namespace": namespace, "name": name, "annotations": { ROLE: ROLE_ARN } });
        json!({ "kind": kind, "apiVersion": "v1", "metadata": metadata }).to_string()
    };
    for (fault, words) in [
        (
            ApiFault::Answer(200, "<html>Please log in</html>".to_owned()),
            "answered 200 with what is not this service account",
        ),
        (ApiFault::Answer(200, String::new()), "answered 200 with"),
        (
            ApiFault::Answer(200, account("ServiceAccount", "team", "other")),
            "answered 200 with",
        ),
        (
            ApiFault::Answer(200, account("Secret", "team", "app")),
            "answered 200 with",
        ),
        (
            ApiFault::Answer(200, format!("\"{}\"", "x".repeat(2 * 1024 * 1024))),
            "no end",
        ),
        (
            ApiFault::Answer(404, "<html>no such page</html>".to_owned()),
            "answered 404",
        ),
        (
            ApiFault::Answer(500, "a stack trace".to_owned()),
            "answered 500",
        ),
        (ApiFault::Answer(429, String::new()), "answered 429"),
    ] {
        let annotated = Annotated::new();
        annotated.cluster().set_api_fault(Some(fault));
        let sidecar = annotated.sidecar();
        assert_unreachable(&annotated, &sidecar, &[words]);
        assert!(!sidecar.log().contains("<html"), "{}", sidecar.log());
        annotated.cluster().set_api_fault(None);
        sidecar.wait_ready();
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let annotated = Annotated::new();
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    door.set_nonblocking(true).expect("a listener");
    let elsewhere = format!("https://{}/", door.local_addr().expect("an address"));
    annotated
        .cluster()
        .set_api_fault(Some(ApiFault::Redirect(elsewhere)));
    let sidecar = annotated.sidecar();
    assert_unreachable(&annotated, &sidecar, &["answered 307"]);
    assert!(door.accept().is_err(), "the token went elsewhere");
}

#[test]
fn a_server_that_never_answers_is_given_up_and_stops_no_door() {
    let annotated = Annotated::new();
    annotated.cluster().set_api_fault(Some(ApiFault::Hang));
    let sidecar = annotated.sidecar();
    assert_eq!(sidecar.ops_get("/livez").status, 200);
    assert_eq!(sidecar.get_credentials(&annotated.pod).status, 503);
    assert_unreachable(&annotated, &sidecar, &["no answer in time"]);
    annotated.cluster().set_api_fault(None);
    sidecar.wait_ready();
}

/// The system's roots would vouch for it.
#[test]
fn a_server_that_the_clusters_ca_does_not_vouch_for_never_gets_the_token() {
    let annotated = Annotated::new();
    annotated.mount("ca.crt", Pod::new().emulator.ca_pem());
    let bundle = annotated.pod.path("roots.pem");
    std::fs::write(&bundle, annotated.pod.emulator.ca_pem()).expect("a bundle");
    let launch = annotated
        .serve()
        .env("SSL_CERT_FILE", &bundle)
        .env("AWS_CA_BUNDLE", &bundle);
    let sidecar = annotated.start(&launch);
    assert_unreachable(&annotated, &sidecar, &["certificate"]);
    assert_eq!(annotated.readings(), 0);
}

#[test]
fn what_stands_in_an_annotation_is_quoted_and_cut() {
    let long = "x".repeat(2048);
    for (key, value) in [
        (ROLE, "arn:aws:iam::111122223333:role/a\nb"),
        (ROLE, "\u{1b}[31mred"),
        (ROLE, "arn:aws:iam::111122223333:role/app\0"),
        (ROLE, long.as_str()),
        (ROLE, ""),
        (AUDIENCE, "sts\nexample"),
        (AUDIENCE, long.as_str()),
    ] {
        let annotated = Annotated::new();
        let role = (ROLE, ROLE_ARN);
        let annotations = match key {
            ROLE => vec![(key, value)],
            _ => vec![role, (key, value)],
        };
        annotated.annotate(&annotations);
        let sidecar = annotated.sidecar();
        sidecar.wait_finding("role-annotation-invalid");
        let message = sidecar.get_credentials(&annotated.pod).message();
        assert!(message.contains(key) && message.len() < 1500, "{message}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
        assert_eq!(annotated.pod.exchange_calls(), []);
    }
}
