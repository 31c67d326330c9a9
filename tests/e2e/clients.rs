//! Real clients: the AWS CLI, boto3, aiobotocore and the AWS SDK for JavaScript, with nothing but the variables that an
//! app's container gets.

mod client;

use std::process::{Command, Output};
use std::time::Duration;

use emulator::{Fault, TokenRequest};

pub use self::client::{Client, installed, scripts};
use crate::sidecar::{Pod, Sidecar};

/// What every one of them has to find out.
pub const IDENTITY: &str = "arn:aws:sts::111122223333:assumed-role/app/app-7d9f8b6c5-x2x4q";

pub const AWS_CLI: Client = Client::Aws(&["sts", "get-caller-identity", "--output", "text"]);
const AIOBOTOCORE: Client = Client::Python("aiobotocore_identity.py");
pub const BOTO3: Client = Client::Python("boto3_identity.py");
pub const JAVASCRIPT: Client = Client::JavaScript("default");
const JAVASCRIPT_HTTP: Client = Client::JavaScript("fromHttp");
const JAVASCRIPT_CONTAINER: Client = Client::JavaScript("fromContainerMetadata");

fn run(mut command: Command) -> Output {
    let program = command.get_program().to_owned();
    command.output().unwrap_or_else(|error| {
        panic!("{program:?} cannot be run, and this test needs it: {error}")
    })
}

#[track_caller]
fn assert_identified(client: Client, command: Command, sidecar: &Sidecar) {
    let output = run(command);
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{client:?}: {complained}\n{}",
        sidecar.log()
    );
    assert!(said.contains(IDENTITY), "{client:?} says {said}");
}

/// The client fails, and its own error says these words.
#[track_caller]
fn assert_complains(client: Client, command: Command, words: &[&str]) {
    let output = run(command);
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{client:?} succeeded");
    for part in words {
        assert!(
            complained.contains(part),
            "{client:?} does not say {part:?} but\n{complained}"
        );
    }
}

fn every_client_at_once(clients: &[Client], test: impl Fn(Client) + Sync) {
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| test(*client));
        }
    });
}

#[test]
fn clients_that_know_authorization_token_files_sign_with_what_they_get() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    every_client_at_once(
        &[AWS_CLI, BOTO3, AIOBOTOCORE, JAVASCRIPT, JAVASCRIPT_HTTP],
        |client| {
            assert_identified(client, client.with_token_file(&pod, &sidecar), &sidecar);
        },
    );
    assert_signed(&pod, 5);
}

#[test]
fn clients_that_send_no_header_sign_with_what_the_pods_uid_gets_them() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let clients = [
        AWS_CLI,
        BOTO3,
        AIOBOTOCORE,
        JAVASCRIPT,
        JAVASCRIPT_HTTP,
        JAVASCRIPT_CONTAINER,
    ];
    every_client_at_once(&clients, |client| {
        assert_identified(client, client.with_pod_uid(&pod, &sidecar), &sidecar);
    });
    assert_signed(&pod, clients.len());
}

/// The oldest way to show an authorization: by value.
#[test]
fn a_client_that_knows_only_the_token_by_value_gets_in_too() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let token = crate::sidecar::read(&pod.path("authorization-token"));
    every_client_at_once(&[BOTO3, JAVASCRIPT_CONTAINER], |client| {
        let mut command = client.with_token_file(&pod, &sidecar);
        command
            .env_remove("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &token);
        assert_identified(client, command, &sidecar);
    });
}

/// One exchange served them all, and STS found every signature good.
fn assert_signed(pod: &Pod, clients: usize) {
    let calls = pod.emulator.sts().calls();
    let signed = calls
        .iter()
        .filter(|call| call.action == "GetCallerIdentity" && call.result == "Success");
    assert_eq!(signed.count(), clients, "{calls:?}");
    assert_eq!(pod.exchange_calls().len(), 1);
}

#[test]
fn a_process_that_lives_long_goes_on_with_new_credentials_when_the_old_ones_are_refreshed() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(10)));
    let sidecar = pod.ready_sidecar();
    let output = run(Client::Python("boto3_refresh.py").with_token_file(&pod, &sidecar));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<_> = said
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    assert!(lines.len() == 2 && lines[0].0 != lines[1].0, "{said}");
    assert!(
        lines.iter().all(|(_, identity)| *identity == IDENTITY),
        "{said}"
    );
    let issued = pod.emulator.sts().issued();
    assert!(
        lines
            .iter()
            .all(|(key, _)| issued.iter().any(|one| one.access_key_id == *key))
    );
}

#[test]
fn a_wrong_authorization_is_explained_in_the_clients_own_error() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let wrong = pod.path("wrong-token");
    std::fs::write(&wrong, "not-the-authorization-token").expect("a file");
    every_client_at_once(&[AWS_CLI, BOTO3, AIOBOTOCORE, JAVASCRIPT_HTTP], |client| {
        let mut command = client.with_token_file(&pod, &sidecar);
        command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &wrong);
        assert_complains(
            client,
            command,
            &[
                "the Authorization header is wrong",
                "authorization-token-file or the pod's UID",
            ],
        );
    });
}

#[test]
fn what_is_wrong_with_the_pod_is_explained_in_the_clients_own_error() {
    let pod = Pod::with(TokenRequest {
        audiences: vec!["sts.amazon.com".to_owned()],
        ..TokenRequest::default()
    });
    let sidecar = pod.sidecar();
    sidecar.wait_finding("token-audience");
    every_client_at_once(&[AWS_CLI, BOTO3, AIOBOTOCORE], |client| {
        let words = [
            "sts.amazon.com",
            "sts.amazonaws.com",
            "on the projected volume",
        ];
        assert_complains(client, client.with_pod_uid(&pod, &sidecar), &words);
    });
    // It reads the words of a 4xx only, and of a 5xx the number.
    let command = JAVASCRIPT_HTTP.with_pod_uid(&pod, &sidecar);
    assert_complains(JAVASCRIPT_HTTP, command, &["status: 503"]);
}

#[test]
fn what_sts_said_is_explained_in_the_clients_own_error() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::error("AccessDenied"));
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    // The fault is for the exchange; the clients never come so far as to ask.
    assert_complains(
        BOTO3,
        BOTO3.with_token_file(&pod, &sidecar),
        &["STS answered 403 AccessDenied", "trust policy"],
    );
}
