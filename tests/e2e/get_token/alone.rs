//! Where no sidecar runs, one run is the whole walk: token, claims, STS, signature.

use std::time::Duration;

use emulator::{Fault, TokenRequest};
use serde_json::json;

use super::{DEMO, Printed, USERNAME, refused};
use crate::sidecar::{NOBODY, Pod, now};

#[test]
fn without_a_sidecar_the_walk_is_done_and_nothing_is_kept() {
    let pod = Pod::new();
    let launch = pod.alone(DEMO);
    let before = now();
    let first = Printed::of(&launch.output());
    let reviewed = first.reviewed(&pod);
    assert_eq!(reviewed.username, USERNAME);
    let life = first.expiration.duration_since(before).expect("ahead");
    // 14 minutes from a whole second; what a busy machine takes in between is not its life.
    assert!(life > Duration::from_secs(14 * 60 - 1), "{life:?}");
    let second = Printed::of(&launch.output());
    assert_ne!(first.token, second.token);
    assert_eq!(pod.emulator.sts().exchanges(), 2);
    let made = std::fs::read_dir(pod.dir.path()).expect("a directory");
    let names: Vec<_> = made.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["token-volume"], "nothing is written anywhere");
}

#[test]
fn the_settings_of_the_walk_can_be_flags() {
    let pod = Pod::new();
    let token_file = pod.volume.token_path().display().to_string();
    let launch = pod
        .alone(DEMO)
        .without("AWS_WEB_IDENTITY_TOKEN_FILE")
        .without("AWS_ENDPOINT_URL_STS")
        .without("IRSA_SIDECAR_LISTEN");
    let settings = [
        ("--token-file", token_file.as_str()),
        ("--sts-endpoint-url", pod.emulator.url()),
        ("--listen", NOBODY),
        ("--role-session-name", "a-job"),
        ("--duration", "2h"),
    ];
    let launch = settings
        .into_iter()
        .fold(launch, |launch, (flag, value)| launch.arg(flag).arg(value));
    let printed = Printed::of(&launch.output());
    assert_eq!(printed.reviewed(&pod).username, "job:a-job");
    assert_eq!(pod.exchange_calls()[0].duration_seconds, Some(7200));
}

#[test]
fn credentials_that_die_soon_shorten_the_life_that_is_told() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(300)));
    let printed = Printed::of(&pod.alone(DEMO).output());
    printed.reviewed(&pod);
    let death = sts.issued()[0].expiration;
    assert_eq!(printed.expiration, death - Duration::from_secs(60));
    sts.set_session_lifetime(Some(Duration::from_secs(30)));
    let words = ["credentials that would sign", "more than 60 s"];
    refused(&pod.alone(DEMO).output(), 1, &words);
}

#[test]
fn what_is_wrong_with_the_pod_is_said_and_no_token_is_printed() {
    let wrong_audience = Pod::with(TokenRequest {
        audiences: vec!["sts.amazon.com".to_owned()],
        ..TokenRequest::default()
    });
    let words = ["sts.amazon.com", "sts.amazonaws.com", "projected volume"];
    refused(&wrong_audience.alone(DEMO).output(), 1, &words);
    assert_eq!(wrong_audience.exchange_calls(), []);
    let untrusted = Pod::with(TokenRequest {
        service_account: "other".to_owned(),
        ..TokenRequest::default()
    });
    let words = ["AccessDenied", "trust policy"];
    refused(&untrusted.alone(DEMO).output(), 1, &words);
    // What somebody has to change is not tried again.
    assert_eq!(untrusted.exchange_calls().len(), 1);
    let no_token = Pod::new();
    let missing = no_token.path("missing");
    let launch = no_token
        .alone(DEMO)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &missing);
    refused(&launch.output(), 1, &[&missing.display().to_string()]);
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_pass_is_given_up() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.fail_next(1, Fault::ServerError(503));
    sts.fail_next(1, Fault::Throttle);
    Printed::of(&pod.alone(DEMO).ends()).reviewed(&pod);
    assert_eq!(pod.exchange_calls().len(), 3);
    sts.fail(Fault::Throttle);
    refused(&pod.alone(DEMO).ends(), 1, &["Throttl"]);
    assert_eq!(pod.exchange_calls().len(), 6);
    sts.clear_faults();
    sts.fail(Fault::Down);
    refused(&pod.alone(DEMO).ends(), 1, &["STS"]);
}

#[test]
fn a_token_that_the_cluster_would_not_take_is_not_printed() {
    let pod = Pod::new();
    pod.emulator.sts().set_session_token_length(3000);
    let words = ["4096", "3000 characters", "session tags"];
    refused(&pod.alone(DEMO).output(), 1, &words);
}

/// Whoever runs on a node whose clock is off by hours is let in all the same.
#[test]
fn a_wrong_clock_is_corrected_by_what_sts_says() {
    for hours in [-5, 5] {
        let seconds = hours * 3600;
        let there = now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs() as i64
            + seconds;
        let pod = Pod::with(TokenRequest {
            claims_patch: json!({ "iat": there, "nbf": there, "exp": there + 3600 }),
            ..TokenRequest::default()
        });
        pod.emulator.sts().set_clock_skew(seconds);
        let before = now();
        let printed = Printed::of(&pod.alone(DEMO).output());
        printed.reviewed(&pod);
        let life = printed.expiration.duration_since(before);
        let life = life.expect("ahead, by the clock of this node");
        let minutes = life.as_secs() / 60;
        assert!((13..=15).contains(&minutes), "{life:?}");
    }
}
