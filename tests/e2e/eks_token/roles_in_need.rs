//! Roles that cannot be assumed, or not at the moment: who asks is told what to change, and the pod's own credentials
//! have no part in it.

use emulator::{Fault, ROLE_ARN, Role};

use super::assumed_roles::{DEPLOY, as_deploy, calls, pod_with_deploy};
use super::{
    DEMO, EksToken, MINUTE, SESSION, ask, is_nearly, let_in, session_lifetime, token, travel,
};
use crate::door::refusals::is_refused;
use crate::sidecar::{Answer, Pod, Sidecar, eventually};

const CLUSTERS_OWN: &str = "arn:aws:iam::111122223333:role/eksClusterRole";

fn is_unavailable(answer: &Answer, words: &[&str]) {
    is_refused(answer, 503, "CredentialsUnavailable");
    let message = answer.message();
    for words in words {
        assert!(message.contains(words), "{words:?} is not in {message}");
    }
}

/// What tells of the pod's own credentials.
fn own(pod: &Pod, sidecar: &Sidecar) -> (Vec<String>, String, u16) {
    let metrics = sidecar.ops_get("/metrics").body;
    let about_credentials = metrics.lines().filter(|line| {
        line.starts_with("irsa_sidecar_refreshes_total{")
            || line.starts_with("irsa_sidecar_credentials_")
    });
    (
        about_credentials.map(str::to_owned).collect(),
        sidecar.get_credentials(pod).body,
        sidecar.ops_get("/readyz").status,
    )
}

#[test]
fn a_role_that_does_not_trust_the_pods_is_answered_with_both_statements_to_add() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.add_role(Role::assumable_by(DEPLOY, &[]));
    sts.add_role(Role::of_service(CLUSTERS_OWN, "eks.amazonaws.com"));
    let sidecar = pod.ready_sidecar();
    for role in [
        DEPLOY,
        // People write the cluster's own role there.
        CLUSTERS_OWN,
        "arn:aws:iam::111122223333:role/nobody",
    ] {
        let answer = ask(&pod, &sidecar, &format!("{DEMO}&role-arn={role}"));
        let denied = format!(
            "User: arn:aws:sts::111122223333:assumed-role/app/{SESSION} is not authorized to perform: sts:AssumeRole on resource: {role}"
        );
        let trust = format!(
            r#"{{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{{"AWS":"{ROLE_ARN}"}}}}"#
        );
        let policy =
            format!(r#"{{"Action":"sts:AssumeRole","Effect":"Allow","Resource":"{role}"}}"#);
        is_unavailable(
            &answer,
            &[
                "AccessDenied",
                &denied,
                "is for another role, which is assumed from the pod's role",
                "leave it out to be the pod's role itself",
                &format!("the trust policy of {role} needs {trust}"),
                &format!("{ROLE_ARN} needs a policy with {policy}"),
                "a service role",
            ],
        );
        sidecar.wait_event("the finding", |event| {
            let said = event["error"].as_str().unwrap_or_default();
            event["finding"] == "assume-role-denied" && said.contains(role)
        });
    }
}

#[test]
fn what_sts_says_of_the_pods_session_is_not_taken_for_a_missing_trust() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    let sts = pod.emulator.sts();
    sts.fail_action("AssumeRole", Fault::error("ExpiredToken"));
    let answer = ask(&pod, &sidecar, &as_deploy());
    is_unavailable(&answer, &["ExpiredToken", "the pod's next credentials"]);
    assert!(!answer.message().contains("trust policy"), "{answer:?}");
    sidecar.wait_event("the finding", |event| {
        event["finding"] == "assume-role-credentials"
    });
    // It passes by itself.
    sts.clear_faults();
    let served = eventually(|| ask(&pod, &sidecar, &as_deploy()).status == 200);
    assert!(served, "{}", sidecar.log());
}

#[test]
fn while_sts_is_away_a_role_is_served_by_its_last_credentials() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    session_lifetime(&pod, 10 * MINUTE);
    let first = token(&pod, &sidecar, &as_deploy());
    travel(&pod, &sidecar, 6 * MINUTE);
    let sts = pod.emulator.sts();
    sts.fail_action("AssumeRole", Fault::Down);
    let attempts = calls(&pod).len();
    let second = token(&pod, &sidecar, &as_deploy());
    assert!(calls(&pod).len() > attempts, "it has to be tried");
    assert_eq!(second.access_key_id, first.access_key_id);
    assert_ne!(second.text, first.text);
    let_in(&pod, &second);
    is_nearly(second.expiration, first.expiration - 6 * MINUTE);

    sts.clear_faults();
    let renewed = eventually(|| {
        let query = format!("{}&region=us-west-2", as_deploy());
        token(&pod, &sidecar, &query).access_key_id != first.access_key_id
    });
    assert!(renewed, "{}", sidecar.log());
}

#[test]
fn a_role_that_fails_touches_neither_the_pods_credentials_nor_their_metrics() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    let before = own(&pod, &sidecar);
    assert_eq!(before.2, 200);
    let sts = pod.emulator.sts();
    for (role, fault) in [
        ("one", Fault::Down),
        ("two", Fault::Throttle),
        ("three", Fault::Garbage),
        ("four", Fault::ExpiredCredentials),
        ("five", Fault::EmptyCredentials),
        ("six", Fault::ServerError(500)),
    ] {
        let arn = format!("arn:aws:iam::111122223333:role/{role}");
        sts.add_role(Role::assumable_by(&arn, &[ROLE_ARN]));
        sts.fail_action("AssumeRole", fault);
        let answer = ask(&pod, &sidecar, &format!("{DEMO}&role-arn={arn}"));
        is_refused(&answer, 503, "CredentialsUnavailable");
        let own_token = EksToken::read(&ask(&pod, &sidecar, DEMO));
        assert_eq!(own_token.access_key_id, sts.issued()[0].access_key_id);
    }
    sts.clear_faults();
    token(&pod, &sidecar, &as_deploy());
    assert_eq!(own(&pod, &sidecar), before);
    assert_eq!(sts.exchanges(), 1);
}

#[test]
fn without_credentials_of_its_own_the_pod_assumes_nothing_and_says_why() {
    let pod = pod_with_deploy();
    pod.emulator.sts().fail(Fault::error("AccessDenied"));
    let sidecar = pod.sidecar();
    let answer = ask(&pod, &sidecar, &as_deploy());
    is_unavailable(&answer, &["AssumeRoleWithWebIdentity"]);
    assert!(calls(&pod).is_empty());
    // With the pod's own credentials the role is there too, at once.
    pod.emulator.sts().clear_faults();
    pod.rotate();
    let served = eventually(|| ask(&pod, &sidecar, &as_deploy()).status == 200);
    assert!(served, "{}", sidecar.log());
}

/// The line that people are paged by is for the pod's own role.
#[test]
fn a_role_that_some_client_mistyped_is_named_in_the_log_and_is_no_alarm() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let nobody = "arn:aws:iam::111122223333:role/nobody";
    let answer = ask(&pod, &sidecar, &format!("{DEMO}&role-arn={nobody}"));
    is_refused(&answer, 503, "CredentialsUnavailable");
    let event = sidecar.wait_message("cannot assume the other role");
    assert_eq!(event["level"], "WARN", "{event}");
    assert_eq!(event["role"], nobody, "{event}");
    let alarms = sidecar.events();
    let alarm = alarms.iter().find(|event| event["level"] == "ERROR");
    assert_eq!(alarm, None);
}
