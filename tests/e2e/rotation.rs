//! Rotations of the token: the kubelet swaps `..data`, and no client notices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use emulator::TokenRequest;

use crate::sidecar::{Pod, Sidecar, eventually, eventually_within, now, read};

const ROTATIONS: usize = 10;
/// Under this floor (a tenth, of at least five seconds) nothing may be served.
const SESSION: Duration = Duration::from_secs(6);
const FLOOR: Duration = Duration::from_millis(500);

/// The claims are those that the role trusts; the pod's name tells one token from the next, since STS records it.
fn generation(number: usize) -> TokenRequest {
    let original = TokenRequest::default();
    let uid = original.pod_uid().to_owned();
    TokenRequest {
        pod: Some((format!("app-generation-{number}"), uid)),
        lifetime: Duration::from_secs(60),
        ..original
    }
}

/// Reads until told to stop; every answer has to be good, alive and no older than the one before.
fn read_all_the_while(pod: &Pod, sidecar: &Sidecar, stop: &AtomicBool) -> usize {
    let (mut answers, mut newest) = (0, SystemTime::UNIX_EPOCH);
    while !stop.load(Ordering::Relaxed) {
        let asked = now();
        let answer = sidecar.get_credentials(pod);
        assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.log());
        let expiration = answer.expiration();
        assert!(
            expiration >= newest,
            "older than what was served: {answer:?}"
        );
        assert!(
            expiration >= asked + FLOOR,
            "nearly dead at {asked:?}: {answer:?}"
        );
        (answers, newest) = (answers + 1, expiration);
    }
    answers
}

#[test]
fn ten_rotations_pass_without_a_failed_or_a_stale_answer() {
    let pod = Pod::with(generation(0));
    pod.emulator.sts().set_session_lifetime(Some(SESSION));
    let sidecar = pod.ready_sidecar();
    let stop = AtomicBool::new(false);
    let answers: usize = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| read_all_the_while(&pod, &sidecar, &stop)))
            .collect();
        let rotated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for number in 1..=ROTATIONS {
                rotate_and_wait_for_its_exchange(&pod, &sidecar, number);
            }
        }));
        // Before the verdict: readers would go on for ever.
        stop.store(true, Ordering::Relaxed);
        let read = readers.into_iter().map(|reader| reader.join());
        let answers = read.map(|answers| answers.expect("a reader without complaint"));
        let answers = answers.sum();
        rotated.expect("ten rotations");
        answers
    });
    assert!(answers > 500, "only {answers} answers were looked at");
    // The last exchange may be answered and not counted yet.
    let counted = || sidecar.metric("refreshes_total{result=\"success\"}") as usize;
    assert!(
        eventually(|| counted() == pod.exchange_calls().len()),
        "{} of {} are counted",
        counted(),
        pod.exchange_calls().len()
    );
}

/// An exchange that begins after the swap carries the new token, and none after it an older one.
fn rotate_and_wait_for_its_exchange(pod: &Pod, sidecar: &Sidecar, number: usize) {
    // A new signing key each time: the old token would still be good otherwise.
    pod.emulator.issuer().rotate_keys(true);
    let token = pod.emulator.issuer().token(&generation(number));
    pod.volume.rotate(&token).expect("a rotation");
    let begun = pod.exchange_calls().len();
    let expected = format!("app-generation-{number}");
    // The first may have read its token just before the swap; the second cannot have.
    let exchanged = eventually(|| {
        let calls = pod.exchange_calls();
        let mut names = calls[begun..].iter().take(2).map(|call| &call.session_name);
        names.any(|name| name.as_ref() == Some(&expected))
    });
    let calls = pod.exchange_calls();
    let since = &calls[begun..];
    assert!(
        exchanged,
        "rotation {number} is in none of {since:?}:\n{}",
        sidecar.log()
    );
    assert!(
        since.iter().all(|call| call.result == "Success"),
        "{since:?}"
    );
}

/// The kubelet's poll is 30 s away and so is the next attempt: only the watch can be so quick, and only a watch on the
/// directory survives the first swap.
#[test]
fn every_rotation_is_noticed_at_once_when_the_last_token_was_refused() {
    let for_audience = |audience: &str| TokenRequest {
        audiences: vec![audience.to_owned()],
        ..TokenRequest::default()
    };
    let pod = Pod::with(for_audience("generation-0"));
    let sidecar = pod.sidecar();
    let names_audience = |number: usize| {
        let wanted = format!("the token's aud is \"generation-{number}\"");
        let named = eventually(|| sidecar.get_credentials(&pod).message().contains(&wanted));
        assert!(
            named,
            "rotation {number} was not noticed:\n{}",
            sidecar.log()
        );
    };
    names_audience(0);
    for number in 1..=3 {
        let token = pod
            .emulator
            .issuer()
            .token(&for_audience(&format!("generation-{number}")));
        pod.volume.rotate(&token).expect("a rotation");
        names_audience(number);
    }
    let token = pod.emulator.issuer().token(&TokenRequest::default());
    pod.volume.rotate(&token).expect("a rotation");
    sidecar.wait_ready();
    assert_eq!(
        pod.exchange_calls().len(),
        1,
        "wrong tokens never reached STS"
    );
}

/// Somebody who has mended one thing wants to see at once what is still wrong.
#[test]
fn one_wrong_file_after_another_is_named_at_once_too() {
    let pod = Pod::new();
    pod.volume.rotate("").expect("a rotation");
    let sidecar = pod.sidecar();
    sidecar.wait_finding("token-empty");
    let next_attempt = || sidecar.ops_get("/readyz").json()["next_attempt"].clone();
    // Backoff grows from one second: after a few failures the next attempt is not what brings the news.
    let patient = eventually(|| {
        let next = humantime::parse_rfc3339(next_attempt().as_str().unwrap_or_default());
        next.is_ok_and(|next| next > now() + Duration::from_secs(4))
    });
    assert!(patient, "{}", sidecar.log());
    pod.volume.rotate_bytes(b"\xff").expect("a rotation");
    let noticed = eventually_within(Duration::from_secs(3), || {
        sidecar.ops_get("/readyz").json()["finding"] == "token-not-utf8"
    });
    assert!(noticed, "{}", sidecar.log());
}

#[test]
fn a_rotation_in_peace_is_said_and_measured_and_costs_no_exchange() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let measured = || sidecar.metric("web_identity_token_expiration_timestamp_seconds");
    let first = measured();
    let longer = TokenRequest {
        lifetime: Duration::from_secs(7200),
        ..TokenRequest::default()
    };
    let token = pod.emulator.issuer().token(&longer);
    pod.volume.rotate(&token).expect("a rotation");
    sidecar.wait_message("the web identity token was rotated");
    assert!(
        eventually(|| measured() >= first + 3600.0),
        "{} after {first}",
        measured()
    );
    assert_eq!(pod.exchange_calls().len(), 1);
}

#[test]
fn a_token_that_never_rotates_is_warned_about_and_served_all_the_same() {
    let pod = Pod::new();
    let copy = pod.path("copied-token");
    std::fs::write(&copy, read(&pod.volume.token_path())).expect("a copy");
    let sidecar = pod
        .serve()
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &copy)
        .start();
    sidecar.wait_ready();
    let warning = sidecar.wait_event("token-not-rotating", |event| {
        event["finding"] == "token-not-rotating"
    });
    assert_eq!(warning["level"], "WARN");
    let words = warning["message"].as_str().expect("words");
    for part in ["copied-token is a regular file", "..data", "subPath"] {
        assert!(words.contains(part), "{part:?} is not in {words:?}");
    }
    let healthy = pod.ready_sidecar();
    assert!(!healthy.log().contains("token-not-rotating"));
}
