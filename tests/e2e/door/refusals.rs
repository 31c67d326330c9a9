//! Every way to be refused: its status, its code, and a body that every SDK can read.

use std::time::Duration;

use emulator::Fault;
use tokio::time::Instant;

use super::holds_for_every_answer;
use crate::sidecar::{Answer, Connection, Pod, Sidecar, exchange, get_head, request};

/// A refusal as it has to be, whatever the reason.
pub fn is_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{code}: {answer:?}");
    holds_for_every_answer(answer);
    let body = answer.json();
    let members = body.as_object().map_or(0, serde_json::Map::len);
    assert_eq!(members, 4, "{answer:?}");
    assert_eq!((&body["code"], &body["Code"]), (&code.into(), &code.into()));
    assert_eq!(body["message"], body["Message"]);
    let message = body["message"].as_str().expect("a message");
    assert!(message.len() > 20, "{code} says too little: {message:?}");
    assert_eq!(answer.headers.contains_key("allow"), status == 405);
    assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
}

fn raw(sidecar: &Sidecar, request: impl AsRef<[u8]>) -> Answer {
    exchange(sidecar.credentials, request.as_ref())
}

#[test]
fn what_is_no_http_1_with_one_host_is_malformed() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let host = format!("connection: close\r\nhost: {}\r\n", sidecar.credentials);
    let uid = format!("authorization: {}\r\n", pod.request.pod_uid());
    let get = "GET /v1/credentials HTTP/1.1\r\n";
    let cases = [
        "garbage\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{1c}\u{3}\u{3}".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET /v1/credentials HTTP/3.0\r\n{host}{uid}\r\n"),
        format!("GET /v1/credentials\r\n{host}{uid}\r\n"),
        format!("{get}connection: close\r\n{uid}\r\n"),
        format!("GET /v1/credentials HTTP/1.0\r\n{uid}\r\n"),
        format!("{get}{host}{host}{uid}\r\n"),
        format!("{get}{host}{uid}{uid}\r\n"),
        format!("{get}{host}{uid}authorization: other\r\n\r\n"),
        format!("{get}{host}{uid}x: a\0b\r\n\r\n"),
        format!("GET /v1/cred\0entials HTTP/1.1\r\n{host}{uid}\r\n"),
        format!("{get}{host}{uid}no colon\r\n\r\n"),
        format!("{get}{host}{uid}x : a\r\n\r\n"),
        format!("{get}{host}{uid}content-length: many\r\n\r\n"),
    ];
    for case in cases {
        is_refused(&raw(&sidecar, &case), 400, "MalformedRequest");
    }
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
}

#[test]
fn garbage_behind_a_good_request_is_refused_once_and_in_our_words() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for version in ["1.0", "1.1"] {
        let good = get_head(
            sidecar.credentials,
            "/nowhere",
            &[("connection", "keep-alive")],
        );
        let good = good.replace("HTTP/1.1", &format!("HTTP/{version}"));
        let mut connection = Connection::open(sidecar.credentials);
        let both = format!("{good}gar\0bage\r\n\r\n");
        connection.send(both.as_bytes()).expect("sent");
        let first = connection.receive().expect("whole").expect("an answer");
        is_refused(&first, 404, "NotFound");
        let second = connection.receive().expect("whole").expect("an answer");
        is_refused(&second, 400, "MalformedRequest");
        assert!(connection.receive().expect("the end").is_none());
    }
}

#[test]
fn what_came_through_a_proxy_is_not_answered() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("x-forwarded-for", ""),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 envoy"),
    ] {
        let headers = [("authorization", pod.request.pod_uid()), (name, value)];
        let answer = sidecar.get("/v1/credentials", &headers);
        is_refused(&answer, 400, "ForwardedRequest");
    }
}

#[test]
fn only_our_own_names_and_our_own_port_are_answered() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let port = sidecar.credentials.port();
    let get = |host: &str| {
        let headers = [("authorization", pod.request.pod_uid()), ("host", host)];
        sidecar.get("/v1/credentials", &headers)
    };
    for name in ["127.0.0.1", "localhost", "LocalHost", "[::1]"] {
        assert_eq!(get(name).status, 200, "{name}");
        assert_eq!(get(&format!("{name}:{port}")).status, 200, "{name}");
        let wrong = if port == 1 { 2 } else { port - 1 };
        is_refused(&get(&format!("{name}:{wrong}")), 403, "ForbiddenHost");
    }
    for name in [
        "rebound.example.com",
        "localhost.example.com",
        "127.0.0.1.nip.io",
        "169.254.170.2",
        "127.0.0.2",
        "0.0.0.0",
        "[::]",
        "2130706433",
        "user@127.0.0.1",
        "",
    ] {
        is_refused(&get(name), 403, "ForbiddenHost");
        is_refused(&get(&format!("{name}:{port}")), 403, "ForbiddenHost");
    }
}

#[test]
fn unknown_paths_and_wrong_secrets_look_the_same() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = pod.request.pod_uid();
    let mut said = Vec::new();
    for path in [
        "/",
        "*",
        "/v1",
        "/v1/credentials/",
        "/v1/credentials/app",
        "/V1/credentials",
        "//v1/credentials",
        "/v1/../v1/credentials",
        "/v1/%63redentials",
        "/v1/eks-token/",
        "/v2/eks-token?cluster-name=c",
        "/latest/meta-data/iam/security-credentials/",
        "/livez",
        "/metrics",
        "/v2/credentials",
        "/v2/credentials/",
        "/v2/credentials/wrong",
        "/v2/credentials//",
        &format!("/v2/credentials/{uid}x"),
        &format!("/v2/credentials/{uid}/"),
        &format!("/v2/credentials/{}", &uid[..uid.len() - 1]),
        &format!("/v2/credentials/{}", uid.to_uppercase()),
        "/v2/credentials/%00%ff",
        "/v2/credentials/%",
    ] {
        let answer = sidecar.get(path, &[("authorization", uid)]);
        assert_eq!(answer.status, 404, "{path}");
        is_refused(&answer, 404, "NotFound");
        said.push(answer.body);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:#?}");
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = pod.request.pod_uid();
    let by_secret = format!("/v2/credentials/{uid}");
    let cases = [
        (
            "/v1/credentials",
            "POST PUT DELETE OPTIONS PATCH TRACE X",
            "GET, HEAD",
        ),
        (
            &by_secret,
            "POST PUT DELETE OPTIONS PATCH TRACE X",
            "GET, HEAD",
        ),
        (
            "/v1/shutdown",
            "GET HEAD PUT DELETE OPTIONS PATCH TRACE X",
            "POST",
        ),
    ];
    for (path, methods, allowed) in cases {
        for method in methods.split(' ') {
            let headers = [("authorization", uid)];
            let mut answer = request(sidecar.credentials, method, path, &headers);
            assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
            if method == "HEAD" {
                assert_eq!((answer.status, answer.body.as_str()), (405, ""));
                continue;
            }
            is_refused(&answer, 405, "MethodNotAllowed");
            answer.headers.clear();
        }
    }
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
}

#[test]
fn a_body_is_never_taken_for_a_request() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let smuggled = get_head(sidecar.credentials, "/v1/credentials", &uid);
    let head = format!(
        "POST /v1/credentials HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
        sidecar.credentials,
        smuggled.len()
    );
    let mut connection = Connection::open(sidecar.credentials);
    let both = format!("{head}{smuggled}");
    connection.send(both.as_bytes()).expect("sent");
    let answer = connection.receive().expect("whole").expect("an answer");
    is_refused(&answer, 405, "MethodNotAllowed");
    // Closed, or the next request gets the answer to itself.
    let next = get_head(sidecar.credentials, "/nowhere", &[]);
    if connection.send(next.as_bytes()).is_ok()
        && let Ok(Some(answer)) = connection.receive()
    {
        is_refused(&answer, 404, "NotFound");
    }
}

#[test]
fn without_credentials_the_reason_is_said_to_whoever_is_authorized() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::error("AccessDenied"));
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    let by_secret = format!("/v2/credentials/{}", pod.request.pod_uid());
    for answer in [sidecar.get_credentials(&pod), sidecar.get(&by_secret, &[])] {
        is_refused(&answer, 503, "CredentialsUnavailable");
        assert_eq!(answer.headers["retry-after"], "1");
        let message = answer.message();
        for word in ["AccessDenied", emulator::ROLE_ARN, "trust policy"] {
            assert!(message.contains(word), "no {word} in {message}");
        }
    }
    is_refused(&sidecar.get("/v1/credentials", &[]), 401, "Unauthorized");
    let wrong = [("authorization", "wrong-wrong-wrong")];
    is_refused(&sidecar.get("/v1/credentials", &wrong), 403, "Forbidden");
    is_refused(&sidecar.get("/v2/credentials/wrong", &[]), 404, "NotFound");
}

#[test]
fn a_head_has_five_seconds_however_steadily_it_trickles() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let begun = Instant::now();
    let mut stuck = Connection::open(sidecar.credentials);
    stuck.send(b"GET /v1/cred").expect("sent");
    let mut trickling = Connection::open(sidecar.credentials);
    trickling
        .send(b"GET /v1/credentials HTTP/1.1\r\nx: ")
        .expect("sent");
    let mut used = Connection::open(sidecar.credentials);
    assert_eq!(used.get("/nowhere", &[]).status, 404);
    used.send(b"G").expect("sent");
    while begun.elapsed() < Duration::from_secs(4) {
        trickling
            .send(b"x")
            .expect("a connection that is still open");
        std::thread::sleep(Duration::from_millis(100));
    }
    for connection in [&mut stuck, &mut trickling, &mut used] {
        let answer = connection.receive().expect("whole").expect("an answer");
        is_refused(&answer, 408, "RequestTimeout");
        assert!(begun.elapsed() >= Duration::from_secs(5), "too early");
    }
}

#[test]
fn a_head_may_have_eight_kibibytes_and_no_more() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = pod.request.pod_uid();
    let long = |length| "x".repeat(length);
    let roomy = [("authorization", uid), ("x", &long(7_500))];
    assert_eq!(sidecar.get("/v1/credentials", &roomy).status, 200);
    let get = |path: &str, headers: &[_]| {
        let head = get_head(sidecar.credentials, path, headers);
        raw(&sidecar, head)
    };
    let (limit, huge) = (long(8_192), long(60_000));
    for answer in [
        get("/v1/credentials", &[("x", &limit)]),
        get("/v1/credentials", &[("x", &huge)]),
        get(&format!("/{limit}"), &[]),
        get("/v1/credentials", &[("x", "y"); 500]),
    ] {
        is_refused(&answer, 431, "RequestHeaderFieldsTooLarge");
    }
}
