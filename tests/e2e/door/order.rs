//! The order of judgement, by requests that are wrong in several ways at once: what comes first is what is said.

use super::refusals::is_refused;
use crate::sidecar::{Pod, exchange};

#[test]
fn requests_that_are_wrong_in_several_ways_are_judged_in_the_order_of_the_design() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let address = sidecar.credentials;
    let ours = format!("host: {address}\r\n");
    let foreign = "host: rebound.example.com\r\n".to_owned();
    let (forwarded, wrong) = ("via: 1.1 proxy\r\n", "authorization: wrong\r\n");
    let uid = format!("authorization: {}\r\n", pod.request.pod_uid());
    let two = format!("{uid}{uid}");
    let right_secret = format!("/v2/credentials/{}", pod.request.pod_uid());
    let right_secret = right_secret.as_str();
    let join = |parts: &[&str]| parts.concat();
    let cases = [
        // Malformed before everything.
        (
            "POST",
            "/nowhere",
            join(&[&two, &foreign, forwarded]),
            400,
            "MalformedRequest",
        ),
        (
            "GET",
            "/v1/credentials",
            join(&[&foreign, &ours, forwarded]),
            400,
            "MalformedRequest",
        ),
        (
            "GET",
            "/nowhere",
            join(&[forwarded]),
            400,
            "MalformedRequest",
        ),
        // Forwarded before Host.
        (
            "POST",
            "/nowhere",
            join(&[&foreign, forwarded, wrong]),
            400,
            "ForwardedRequest",
        ),
        (
            "GET",
            "/v1/credentials",
            join(&[&ours, forwarded]),
            400,
            "ForwardedRequest",
        ),
        (
            "GET",
            right_secret,
            join(&[&ours, forwarded]),
            400,
            "ForwardedRequest",
        ),
        // Host before path.
        ("POST", "/nowhere", join(&[&foreign]), 403, "ForbiddenHost"),
        (
            "GET",
            "/v2/credentials/wrong",
            join(&[&foreign]),
            403,
            "ForbiddenHost",
        ),
        (
            "POST",
            "/v1/credentials",
            join(&[&foreign]),
            403,
            "ForbiddenHost",
        ),
        (
            "GET",
            "/v1/credentials",
            join(&[&foreign, &uid]),
            403,
            "ForbiddenHost",
        ),
        // Path, and the secret in it, before method.
        ("POST", "/nowhere", join(&[&ours]), 404, "NotFound"),
        ("POST", "/nowhere", join(&[&ours, wrong]), 404, "NotFound"),
        (
            "POST",
            "/v2/credentials/wrong",
            join(&[&ours]),
            404,
            "NotFound",
        ),
        (
            "DELETE",
            "/v2/credentials/",
            join(&[&ours, &uid]),
            404,
            "NotFound",
        ),
        // Method before authorization.
        (
            "POST",
            "/v1/credentials",
            join(&[&ours]),
            405,
            "MethodNotAllowed",
        ),
        (
            "POST",
            "/v1/credentials",
            join(&[&ours, wrong]),
            405,
            "MethodNotAllowed",
        ),
        (
            "POST",
            right_secret,
            join(&[&ours]),
            405,
            "MethodNotAllowed",
        ),
        (
            "GET",
            "/v1/shutdown",
            join(&[&ours]),
            405,
            "MethodNotAllowed",
        ),
        (
            "GET",
            "/v1/shutdown",
            join(&[&ours, wrong]),
            405,
            "MethodNotAllowed",
        ),
        // None before wrong.
        (
            "GET",
            "/v1/credentials",
            join(&[&ours]),
            401,
            "Unauthorized",
        ),
        (
            "GET",
            "/v1/credentials",
            join(&[&ours, "authorization:\r\n"]),
            401,
            "Unauthorized",
        ),
        (
            "GET",
            "/v1/credentials",
            join(&[&ours, wrong]),
            403,
            "Forbidden",
        ),
        ("POST", "/v1/shutdown", join(&[&ours]), 401, "Unauthorized"),
        (
            "POST",
            "/v1/shutdown",
            join(&[&ours, wrong]),
            403,
            "Forbidden",
        ),
        // The header does not stand in for the secret in the path, nor harm it.
        (
            "GET",
            "/v2/credentials/wrong",
            join(&[&ours, &uid]),
            404,
            "NotFound",
        ),
    ];
    for (method, path, headers, status, code) in cases {
        let head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        let answer = exchange(address, head.as_bytes());
        assert_eq!(answer.code(), code, "{head}");
        is_refused(&answer, status, code);
    }
    let head = format!("GET {right_secret} HTTP/1.1\r\nconnection: close\r\n{ours}{wrong}\r\n");
    assert_eq!(exchange(address, head.as_bytes()).status, 200);
}
