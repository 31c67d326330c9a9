//! Before there are credentials: a request for a token is held for longer than one for credentials, and then served or
//! told why not.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use emulator::Fault;
use tokio::time::Instant;

use super::{DEMO, EksToken, ask, let_in, path};
use crate::door::refusals::is_refused;
use crate::sidecar::{Pod, eventually, read, request};

#[test]
fn a_token_is_awaited_as_long_as_the_first_exchange_takes() {
    let pod = Pod::new();
    let latency = Duration::from_secs(4);
    pod.emulator.sts().fail(Fault::Latency(latency));
    let sidecar = pod.sidecar();
    let file = read(&pod.path("authorization-token"));
    // SDKs have no such patience.
    let credentials = sidecar.get_credentials(&pod);
    is_refused(&credentials, 503, "CredentialsUnavailable");
    thread::scope(|scope| {
        let for_a_token = [pod.request.pod_uid(), &file].map(|shown| {
            let sidecar = &sidecar;
            let shown = shown.to_owned();
            scope.spawn(move || sidecar.get(&path(DEMO), &[("authorization", &shown)]))
        });
        for asking in for_a_token {
            let answer = asking.join().expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
            let_in(&pod, &EksToken::read(&answer));
        }
    });
    assert_eq!(pod.exchange_calls().len(), 1);
}

#[test]
fn an_exchange_that_ends_in_failure_ends_the_wait_with_its_reason() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let sidecar = pod.sidecar();
    let began = Instant::now();
    let answer = ask(&pod, &sidecar, DEMO);
    is_refused(&answer, 503, "CredentialsUnavailable");
    assert!(
        answer.message().contains("no answer from http://127.0.0.1"),
        "{answer:?}"
    );
    assert!(began.elapsed() > Duration::from_secs(1), "not held");
    // The next one need not wait to be told.
    is_refused(&ask(&pod, &sidecar, DEMO), 503, "CredentialsUnavailable");
}

#[test]
fn where_the_exchange_is_refused_the_reason_is_that_of_sts_and_it_passes() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Throttle);
    let sidecar = pod.sidecar();
    let answer = ask(&pod, &sidecar, DEMO);
    is_refused(&answer, 503, "CredentialsUnavailable");
    assert!(answer.message().contains("Throttling"), "{answer:?}");
    pod.emulator.sts().clear_faults();
    let served = eventually(|| ask(&pod, &sidecar, DEMO).status == 200);
    assert!(served, "{}", sidecar.log());
}

/// What waits for a token waits alone.
#[test]
fn a_request_that_is_held_holds_up_no_other() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .add_role(super::assumed_roles::deploy_role());
    let sidecar = pod.ready_sidecar();
    let latency = Fault::Latency(Duration::from_secs(4));
    pod.emulator.sts().fail_action("AssumeRole", latency);
    thread::scope(|scope| {
        let held = scope.spawn(|| ask(&pod, &sidecar, &super::assumed_roles::as_deploy()));
        let asked = eventually(|| !super::assumed_roles::calls(&pod).is_empty());
        assert!(asked, "{}", sidecar.log());
        assert_eq!(ask(&pod, &sidecar, DEMO).status, 200);
        assert_eq!(sidecar.get_credentials(&pod).status, 200);
        assert_eq!(request(sidecar.ops, "GET", "/readyz", &[]).status, 200);
        assert!(!held.is_finished(), "nothing was held");
        let answer = held.join().expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    });
}

/// A held request keeps its connection, and there are 512: the door stays open for those who want credentials.
#[test]
fn however_many_wait_for_tokens_credentials_are_served_to_all_others() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .add_role(super::assumed_roles::deploy_role());
    let sidecar = pod.ready_sidecar();
    pod.emulator.sts().fail_action("AssumeRole", Fault::Hang);
    let file = read(&pod.path("authorization-token"));
    let target = path(&super::assumed_roles::as_deploy());
    let waiting: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = TcpStream::connect(sidecar.credentials).expect("a connection");
            let head = format!(
                "GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {file}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).expect("a request");
            stream
        })
        .collect();
    let asked = eventually(|| !super::assumed_roles::calls(&pod).is_empty());
    assert!(asked, "{}", sidecar.log());
    for _ in 0..20 {
        assert_eq!(sidecar.get_credentials(&pod).status, 200);
    }
    drop(waiting);
}
