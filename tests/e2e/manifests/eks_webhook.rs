//! The EKS pod identity webhook, as far as it is documented: what it does to a pod of an annotated service account.

use serde_json::{Value, json};

use super::component;
use super::pods::{Pod, SIDECAR, list, name, variable};
use super::rendered::{WORKLOADS, manifests, with_components};

const FOLDER: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
const SKIPPED: &str = "eks.amazonaws.com/skip-containers";

/// The pod after it.
pub fn mutated(pod: &Pod) -> Pod {
    let mut pod = pod.clone();
    pod.of.push_str(", after the EKS webhook");
    let annotations = &pod.template["metadata"]["annotations"];
    let skipped = annotations[SKIPPED].as_str().unwrap_or_default();
    // Commas and nothing else: a blank is part of the name.
    let skipped: Vec<String> = skipped.split(',').map(str::to_owned).collect();
    let spec = pod.spec_mut();
    for kind in ["initContainers", "containers"] {
        let containers = spec.get_mut(kind).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if !skipped.iter().any(|skipped| skipped == name(container)) {
                mutate(container);
            }
        }
    }
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    let token = json!({"serviceAccountToken": {
        "audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token",
    }});
    let volumes = volumes.as_array_mut().expect("a list");
    volumes.push(json!({"name": "aws-iam-token", "projected": {"sources": [token]}}));
    pod
}

fn mutate(container: &mut Value) {
    let has = |container: &Value, names: [&str; 2]| {
        let mut names = names.into_iter();
        names.any(|name| variable(container, name).is_some())
    };
    let mut more = vec![];
    if !has(container, ["AWS_STS_REGIONAL_ENDPOINTS"; 2]) {
        more.push(json!({"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"}));
    }
    if !has(container, ["AWS_DEFAULT_REGION", "AWS_REGION"]) {
        more.push(json!({"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"}));
        more.push(json!({"name": "AWS_REGION", "value": "eu-west-1"}));
    }
    if !has(container, ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"]) {
        more.push(json!({"name": "AWS_ROLE_ARN", "value": emulator::ROLE_ARN}));
        let file = format!("{FOLDER}/token");
        more.push(json!({"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": file}));
    }
    push(container, "env", more);
    let mount = json!({"name": "aws-iam-token", "mountPath": FOLDER, "readOnly": true});
    push(container, "volumeMounts", vec![mount]);
}

fn push(container: &mut Value, key: &str, more: Vec<Value>) {
    let container = container.as_object_mut().expect("a container");
    let list = container.entry(key).or_insert_with(|| json!([]));
    list.as_array_mut().expect("a list").extend(more);
}

#[test]
fn the_sidecar_gets_the_role_and_no_app_does() {
    for component in [component::component(), component::token_file()] {
        for pod in Pod::every(&with_components(WORKLOADS, &[&component], "")) {
            let pod = mutated(&pod);
            let role = variable(pod.sidecar(), "AWS_ROLE_ARN").expect("the role");
            assert_eq!(role["value"], emulator::ROLE_ARN);
            for app in pod.apps() {
                assert_eq!(variable(app, "AWS_ROLE_ARN"), None, "{}", pod.of);
                let file = variable(app, "AWS_WEB_IDENTITY_TOKEN_FILE").expect("named");
                // Named, and never there: no object has that key.
                assert_eq!(
                    file["valueFrom"]["configMapKeyRef"],
                    json!({"name": SIDECAR, "key": "never-set", "optional": true})
                );
            }
        }
    }
}

#[test]
fn an_app_that_is_skipped_does_not_see_the_webhooks_token_either() {
    let more = format!(
        "
patches:
- target: {{kind: Deployment}}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: any}}
    spec: {{template: {{metadata: {{annotations: {{{SKIPPED}: \"app,helper,migrate,warm-up\"}}}}}}}}
"
    );
    let rendered = with_components(WORKLOADS, &[&manifests().join("component")], &more);
    let pod = mutated(&Pod::in_object(&rendered[1]).expect("a pod"));
    assert_eq!(pod.of, "Deployment/several, after the EKS webhook");
    let holds_token = |container: &Value| {
        let mounts = list(&container["volumeMounts"]);
        mounts.iter().any(|mount| name(mount) == "aws-iam-token")
    };
    for container in pod.all() {
        assert_eq!(holds_token(container), name(container) == SIDECAR);
    }
}
