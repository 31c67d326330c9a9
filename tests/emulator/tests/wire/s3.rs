//! S3, for those who can do nothing else: an empty bucket behind a strict door.

use std::time::Duration;

use emulator::{Emulator, Issued};

use crate::client::{Reply, eventually, exchange, send};
use crate::signer::SignedForS3;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// An emulator that has issued credentials, and those.
fn with_session() -> (Emulator, Issued) {
    let emulator = Emulator::start();
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    (emulator, issued)
}

fn signed<'a>(issued: &'a Issued, method: &'a str, path: &'a str) -> SignedForS3<'a> {
    SignedForS3 {
        issued,
        method,
        path,
        query: "",
        payload: EMPTY,
        body: "",
    }
}

fn ask(emulator: &Emulator, signed: &SignedForS3<'_>) -> Reply {
    let target = match signed.query {
        "" => signed.path.to_owned(),
        query => format!("{}?{query}", signed.path),
    };
    let headers = signed.headers();
    send(
        emulator.url(),
        signed.method,
        &target,
        &headers,
        signed.body,
    )
    .unwrap()
}

/// Status and code of a refusal, and what is remembered of it.
fn refusal(emulator: &Emulator, signed: &SignedForS3<'_>) -> (u16, String) {
    let reply = ask(emulator, signed);
    let (status, code, _) = reply.error();
    let call = emulator.sts().calls().pop().unwrap();
    assert_eq!(call.result, code);
    assert_eq!(call.caller, None);
    (status, code.to_owned())
}

#[test]
fn a_session_sees_one_empty_bucket() {
    let (emulator, issued) = with_session();
    let buckets = ask(&emulator, &signed(&issued, "GET", "/"));
    assert_eq!(buckets.status, 200, "{buckets:?}");
    assert_eq!(buckets.header("content-type"), Some("application/xml"));
    assert_eq!(buckets.element("Name"), "bucket");

    let objects = ask(&emulator, &signed(&issued, "GET", "/bucket"));
    assert_eq!(objects.element("IsTruncated"), "false");
    assert!(!objects.body.contains("<Contents>"));
    let objects = SignedForS3 {
        query: "list-type=2&prefix=a%2Fb",
        ..signed(&issued, "GET", "/bucket/")
    };
    assert_eq!(ask(&emulator, &objects).element("KeyCount"), "0");

    let location = SignedForS3 {
        query: "location=",
        ..signed(&issued, "GET", "/bucket")
    };
    assert!(
        ask(&emulator, &location)
            .body
            .contains(">eu-west-1</LocationConstraint>")
    );
    let head = ask(&emulator, &signed(&issued, "HEAD", "/bucket"));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("x-amz-bucket-region"), Some("eu-west-1"));
}

#[test]
fn every_call_is_remembered_with_the_key_that_signed_it() {
    let (emulator, issued) = with_session();
    for (method, path, query) in [
        ("GET", "/", ""),
        ("GET", "/bucket", ""),
        ("GET", "/bucket", "list-type=2"),
        ("GET", "/bucket", "location="),
        ("HEAD", "/bucket", ""),
    ] {
        ask(
            &emulator,
            &SignedForS3 {
                query,
                ..signed(&issued, method, path)
            },
        );
    }
    let calls = emulator.sts().calls();
    let actions: Vec<_> = calls[1..].iter().map(|call| call.action.as_str()).collect();
    let expected = [
        "ListBuckets",
        "ListObjects",
        "ListObjectsV2",
        "GetBucketLocation",
        "HeadBucket",
    ];
    assert_eq!(actions, expected.map(|name| format!("s3:{name}")));
    for call in &calls[1..] {
        assert_eq!(call.result, "Success");
        assert_eq!(call.access_key_id.as_ref(), Some(&issued.access_key_id));
        let caller = "arn:aws:sts::111122223333:assumed-role/app/pod-1";
        assert_eq!(call.caller.as_deref(), Some(caller));
    }
    assert_eq!(calls[0].access_key_id, None, "the exchange is not signed");
}

#[test]
fn what_is_not_there_is_so_called() {
    let (emulator, issued) = with_session();
    let of = |method, path| refusal(&emulator, &signed(&issued, method, path));
    assert_eq!(of("GET", "/other"), (404, "NoSuchBucket".to_owned()));
    assert_eq!(of("GET", "/bucket/key"), (404, "NoSuchKey".to_owned()));
    assert_eq!(of("DELETE", "/bucket"), (501, "NotImplemented".to_owned()));
}

#[test]
fn a_path_is_signed_as_it_is_sent() {
    let (emulator, issued) = with_session();
    let reply = ask(
        &emulator,
        &signed(&issued, "GET", "/bucket/a%20b/../c//d%2Be%C3%A9"),
    );
    assert_eq!(reply.element("Code"), "NoSuchKey");
}

#[test]
fn who_signs_badly_is_refused() {
    let (emulator, issued) = with_session();
    let with = |wrong: Issued| refusal(&emulator, &signed(&wrong, "GET", "/bucket"));
    let wrong = Issued {
        secret_access_key: "wrong".to_owned(),
        ..issued.clone()
    };
    assert_eq!(with(wrong), (403, "SignatureDoesNotMatch".to_owned()));
    let unknown = Issued {
        access_key_id: "ASIAUNKNOWNUNKNOWN00".to_owned(),
        ..issued.clone()
    };
    assert_eq!(with(unknown), (403, "InvalidAccessKeyId".to_owned()));
    for session_token in ["", "of somebody else"] {
        let wrong = Issued {
            session_token: session_token.to_owned(),
            ..issued.clone()
        };
        assert_eq!(with(wrong), (403, "InvalidAccessKeyId".to_owned()));
    }
    let key = &emulator.sts().calls().pop().unwrap().access_key_id;
    assert_eq!(key.as_ref(), Some(&issued.access_key_id));
}

#[test]
fn a_session_that_is_over_is_refused() {
    let emulator = Emulator::start();
    let a_second = Some(Duration::from_secs(1));
    emulator.sts().set_session_lifetime(a_second);
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    eventually(|| ask(&emulator, &signed(&issued, "GET", "/")).status != 200);
    let expected = (400, "ExpiredToken".to_owned());
    assert_eq!(refusal(&emulator, &signed(&issued, "GET", "/")), expected);
}

#[test]
fn a_payload_is_what_was_signed_or_not_signed_at_all() {
    let (emulator, issued) = with_session();
    let with = |payload, body| SignedForS3 {
        payload,
        body,
        ..signed(&issued, "GET", "/bucket")
    };
    assert_eq!(
        ask(&emulator, &with("UNSIGNED-PAYLOAD", "anything")).status,
        200
    );
    let expected = (400, "XAmzContentSHA256Mismatch".to_owned());
    assert_eq!(refusal(&emulator, &with(EMPTY, "anything")), expected);
}

#[test]
fn who_does_not_sign_is_anonymous() {
    let emulator = Emulator::start();
    let reply = send(emulator.url(), "GET", "/bucket?list-type=2", "", "").unwrap();
    assert_eq!(reply.error(), (403, "AccessDenied", "Access Denied"));
    let call = emulator.sts().calls().pop().unwrap();
    assert_eq!(call.action, "s3:ListObjectsV2");
    assert_eq!(call.access_key_id, None);
}
