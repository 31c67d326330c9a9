//! Real clients run it as their profile tells them.

use std::process::Command;

use crate::clients::{AWS_CLI, BOTO3, Client, IDENTITY, JAVASCRIPT};
use crate::sidecar::{Pod, Sidecar};

/// A client that knows nothing of the sidecar but a line in its profile.
fn with_profile(client: Client, pod: &Pod, command_line: &str) -> Command {
    let config = pod.path("config");
    std::fs::write(
        &config,
        format!("[default]\ncredential_process = {command_line}\n"),
    )
    .expect("a file");
    let mut command = client.command(pod);
    command.env("AWS_CONFIG_FILE", config);
    command
}

/// The command line, with the sidecar's address and authorization in it.
fn command_line(pod: &Pod, sidecar: &Sidecar) -> String {
    format!(
        "{} credential-process --listen {} --authorization-token-file {}",
        env!("CARGO_BIN_EXE_irsa-sidecar"),
        sidecar.credentials,
        pod.path("authorization-token").display()
    )
}

#[test]
fn clients_sign_with_what_their_profile_has_them_run() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for client in [AWS_CLI, BOTO3, JAVASCRIPT] {
        let output = with_profile(client, &pod, &command_line(&pod, &sidecar))
            .output()
            .expect("the client runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(IDENTITY), "{client:?}: {said}{complained}");
    }
    assert_eq!(pod.exchange_calls().len(), 1);
}

#[test]
fn the_sidecars_reason_stands_in_the_clients_own_error() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    std::fs::write(pod.path("wrong"), "not-the-authorization-token").expect("a file");
    let line = command_line(&pod, &sidecar).replace(
        &pod.path("authorization-token").display().to_string(),
        &pod.path("wrong").display().to_string(),
    );
    // JavaScript's chain says no more than that no provider had any.
    for client in [AWS_CLI, BOTO3] {
        let output = with_profile(client, &pod, &line)
            .output()
            .expect("the client runs");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{client:?}");
        assert!(
            complained.contains("the Authorization header is wrong"),
            "{client:?}: {complained}"
        );
    }
}
