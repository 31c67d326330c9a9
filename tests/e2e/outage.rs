//! STS is away: before the start, in mid-life, and for longer than credentials live.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use emulator::{Emulator, Fault};

use crate::sidecar::{PATIENCE, Pod, Sidecar, connect, eventually, eventually_within, now};

/// A way to be away, what it is called, and a part of the sentence that clients are given.
type Outage = (Fault, &'static str, &'static str);

fn outages() -> Vec<Outage> {
    vec![
        (
            Fault::Down,
            "sts-connect",
            "no connection to http://127.0.0.1",
        ),
        (
            Fault::Reset,
            "sts-connect",
            "no connection to http://127.0.0.1",
        ),
        (
            Fault::Hang,
            "sts-timeout",
            "no answer from http://127.0.0.1",
        ),
        (
            Fault::ServerError(500),
            "sts-unavailable",
            "STS answered 500",
        ),
        (
            Fault::ServerError(502),
            "sts-unavailable",
            "STS answered 502",
        ),
        (
            Fault::ServerError(503),
            "sts-unavailable",
            "STS answered 503",
        ),
        (
            Fault::Throttle,
            "sts-throttled",
            "Throttling \"Rate exceeded\"",
        ),
        (Fault::Garbage, "sts-garbled", "no answer of STS"),
        (
            Fault::EmptyCredentials,
            "sts-useless-credentials",
            "an empty AccessKeyId",
        ),
        (
            Fault::ExpiredCredentials,
            "sts-useless-credentials",
            "already over",
        ),
    ]
}

fn each_at_once(test: fn(Outage)) {
    thread::scope(|scope| {
        for outage in outages() {
            scope.spawn(move || test(outage));
        }
    });
}

/// 503 as the SDKs want it, with the reason in words.
fn assert_unavailable(pod: &Pod, sidecar: &Sidecar, words: &str) {
    let answer = sidecar.get_credentials(pod);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.code(), "CredentialsUnavailable");
    assert_eq!(answer.headers["retry-after"], "1");
    let message = answer.message();
    assert!(
        message.contains(words) && message.contains("; expected "),
        "{words:?} is not in {message:?}"
    );
}

#[test]
fn sts_away_before_the_start_is_503_with_the_reason_and_passes_without_a_restart() {
    each_at_once(|(fault, finding, words)| {
        let pod = Pod::new();
        pod.emulator.sts().fail(fault);
        let sidecar = pod.sidecar();
        sidecar.wait_finding(finding);
        assert_unavailable(&pod, &sidecar, words);
        pod.emulator.sts().clear_faults();
        sidecar.wait_ready();
        let answer = sidecar.get_credentials(&pod);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(sidecar.metric("refreshes_total{result=\"wait\"}") >= 1.0);
    });
}

#[test]
fn an_endpoint_that_refuses_connections_is_asked_until_it_listens() {
    let mut pod = Pod::new();
    let nobody = port_of_nobody();
    let sidecar = pod
        .serve()
        .env("AWS_ENDPOINT_URL_STS", format!("http://{nobody}"))
        .start();
    sidecar.wait_finding("sts-connect");
    assert_unavailable(&pod, &sidecar, "Connection refused");
    // An emulator of its own has keys of its own, hence the new token.
    pod.emulator = Emulator::start_at(nobody).expect("nobody took the port");
    pod.rotate();
    sidecar.wait_ready();
}

/// An address of loopback that no other test uses: a port that was free a moment ago may be anybody's by now.
fn port_of_nobody() -> SocketAddr {
    let address = Ipv4Addr::new(127, 99, 0, 1);
    let listener = TcpListener::bind((address, 0)).expect("all of 127/8 is loopback");
    listener.local_addr().expect("an address")
}

#[test]
fn a_name_that_does_not_resolve_is_called_so() {
    let pod = Pod::new();
    // Too long for a label: the resolver says no by itself, whatever network there is.
    let nowhere = format!("https://{}.invalid", "x".repeat(70));
    let sidecar = pod.serve().env("AWS_ENDPOINT_URL_STS", nowhere).start();
    sidecar.wait_finding("sts-dns");
    assert_unavailable(&pod, &sidecar, "check --region and the cluster's DNS");
}

#[test]
fn sts_away_in_mid_life_costs_no_client_an_answer() {
    each_at_once(|(fault, finding, _)| {
        // With Hang a single attempt takes 6 s.
        let session = Duration::from_secs(if fault == Fault::Hang { 30 } else { 14 });
        let pod = Pod::new();
        pod.emulator.sts().set_session_lifetime(Some(session));
        let sidecar = pod.ready_sidecar();
        pod.emulator.sts().fail(fault);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer = sidecar.get_credentials(&pod);
                    assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.log());
                    assert!(answer.expiration() > now());
                    assert_eq!(sidecar.ops_get("/readyz").status, 200);
                    thread::sleep(Duration::from_millis(10));
                }
            });
            let first = pod.emulator.sts().exchanges();
            let said = eventually_within(2 * PATIENCE, || {
                let said = |event: &serde_json::Value| {
                    event["message"] == "no new credentials; serving the last ones"
                        && event["finding"] == finding
                };
                sidecar.events().iter().any(said) || reader.is_finished()
            });
            pod.emulator.sts().clear_faults();
            let refreshed =
                eventually(|| sidecar.metric("refreshes_total{result=\"success\"}") > 1.0);
            stop.store(true, Ordering::Relaxed);
            reader.join().expect("a reader without complaint");
            assert!(
                said && refreshed,
                "from exchange {first} on:\n{}",
                sidecar.log()
            );
        });
    });
}

#[test]
fn an_outage_that_outlives_the_credentials_ends_in_503_and_then_in_new_ones() {
    let pod = Pod::new();
    let session = Duration::from_secs(6);
    pod.emulator.sts().set_session_lifetime(Some(session));
    let sidecar = pod.ready_sidecar();
    pod.emulator.sts().fail(Fault::Down);
    let mut last = None;
    let away = eventually(|| {
        let asked = now();
        let answer = sidecar.get_credentials(&pod);
        if answer.status == 200 {
            // A tenth of what is left of six seconds after rounding to whole ones.
            assert!(
                answer.expiration() >= asked + Duration::from_millis(500),
                "{answer:?}"
            );
            last = Some(answer.expiration());
        }
        answer.status == 503
    });
    assert!(away, "{}", sidecar.log());
    let floor = session / 10 + Duration::from_millis(500);
    let expiration = last.expect("they were served at first");
    assert!(
        now() + Duration::from_secs(1) + floor >= expiration,
        "given up long before the end"
    );
    assert_unavailable(&pod, &sidecar, "no connection to");
    assert_eq!(sidecar.ops_get("/readyz").status, 503);
    sidecar.wait_message("no credentials");
    pod.emulator.sts().clear_faults();
    sidecar.wait_ready();
    let answer = sidecar.get_credentials(&pod);
    assert!(answer.expiration() > expiration, "{answer:?}");
}

#[test]
fn a_client_that_hangs_up_cancels_no_exchange() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .fail(Fault::Latency(Duration::from_millis(1500)));
    let sidecar = pod.sidecar();
    for _ in 0..5 {
        let mut stream = connect(sidecar.credentials);
        let request = format!(
            "GET /v2/credentials/{} HTTP/1.1\r\nhost: {}\r\n\r\n",
            pod.request.pod_uid(),
            sidecar.credentials
        );
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("a request");
    }
    sidecar.wait_ready();
    assert_eq!(
        pod.exchange_calls().len(),
        1,
        "begun once, and brought to its end"
    );
    assert_eq!(pod.emulator.sts().exchanges(), 1);
}

#[test]
fn fifty_clients_at_once_cause_one_exchange() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .fail(Fault::Latency(Duration::from_millis(500)));
    let sidecar = pod.sidecar();
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let mut status = 0;
                // Held for 800 ms at most; on a slow machine that may not be enough.
                let served = eventually(|| {
                    status = sidecar.get_credentials(&pod).status;
                    assert!(matches!(status, 200 | 503), "{status}");
                    status == 200
                });
                assert!(served, "{status}: {}", sidecar.log());
            });
        }
    });
    assert_eq!(pod.exchange_calls().len(), 1);
}

/// What somebody has to change is tried every half minute at best: the end of the last credentials is not for the next
/// attempt to tell.
#[test]
fn the_end_of_the_last_credentials_is_logged_when_it_comes_and_once() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(6)));
    let sidecar = pod.ready_sidecar();
    pod.emulator.sts().fail(Fault::error("AccessDenied"));
    let end = sidecar.wait_message("no credentials");
    assert_eq!(end["level"], "ERROR");
    assert_eq!(end["finding"], "sts-access-denied");
    assert_eq!(sidecar.get_credentials(&pod).status, 503);
    let said = sidecar.events();
    let ends = said
        .iter()
        .filter(|event| event["message"] == "no credentials");
    assert_eq!(ends.count(), 1);
}
