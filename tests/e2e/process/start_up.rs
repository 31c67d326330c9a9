//! Start-up: the doors are open at once, and a request waits for the first exchange, but not for long.

use std::time::Duration;

use emulator::Fault;
use tokio::time::Instant;

use crate::door::refusals::is_refused;
use crate::sidecar::{Connection, Pod, Sidecar, eventually, get_head};

const HELD_AT_LEAST: Duration = Duration::from_millis(600);
/// The contract: clients give up after this.
const HELD_LESS_THAN: Duration = Duration::from_secs(1);
/// How often the machine may stall before it is the sidecar's fault.
const ATTEMPTS: usize = 5;

fn has_refreshed(sidecar: &Sidecar) -> bool {
    let mut events = sidecar.events().into_iter();
    events.any(|event| event["message"] == "refreshed credentials")
}

#[test]
fn while_sts_hangs_a_request_is_held_for_less_than_a_second_and_told_the_reason() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let mut took = Vec::new();
    for _ in 0..ATTEMPTS {
        let sidecar = pod.sidecar();
        let begun = Instant::now();
        let answer = sidecar.get_credentials(&pod);
        let held = begun.elapsed();
        is_refused(&answer, 503, "CredentialsUnavailable");
        assert!(answer.message().contains("STS"), "{}", answer.message());
        assert!(held >= HELD_AT_LEAST, "held for {held:?}");
        if held < HELD_LESS_THAN {
            return;
        }
        took.push(held);
    }
    panic!("held too long each time: {took:?}");
}

#[test]
fn many_requests_are_held_side_by_side() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let sidecar = pod.sidecar();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(sidecar.get_credentials(&pod).status, 503));
        }
    });
    // One after the other they would need 16 s.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_request_that_came_before_the_credentials_gets_them_when_they_come_in_time() {
    for _ in 0..ATTEMPTS {
        let pod = Pod::new();
        let latency = Duration::from_millis(400);
        pod.emulator.sts().fail(Fault::Latency(latency));
        let sidecar = pod.sidecar();
        let mut connection = Connection::open(sidecar.credentials);
        let uid = [("authorization", pod.request.pod_uid())];
        let head = get_head(sidecar.credentials, "/v1/credentials", &uid);
        connection.send(head.as_bytes()).expect("sent");
        if has_refreshed(&sidecar) {
            continue;
        }
        let answer = connection.receive().expect("whole").expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.log());
        return;
    }
    panic!("the machine stalled each time: no request came before the credentials");
}

#[test]
fn a_client_that_hangs_up_cancels_no_exchange() {
    let pod = Pod::new();
    let latency = Duration::from_millis(300);
    pod.emulator.sts().fail(Fault::Latency(latency));
    let sidecar = pod.sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid);
    for _ in 0..20 {
        let mut connection = Connection::open(sidecar.credentials);
        connection.send(head.as_bytes()).expect("sent");
    }
    sidecar.wait_ready();
    assert_eq!(pod.emulator.sts().calls().len(), 1);
}

#[test]
fn the_hold_is_only_for_the_first_exchange() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .fail_next(1, Fault::error("AccessDenied"));
    pod.emulator.sts().fail(Fault::Hang);
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    // At least one of several comes back far sooner than any hold would let it.
    let quick = eventually(|| {
        let begun = Instant::now();
        is_refused(
            &sidecar.get_credentials(&pod),
            503,
            "CredentialsUnavailable",
        );
        begun.elapsed() < Duration::from_millis(300)
    });
    assert!(quick, "answers are held though the first attempt has ended");
}
