//! EKS tokens: verified by STS for this cluster alone, mapped to a user.

use std::time::{Duration, SystemTime};

use emulator::{Cluster, Emulator, Fault, Issued, Mode, ROLE_ARN, Role, TokenRequest};
use serde_json::Value;

use crate::client::{exchange, exchange_with};
use crate::signer::{Signer, token_for, token_of};

const VECTORS: &str = include_str!("../../../data/eks-token-vectors.json");

fn with_session() -> (Emulator, Issued) {
    let emulator = Emulator::start();
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    (emulator, issued)
}

fn username(cluster: &Cluster, token: &str) -> String {
    cluster.review(token).unwrap().username
}

#[test]
fn a_token_is_the_user_that_its_role_is_mapped_to() {
    let (emulator, issued) = with_session();
    let reviewed = emulator.cluster().review(&token_of(&issued)).unwrap();
    assert_eq!(
        (reviewed.username.as_str(), &*reviewed.groups),
        ("job:pod-1", &["jobs".to_owned()][..])
    );
    assert_eq!(
        reviewed.arn,
        "arn:aws:sts::111122223333:assumed-role/app/pod-1"
    );
    assert_eq!(reviewed.canonical_arn, ROLE_ARN);
    assert_eq!(reviewed.access_key_id, issued.access_key_id);
    assert!(
        reviewed
            .uid
            .starts_with("aws-iam-authenticator:111122223333:AROA")
    );
}

#[test]
fn every_golden_token_is_good_at_its_time_but_the_one_that_is_too_long() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 13);
    for vector in vectors {
        let (input, output) = (&vector["input"], &vector["output"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let emulator = Emulator::start();
        emulator.sts().issue_next(
            &text(&input["access_key_id"]),
            &text(&input["secret_access_key"]),
            &text(&input["session_token"]),
        );
        exchange(&emulator);
        let time = text(&input["time"]);
        emulator.sts().stop_clock_at(time_of(&time));
        let cluster = emulator.add_cluster(&text(&input["cluster"]), &text(&input["region"]));
        cluster.set_aws_auth(
            &format!("[{{rolearn: '{ROLE_ARN}', username: golden}}]"),
            "",
        );
        let outcome = cluster.review(&text(&output["token"]));
        if output["over_verifier_limit"] == true {
            let too_large = "input token was not properly formatted: token is too large";
            assert_eq!(outcome.unwrap_err(), too_large);
        } else {
            assert_eq!(outcome.unwrap().username, "golden", "{vector}");
            let in_go_order = text(&output["token_sorted_go_order"]);
            assert_eq!(username(&cluster, &in_go_order), "golden");
        }
    }
}

/// `2025-01-02T03:04:05Z`, by way of the one format that a crate here reads.
fn time_of(text: &str) -> SystemTime {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month: usize = text[5..7].parse().unwrap();
    let (day, month, year, time) = (&text[8..10], MONTHS[month - 1], &text[..4], &text[11..19]);
    let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    weekdays
        .iter()
        .find_map(|weekday| {
            httpdate::parse_http_date(&format!("{weekday}, {day} {month} {year} {time} GMT")).ok()
        })
        .unwrap()
}

#[test]
fn a_token_is_for_one_cluster() {
    let (emulator, issued) = with_session();
    let error = emulator
        .cluster()
        .review(&token_for("other", &issued))
        .unwrap_err();
    let begin = "sts getCallerIdentity failed: error from AWS (expected 200, got 403) on eu-west-1 \
                 endpoint. Body: {\"Error\":{\"Code\":\"SignatureDoesNotMatch\"";
    assert!(error.starts_with(begin), "{error}");
    let other = emulator.add_cluster("other", "us-west-2");
    assert_eq!(
        other.review(&token_for("other", &issued)).unwrap_err(),
        "ARN is not mapped"
    );
    other.set_outpost("c7b35f2e");
    assert!(other.review(&token_for("other", &issued)).is_err());
    assert_eq!(
        other.review(&token_for("c7b35f2e", &issued)).unwrap_err(),
        "ARN is not mapped"
    );
}

#[test]
fn the_clock_of_the_verifier_is_that_of_sts() {
    let (emulator, issued) = with_session();
    let token = token_of(&issued);
    emulator.sts().set_clock_skew(14 * 60);
    assert_eq!(username(emulator.cluster(), &token), "job:pod-1");
    emulator.sts().set_clock_skew(16 * 60);
    let error = emulator.cluster().review(&token).unwrap_err();
    assert!(
        error.contains("X-Amz-Date parameter is expired (15 minute expiration)"),
        "{error}"
    );
    emulator.sts().set_clock_skew(-6 * 60);
    assert!(
        emulator
            .cluster()
            .review(&token)
            .unwrap_err()
            .contains("Signature not yet current")
    );
}

#[test]
fn a_token_dies_with_the_session_that_signed_it() {
    let emulator = Emulator::start();
    emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(60)));
    exchange(&emulator);
    let token = token_of(&emulator.sts().issued()[0]);
    assert!(emulator.cluster().review(&token).is_ok());
    emulator.sts().set_clock_skew(61);
    let error = emulator.cluster().review(&token).unwrap_err();
    assert!(error.contains("\"Code\":\"ExpiredToken\""), "{error}");
}

#[test]
fn a_fault_of_sts_is_the_clusters_too() {
    let (emulator, issued) = with_session();
    let error = |fault: Fault| {
        emulator.sts().fail_next(1, fault);
        emulator.cluster().review(&token_of(&issued)).unwrap_err()
    };
    assert!(error(Fault::Throttle).starts_with("sts getCallerIdentity was throttled: {"));
    assert!(error(Fault::ServerError(503)).contains("expected 200, got 503"));
    assert!(error(Fault::Hang).contains("Client.Timeout exceeded"));
    assert!(emulator.cluster().review(&token_of(&issued)).is_ok());
}

#[test]
fn a_path_is_dropped_for_aws_auth_and_kept_for_access_entries() {
    let emulator = Emulator::start();
    let with_path = "arn:aws:iam::111122223333:role/team/deploy";
    let iss = emulator.issuer().iss();
    let role = Role::trusting(with_path, iss, "system:serviceaccount:team:app");
    emulator.sts().add_role(role.clone());
    exchange_with(
        &emulator,
        &TokenRequest::default(),
        &[("RoleArn", with_path)],
    );
    let token = token_of(&emulator.sts().issued()[0]);
    let cluster = emulator.cluster();
    cluster.set_aws_auth(&format!("[{{rolearn: '{with_path}', username: u}}]"), "");
    assert_eq!(cluster.review(&token).unwrap_err(), "ARN is not mapped");
    let dropped = "arn:aws:iam::111122223333:role/deploy";
    cluster.set_aws_auth(&format!("[{{rolearn: '{dropped}', username: u}}]"), "");
    assert_eq!(username(cluster, &token), "u");
    cluster.add_access_entry(with_path, None, &["deployers"]);
    let of_session = "arn:aws:sts::111122223333:assumed-role/deploy/pod-1";
    assert_eq!(username(cluster, &token), of_session);
    cluster.set_authentication_mode(Mode::ConfigMap);
    assert_eq!(username(cluster, &token), "u");
    // Made again, the role is another one to the entry, not to aws-auth.
    cluster.set_authentication_mode(Mode::ApiAndConfigMap);
    emulator.sts().add_role(role);
    exchange_with(
        &emulator,
        &TokenRequest::default(),
        &[("RoleArn", with_path)],
    );
    let token = token_of(&emulator.sts().issued()[1]);
    assert_eq!(username(cluster, &token), "u");
    cluster.set_authentication_mode(Mode::Api);
    assert_eq!(cluster.review(&token).unwrap_err(), "ARN is not mapped");
}

#[test]
#[should_panic(expected = "invalid principal")]
fn an_access_entry_for_nobody_is_refused() {
    let emulator = Emulator::start();
    emulator
        .cluster()
        .add_access_entry("arn:aws:iam::111122223333:role/nobody", None, &[]);
}

#[test]
fn a_token_of_another_day_is_named_so() {
    let (emulator, issued) = with_session();
    let signer = Signer {
        issued: &issued,
        cluster: "demo",
        host: "sts.eu-west-1.amazonaws.com",
        age: 86_400,
    };
    let error = emulator.cluster().review(&signer.token()).unwrap_err();
    assert!(
        error.starts_with("input token was not properly formatted: X-Amz-Date"),
        "{error}"
    );
}
