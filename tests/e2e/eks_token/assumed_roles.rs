//! Roles assumed from the pod's role: one exchange for all who ask, kept and kept fresh like the pod's own.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use emulator::{Call, Fault, ROLE_ARN, Role};

use super::{DEMO, EksToken, MINUTE, SESSION, ask, let_in, path, session_lifetime, token, travel};
use crate::door::refusals::is_refused;
use crate::sidecar::{Connection, Pod, eventually, get_head};

/// What `aws-auth` and tokens leave out is the path.
pub(super) const DEPLOY: &str = "arn:aws:iam::111122223333:role/team/deploy";

/// A role that trusts the pod's.
pub(super) fn deploy_role() -> Role {
    Role::assumable_by(DEPLOY, &[ROLE_ARN])
}

pub(super) fn as_deploy() -> String {
    format!("{DEMO}&role-arn={DEPLOY}")
}

/// With that role, which the cluster knows.
pub(super) fn pod_with_deploy() -> Pod {
    let pod = Pod::new();
    pod.emulator.sts().add_role(deploy_role());
    let map =
        "- rolearn: arn:aws:iam::111122223333:role/deploy\n  username: deploy:{{SessionName}}\n";
    pod.emulator.cluster().set_aws_auth(map, "");
    pod
}

/// Every AssumeRole that has reached STS.
pub(super) fn calls(pod: &Pod) -> Vec<Call> {
    let mut calls = pod.emulator.sts().calls();
    calls.retain(|call| call.action == "AssumeRole");
    calls
}

fn calls_for(pod: &Pod, role: &str) -> usize {
    let for_role = |call: &&Call| call.role_arn.as_deref() == Some(role);
    calls(pod).iter().filter(for_role).count()
}

#[test]
fn the_cluster_lets_in_the_assumed_role_under_the_pods_name() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    let token = token(&pod, &sidecar, &as_deploy());
    let reviewed = let_in(&pod, &token);
    assert_eq!(reviewed.username, format!("deploy:{SESSION}"));
    assert_eq!(
        reviewed.arn,
        format!("arn:aws:sts::111122223333:assumed-role/deploy/{SESSION}")
    );
    // Once, signed by the pod's own session, for as long as a chained session may live.
    let [call] = &calls(&pod)[..] else {
        panic!("{:?}", calls(&pod));
    };
    assert_eq!(call.result, "Success");
    assert_eq!(call.session_name.as_deref(), Some(SESSION));
    assert_eq!(call.duration_seconds, Some(3600));
    assert_eq!(call.role_arn.as_deref(), Some(DEPLOY));
    let caller = format!("arn:aws:sts::111122223333:assumed-role/app/{SESSION}");
    assert_eq!(call.caller, Some(caller));
}

#[test]
fn a_session_name_of_ones_own_is_kept_from_role_to_role() {
    let pod = pod_with_deploy();
    let launch = pod.serve().env("AWS_ROLE_SESSION_NAME", "audit@me");
    let sidecar = launch.start();
    sidecar.wait_ready();
    let reviewed = let_in(&pod, &token(&pod, &sidecar, &as_deploy()));
    assert_eq!(reviewed.session_name, "audit@me");
}

#[test]
fn many_who_ask_at_once_cost_one_exchange_though_the_first_hangs_up() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    let latency = Fault::Latency(Duration::from_secs(2));
    pod.emulator.sts().fail_action("AssumeRole", latency);
    let uid = [("authorization", pod.request.pod_uid())];
    let mut impatient = Connection::open(sidecar.credentials);
    let head = get_head(sidecar.credentials, &path(&as_deploy()), &uid);
    impatient.send(head.as_bytes()).expect("a connection");
    assert!(eventually(|| !calls(&pod).is_empty()), "{}", sidecar.log());
    drop(impatient);
    let tokens: HashSet<String> = thread::scope(|scope| {
        let ask = |_| scope.spawn(|| token(&pod, &sidecar, &as_deploy()).text);
        let asking: Vec<_> = (0..20).map(ask).collect();
        asking
            .into_iter()
            .map(|asked| asked.join().expect("a token"))
            .collect()
    });
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert_eq!(calls(&pod).len(), 1);
}

#[test]
fn an_exchange_that_takes_seconds_is_awaited() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    let latency = Fault::Latency(Duration::from_secs(4));
    pod.emulator.sts().fail_action("AssumeRole", latency);
    let_in(&pod, &token(&pod, &sidecar, &as_deploy()));
}

#[test]
fn a_role_is_kept_fresh_without_being_asked_for() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    // Too short for a token, and to be refreshed every three seconds.
    session_lifetime(&pod, Duration::from_secs(6));
    let answer = ask(&pod, &sidecar, &as_deploy());
    is_refused(&answer, 503, "CredentialsUnavailable");
    let refreshed = eventually(|| calls(&pod).len() >= 3);
    assert!(refreshed, "{}", sidecar.log());
    assert!(calls(&pod).iter().all(|call| call.result == "Success"));
    // Long enough from the next time on: it is there already when somebody asks.
    session_lifetime(&pod, 60 * MINUTE);
    let before = calls(&pod).len();
    assert!(eventually(|| calls(&pod).len() > before));
    let served = eventually(|| ask(&pod, &sidecar, &as_deploy()).status == 200);
    assert!(served, "{}", sidecar.log());
    assert_eq!(pod.emulator.sts().exchanges(), 1, "the pod's own live on");
}

#[test]
fn credentials_of_a_role_that_would_die_first_are_refreshed_first() {
    let pod = pod_with_deploy();
    let sidecar = pod.ready_sidecar();
    session_lifetime(&pod, 10 * MINUTE);
    let first = token(&pod, &sidecar, &as_deploy());
    assert_eq!(
        first.expiration,
        first.signer(&pod).expiration - MINUTE,
        "{first:?}"
    );
    travel(&pod, &sidecar, 3 * MINUTE);
    // Not used before, so that the first token is not given out again.
    let second = token(&pod, &sidecar, &format!("{}&region=us-west-2", as_deploy()));
    assert_ne!(second.access_key_id, first.access_key_id);
    assert_eq!(calls_for(&pod, DEPLOY), 2);
    assert_eq!(pod.emulator.sts().exchanges(), 1, "the pod's own live on");
    let third = token(&pod, &sidecar, &as_deploy());
    assert_eq!(third.access_key_id, second.access_key_id, "new at once");
    let_in(&pod, &third);
}

#[test]
fn sixteen_roles_are_assumed_and_the_seventeenth_is_refused_while_they_go_on() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let role = |number| format!("arn:aws:iam::111122223333:role/role-{number}");
    let query = |number| format!("{DEMO}&role-arn={}", role(number));
    for number in 0..17 {
        let role = Role::assumable_by(&role(number), &[ROLE_ARN]);
        pod.emulator.sts().add_role(role);
    }
    let tokens: Vec<EksToken> = (0..16)
        .map(|number| token(&pod, &sidecar, &query(number)))
        .collect();
    let answer = ask(&pod, &sidecar, &query(16));
    is_refused(&answer, 429, "TooManyRoles");
    for words in ["16 other roles", "at most 16", "for an hour"] {
        assert!(answer.message().contains(words), "{words}: {answer:?}");
    }
    assert_eq!(calls_for(&pod, &role(16)), 0);
    for (number, kept) in tokens.iter().enumerate() {
        assert_eq!(token(&pod, &sidecar, &query(number)).text, kept.text);
        let elsewhere = format!("{}&region=us-west-2", query(number));
        let another = token(&pod, &sidecar, &elsewhere);
        assert_eq!(another.access_key_id, kept.access_key_id);
    }
    // The pod's own role is none of the sixteen.
    assert_eq!(ask(&pod, &sidecar, DEMO).status, 200);
    assert_eq!(calls(&pod).len(), 16);
}
