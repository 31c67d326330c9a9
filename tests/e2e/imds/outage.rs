//! When there are no credentials, or none that live long enough: some SDKs extend what they get over IMDS by themselves.

use std::time::Duration;

use emulator::{Fault, TokenRequest};
use tokio::time::Instant;

use super::{Imds, OF_THE_ROLE, REGION, ROLE, ROLE_NAME, TOKEN_HEADER, ZONE, is_refused};
use crate::sidecar::{PATIENCE, Pod, eventually, eventually_within, now};

#[test]
fn without_credentials_the_reason_is_said_and_region_and_zone_and_tokens_are_given() {
    let pod = Pod::with(TokenRequest {
        audiences: vec!["sts.amazon.com".to_owned()],
        ..TokenRequest::default()
    });
    let imds = Imds::start(pod.serve());
    imds.sidecar.wait_finding("token-audience");
    let token = [(TOKEN_HEADER, imds.token())];
    let headers = [(token[0].0, token[0].1.as_str())];
    for path in OF_THE_ROLE {
        let answer = imds.bare(path, &headers);
        is_refused(
            &answer,
            503,
            "CredentialsUnavailable",
            "on the projected volume",
        );
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(imds.bare(REGION, &headers).body, "eu-west-1");
    assert_eq!(imds.bare(ZONE, &headers).body, "eu-west-1a");
    // Nobody without a token learns of it.
    assert_eq!(imds.bare(ROLE, &[]).status, 401);
    assert_eq!(imds.bare("/latest/user-data", &headers).status, 404);
}

/// Version 2 of the Go SDK waits for half a second.
#[test]
fn while_the_first_exchange_is_under_way_a_request_is_held_for_less_than_half_a_second() {
    const GO_GIVES_UP: Duration = Duration::from_millis(500);
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let imds = Imds::start(pod.serve());
    let token = imds.token();
    let headers = [(TOKEN_HEADER, token.as_str())];
    let in_time = eventually(|| {
        let asked = Instant::now();
        let answer = imds.bare(ROLE_NAME, &headers);
        let took = asked.elapsed();
        is_refused(&answer, 503, "CredentialsUnavailable", "is under way");
        assert!(took >= Duration::from_millis(350), "not held: {took:?}");
        // On a busy machine now and then not.
        took < GO_GIVES_UP
    });
    assert!(in_time, "held for longer than Go waits");
    // What needs no credentials is not held.
    let at_once = eventually(|| {
        let asked = Instant::now();
        assert_eq!(imds.bare(REGION, &headers).status, 200);
        asked.elapsed() < Duration::from_millis(200)
    });
    assert!(at_once);
}

#[test]
fn a_request_that_is_held_is_answered_as_soon_as_there_are_credentials() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.fail(Fault::Latency(Duration::from_millis(1_000)));
    let imds = Imds::start(pod.serve());
    let token = imds.token();
    let headers = [(TOKEN_HEADER, token.as_str())];
    let begun = Instant::now();
    let mut refused = 0;
    let served = eventually(|| {
        let answer = imds.bare(ROLE, &headers);
        refused += u32::from(answer.status == 503);
        answer.status == 200
    });
    assert!(served, "{}", imds.sidecar.log());
    let least = refused * Duration::from_millis(350);
    assert!(begun.elapsed() >= least, "{refused} refusals: not held");
    assert_eq!(sts.exchanges(), 1);
}

#[test]
fn the_last_third_of_a_life_is_not_given_out_here_and_is_elsewhere() {
    let session = Duration::from_secs(24);
    let pod = Pod::new();
    pod.emulator.sts().set_session_lifetime(Some(session));
    let imds = Imds::ready(pod.serve());
    pod.emulator.sts().fail(Fault::Down);
    let token = imds.token();
    let headers = [(TOKEN_HEADER, token.as_str())];
    let mut last = None;
    let mut elsewhere = 0;
    let ended = eventually_within(2 * PATIENCE, || {
        let asked = now();
        let answer = imds.bare(ROLE, &headers);
        if answer.status == 200 {
            // Of 24 s after rounding to whole ones, and with a second for the rounding.
            let least = asked + Duration::from_millis(23_000 / 3 - 1_000);
            assert!(answer.expiration() >= least, "{answer:?} at {asked:?}");
            last = Some(answer.expiration());
            return false;
        }
        is_refused(&answer, 503, "CredentialsUnavailable", "no connection to");
        let other = imds.sidecar.get_credentials(&pod);
        elsewhere = other.status;
        true
    });
    assert!(ended, "{}", imds.sidecar.log());
    assert_eq!(elsewhere, 200, "the credentials door has the usual floor");
    assert_eq!(imds.sidecar.ops_get("/readyz").status, 200);
    assert_eq!(imds.bare(REGION, &headers).status, 200);
    pod.emulator.sts().clear_faults();
    let back = eventually_within(2 * PATIENCE, || imds.bare(ROLE, &headers).status == 200);
    assert!(back, "{}", imds.sidecar.log());
    let expiration = imds.bare(ROLE, &headers).expiration();
    assert!(expiration > last.expect("they were served at first"));
}

#[test]
fn nothing_that_is_served_is_ever_older_than_what_was_served_before() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(6)));
    let imds = Imds::ready(pod.serve());
    let token = imds.token();
    let headers = [(TOKEN_HEADER, token.as_str())];
    let (mut last, mut refreshes) = (now(), 0);
    let refreshed = eventually(|| {
        // A busy machine may be late with a refresh: then nothing, rather than something that is nearly over.
        let answer = imds.bare(ROLE, &headers);
        if answer.status == 200 {
            let expiration = answer.expiration();
            assert!(expiration > now() && expiration >= last, "{answer:?}");
            refreshes += u32::from(expiration > last);
            last = expiration;
        }
        refreshes == 3
    });
    assert!(refreshed, "{}", imds.sidecar.log());
}
