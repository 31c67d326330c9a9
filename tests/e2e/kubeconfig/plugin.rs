//! The plugin form: what kubectl is told to run does get a token that the cluster takes.

use emulator::{ROLE_ARN, Reviewed, Role};
use serde_json::{Value, json};

use super::{alone, user};
use crate::sidecar::Pod;

/// Runs the plugin of a kubeconfig as kubectl would, and has the cluster look at the token.
#[track_caller]
fn run_plugin(pod: &Pod, kubeconfig: &str) -> Result<Reviewed, String> {
    let exec = &user(kubeconfig)["exec"];
    assert_eq!(exec["command"], env!("CARGO_BIN_EXE_irsa-sidecar"));
    let arguments = exec["args"].as_array().expect("arguments");
    let arguments = arguments.iter().map(|it| it.as_str().expect("a text"));
    let ended = pod
        .serve()
        .with_arguments(arguments)
        .env(
            "KUBERNETES_EXEC_INFO",
            json!({ "kind": "ExecCredential", "apiVersion": exec["apiVersion"], "spec": { "interactive": false } })
                .to_string(),
        )
        .output();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let credential: Value = serde_json::from_str(&ended.stdout).expect("an ExecCredential");
    assert_eq!(credential["apiVersion"], exec["apiVersion"]);
    let token = credential["status"]["token"].as_str().expect("a token");
    pod.emulator.cluster().review(token)
}

#[test]
fn the_plugin_is_run_with_what_the_cluster_needs() {
    let pod = Pod::new();
    let other = "arn:aws:iam::111122223333:role/deploy";
    let sts = pod.emulator.sts();
    sts.add_role(Role::assumable_by(other, &[ROLE_ARN]));
    let cluster = pod.emulator.cluster();
    cluster.add_access_entry(other, None, &["deployers"]);
    let printed = |arguments: &[&str]| {
        let all = [
            &["--cluster-name", "demo", "--exec", "--dry-run"],
            arguments,
        ]
        .concat();
        let ended = alone(&pod, &all).output();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        ended.stdout
    };
    let text = printed(&[]);
    let reviewed = run_plugin(&pod, &text).expect("the pod's role");
    assert_eq!(reviewed.arn.split('/').nth(1), Some("app"));

    for name in ["--role-arn", "--role"] {
        let text = printed(&[name, other]);
        let exec = &user(&text)["exec"];
        assert_eq!(
            exec["args"],
            json!([
                "get-token",
                "--cluster-name",
                "demo",
                "--region",
                "eu-west-1",
                "--role-arn",
                other
            ])
        );
        let reviewed = run_plugin(&pod, &text).expect("the other role");
        assert_eq!(reviewed.groups, ["deployers"]);
    }

    // A local cluster on an Outpost goes by its id.
    let id = "3b0e4d6a-6e0b-4f8e-9d0c-2f6f1d6c5a11";
    cluster.set_outpost(id);
    let text = printed(&[]);
    let exec = &user(&text)["exec"];
    assert_eq!(
        exec["args"],
        json!(["get-token", "--cluster-id", id, "--region", "eu-west-1"])
    );
    run_plugin(&pod, &text).expect("a token for the id");
}
