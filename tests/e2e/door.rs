//! The credentials door: what a client that does everything right gets, in whatever way it asks.

mod order;
pub mod refusals;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::sidecar::{Answer, Connection, Pod, exchange, get_head, request};

/// What every answer has, whether it is what was asked for or not.
pub fn holds_for_every_answer(answer: &Answer) {
    assert_eq!(
        answer.headers.get("content-type").map(String::as_str),
        Some("application/json"),
        "{answer:?}"
    );
    assert_eq!(
        answer.headers.get("cache-control").map(String::as_str),
        Some("no-store"),
        "{answer:?}"
    );
    assert!(
        !answer.headers.contains_key("content-encoding"),
        "{answer:?}"
    );
    assert!(
        !answer.headers.contains_key("transfer-encoding"),
        "{answer:?}"
    );
    let length = &answer.headers["content-length"];
    assert_eq!(*length, answer.body.len().to_string(), "{answer:?}");
}

fn uid(pod: &Pod) -> [(&'static str, &str); 1] {
    [("authorization", pod.request.pod_uid())]
}

#[test]
fn credentials_are_whole_and_for_the_role() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let answer = sidecar.get_credentials(&pod);
    assert_eq!(answer.status, 200, "{answer:?}");
    holds_for_every_answer(&answer);
    let body = answer.json();
    let issued = pod.emulator.sts().issued().remove(0);
    let last_updated = body["LastUpdated"].as_str().expect("LastUpdated");
    let expected = json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "LastUpdated": last_updated,
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.secret_access_key,
        "Token": issued.session_token,
        "Expiration": seconds(issued.expiration),
        "AccountId": "111122223333",
        "RoleArn": emulator::ROLE_ARN,
    });
    assert_eq!(body, expected);
    let updated = humantime::parse_rfc3339(last_updated).expect("a time");
    assert_eq!(seconds(updated), last_updated, "no fraction, no offset");
    let called = pod.emulator.sts().calls().remove(0).at;
    let apart = updated
        .duration_since(called)
        .unwrap_or_else(|error| error.duration());
    assert!(apart < Duration::from_secs(30), "{apart:?} after the call");
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
fn seconds(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[test]
fn a_long_session_token_is_served_in_less_than_ten_thousand_bytes_and_never_compressed() {
    let pod = Pod::new();
    pod.emulator.sts().set_session_token_length(9_000);
    let sidecar = pod.ready_sidecar();
    let encodings = ("accept-encoding", "gzip, br, deflate, zstd, *");
    let answer = sidecar.get(
        "/v1/credentials",
        &[uid(&pod)[0], encodings, ("te", "trailers, gzip")],
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    holds_for_every_answer(&answer);
    assert!(answer.body.len() < 10_000);
    assert_eq!(
        answer.json()["Token"],
        pod.emulator.sts().issued()[0].session_token
    );
}

#[test]
fn head_is_get_without_its_body_whatever_the_answer() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let granted = uid(&pod);
    let by_secret = format!("/v2/credentials/{}", pod.request.pod_uid());
    let wrong = [("authorization", "wrong-wrong-wrong")];
    let forwarded = [("via", "1.1 proxy")];
    let cases = [
        ("/v1/credentials", &granted[..], 200),
        (&by_secret, &[], 200),
        ("/v1/credentials", &[], 401),
        ("/v1/credentials", &wrong, 403),
        ("/nowhere", &[], 404),
        ("/v2/credentials/wrong", &[], 404),
        ("/v1/credentials", &forwarded, 400),
    ];
    for (path, headers, status) in cases {
        let get = sidecar.get(path, headers);
        let head = request(sidecar.credentials, "HEAD", path, headers);
        assert_eq!((get.status, head.status), (status, status), "{path}");
        assert_eq!(head.body, "", "{path}");
        assert_eq!(without_date(&head), without_date(&get), "{path}");
    }
}

fn without_date(answer: &Answer) -> BTreeMap<String, String> {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    headers
}

#[test]
fn a_query_changes_nothing() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let plain = sidecar.get_credentials(&pod).body;
    for path in [
        "/v1/credentials?rel=1".to_owned(),
        "/v1/credentials?".to_owned(),
        "/v1/credentials?a=/v1/shutdown&b=%00".to_owned(),
        format!("/v2/credentials/{}?rel=1", pod.request.pod_uid()),
    ] {
        let answer = sidecar.get(&path, &uid(&pod));
        assert_eq!((answer.status, &answer.body), (200, &plain), "{path}");
    }
}

#[test]
fn one_connection_serves_many_requests_good_and_bad() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let body = sidecar.get_credentials(&pod).body;
    let mut connection = Connection::open(sidecar.credentials);
    for _ in 0..300 {
        let answer = connection.get("/v1/credentials", &uid(&pod));
        assert_eq!((answer.status, &answer.body), (200, &body));
        assert_eq!(connection.get("/v1/credentials", &[]).status, 401);
        assert_eq!(connection.get("/nowhere", &[]).status, 404);
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let mut connection = Connection::open(sidecar.credentials);
    let head = |path, headers: &[_]| get_head(sidecar.credentials, path, headers);
    let three = [
        head("/v1/credentials", &uid(&pod)),
        head("/nowhere", &[]),
        head("/v1/credentials", &[]),
    ]
    .concat();
    connection.send(three.repeat(20).as_bytes()).expect("sent");
    for _ in 0..20 {
        for status in [200, 404, 401] {
            let answer = connection.receive().expect("whole").expect("an answer");
            assert_eq!(answer.status, status);
            holds_for_every_answer(&answer);
        }
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_answered_like_any_other() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let mut connection = Connection::open(sidecar.credentials);
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid(&pod));
    for byte in head.as_bytes() {
        connection.send(&[*byte]).expect("sent");
    }
    let answer = connection.receive().expect("whole").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn http_1_0_is_answered_and_closed_or_kept_as_asked() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let (host, uid) = (sidecar.credentials, pod.request.pod_uid());
    let head = format!("GET /v1/credentials HTTP/1.0\r\nhost: {host}\r\nauthorization: {uid}\r\n");
    let answer = exchange(host, format!("{head}\r\n").as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    holds_for_every_answer(&answer);
    let mut kept = Connection::open(host);
    for _ in 0..2 {
        let request = format!("{head}connection: keep-alive\r\n\r\n");
        kept.send(request.as_bytes()).expect("sent");
        let answer = kept.receive().expect("whole").expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
fn ipv6_loopback_answers_on_the_same_port_where_it_exists() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        sidecar.wait_message("not listening on [::1]");
        return;
    }
    let address = ([0, 0, 0, 0, 0, 0, 0, 1], sidecar.credentials.port()).into();
    let answer = request(address, "GET", "/v1/credentials", &uid(&pod));
    assert_eq!(answer.status, 200, "{answer:?}");
    let rebound = [uid(&pod)[0], ("host", "rebound.example.com")];
    let answer = request(address, "GET", "/v1/credentials", &rebound);
    assert_eq!(answer.code(), "ForbiddenHost");
    assert_eq!(answer.json()["AccessKeyId"], Value::Null);
}
