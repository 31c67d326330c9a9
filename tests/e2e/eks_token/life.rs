//! An honest life: the end that is told is one that the cluster keeps to. No other tool tells it: theirs is 14 minutes,
//! whatever the credentials.

use std::thread;
use std::time::Duration;

use emulator::Fault;

use super::{
    DEMO, EksToken, LIFE, MINUTE, ask, is_nearly, let_in, session_lifetime, token, travel,
};
use crate::door::refusals::is_refused;
use crate::sidecar::{Pod, Sidecar};

fn pod_with_sessions_of(lifetime: Duration) -> Pod {
    let pod = Pod::new();
    session_lifetime(&pod, lifetime);
    pod
}

/// What the token should tell, by the credentials that signed it.
fn honest(pod: &Pod, token: &EksToken) -> bool {
    let death = token.signer(pod).expiration - MINUTE;
    token.expiration == death.min(token.signed_at + LIFE)
}

#[test]
fn a_token_ends_after_14_minutes_or_a_minute_before_its_credentials() {
    let seconds = [75, 100, 600, 899, 900, 901, 960, 3600];
    thread::scope(|scope| {
        for seconds in seconds {
            scope.spawn(move || {
                let pod = pod_with_sessions_of(Duration::from_secs(seconds));
                let sidecar = pod.ready_sidecar();
                let token = token(&pod, &sidecar, DEMO);
                assert!(honest(&pod, &token), "{seconds} s: {token:?}");
                let_in(&pod, &token);
            });
        }
    });
}

#[test]
fn up_to_the_end_that_is_told_the_cluster_takes_a_token_and_not_for_long_after_it() {
    for (lifetime, refusal) in [
        // The credentials end first, and with them every token that they have signed.
        (10 * MINUTE, "ExpiredToken"),
        // The token grows too old.
        (60 * MINUTE, "15 minute expiration"),
    ] {
        let pod = pod_with_sessions_of(lifetime);
        let sidecar = pod.ready_sidecar();
        let token = token(&pod, &sidecar, DEMO);
        let review_at = |time| {
            pod.emulator.sts().stop_clock_at(time);
            pod.emulator.cluster().review(&token.text)
        };
        review_at(token.expiration).expect("the end that was told");
        review_at(token.expiration + MINUTE - Duration::from_secs(1)).expect("time for the way");
        let late = review_at(token.expiration + MINUTE + Duration::from_secs(1));
        let late = late.expect_err("a dead token");
        assert!(late.contains(refusal), "{late}");
        // What is told elsewhere: 14 minutes, of a token that has been dead for five.
        if refusal == "ExpiredToken" {
            let elsewhere = review_at(token.signed_at + LIFE);
            assert!(elsewhere.is_err(), "{elsewhere:?}");
        }
    }
}

/// With credentials in hand that have so long to live, and none to be had any more.
fn cut_off(pod: &Pod, sidecar: &Sidecar, after: Duration, fault: Fault) {
    travel(pod, sidecar, after);
    let sts = pod.emulator.sts();
    sts.fail_action("AssumeRoleWithWebIdentity", fault);
}

#[test]
fn where_a_refresh_fails_the_token_is_shorter_and_says_so() {
    for fault in [
        Fault::Down,
        Fault::Throttle,
        Fault::Garbage,
        // Held until the exchange has failed.
        Fault::Hang,
    ] {
        let pod = pod_with_sessions_of(10 * MINUTE);
        let sidecar = pod.ready_sidecar();
        let before = token(&pod, &sidecar, DEMO);
        cut_off(&pod, &sidecar, 6 * MINUTE, fault.clone());
        let answer = ask(&pod, &sidecar, DEMO);
        assert_eq!(answer.status, 200, "{fault:?}: {answer:?}");
        let after = EksToken::read(&answer);
        assert!(pod.exchange_calls().len() >= 2, "it has to be tried");
        assert_eq!(after.access_key_id, before.access_key_id);
        assert_ne!(after.text, before.text, "half of its life is over");
        let_in(&pod, &after);
        let death = after.signer(&pod).expiration - MINUTE;
        is_nearly(after.expiration, death - 6 * MINUTE);
    }
}

#[test]
fn credentials_that_die_within_a_minute_sign_no_token() {
    let pod = pod_with_sessions_of(10 * MINUTE);
    let sidecar = pod.ready_sidecar();
    token(&pod, &sidecar, DEMO);
    cut_off(&pod, &sidecar, Duration::from_secs(565), Fault::Down);
    let answer = ask(&pod, &sidecar, DEMO);
    is_refused(&answer, 503, "CredentialsUnavailable");
    let message = answer.message();
    assert!(
        message.contains("the credentials that would sign the EKS token expire in 3"),
        "{message}"
    );
    assert!(message.contains("refreshed first"), "{message}");
    // For everything else they are good.
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
}

#[test]
fn sessions_that_never_live_for_a_minute_sign_no_token_and_are_not_renewed_for_it() {
    let pod = pod_with_sessions_of(Duration::from_secs(50));
    let sidecar = pod.ready_sidecar();
    let answer = ask(&pod, &sidecar, DEMO);
    is_refused(&answer, 503, "CredentialsUnavailable");
    assert!(answer.message().contains("more than 60 s"), "{answer:?}");
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
}
