//! `--role-from-annotation` against the API that it was written for.

use emulator::ROLE_ARN;
use serde_json::{Value, json};

use crate::eventually::eventually;
use crate::namespace::Namespace;
use crate::pod::{Pod, SIDECAR};
use crate::rendered::Rendered;

/// A role that nobody may assume.
const NOBODYS: &str = "arn:aws:iam::111122223333:role/nobodys";

/// The example in this namespace, with this role in the annotation and without its permission to read it.
fn apply_without_permission(namespace: &Namespace, role: &str) {
    let mut objects =
        Rendered::example("role-from-annotation").on_emulator(&namespace.cluster.kubectl);
    objects.retain(|object| object["apiVersion"] != "rbac.authorization.k8s.io/v1");
    for object in &mut objects {
        object["metadata"]["namespace"] = json!(namespace.name);
        if object["kind"] == "ServiceAccount" {
            object["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = json!(role);
        }
    }
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }));
}

/// The Role and the RoleBinding that the sidecar asks for in its log.
fn asked_for(pod: &Pod<'_>) -> String {
    let asked = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let (_, manifest) = line["error"]
            .as_str()?
            .split_once("give this to kubectl apply -f -\n")?;
        Some(manifest.to_owned())
    };
    eventually("the sidecar says what it needs", || {
        let logs = ["logs", &pod.name, "--container", SIDECAR];
        let log = pod.namespace.try_kubectl(&logs)?;
        log.lines().find_map(asked).ok_or(log)
    })
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn the_sidecar_asks_for_its_permission_gets_it_and_follows_the_annotation() {
    let namespace = Namespace::new("role-from-annotation");
    apply_without_permission(&namespace, NOBODYS);
    let pod = Pod::labelled(&namespace, "app=app");
    // What it prints is what `manifests/rbac` has, for this namespace.
    namespace
        .try_apply(&asked_for(&pod))
        .expect("it can be applied as it is printed");

    eventually("the role of the annotation is tried", || {
        let calls = namespace.calls();
        let tried = calls
            .iter()
            .any(|call| call.role_arn.as_deref() == Some(NOBODYS));
        if tried {
            Ok(())
        } else {
            Err(format!("{calls:?}"))
        }
    });
    let annotation = format!("eks.amazonaws.com/role-arn={ROLE_ARN}");
    namespace.kubectl(&["annotate", "--overwrite", "serviceaccount/app", &annotation]);
    let pod = namespace.ready_app();
    assert_eq!(pod.status(SIDECAR)["restartCount"], 0);
    pod.app("aws-sdk-go-1.20.21").call().expect("credentials");
    let session = format!("arn:aws:sts::111122223333:assumed-role/app/{}", pod.name);
    assert_eq!(namespace.callers(), [session]);

    let account = format!("--as=system:serviceaccount:{}:app", namespace.name);
    let may = |verb: &str, what: &str| {
        let answer = namespace.try_kubectl(&["auth", "can-i", verb, what, &account]);
        answer.unwrap_or_else(|error| error).trim().to_owned()
    };
    assert_eq!(may("get", "serviceaccounts/app"), "yes");
    for (verb, what) in [
        ("get", "serviceaccounts/default"),
        ("list", "serviceaccounts"),
        ("watch", "serviceaccounts/app"),
        ("update", "serviceaccounts/app"),
        ("create", "serviceaccounts/token"),
        ("get", "secrets"),
        ("get", "pods"),
        ("get", "configmaps/irsa-sidecar"),
    ] {
        assert!(may(verb, what).ends_with("no"), "{verb} {what}");
    }
}
