//! The door in front of the tokens: authorization, methods, and the form of the answers.

use serde_json::json;

use super::{DEMO, ask, path, token};
use crate::door::holds_for_every_answer;
use crate::door::refusals::is_refused;
use crate::sidecar::{Pod, exchange, read, request};

#[test]
fn the_answer_is_an_exec_credential_and_nothing_else() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let answer = ask(&pod, &sidecar, DEMO);
    assert_eq!(answer.status, 200, "{answer:?}");
    holds_for_every_answer(&answer);
    let status = &answer.json()["status"];
    let token = status["token"].as_str().expect("a token");
    let expiration = status["expirationTimestamp"].as_str().expect("a time");
    assert_eq!(
        answer.json(),
        json!({
            "kind": "ExecCredential",
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "spec": {},
            "status": { "expirationTimestamp": expiration, "token": token },
        })
    );
    // No fraction and no offset: what every client's parser takes.
    assert_eq!(expiration.len(), "2025-01-02T03:04:05Z".len());
    assert!(expiration.ends_with('Z'), "{expiration}");
    let url_safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    assert!(token.chars().all(url_safe), "{token}");
}

#[test]
fn whoever_takes_plain_text_gets_the_bare_token() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = pod.request.pod_uid();
    let token = token(&pod, &sidecar, DEMO).text;
    for (accept, content_type) in [
        ("text/plain", "text/plain"),
        ("TEXT/Plain; charset=utf-8", "text/plain"),
        ("text/plain, */*;q=0.1", "text/plain"),
        ("text/plain, application/json", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ] {
        let headers = [("authorization", uid), ("accept", accept)];
        let answer = sidecar.get(&path(DEMO), &headers);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["content-type"], content_type, "{accept}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        let length = answer.headers["content-length"].parse::<usize>();
        assert_eq!(length, Ok(answer.body.len()));
        if content_type == "text/plain" {
            assert_eq!(answer.body, token, "not a byte more");
        } else {
            assert_eq!(answer.json()["status"]["token"], token);
        }
    }
    // An error is JSON, whatever is taken.
    let headers = [("authorization", uid), ("accept", "text/plain")];
    let answer = sidecar.get(&path(""), &headers);
    is_refused(&answer, 400, "InvalidParameter");
}

#[test]
fn head_is_get_without_the_body() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for accept in ["application/json", "text/plain"] {
        let headers = [("authorization", pod.request.pod_uid()), ("accept", accept)];
        let get = sidecar.get(&path(DEMO), &headers);
        let head = request(sidecar.credentials, "HEAD", &path(DEMO), &headers);
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.body, "");
        for name in ["content-type", "content-length", "cache-control"] {
            assert_eq!(head.headers[name], get.headers[name], "{name}");
        }
    }
}

#[test]
fn the_authorization_of_the_credentials_is_that_of_the_tokens() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let (uid, file) = (
        pod.request.pod_uid(),
        read(&pod.path("authorization-token")),
    );
    for shown in [
        uid,
        &file,
        &format!("Bearer {uid}"),
        &format!("Bearer {file}"),
    ] {
        let answer = sidecar.get(&path(DEMO), &[("authorization", shown)]);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let refused = |headers: &[(&str, &str)], status, code| {
        is_refused(&sidecar.get(&path(DEMO), headers), status, code);
    };
    refused(&[], 401, "Unauthorized");
    refused(&[("authorization", "")], 401, "Unauthorized");
    refused(&[("authorization", "wrong")], 403, "Forbidden");
    refused(&[("authorization", &format!("{uid}x"))], 403, "Forbidden");
    for header in ["x-forwarded-for", "forwarded", "via"] {
        let headers = [("authorization", uid), (header, "1.2.3.4")];
        refused(&headers, 400, "ForwardedRequest");
    }
    let rebound = [("authorization", uid), ("host", "rebound.example.com")];
    refused(&rebound, 403, "ForbiddenHost");
    let two = [("authorization", uid), ("authorization", uid)];
    refused(&two, 400, "MalformedRequest");
    // A secret in the path is for credentials.
    let in_path = sidecar.get(&format!("/v1/eks-token/{uid}?{DEMO}"), &[]);
    is_refused(&in_path, 404, "NotFound");
}

#[test]
fn where_nobody_has_to_show_anything_tokens_are_given_out_too() {
    let pod = Pod::new();
    let launch = pod.serve().env("IRSA_SIDECAR_AUTHORIZATION", "none");
    let sidecar = launch.start();
    sidecar.wait_ready();
    assert_eq!(sidecar.get(&path(DEMO), &[]).status, 200);
}

#[test]
fn tokens_are_got_and_nothing_else_is_done_with_them() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let headers = [("authorization", pod.request.pod_uid())];
        let answer = request(sidecar.credentials, method, &path(DEMO), &headers);
        is_refused(&answer, 405, "MethodNotAllowed");
        assert_eq!(answer.headers["allow"], "GET, HEAD");
    }
}

/// Who may not ask learns nothing of parameters.
#[test]
fn parameters_are_judged_last() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let host = format!("connection: close\r\nhost: {}\r\n", sidecar.credentials);
    for (request, status, code) in [
        (
            format!("GET {} HTTP/1.1\r\n{host}via: x\r\n", path("")),
            400,
            "ForwardedRequest",
        ),
        (
            format!("POST {} HTTP/1.1\r\n{host}", path("")),
            405,
            "MethodNotAllowed",
        ),
        (
            format!("GET {} HTTP/1.1\r\n{host}", path("")),
            401,
            "Unauthorized",
        ),
        (
            format!(
                "GET {} HTTP/1.1\r\n{host}authorization: wrong\r\n",
                path("x=y")
            ),
            403,
            "Forbidden",
        ),
    ] {
        let answer = exchange(sidecar.credentials, format!("{request}\r\n").as_bytes());
        is_refused(&answer, status, code);
    }
}
