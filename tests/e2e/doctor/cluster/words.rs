//! What is said where all is well, where something was not judged, and in which words where it is not.

use std::time::Duration;

use emulator::{ApiFault, Fault, ROLE_ARN, Role};
use serde_json::json;

use super::super::{finding_of, findings_of, words};
use super::{DEPLOY, doctor, ends, only, text};
use crate::sidecar::{Finished, Pod};

const STEPS: [&str; 5] = [
    "assumed-role",
    "eks-token",
    "eks-replay",
    "eks-cluster",
    "eks-login",
];

#[track_caller]
fn has_words(finished: &Finished, id: &str, status: &str, parts: &[&str]) {
    let finding = finding_of(finished, id);
    assert_eq!(finding["status"], status, "{finding}");
    for part in parts {
        assert!(
            words(&finding).contains(part),
            "{part:?} is not in {finding}"
        );
    }
}

#[track_caller]
fn all_is_well(finished: &Finished) {
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    for finding in findings_of(finished) {
        let status = finding["status"].as_str().expect("a status");
        assert!(["ok", "skipped"].contains(&status), "{finding}");
    }
}

#[test]
fn on_a_way_without_trouble_every_step_says_whom_it_met() {
    let pod = Pod::new();
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    all_is_well(&finished);
    let cluster = pod.emulator.cluster();
    let arn = "arn:aws:sts::111122223333:assumed-role/app/app-7d9f8b6c5-x2x4q";
    has_words(&finished, "assumed-role", "skipped", &["--assume-role-arn"]);
    let token = [
        " of 4096 bytes",
        "the cluster demo",
        "sts.eu-west-1.amazonaws.com",
    ];
    has_words(&finished, "eks-token", "ok", &token);
    has_words(&finished, "eks-replay", "ok", &[arn, ROLE_ARN]);
    let mode = "API_AND_CONFIG_MAP: access entries, then aws-auth";
    let described = [&*cluster.arn(), cluster.url(), mode];
    has_words(&finished, "eks-cluster", "ok", &described);
    let login = [
        "\"job:app-7d9f8b6c5-x2x4q\"",
        "\"jobs\"",
        "\"system:authenticated\"",
        cluster.url(),
    ];
    has_words(&finished, "eks-login", "ok", &login);
    // One question of the cluster, with a token that is in nobody's output.
    let requests = cluster.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(
        (requests[0].method.as_str(), requests[0].status),
        ("POST", 201)
    );
    let token = requests[0].token.clone().expect("a token");
    assert!(!format!("{finished:?}").contains(&token[20..]));
}

#[test]
fn the_role_that_is_assumed_is_whom_all_other_steps_are_about() {
    let pod = Pod::new();
    let role = Role::assumable_by(DEPLOY, &[ROLE_ARN]);
    pod.emulator.sts().add_role(role);
    let map = format!("- rolearn: {DEPLOY}\n  username: deploy\n  groups: [jobs]\n");
    pod.emulator.cluster().set_aws_auth(&map, "");
    let launch = doctor(&pod).arg("--cluster-name=demo");
    let finished = ends(&pod, &launch.arg("--assume-role-arn").arg(DEPLOY));
    all_is_well(&finished);
    has_words(&finished, "assumed-role", "ok", &[DEPLOY, ROLE_ARN]);
    has_words(
        &finished,
        "eks-replay",
        "ok",
        &["assumed-role/deploy/", DEPLOY],
    );
    has_words(&finished, "eks-login", "ok", &["\"deploy\""]);
}

/// The guides' `could not get token: AccessDenied … sts:AssumeRole`.
#[test]
fn a_role_that_may_not_be_assumed_is_said_with_both_sides_and_nothing_is_tried_without_it() {
    let finished = super::run_assuming(|_| {});
    let denied = only(&finished, "assume-role-denied");
    for part in [
        "AccessDenied",
        "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/deploy",
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/app"}"#,
        r#""Resource":"arn:aws:iam::111122223333:role/deploy""#,
        "a service role, such as the cluster's own",
    ] {
        assert!(words(&denied).contains(part), "{part:?} is not in {denied}");
    }
    for step in &STEPS[1..] {
        has_words(&finished, step, "skipped", &["see assumed-role"]);
    }
}

#[test]
fn without_a_cluster_without_credentials_and_offline_nothing_of_it_is_judged() {
    let pod = Pod::new();
    let finished = ends(&pod, &doctor(&pod));
    for step in STEPS {
        has_words(&finished, step, "skipped", &["--cluster-name"]);
    }
    let offline = ends(
        &pod,
        &doctor(&pod).arg("--offline").arg("--cluster-name=demo"),
    );
    for step in STEPS {
        has_words(&offline, step, "skipped", &["--offline"]);
    }
    pod.emulator.sts().fail(Fault::error("AccessDenied"));
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    for step in STEPS {
        has_words(&finished, step, "skipped", &["no credentials"]);
    }
    only(&finished, "sts-access-denied");
    assert_eq!(pod.emulator.cluster().requests(), []);
    assert_eq!(pod.emulator.cluster().describes(), 0);
}

#[test]
fn a_token_that_sts_refuses_is_one_trouble_and_the_cluster_is_not_asked() {
    let pod = Pod::new();
    super::of_token(&pod, 403, "ExpiredToken", "It is expired.");
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    let refused = only(&finished, "eks-token-credentials-expired");
    let log = "the log of the cluster's authenticator says sts getCallerIdentity failed: error from AWS (expected 200, got 403) on eu-west-1 endpoint. Body: …";
    assert!(text(&refused, "found").ends_with(log), "{refused}");
    has_words(
        &finished,
        "eks-login",
        "skipped",
        &["see eks-token-credentials-expired"],
    );
    has_words(&finished, "eks-cluster", "ok", &["demo"]);
    assert_eq!(pod.emulator.cluster().requests(), []);
}

/// The cluster has a way of its own; here it goes through the same STS, so nobody may be let in.
#[test]
fn an_sts_that_cannot_serve_the_replay_is_no_reason_not_to_ask_the_cluster() {
    let pod = Pod::new();
    let cluster = pod.emulator.cluster();
    cluster.set_api_fault(Some(ApiFault::Answer(
        403,
        json!({ "kind": "Status", "message": "selfsubjectreviews.authentication.k8s.io is forbidden: User \"job:app-0\" cannot create resource \"selfsubjectreviews\"" }).to_string(),
    )));
    // The API server tries again for seconds where its webhook was throttled, and not where it was refused.
    let unavailable = Fault::ServerError(503);
    pod.emulator.sts().fail_cluster_tokens(unavailable);
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    only(&finished, "sts-unavailable");
    has_words(
        &finished,
        "eks-login",
        "ok",
        &["let in as \"job:app-0\", who may not ask"],
    );
    pod.emulator.sts().fail_cluster_tokens(Fault::Reset);
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    only(&finished, "eks-replay-unreachable");
    has_words(&finished, "eks-login", "ok", &["let in as"]);
    // With nobody who has told it, who it is is known all the same.
    cluster.set_api_fault(None);
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    let arn = "assumed-role/app/app-7d9f8b6c5-x2x4q";
    has_words(&finished, "eks-unauthorized", "fail", &[arn, ROLE_ARN]);
}

#[test]
fn a_token_that_is_too_long_is_told_with_its_bytes_and_where_they_come_from() {
    let finished = super::run(|pod| pod.emulator.sts().set_session_token_length(4000));
    let too_large = only(&finished, "eks-token-too-large");
    for part in ["at most 4096 bytes", "4000 characters", "session tags"] {
        assert!(words(&too_large).contains(part), "{too_large}");
    }
    has_words(
        &finished,
        "eks-login",
        "skipped",
        &["see eks-token-too-large"],
    );
    has_words(
        &finished,
        "eks-replay",
        "skipped",
        &["see eks-token-too-large"],
    );
    has_words(&finished, "eks-cluster", "ok", &["demo"]);
}

#[test]
fn a_cluster_in_another_region_is_signed_for_and_asked_there() {
    let pod = Pod::new();
    let far = pod.emulator.add_cluster("far", "us-west-2");
    far.set_aws_auth(&format!("- rolearn: {ROLE_ARN}\n  username: far\n"), "");
    let launch = doctor(&pod).arg("--cluster-name=far");
    let finished = ends(&pod, &launch.arg("--cluster-region=us-west-2"));
    all_is_well(&finished);
    has_words(
        &finished,
        "eks-token",
        "ok",
        &["sts.us-west-2.amazonaws.com"],
    );
    has_words(&finished, "eks-cluster", "ok", &[&far.arn()]);
    let login = ["\"far\"", "in no group but those of everybody"];
    has_words(&finished, "eks-login", "ok", &login);
}

#[test]
fn a_role_with_a_path_is_told_as_each_of_the_two_wants_it() {
    let pod = Pod::new();
    let role = "arn:aws:iam::111122223333:role/team/app";
    let issuer = pod.emulator.issuer().iss();
    let subject = "system:serviceaccount:team:app";
    pod.emulator
        .sts()
        .add_role(Role::trusting(role, issuer, subject));
    let launch = doctor(&pod).env("AWS_ROLE_ARN", role);
    let finished = ends(&pod, &launch.arg("--cluster-name=demo"));
    all_is_well(&finished);
    let path = "the role has a path: aws-auth leaves it out (arn:aws:iam::111122223333:role/app), and an access entry has it (arn:aws:iam::111122223333:role/team/app)";
    has_words(&finished, "eks-replay", "ok", &[path]);
}

#[test]
fn a_cluster_on_an_outpost_wants_its_id_and_describe_cluster_its_name() {
    let pod = Pod::new();
    pod.emulator.cluster().set_outpost("1-2-3-4");
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    let outpost = only(&finished, "eks-outpost");
    assert!(words(&outpost).contains("its id 1-2-3-4"), "{outpost}");
    has_words(&finished, "eks-login", "skipped", &["see eks-outpost"]);
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-id=1-2-3-4"));
    let by_id = ["--cluster-id gives an id"];
    has_words(&finished, "eks-cluster", "skipped", &by_id);
    has_words(&finished, "eks-login", "skipped", &by_id);
}

#[test]
fn what_is_no_answer_of_the_cluster_is_no_refusal() {
    let old = json!({ "kind": "Status", "reason": "NotFound", "code": 404 }).to_string();
    for (fault, id, status, part) in [
        (
            ApiFault::Answer(404, old),
            "eks-login",
            "ok",
            "older than Kubernetes 1.28",
        ),
        (
            ApiFault::Answer(401, "<html>".into()),
            "eks-api-unreachable",
            "fail",
            "it answered 401, in words that are none of Kubernetes",
        ),
        (
            ApiFault::Answer(503, "busy".into()),
            "eks-api-unreachable",
            "fail",
            "it answered 503",
        ),
        (
            ApiFault::Redirect("https://elsewhere.example.com/".into()),
            "eks-api-unreachable",
            "fail",
            "it answered 307",
        ),
    ] {
        let finished = super::run(|pod| pod.emulator.cluster().set_api_fault(Some(fault)));
        has_words(&finished, id, status, &[part]);
    }
}

/// In the app's container there is nothing but the sidecar's address.
#[test]
fn a_running_sidecar_lends_its_credentials() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let launch = pod
        .beside(&sidecar, ["doctor", "--json", "--cluster-name=demo"])
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL_STS", pod.emulator.url())
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url());
    let finished = ends(&pod, &launch);
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    has_words(
        &finished,
        "eks-login",
        "ok",
        &["\"job:app-7d9f8b6c5-x2x4q\""],
    );
    assert_eq!(pod.exchange_calls().len(), 1, "the sidecar's own");
}

/// The document of the door has no session's name: STS is asked for it, and none is made up.
#[test]
fn what_a_sidecar_lends_assumes_under_the_name_of_the_pods_session() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let role = Role::assumable_by(DEPLOY, &[ROLE_ARN]);
    pod.emulator.sts().add_role(role);
    let map = format!("- rolearn: {DEPLOY}\n  username: deploy:{{{{SessionName}}}}\n");
    pod.emulator.cluster().set_aws_auth(&map, "");
    let beside = |arguments: &[&str]| {
        let arguments = ["doctor", "--json", "--cluster-name=demo"]
            .iter()
            .chain(arguments);
        let launch = pod
            .beside(&sidecar, arguments.copied())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ENDPOINT_URL_STS", pod.emulator.url())
            .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url());
        ends(&pod, &launch)
    };
    let assuming = ["--assume-role-arn", DEPLOY];
    let finished = beside(&assuming);
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let name = "\"deploy:app-7d9f8b6c5-x2x4q\"";
    has_words(&finished, "eks-login", "ok", &[name]);
    let mut calls = pod.emulator.sts().calls();
    calls.retain(|call| call.action == "AssumeRole");
    let names: Vec<_> = calls
        .iter()
        .map(|call| call.session_name.as_deref())
        .collect();
    assert_eq!(names, [Some("app-7d9f8b6c5-x2x4q")]);
    // Where STS does not tell it, nothing is assumed under a name of our own.
    let busy = Fault::ServerError(503);
    pod.emulator.sts().fail_action("GetCallerIdentity", busy);
    let finished = beside(&assuming);
    only(&finished, "sts-unavailable");
    let mut calls = pod.emulator.sts().calls();
    calls.retain(|call| call.action == "AssumeRole");
    assert_eq!(calls.len(), 1);
    // And where the replay fails too, whom the cluster refused is the role.
    pod.emulator.sts().fail_cluster_tokens(Fault::Reset);
    let refused = finding_of(&beside(&[]), "eks-unauthorized");
    let found = text(&refused, "found");
    assert!(
        found.contains(&format!("does not let {ROLE_ARN} in")),
        "{found}"
    );
}

#[test]
fn whatever_hangs_the_others_are_judged() {
    let pod = Pod::new();
    pod.emulator.cluster().fail_describe(Fault::Hang);
    pod.emulator.sts().fail_cluster_tokens(Fault::Hang);
    let begun = tokio::time::Instant::now();
    let finished = ends(&pod, &doctor(&pod).arg("--cluster-name=demo"));
    assert!(begun.elapsed() <= Duration::from_secs(10), "{finished:?}");
    has_words(
        &finished,
        "eks-unreachable",
        "fail",
        &["no answer from", "in time"],
    );
    // It waits for another time than the other subcommands, and says nothing that is not true of both.
    let unreachable = words(&finding_of(&finished, "eks-unreachable"));
    assert!(!unreachable.contains("10 s"), "{unreachable}");
    has_words(
        &finished,
        "eks-replay-unreachable",
        "fail",
        &["no answer in time"],
    );
    has_words(
        &finished,
        "eks-login",
        "skipped",
        &["see eks-unreachable", "rolearn: "],
    );
}
