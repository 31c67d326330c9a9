//! On an annotated service account, where EKS's webhook has changed the pod. The webhook is not at hand: what it does is
//! done here, as its source and its README have it.

use serde_json::{Value, json};

use crate::namespace::Namespace;
use crate::rendered::Rendered;

const SKIPPED: &str = "eks.amazonaws.com/skip-containers";

/// A pod's template after the webhook.
fn mutate(template: &mut Value) {
    let skipped = template["metadata"]["annotations"][SKIPPED]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let spec = &mut template["spec"];
    for kind in ["initContainers", "containers"] {
        for container in spec[kind].as_array_mut().into_iter().flatten() {
            let name = container["name"].as_str().expect("a name");
            if !skipped.split(',').any(|skipped| skipped == name) {
                mutate_container(container);
            }
        }
    }
    spec["volumes"]
        .as_array_mut()
        .expect("volumes")
        .push(json!({
            "name": "aws-iam-token",
            "projected": { "sources": [{ "serviceAccountToken": {
                "audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token",
            } }] },
        }));
}

fn mutate_container(container: &mut Value) {
    let environment = container["env"].as_array_mut().expect("variables");
    let folder = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
    let has = |environment: &[Value], name: &str| {
        environment.iter().any(|variable| variable["name"] == name)
    };
    let has_identity = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"]
        .iter()
        .any(|name| has(environment, name));
    let has_region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .any(|name| has(environment, name));
    let mut add =
        |name: &str, value: &str| environment.push(json!({ "name": name, "value": value }));
    add("AWS_STS_REGIONAL_ENDPOINTS", "regional");
    if !has_region {
        add("AWS_DEFAULT_REGION", "eu-west-1");
        add("AWS_REGION", "eu-west-1");
    }
    if !has_identity {
        add("AWS_ROLE_ARN", emulator::ROLE_ARN);
        add("AWS_WEB_IDENTITY_TOKEN_FILE", &format!("{folder}/token"));
    }
    let mounts = container["volumeMounts"].as_array_mut().expect("mounts");
    mounts.push(json!({ "name": "aws-iam-token", "mountPath": folder, "readOnly": true }));
}

#[track_caller]
fn assert_the_sidecar_is_asked(name: &'static str, rendered: &Rendered) {
    let namespace = Namespace::new(name);
    let mut objects = rendered.on_emulator(&namespace.cluster.kubectl);
    let deployment = objects
        .iter_mut()
        .find(|object| object["kind"] == "Deployment");
    mutate(&mut deployment.expect("a Deployment")["spec"]["template"]);
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }));
    let pod = namespace.ready_app();
    // Both know web identity tokens, and the second asks for them before anything else.
    for sdk in ["aws-sdk-go-1.55.6", "aws-sdk-go-v2-1.32.37"] {
        pod.app(sdk)
            .call()
            .unwrap_or_else(|error| panic!("{sdk}: {error}"));
    }
    let session = format!("arn:aws:sts::111122223333:assumed-role/app/{}", pod.name);
    assert_eq!(namespace.callers(), [&session[..]; 2]);
    let exchanges = namespace
        .calls()
        .into_iter()
        .filter(|call| call.subject.is_some());
    assert_eq!(exchanges.count(), 1, "the sidecar's own");
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn on_an_annotated_service_account_the_app_asks_the_sidecar() {
    assert_the_sidecar_is_asked("eks-webhook", &Rendered::example("eks-webhook"));
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn it_does_so_too_where_nobody_told_the_webhook_to_skip_it() {
    let forgotten = format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app}}
spec: {{template: {{metadata: {{annotations: {{{SKIPPED}: null}}}}}}}}
"
    );
    let rendered = Rendered::example("eks-webhook").patch(&forgotten);
    assert_the_sidecar_is_asked("eks-webhook-unaware", &rendered);
}
