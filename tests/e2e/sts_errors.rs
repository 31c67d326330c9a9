//! Every error of STS: its finding, its sentence, and how soon it is tried again.

pub mod cases;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use emulator::{ROLE_ARN, Role, TokenRequest};
use irsa_sidecar::diagnosis::findings;
use serde_json::json;

use self::cases::{CHANGE, Case, NEW_TOKEN, WAIT, real_conditions, service_account, told_by_sts};
use crate::sidecar::{Launch, Pod, Sidecar, eventually};

#[test]
fn what_goes_wrong_in_the_wild_is_told_apart_by_its_words() {
    try_all(real_conditions());
}

#[test]
fn every_error_in_the_table_has_its_finding_its_sentence_and_its_class() {
    try_all(told_by_sts());
}

#[test]
fn every_finding_about_answers_of_sts_is_tried_here() {
    /// Not answers: `outage` and `tls` hold these.
    const ON_THE_WAY: [&str; 5] = [
        "sts-dns",
        "sts-connect",
        "sts-tls",
        "sts-timeout",
        "sts-useless-credentials",
    ];
    let cases = [real_conditions(), told_by_sts()];
    let tried: BTreeSet<&str> = cases.iter().flatten().map(|case| case.finding).collect();
    let known = findings::ALL.iter().map(|finding| finding.id);
    let answers = known.filter(|id| id.starts_with("sts-") && !ON_THE_WAY.contains(id));
    assert_eq!(tried, answers.collect());
}

fn try_all(cases: Vec<Case>) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || try_one(&case));
        }
    });
}

fn try_one(case: &Case) {
    let pod = (case.pod)();
    let sidecar = (case.launch)(&pod).start();
    sidecar.wait_finding(case.finding);
    let answer = sidecar.get_credentials(&pod);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "CredentialsUnavailable")
    );
    assert!(
        answer.body.len() < 10_000,
        "awscrt reads no longer body: {}",
        answer.body.len()
    );
    let event = sidecar.wait_event(case.finding, |event| event["finding"] == case.finding);
    let logged = event["error"].as_str().unwrap_or_default();
    for part in case.sentence {
        assert!(
            answer.message().contains(part),
            "{}: {part:?} is not in {:?}",
            case.finding,
            answer.message()
        );
        assert!(
            logged.contains(part),
            "{}: {part:?} is not in {logged:?}",
            case.finding
        );
    }
    for result in [WAIT, NEW_TOKEN, CHANGE, "success"] {
        let count = sidecar.metric(&format!("refreshes_total{{result=\"{result}\"}}"));
        assert_eq!(
            count >= 1.0,
            result == case.result,
            "{}: {count} of {result}",
            case.finding
        );
    }
    if case.result == CHANGE {
        // 30 s at least, less what two roundings to whole seconds take.
        assert!(until_next_attempt(&sidecar) >= Duration::from_secs(29));
        assert_eq!(
            pod.exchange_calls().len(),
            1,
            "a broken rollout must not hammer STS"
        );
    }
}

fn until_next_attempt(sidecar: &Sidecar) -> Duration {
    let health = sidecar.ops_get("/readyz").json();
    let time = |name: &str| {
        let text = health[name].as_str().unwrap_or_default();
        humantime::parse_rfc3339(text).unwrap_or_else(|error| panic!("{error} in {health}"))
    };
    time("next_attempt")
        .duration_since(time("since"))
        .unwrap_or_default()
}

/// The next attempt would be half a minute away.
#[test]
fn a_new_token_is_tried_at_once_however_long_the_wait_for_a_change() {
    let pod = Pod::with(service_account("somebody-else"));
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    let token = pod.emulator.issuer().token(&TokenRequest::default());
    pod.volume.rotate(&token).expect("a rotation");
    sidecar.wait_ready();
}

#[test]
fn a_role_that_allows_shorter_sessions_is_asked_for_an_hour_from_then_on_and_it_is_said_once() {
    let pod = Pod::new();
    let issuer = pod.emulator.issuer().iss();
    pod.emulator.sts().add_role(Role {
        max_session_duration: Duration::from_secs(3600),
        ..Role::trusting(ROLE_ARN, issuer, "system:serviceaccount:team:app")
    });
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(4)));
    let sidecar = pod.serve().env("IRSA_SIDECAR_DURATION", "4h").start();
    sidecar.wait_ready();
    assert!(
        eventually(|| pod.emulator.sts().exchanges() >= 3),
        "{}",
        sidecar.log()
    );
    let calls = pod.exchange_calls();
    let asked: Vec<_> = calls
        .iter()
        .map(|call| (call.duration_seconds, call.result.as_str()))
        .collect();
    assert_eq!(asked[0], (Some(14_400), "ValidationError"));
    assert!(
        asked[1..]
            .iter()
            .all(|call| *call == (Some(3600), "Success")),
        "{asked:?}"
    );
    let events = sidecar.events();
    let said: Vec<_> = events
        .iter()
        .filter(|event| {
            event["message"]
                .to_string()
                .contains("asking for 1h from now on")
        })
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(
        (&said[0]["level"], &said[0]["duration"]),
        (&json!("WARN"), &json!("4h"))
    );
}

/// The role session name of the first exchange.
fn session_name(pod: &Pod, launch: Launch) -> String {
    let sidecar = launch.start();
    sidecar.wait_ready();
    let calls = pod.exchange_calls();
    calls
        .into_iter()
        .last()
        .and_then(|call| call.session_name)
        .expect("a role session name")
}

#[test]
fn the_role_session_is_named_after_the_pod_unless_somebody_says_otherwise() {
    let pod = Pod::new();
    assert_eq!(session_name(&pod, pod.serve()), "app-7d9f8b6c5-x2x4q");
    let by_variable = pod.serve().env("AWS_ROLE_SESSION_NAME", "from=variable@x");
    assert_eq!(session_name(&pod, by_variable), "from=variable@x");
    let by_flag = pod
        .serve()
        .env("AWS_ROLE_SESSION_NAME", "unused")
        .arg("--role-session-name")
        .arg("from-flag");
    assert_eq!(session_name(&pod, by_flag), "from-flag");
    let without_pod = Pod::with(TokenRequest {
        pod: None,
        ..TokenRequest::default()
    });
    assert_eq!(session_name(&without_pod, without_pod.serve()), "team.app");
}

#[test]
fn long_names_of_pods_are_made_to_fit_and_still_tell_one_pod_from_another() {
    let long = "a".repeat(252);
    let names: Vec<String> = ["x", "y"]
        .iter()
        .map(|last| {
            let pod = Pod::with(TokenRequest {
                pod: Some((
                    format!("{long}{last}"),
                    TokenRequest::default().pod_uid().to_owned(),
                )),
                ..TokenRequest::default()
            });
            let name = session_name(&pod, pod.serve());
            assert_eq!(
                session_name(&pod, pod.serve()),
                name,
                "a restart changes it"
            );
            name
        })
        .collect();
    assert_eq!(names[0].len(), 64);
    assert!(names.iter().all(|name| name.starts_with("aaaaaaaa")));
    assert_ne!(names[0], names[1]);
}
