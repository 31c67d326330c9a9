//! What the API server makes of the manifests as they are.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::namespace::Namespace;
use crate::rendered::Rendered;

/// Of the Prometheus operator, which this cluster does not have.
const NOT_OF_KUBERNETES: &str = "monitoring.coreos.com/";

/// Every folder of `manifests` that is a kustomization of its own.
fn folders() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let mut found = Vec::new();
    for folder in ["", "examples"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let kustomization =
                fs::read_to_string(path.join("kustomization.yaml")).unwrap_or_default();
            if kustomization.contains("kind: Kustomization") {
                let name = path.strip_prefix(&root).expect("it lies there").to_str();
                found.push(name.expect("UTF-8").to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn the_api_server_takes_every_manifest() {
    let namespace = Namespace::new("dry-run");
    let folders = folders();
    assert!(folders.len() > 15, "{folders:?}");
    let mut left_out = Vec::new();
    for folder in folders {
        let mut objects = Rendered::folder(&folder).objects(&namespace.cluster.kubectl);
        objects.retain(|object| {
            let version = object["apiVersion"].as_str().expect("a version");
            let ours = !version.starts_with(NOT_OF_KUBERNETES);
            if !ours {
                left_out.push(object["kind"].as_str().expect("a kind").to_owned());
            }
            ours
        });
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let arguments = [
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "--filename",
            "-",
        ];
        let taken = namespace.cluster.kubectl.given(&list, arguments);
        taken.unwrap_or_else(|error| panic!("{folder}: {error}"));
    }
    left_out.sort();
    assert_eq!(left_out, ["PodMonitor", "PrometheusRule"]);
}

/// The pod of an example's Deployment.
fn pod_of(namespace: &Namespace, example: &str) -> Value {
    let objects = Rendered::example(example).objects(&namespace.cluster.kubectl);
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment");
    let mut pod = deployment.expect("a Deployment")["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("app");
    // There before the pod, and not in a rehearsal.
    pod["spec"]["serviceAccountName"] = json!("default");
    pod
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn pod_security_restricted_admits_the_sidecar_and_refuses_what_the_examples_say_it_refuses() {
    let namespace = Namespace::new("pod-security");
    let rehearse = |example| {
        let pod = pod_of(&namespace, example).to_string();
        namespace.given(&pod, &["create", "--dry-run=server", "--filename", "-"])
    };
    for example in [
        "credentials-uri",
        "token-file",
        "credential-process",
        "credentials-file",
        "plain-sidecar",
    ] {
        rehearse(example).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
    for example in ["imds", "pod-identity", "relative-uri"] {
        let error = rehearse(example).expect_err(example);
        assert!(
            error.contains("violates PodSecurity \"restricted:latest\""),
            "{error}"
        );
    }
}
