//! The injection's policies, in the API server that has to run their CEL.

mod rehearsals;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::eventually::eventually;
use crate::images::SIDECAR_WITH_CA;
use crate::namespace::Namespace;
use crate::pod::SIDECAR;
use crate::rendered::{Rendered, trust_emulator};

/// Applies the policy once, with an image that trusts the emulator: a parameter like any other.
fn install() {
    static INSTALLED: LazyLock<()> = LazyLock::new(|| {
        let kubectl = &Cluster::shared().kubectl;
        let mut objects = Rendered::folder("injection").objects(kubectl);
        let parameters = objects
            .iter_mut()
            .find(|object| object["kind"] == "ConfigMap");
        parameters.expect("the parameters")["data"]["image"] = json!(SIDECAR_WITH_CA);
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let applied = kubectl.given(&list, ["apply", "--filename", "-"]);
        applied.unwrap_or_else(|error| panic!("{error}"));
    });
    LazyLock::force(&INSTALLED);
}

/// A namespace with the sidecar's settings, where the policy is in force.
fn namespace(name: &'static str) -> Namespace {
    install();
    let namespace = Namespace::new(name);
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "irsa-sidecar" },
        "data": { "AWS_CA_BUNDLE": "/emulator/ca.pem", "IRSA_SIDECAR_ROLE_ARN": emulator::ROLE_ARN },
    }));
    namespace.apply(
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "app" } }),
    );
    // The API server takes a moment to notice a policy, and without it the other one refuses.
    eventually("the policies are in force", || {
        let pod = try_rehearse(&namespace, &labelled_pod())?;
        if sidecars(&pod) == 1 {
            Ok(())
        } else {
            Err(pod.to_string())
        }
    });
    namespace
}

/// An app that knows nothing of sidecars.
fn plain_pod() -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "app", "labels": { "app": "app" } },
        "spec": {
            "serviceAccountName": "app",
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "app", "image": "test/app:1",
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    });
    trust_emulator(&mut pod["spec"]);
    pod
}

fn labelled_pod() -> Value {
    let mut pod = plain_pod();
    pod["metadata"]["labels"]["irsa-sidecar/inject"] = json!("true");
    pod
}

/// What would become of a pod; an error says why nothing.
fn try_rehearse(namespace: &Namespace, pod: &Value) -> Result<Value, String> {
    let arguments = [
        "create",
        "--dry-run=server",
        "--output=json",
        "--filename",
        "-",
    ];
    let made = namespace.given(&pod.to_string(), &arguments)?;
    Ok(serde_json::from_str(&made).expect("JSON of kubectl"))
}

/// The same where it has to be admitted.
#[track_caller]
fn rehearsed(namespace: &Namespace, pod: &Value) -> Value {
    try_rehearse(namespace, pod).unwrap_or_else(|error| panic!("{pod}: {error}"))
}

fn sidecars(pod: &Value) -> usize {
    let of = |kind: &str| pod["spec"][kind].as_array().cloned().unwrap_or_default();
    let all = of("initContainers").into_iter().chain(of("containers"));
    all.filter(|container| container["name"] == SIDECAR).count()
}

fn variable(pod: &Value, container: &str, name: &str) -> Option<String> {
    let of = |kind: &str| pod["spec"][kind].as_array().cloned().unwrap_or_default();
    let mut all = of("initContainers").into_iter().chain(of("containers"));
    let container = all.find(|found| found["name"] == container)?;
    let found = container["env"]
        .as_array()?
        .iter()
        .find(|variable| variable["name"] == name);
    found?["value"].as_str().map(str::to_owned)
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_labelled_pod_gets_the_sidecar_and_its_app_credentials() {
    let namespace = namespace("injection");
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "app" },
        "spec": {
            "selector": { "matchLabels": { "app": "app" } },
            "template": { "metadata": labelled_pod()["metadata"], "spec": labelled_pod()["spec"] },
        },
    });
    namespace.apply(&deployment);
    let pod = namespace.ready_app();
    pod.app("aws-sdk-go-1.20.21").call().expect("credentials");
    let session = format!("arn:aws:sts::111122223333:assumed-role/app/{}", pod.name);
    assert_eq!(namespace.callers(), [session]);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_pod_without_the_label_is_left_alone() {
    let namespace = namespace("no-injection");
    let before = plain_pod();
    let pod = rehearsed(&namespace, &before);
    assert_eq!(sidecars(&pod), 0);
    assert_eq!(
        pod["spec"]["containers"][0]["env"],
        before["spec"]["containers"][0]["env"]
    );
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_pod_that_has_the_sidecar_already_gets_no_second_one() {
    let namespace = namespace("injection-twice");
    let once = rehearsed(&namespace, &labelled_pod());
    let mut again = once.clone();
    again["metadata"] = json!({ "name": "app", "labels": once["metadata"]["labels"] });
    let twice = rehearsed(&namespace, &again);
    assert_eq!(sidecars(&twice), 1);
    assert_eq!(
        twice["spec"]["containers"][0]["env"],
        once["spec"]["containers"][0]["env"]
    );
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn what_the_app_has_stays_and_parameters_take_effect() {
    let namespace = namespace("injection-parameters");
    let mut pod = labelled_pod();
    let own = json!({ "name": "AWS_REGION", "value": "us-east-1" });
    let environment = pod["spec"]["containers"][0]["env"].as_array_mut();
    environment.expect("a list").push(own);
    let injected = rehearsed(&namespace, &pod);
    assert_eq!(
        variable(&injected, "app", "AWS_REGION").as_deref(),
        Some("us-east-1")
    );
    assert_eq!(
        variable(&injected, SIDECAR, "AWS_DEFAULT_REGION").as_deref(),
        Some("eu-west-1")
    );
    assert_eq!(
        injected["spec"]["initContainers"][0]["image"],
        SIDECAR_WITH_CA
    );

    // Beaten by the namespace's settings in the tests beside this one.
    let role =
        json!({ "data": { "role-arn": "arn:aws:iam::111122223333:role/of-all" } }).to_string();
    let parameters = "configmap/irsa-sidecar-injection";
    let changed = [
        "--namespace=kube-system",
        "patch",
        parameters,
        "--type=merge",
        "--patch",
        &role,
    ];
    namespace
        .cluster
        .kubectl
        .run(changed)
        .expect("the parameters are there");
    eventually("the role is that of the parameters", || {
        let injected = rehearsed(&namespace, &pod);
        match variable(&injected, SIDECAR, "AWS_ROLE_ARN").as_deref() {
            Some("arn:aws:iam::111122223333:role/of-all") => Ok(()),
            _ => Err(injected.to_string()),
        }
    });
}
