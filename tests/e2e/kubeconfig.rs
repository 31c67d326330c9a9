//! `irsa-sidecar kubeconfig`: a kubeconfig for a cluster, as `aws eks update-kubeconfig` would write it.

mod aws_cli;
pub(crate) mod describe;
mod merge;
mod plugin;
mod refusals;
mod server;
mod target;

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::clock::{for_each_skew, pod_on_a_node_with_a_wrong_clock};
use crate::sidecar::{Finished, Launch, Pod, Sidecar, read};

const BAD_USAGE: Option<i32> = Some(64);
const BAD_CONFIGURATION: Option<i32> = Some(78);
const FAILED: Option<i32> = Some(1);

/// The subcommand in the sidecar's own container, where no sidecar runs.
fn alone(pod: &Pod, arguments: &[&str]) -> Launch {
    let arguments = ["kubeconfig"].iter().chain(arguments).copied();
    pod.alone(arguments)
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .env("HOME", pod.path("home"))
}

/// The subcommand in the app's container: no role, no token, and nothing of AWS but EKS.
fn beside(pod: &Pod, sidecar: &Sidecar, arguments: &[&str]) -> Launch {
    let arguments = ["kubeconfig"].iter().chain(arguments).copied();
    Launch::new(arguments)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://{}/v1/credentials", sidecar.credentials),
        )
        .env(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            pod.path("authorization-token"),
        )
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        // Plain, as EKS is: else there would have to be roots.
        .env("AWS_ENDPOINT_URL_STS", pod.emulator.url())
        .env("HOME", pod.path("home"))
}

fn default_path(pod: &Pod) -> PathBuf {
    pod.path("home/.kube/config")
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
fn assert_done(ended: &Finished, stdout: &str) {
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (stdout, ""));
}

#[track_caller]
fn assert_failed(ended: &Finished, code: Option<i32>, parts: &[&str]) {
    assert_eq!(ended.status.code(), code, "{ended:?}");
    assert_eq!(ended.stdout, "", "words go to stderr");
    for part in parts {
        assert!(
            ended.stderr.contains(part),
            "{part:?} is not in {}",
            ended.stderr
        );
    }
}

/// The one user of a kubeconfig.
fn user(text: &str) -> Value {
    let users = &yaml(text)["users"];
    assert_eq!(users.as_array().map(Vec::len), Some(1), "{text}");
    users[0]["user"].clone()
}

#[test]
fn a_running_sidecar_lends_its_credentials_and_the_file_is_that_of_the_aws_cli() {
    let pod = Pod::new();
    let sidecar = pod
        .serve()
        .arg("--eks-cluster=demo")
        .arg("--output-dir")
        .arg(pod.path("out"))
        .start();
    sidecar.wait_ready();
    let out = pod.path("out");
    let out = out.to_str().expect("a path");
    let ended = beside(
        &pod,
        &sidecar,
        &["--cluster-name", "demo", "--output-dir", out],
    )
    .output();
    let path = default_path(&pod);
    let cluster = pod.emulator.cluster();
    let arn = cluster.arn();
    assert_done(
        &ended,
        &format!("Added new context {arn} to {}\n", path.display()),
    );
    let authority = BASE64_STANDARD.encode(pod.emulator.ca_pem());
    let expected = format!(
        "apiVersion: v1\n\
         clusters:\n\
         - cluster:\n    \
             certificate-authority-data: {authority}\n    \
             server: {}\n  \
           name: {arn}\n\
         contexts:\n\
         - context:\n    \
             cluster: {arn}\n    \
             user: {arn}\n  \
           name: {arn}\n\
         current-context: {arn}\n\
         kind: Config\n\
         preferences: {{}}\n\
         users:\n\
         - name: {arn}\n  \
           user:\n    \
             tokenFile: {out}/demo.eks-token\n",
        cluster.url()
    );
    assert_eq!(read(&path), expected);
    assert_eq!(
        (cluster.describes(), pod.emulator.sts().exchanges()),
        (1, 1)
    );
}

#[test]
fn a_nodes_wrong_clock_is_no_reason_against_the_credentials_of_a_running_sidecar() {
    for_each_skew(|skew| {
        let pod = pod_on_a_node_with_a_wrong_clock(skew);
        let sidecar = pod.ready_sidecar();
        let ended = beside(&pod, &sidecar, &["--cluster-name", "demo", "--exec"]).output();
        assert_eq!(ended.status.code(), Some(0), "{skew}: {ended:?}");
        assert!(read(&default_path(&pod)).contains(pod.emulator.cluster().url()));
    });
}

#[test]
fn where_no_sidecar_runs_it_does_the_whole_walk() {
    let pod = Pod::new();
    let ended = alone(&pod, &["--name", "demo", "--exec"]).output();
    let arn = pod.emulator.cluster().arn();
    let path = default_path(&pod);
    assert_done(
        &ended,
        &format!("Added new context {arn} to {}\n", path.display()),
    );
    assert_eq!(pod.emulator.sts().exchanges(), 1);
    assert_eq!(
        user(&read(&path)),
        json!({ "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "args": ["get-token", "--cluster-name", "demo", "--region", "eu-west-1"],
            "command": env!("CARGO_BIN_EXE_irsa-sidecar"),
            "interactiveMode": "Never",
            "provideClusterInfo": false,
        }})
    );
}

#[test]
fn the_region_is_the_clusters_and_without_one_the_pods() {
    let pod = Pod::new();
    pod.emulator.add_cluster("far", "us-west-2");
    let far = alone(
        &pod,
        &[
            "--cluster-name",
            "far",
            "--region",
            "us-west-2",
            "--exec",
            "--dry-run",
        ],
    );
    let text = far.output().stdout;
    assert_eq!(
        yaml(&text)["current-context"],
        "arn:aws:eks:us-west-2:111122223333:cluster/far"
    );
    assert_eq!(user(&text)["exec"]["args"][4], "us-west-2");
    let own = alone(&pod, &["--cluster-name", "demo", "--exec", "--dry-run"])
        .without("AWS_REGION")
        .env("AWS_DEFAULT_REGION", "eu-west-1");
    assert_eq!(user(&own.output().stdout)["exec"]["args"][4], "eu-west-1");
}

#[test]
fn aliases_name_context_and_user() {
    let pod = Pod::new();
    let arn = pod.emulator.cluster().arn();
    for (arguments, user, context) in [
        (&["--alias", "short"] as &[&str], arn.as_str(), "short"),
        (&["--user-alias", "me"], "me", "me"),
        (&["--alias", "short", "--user-alias", "me"], "me", "short"),
    ] {
        let all = [
            &["--cluster-name", "demo", "--exec", "--dry-run"],
            arguments,
        ]
        .concat();
        let found = yaml(&alone(&pod, &all).output().stdout);
        assert_eq!(found["clusters"][0]["name"], json!(arn));
        assert_eq!(found["users"][0]["name"], user);
        assert_eq!(
            found["contexts"],
            json!([{ "name": context, "context": { "cluster": arn, "user": user } }])
        );
        assert_eq!(found["current-context"], context);
    }
}
