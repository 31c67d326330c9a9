//! Clocks that disagree: a node's wrong clock locks nobody out and lets nothing expired through.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use emulator::{Fault, TokenRequest};
use serde_json::json;

use crate::sidecar::{Pod, Sidecar, eventually, now};

/// How far STS is ahead of this node, in seconds.
const SKEWS: [i64; 4] = [3600, -3600, 86_400, -86_400];
/// `Date` has whole seconds, and so has everything that is compared here.
const ROUNDING: f64 = 2.0;

/// The control plane that issues tokens has the time of STS; only this node has not.
pub fn pod_on_a_node_with_a_wrong_clock(skew: i64) -> Pod {
    let there = unix(now()) + skew;
    let pod = Pod::with(TokenRequest {
        claims_patch: json!({ "iat": there, "nbf": there, "exp": there + 1800 }),
        ..TokenRequest::default()
    });
    pod.emulator.sts().set_clock_skew(skew);
    pod
}

fn unix(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("not that late")
}

/// The time on the clock of STS.
fn there(skew: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs((unix(now()) + skew).unsigned_abs())
}

pub fn for_each_skew(test: fn(i64)) {
    thread::scope(|scope| {
        for skew in SKEWS {
            scope.spawn(move || test(skew));
        }
    });
}

fn assert_offset(sidecar: &Sidecar, skew: i64) {
    let offset = sidecar.metric("clock_offset_seconds");
    assert!(
        (offset - skew as f64).abs() <= ROUNDING,
        "{offset} s, not {skew} s"
    );
}

#[test]
fn a_good_token_that_looks_expired_or_too_early_gets_in_after_one_bare_request_for_the_time() {
    for_each_skew(|skew| {
        let pod = pod_on_a_node_with_a_wrong_clock(skew);
        let sidecar = pod.ready_sidecar();
        let calls = pod.emulator.sts().calls();
        let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
        assert_eq!(actions, ["", "AssumeRoleWithWebIdentity"]);
        assert_offset(&sidecar, skew);
        let answer = sidecar.get_credentials(&pod);
        assert_eq!(answer.status, 200, "{answer:?}");
        // STS's own value, not one moved to this node's time.
        assert_eq!(
            answer.expiration(),
            pod.emulator.sts().issued()[0].expiration
        );
    });
}

#[test]
fn credentials_stay_fresh_and_end_by_the_time_of_sts_whatever_the_node_thinks() {
    for_each_skew(|skew| {
        let pod = pod_on_a_node_with_a_wrong_clock(skew);
        pod.emulator
            .sts()
            .set_session_lifetime(Some(Duration::from_secs(6)));
        let sidecar = pod.ready_sidecar();
        let served_alive = || {
            let asked = there(skew);
            let answer = sidecar.get_credentials(&pod);
            if answer.status == 200 {
                assert!(
                    answer.expiration() > asked,
                    "expired at {asked:?}: {answer:?}"
                );
            }
            answer.status == 200
        };
        let refreshed = eventually(|| {
            assert!(served_alive(), "{}", sidecar.log());
            pod.emulator.sts().exchanges() >= 3
        });
        assert!(refreshed, "{}", sidecar.log());
        pod.emulator.sts().fail(Fault::Down);
        assert!(
            eventually(|| !served_alive()),
            "served for ever:\n{}",
            sidecar.log()
        );
        pod.emulator.sts().clear_faults();
        sidecar.wait_ready();
        assert_offset(&sidecar, skew);
    });
}

/// Nothing about time has to be decided here, so STS is not asked for it.
#[test]
fn clocks_that_agree_cost_no_request_and_show_no_offset() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    assert_eq!(pod.emulator.sts().calls().len(), 1);
    assert_eq!(sidecar.metric("clock_offset_seconds"), 0.0);
}

#[test]
fn an_answer_without_a_date_is_good_and_tells_no_offset() {
    let pod = Pod::new();
    pod.emulator.sts().set_clock_skew(600);
    pod.emulator.sts().fail(Fault::NoDate);
    let sidecar = pod.ready_sidecar();
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    assert_eq!(sidecar.metric("clock_offset_seconds"), 0.0);
}

/// By this node's clock it has most of an hour left: only STS can know, and its answer teaches the node the time.
#[test]
fn a_token_that_only_a_slow_node_takes_for_good_is_sent_once_and_known_as_expired_from_then_on() {
    let pod = pod_on_a_node_with_a_wrong_clock(3600);
    let expired = TokenRequest {
        claims_patch: json!({ "exp": unix(there(3600)) - 600 }),
        ..TokenRequest::default()
    };
    let token = pod.emulator.issuer().token(&expired);
    pod.volume.rotate(&token).expect("a rotation");
    let sidecar = pod.sidecar();
    sidecar.wait_finding("token-expired");
    let calls = pod.exchange_calls();
    let results: Vec<&str> = calls.iter().map(|call| call.result.as_str()).collect();
    assert_eq!(results, ["ExpiredTokenException"]);
    assert_offset(&sidecar, 3600);
}
