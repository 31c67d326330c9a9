//! `irsa-sidecar credential-process`: version 1 JSON for a profile of an AWS config file.

mod clients;

use std::collections::BTreeSet;

use emulator::TokenRequest;
use serde_json::Value;

use crate::sidecar::{Finished, Launch, NOBODY, Pod};

const COMMAND: [&str; 1] = ["credential-process"];

/// What was printed, if it is one whole document and nothing else.
#[track_caller]
fn printed(finished: &Finished) -> Value {
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.stderr, "", "no words where all is well");
    assert!(finished.stdout.ends_with("}\n") && finished.stdout.lines().count() == 1);
    serde_json::from_str(&finished.stdout).expect("JSON")
}

#[track_caller]
fn refused(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(code), "{finished:?}");
    assert_eq!(
        finished.stdout, "",
        "nothing that an SDK could take for credentials"
    );
    for part in words {
        assert!(
            finished.stderr.contains(part),
            "{part:?}: {}",
            finished.stderr
        );
    }
}

#[test]
fn what_the_running_sidecar_serves_is_printed_in_the_words_of_a_credential_process() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let document = printed(&pod.beside(&sidecar, COMMAND).output());
    let served = sidecar.get_credentials(&pod).json();
    assert_eq!(document["Version"], 1);
    assert_eq!(document["SessionToken"], served["Token"]);
    for field in ["AccessKeyId", "SecretAccessKey", "Expiration", "AccountId"] {
        assert!(document[field].is_string(), "{field}");
        assert_eq!(document[field], served[field], "{field}");
    }
    let fields: BTreeSet<&str> = document
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(fields.len(), 6, "{fields:?}");
    assert_eq!(pod.exchange_calls().len(), 1, "the sidecar was asked");
}

#[test]
fn the_sidecar_is_found_by_the_flags_that_a_config_file_holds() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let address = sidecar.credentials.to_string();
    let file = pod.path("authorization-token").display().to_string();
    let arguments = [
        "credential-process",
        "--listen",
        &address,
        "--authorization-token-file",
        &file,
    ];
    let document = printed(&Launch::new(arguments).output());
    let issued = &pod.emulator.sts().issued()[0];
    assert_eq!(document["AccessKeyId"], issued.access_key_id.as_str());
}

#[test]
fn without_a_sidecar_the_walk_is_done_and_role_and_region_can_be_flags() {
    let pod = Pod::new();
    let launch = pod
        .alone(COMMAND)
        .without("AWS_ROLE_ARN")
        .without("AWS_REGION")
        .arg("--role-arn")
        .arg(emulator::ROLE_ARN)
        .arg("--region=eu-west-1");
    let document = printed(&launch.output());
    let issued = &pod.emulator.sts().issued()[0];
    assert_eq!(
        document["SecretAccessKey"],
        issued.secret_access_key.as_str()
    );
    assert_eq!(document["SessionToken"], issued.session_token.as_str());
    assert_eq!(document["AccountId"], "111122223333");
}

/// A profile that names a role must not sign as another without a word.
#[test]
fn credentials_of_another_role_than_the_flag_names_are_refused() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let with_role = |role: &str| {
        let launch = pod.beside(&sidecar, COMMAND);
        launch.arg("--role-arn").arg(role).output()
    };
    printed(&with_role(emulator::ROLE_ARN));
    let other = "arn:aws:iam::111122223333:role/other";
    refused(
        &with_role(other),
        1,
        &[emulator::ROLE_ARN, other, "leave --role-arn out"],
    );
    refused(&with_role("not-an-arn"), 1, &["not-an-arn"]);
}

#[test]
fn what_is_missing_for_the_walk_is_said_with_the_flags_that_set_it() {
    let pod = Pod::new();
    let launch = pod.alone(COMMAND).without("AWS_ROLE_ARN");
    let words = ["no sidecar answers at", "--role-arn", "AWS_ROLE_ARN"];
    refused(&launch.output(), 78, &words);
    refused(
        &pod.alone(COMMAND).arg("--cluster-name=demo").output(),
        64,
        &["--cluster-name"],
    );
}

#[test]
fn what_is_wrong_with_the_pod_is_said_and_no_credentials_are_printed() {
    let pod = Pod::with(TokenRequest {
        audiences: vec!["sts.amazon.com".to_owned()],
        ..TokenRequest::default()
    });
    let words = ["sts.amazon.com", "sts.amazonaws.com", "projected volume"];
    refused(&pod.alone(COMMAND).output(), 1, &words);
    let sidecar = pod.sidecar();
    sidecar.wait_finding("token-audience");
    let beside = pod.beside(&sidecar, COMMAND).output();
    refused(
        &beside,
        1,
        &[&words[..], &["503 CredentialsUnavailable"]].concat(),
    );
    assert_eq!(pod.exchange_calls(), []);
}

#[test]
fn a_refusal_of_the_sidecar_is_printed_and_the_walk_is_not_tried() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let wrong = format!("http://{}/v2/credentials/wrong", sidecar.credentials);
    let launch = pod
        .alone(COMMAND)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", wrong);
    refused(
        &launch.output(),
        1,
        &["403 Forbidden", "Authorization header is wrong"],
    );
    assert_eq!(pod.exchange_calls().len(), 1);
}

/// A shell reads the command of a profile with the variables of its own SDK: none of them may come back at it.
#[test]
fn the_authorization_goes_to_loopback_only() {
    let pod = Pod::new();
    let launch = pod
        .alone(COMMAND)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://192.0.2.1/v2/credentials/x",
        )
        .env("IRSA_SIDECAR_LISTEN", NOBODY);
    printed(&launch.output());
}
