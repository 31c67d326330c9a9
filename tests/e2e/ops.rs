//! The ops door: health that tells the truth, metrics with the right values, and nothing that is anybody's secret.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emulator::Fault;
use serde_json::Value;

use crate::sidecar::{Pod, Sidecar, eventually, read, request};

/// The samples of `/metrics` by name and labels.
fn metrics(sidecar: &Sidecar) -> BTreeMap<String, f64> {
    let answer = sidecar.ops_get("/metrics");
    assert_eq!(answer.status, 200);
    let samples = answer.body.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            let name = name.strip_prefix("irsa_sidecar_").expect("our prefix");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn unix(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
    since.as_secs() as f64
}

/// Nothing of this may stand in an answer that anybody can get.
fn names_nothing(pod: &Pod, sidecar: &Sidecar) {
    for path in ["/livez", "/readyz", "/startupz", "/metrics", "/nowhere"] {
        let body = sidecar.ops_get(path).body;
        let token = read(&pod.path("authorization-token"));
        let mut forbidden = vec![
            "arn:",
            "111122223333",
            "http://",
            "https://",
            "system:serviceaccount",
            "ASIA",
            "eyJ",
            token.as_str(),
            pod.request.pod_uid(),
            pod.emulator.issuer().iss(),
        ];
        forbidden.retain(|word| body.contains(word));
        assert!(forbidden.is_empty(), "{path} names {forbidden:?}: {body}");
    }
}

fn is_not_ready(answer: &crate::sidecar::Answer, finding: &str) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body = answer.json();
    assert_eq!(body["ready"], false);
    assert_eq!(body["finding"], finding);
    assert!(
        body["reason"]
            .as_str()
            .is_some_and(|reason| reason.len() > 10)
    );
    for time in ["since", "next_attempt"] {
        let time = body[time].as_str().expect("a time");
        humantime::parse_rfc3339(time).expect("a time in RFC 3339");
    }
    let members = body.as_object().expect("an object").len();
    assert_eq!(members, 5, "{body}");
}

#[test]
fn probes_tell_starting_from_failing_from_ready() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let sidecar = pod.sidecar();
    for path in ["/readyz", "/startupz"] {
        is_not_ready(&sidecar.ops_get(path), "starting");
    }
    assert_eq!(sidecar.ops_get("/livez").status, 200);
    names_nothing(&pod, &sidecar);
    drop(sidecar);
    pod.emulator.sts().fail(Fault::Throttle);
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-throttled");
    is_not_ready(&sidecar.ops_get("/startupz"), "sts-throttled");
    assert_eq!(sidecar.ops_get("/livez").status, 200);
    names_nothing(&pod, &sidecar);
    pod.emulator.sts().clear_faults();
    sidecar.wait_ready();
    for path in ["/readyz", "/startupz"] {
        let answer = sidecar.ops_get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["ready"], true);
    }
    names_nothing(&pod, &sidecar);
}

#[test]
fn failing_states_name_no_arn_account_issuer_or_secret() {
    for (fault, finding) in [
        (Fault::error("AccessDenied"), "sts-access-denied"),
        (Fault::error("InvalidIdentityToken"), ""),
        (
            Fault::error("RegionDisabledException"),
            "sts-region-disabled",
        ),
        (Fault::Garbage, "sts-garbled"),
        (Fault::Down, ""),
    ] {
        let pod = Pod::new();
        pod.emulator.sts().fail(fault.clone());
        let sidecar = pod.sidecar();
        let failed = eventually(|| sidecar.ops_get("/readyz").json()["finding"] != "starting");
        assert!(failed, "{fault:?} was not noticed");
        let found = sidecar.ops_get("/readyz").json();
        assert!(finding.is_empty() || found["finding"] == finding, "{found}");
        names_nothing(&pod, &sidecar);
    }
}

#[test]
fn metrics_after_a_success_say_what_was_obtained() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let before = metrics(&sidecar);
    for _ in 0..3 {
        assert_eq!(sidecar.get_credentials(&pod).status, 200);
    }
    assert_eq!(sidecar.get("/v1/credentials", &[]).status, 401);
    assert_eq!(sidecar.get("/nowhere", &[]).status, 404);
    assert_eq!(
        crate::sidecar::exchange(sidecar.credentials, b"garbage\r\n\r\n").status,
        400
    );
    let after = metrics(&sidecar);
    let sts = pod.emulator.sts();
    let claims = read(&pod.volume.token_path());
    let claims = claims.split('.').nth(1).expect("claims");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    let expected = [
        (
            "credentials_expiration_timestamp_seconds",
            unix(sts.issued()[0].expiration),
        ),
        (
            "web_identity_token_expiration_timestamp_seconds",
            claims["exp"].as_f64().expect("exp"),
        ),
        ("refreshes_total{result=\"success\"}", 1.0),
        ("refreshes_total{result=\"wait\"}", 0.0),
        ("refreshes_total{result=\"new_token\"}", 0.0),
        ("refreshes_total{result=\"change_needed\"}", 0.0),
        ("requests_total{door=\"credentials\",code=\"200\"}", 3.0),
        ("requests_total{door=\"credentials\",code=\"400\"}", 1.0),
        ("requests_total{door=\"credentials\",code=\"401\"}", 1.0),
        ("requests_total{door=\"credentials\",code=\"404\"}", 1.0),
        ("requests_total{door=\"credentials\",code=\"503\"}", 0.0),
        (
            concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
            1.0,
        ),
    ];
    for (name, value) in expected {
        assert_eq!(after.get(name), Some(&value), "{name} in {after:#?}");
    }
    let ops = "requests_total{door=\"ops\",code=\"200\"}";
    assert_eq!(after[ops], before[ops] + 1.0);
    let refreshed = after["credentials_refreshed_timestamp_seconds"];
    assert!(
        (refreshed - unix(sts.calls()[0].at)).abs() < 30.0,
        "{refreshed}"
    );
    assert!(after["clock_offset_seconds"].abs() < 5.0, "{after:#?}");
}

#[test]
fn metrics_after_a_failure_say_who_can_end_it() {
    let cases = [
        (Fault::Throttle, "wait"),
        (Fault::error("ExpiredTokenException"), "new_token"),
        (Fault::error("AccessDenied"), "change_needed"),
    ];
    for (fault, result) in cases {
        let pod = Pod::new();
        pod.emulator.sts().fail(fault.clone());
        let sidecar = pod.sidecar();
        let name = format!("refreshes_total{{result=\"{result}\"}}");
        let counted = eventually(|| metrics(&sidecar)[&name] >= 1.0);
        assert!(counted, "{fault:?}: {:#?}", metrics(&sidecar));
        assert_eq!(sidecar.get_credentials(&pod).status, 503);
        let metrics = metrics(&sidecar);
        assert_eq!(metrics["refreshes_total{result=\"success\"}"], 0.0);
        assert_eq!(metrics["credentials_expiration_timestamp_seconds"], 0.0);
        assert_eq!(metrics["credentials_refreshed_timestamp_seconds"], 0.0);
        assert_eq!(
            metrics["requests_total{door=\"credentials\",code=\"503\"}"],
            1.0
        );
        assert!(metrics["requests_total{door=\"ops\",code=\"200\"}"] >= 1.0);
    }
}

#[test]
fn the_clock_offset_is_how_far_sts_is_ahead() {
    let pod = Pod::new();
    pod.emulator.sts().set_clock_skew(120);
    let sidecar = pod.ready_sidecar();
    let offset = metrics(&sidecar)["clock_offset_seconds"];
    assert!((110.0..130.0).contains(&offset), "{offset}");
}

#[test]
fn metrics_are_openmetrics_for_any_scraper() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let answer = sidecar.ops_get("/metrics");
    assert!(
        answer.headers["content-type"].starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

#[test]
fn other_paths_and_methods_are_refused_and_credentials_are_not_here() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let by_secret = format!("/v2/credentials/{}", pod.request.pod_uid());
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/healthz"),
        ("GET", "/v1/credentials"),
        ("GET", by_secret.as_str()),
        ("POST", "/v1/shutdown"),
    ] {
        let answer = request(sidecar.ops, method, path, &uid);
        super::door::refusals::is_refused(&answer, 404, "NotFound");
    }
    for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = request(sidecar.ops, method, path, &[]);
            super::door::refusals::is_refused(&answer, 405, "MethodNotAllowed");
            assert_eq!(answer.headers["allow"], "GET, HEAD");
        }
        let head = request(sidecar.ops, "HEAD", path, &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
}

#[test]
fn probes_are_answered_under_any_host_and_through_any_proxy() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for header in [
        ("host", "10.1.2.3:9911"),
        ("host", "pod.example.com"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("via", "1.1 envoy"),
    ] {
        for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
            let answer = request(sidecar.ops, "GET", path, &[header]);
            assert_eq!(answer.status, 200, "{path} with {header:?}");
        }
    }
}

#[test]
fn a_bare_port_is_all_addresses_of_both_families() {
    let pod = Pod::new();
    let sidecar = pod.serve().env("IRSA_SIDECAR_OPS_LISTEN", ":0").start();
    let port = sidecar.ops.port();
    let mut addresses: Vec<SocketAddr> = vec![
        (Ipv4Addr::LOCALHOST, port).into(),
        // Not the one address that a mistake would be bound to.
        (Ipv4Addr::new(127, 0, 0, 2), port).into(),
    ];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        addresses.push((Ipv6Addr::LOCALHOST, port).into());
    }
    for address in addresses {
        assert_eq!(
            request(address, "GET", "/livez", &[]).status,
            200,
            "{address}"
        );
    }
}

#[test]
fn a_live_process_says_so_at_once() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let sidecar = pod.sidecar();
    let begun = tokio::time::Instant::now();
    assert_eq!(sidecar.ops_get("/livez").status, 200);
    // A kubelet's probe has a second by default.
    assert!(begun.elapsed() < Duration::from_secs(1));
}
