//! What becomes of pods of every make, without making them: `--dry-run=server`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{install, sidecars, try_rehearse};
use crate::eventually::eventually;
use crate::namespace::Namespace;
use crate::pod::SIDECAR;
use crate::rendered::Rendered;

const NO_PROXY: &str = "127.0.0.1,localhost,169.254.170.2,169.254.170.23,169.254.169.254";
const HOST_NETWORK: &str =
    "denied request: hostNetwork found; expected a pod with a network of its own";
const NO_SIDECAR: &str = "denied request: no container irsa-sidecar found";
const NO_IMAGE: &str =
    "denied request: ConfigMap kube-system/irsa-sidecar-injection has no `image`";

/// One that leaves every refusal to the policies.
fn namespace(name: &'static str) -> Namespace {
    let namespace = Namespace::admitting("privileged", name);
    namespace.apply(
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "app" } }),
    );
    namespace
}

/// What is installed for all tests takes a moment: until both policies have had their say.
fn in_force(namespace: &Namespace) {
    install();
    eventually("the policies are in force", || {
        let one = pod("true", json!({}));
        try_rehearse(namespace, &one).and_then(has_sidecar)?;
        let other = pod("true", json!({ "hostNetwork": true }));
        is_refused(try_rehearse(namespace, &other), HOST_NETWORK)
    });
}

/// The least there is, with this label and more in its spec.
fn pod(label: &str, more: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "app", "labels": { "irsa-sidecar/inject": label } },
        "spec": {
            "serviceAccountName": "app", "automountServiceAccountToken": false,
            "containers": [{ "name": "app", "image": "test/app:1" }],
        },
    });
    let more = more.as_object().expect("an object").clone();
    pod["spec"].as_object_mut().expect("a spec").extend(more);
    pod
}

fn has_sidecar(pod: Value) -> Result<Value, String> {
    match sidecars(&pod) {
        1 => Ok(pod),
        _ => Err(format!("no sidecar: {pod}")),
    }
}

fn is_refused(outcome: Result<Value, String>, why: &str) -> Result<(), String> {
    match outcome {
        Err(error) if error.contains(why) => Ok(()),
        other => Err(format!("not refused for {why:?}: {other:?}")),
    }
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|one| one["name"].as_str().expect("a name"))
        .collect()
}

/// A variable as it stands there, or null.
fn variable<'a>(container: &'a Value, name: &str) -> &'a Value {
    let env = container["env"].as_array().expect("variables");
    let found = env.iter().find(|variable| variable["name"] == name);
    found.unwrap_or(&Value::Null)
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn what_a_container_has_stays_and_is_not_hidden() {
    // The container's own variable (without `=`: by `valueFrom`), whether it has `envFrom`, and what becomes of a variable.
    let table = [
        ("", false, "AWS_REGION", "eu-west-1"),
        ("", false, "NO_PROXY", "OURS"),
        ("", false, "no_proxy", "-"),
        ("POD_UID=own", false, "POD_UID", "own"),
        (
            "AWS_EC2_METADATA_DISABLED=false",
            false,
            "AWS_EC2_METADATA_DISABLED",
            "false",
        ),
        ("AWS_REGION=us-east-1", false, "AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION=us-east-1", false, "AWS_REGION", "-"),
        ("", true, "AWS_REGION", "-"),
        ("", true, "NO_PROXY", "-"),
        ("", true, "AWS_EC2_METADATA_DISABLED", "true"),
        ("NO_PROXY=.svc", false, "NO_PROXY", "OURS,.svc"),
        ("NO_PROXY=.svc", false, "no_proxy", "-"),
        ("NO_PROXY=.svc", true, "NO_PROXY", "OURS,.svc"),
        ("NO_PROXY=", false, "NO_PROXY", "OURS"),
        ("NO_PROXY=*", false, "NO_PROXY", "*"),
        ("NO_PROXY", false, "NO_PROXY", "valueFrom"),
        ("no_proxy=.svc", false, "no_proxy", "OURS,.svc"),
        ("no_proxy=.svc", false, "NO_PROXY", "-"),
        ("no_proxy", false, "no_proxy", "valueFrom"),
        ("no_proxy", false, "NO_PROXY", "-"),
    ];
    let source = json!({ "configMapKeyRef": { "name": "proxy", "key": "around" } });
    let containers = |kind: &str| -> Vec<Value> {
        let rows = table.iter().enumerate();
        let containers = rows.map(|(row, (own, env_from, ..))| {
            let mut container = json!({ "name": format!("{kind}-{row}"), "image": "test/app:1" });
            match own.split_once('=') {
                Some((name, value)) => container["env"] = json!([{ "name": name, "value": value }]),
                None if own.is_empty() => {}
                None => container["env"] = json!([{ "name": own, "valueFrom": source }]),
            }
            if *env_from {
                container["envFrom"] = json!([{ "configMapRef": { "name": "settings" } }]);
            }
            container
        });
        containers.collect()
    };
    let namespace = namespace("injection-variables");
    in_force(&namespace);
    let whole = json!({ "containers": containers("app"), "initContainers": containers("init") });
    let injected =
        try_rehearse(&namespace, &pod("true", whole)).unwrap_or_else(|error| panic!("{error}"));
    let apps = injected["spec"]["containers"]
        .as_array()
        .expect("containers");
    let init = injected["spec"]["initContainers"]
        .as_array()
        .expect("containers");
    assert_eq!(init[0]["name"], SIDECAR);
    for (row, (own, env_from, name, expected)) in table.iter().enumerate() {
        for container in [&apps[row], &init[row + 1]] {
            let what = format!("{own:?}, envFrom {env_from}: {container}");
            let found = match expected {
                &"valueFrom" => json!({ "name": name, "valueFrom": source }),
                &"-" => Value::Null,
                value => json!({ "name": name, "value": value.replace("OURS", NO_PROXY) }),
            };
            assert_eq!(*variable(container, name), found, "{what}");
            let env = names(&container["env"]);
            let unique: BTreeSet<&str> = env.iter().copied().collect();
            assert_eq!(unique.len(), env.len(), "{what}");
            let at = |name: &str| env.iter().position(|one| *one == name).expect(name);
            assert!(
                at("POD_UID") < at("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
                "{what}"
            );
        }
    }
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_pod_keeps_what_it_has_of_everything() {
    let skipped =
        |pod: &Value| pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"].clone();
    let namespace = namespace("injection-pods");
    in_force(&namespace);
    let rehearsed = |pod: &Value| {
        let made = try_rehearse(&namespace, pod).unwrap_or_else(|error| panic!("{pod}: {error}"));
        has_sidecar(made).unwrap_or_else(|error| panic!("{error}"))
    };

    // Nothing there yet.
    let made = rehearsed(&pod("true", json!({})));
    assert_eq!(names(&made["spec"]["initContainers"]), [SIDECAR]);
    assert_eq!(names(&made["spec"]["volumes"]), ["irsa-sidecar-token"]);
    assert_eq!(made["metadata"]["labels"]["irsa-sidecar/metrics"], "true");
    assert_eq!(skipped(&made), "app");
    assert_eq!(
        *variable(&made["spec"]["initContainers"][0], "NO_PROXY"),
        Value::Null
    );

    // All of it there.
    let mut before = pod(
        "true",
        json!({
            "volumes": [{ "name": "data", "emptyDir": {} }],
            "initContainers": [
                { "name": "migrate", "image": "test/app:1" },
                { "name": "proxy", "image": "test/app:1", "restartPolicy": "Always" },
            ],
        }),
    );
    before["metadata"]["annotations"] = json!({ "team": "payments" });
    let made = rehearsed(&before);
    let order = [SIDECAR, "migrate", "proxy"];
    assert_eq!(names(&made["spec"]["initContainers"]), order);
    assert_eq!(
        names(&made["spec"]["volumes"]),
        ["data", "irsa-sidecar-token"]
    );
    assert_eq!(made["metadata"]["annotations"]["team"], "payments");
    assert_eq!(skipped(&made), "app,migrate,proxy");

    // Some are skipped already, among them one that comes later or never.
    before["metadata"]["annotations"] =
        json!({ "eks.amazonaws.com/skip-containers": "later,migrate" });
    assert_eq!(skipped(&rehearsed(&before)), "later,migrate,app,proxy");

    // A sidecar of its own: as it was, but for what the API server does by itself.
    let own = json!({ "containers": [
        { "name": "app", "image": "test/app:1" },
        { "name": SIDECAR, "image": "their/own:1" },
    ] });
    let made = rehearsed(&pod("true", own));
    assert_eq!(made["spec"]["initContainers"], Value::Null);
    assert_eq!(made["spec"]["containers"][0]["env"], Value::Null);
    assert_eq!(made["spec"]["containers"][1]["image"], "their/own:1");

    // On the node's network it would answer the node.
    let refused = try_rehearse(&namespace, &pod("true", json!({ "hostNetwork": true })));
    is_refused(refused, HOST_NETWORK).unwrap_or_else(|error| panic!("{error}"));
}

/// The same policies for a label of their own, with these parameters, and without one kind of object.
fn install_for(label: &str, without: &str, parameters: &Value, namespace: &Namespace) {
    let kubectl = &namespace.cluster.kubectl;
    let mut objects = Rendered::folder("injection").objects(kubectl);
    objects.retain(|object| object["kind"] != without);
    for object in &mut objects {
        if object["kind"] == "ConfigMap" {
            object["data"] = parameters.clone();
        }
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
    let renamed = [
        (
            "\"irsa-sidecar-injection\"",
            format!("\"injection-{label}\""),
        ),
        (
            "\"irsa-sidecar/inject\":\"true\"",
            format!("\"irsa-sidecar/inject\":\"{label}\""),
        ),
    ];
    let list = renamed.iter().fold(list, |list, (name, new)| {
        assert!(list.contains(name), "{list}");
        list.replace(name, new)
    });
    let applied = kubectl.given(&list, ["apply", "--filename", "-"]);
    applied.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_broken_injection_refuses_labelled_pods_in_words_and_looks_at_no_others() {
    let namespace = namespace("injection-broken");
    let good = json!({ "image": "i" });
    let table = [
        (
            "without-policy",
            "MutatingAdmissionPolicy",
            good.clone(),
            NO_SIDECAR,
        ),
        (
            "without-parameters",
            "ConfigMap",
            good,
            "no params found for policy binding",
        ),
        ("without-data", "", Value::Null, NO_IMAGE),
        (
            "without-image",
            "",
            json!({ "region": "eu-west-1" }),
            NO_IMAGE,
        ),
        ("with-empty-image", "", json!({ "image": "" }), NO_IMAGE),
    ];
    for (label, without, parameters, _) in &table {
        install_for(label, without, parameters, &namespace);
    }
    for (label, .., why) in &table {
        eventually(label, || {
            is_refused(try_rehearse(&namespace, &pod(label, json!({}))), why)
        });
    }
    let mut other = pod("false", json!({ "hostNetwork": true }));
    for labels in [json!({ "irsa-sidecar/inject": "false" }), json!({})] {
        other["metadata"]["labels"] = labels;
        let made = try_rehearse(&namespace, &other).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sidecars(&made), 0);
        assert_eq!(made["spec"]["containers"][0]["env"], Value::Null);
        assert_eq!(made["spec"]["volumes"], Value::Null);
        assert_eq!(made["metadata"]["annotations"], Value::Null);
    }
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn region_and_role_go_where_they_beat_nothing_and_an_empty_one_nowhere() {
    let namespace = namespace("injection-region");
    let arn = "arn:aws:iam::111122223333:role/of-all";
    let none = json!({ "image": "i" });
    let empty = json!({ "image": "i", "region": "", "role-arn": "" });
    let both = json!({ "image": "i", "region": "eu-west-1", "role-arn": arn });
    // Region and role of the sidecar, region of the app.
    let table = [
        ("with-none", none, [const { Value::Null }; 3]),
        ("with-empty", empty, [const { Value::Null }; 3]),
        (
            "with-both",
            both,
            [
                json!({ "name": "AWS_DEFAULT_REGION", "value": "eu-west-1" }),
                json!({ "name": "AWS_ROLE_ARN", "value": arn }),
                json!({ "name": "AWS_REGION", "value": "eu-west-1" }),
            ],
        ),
    ];
    for (label, parameters, _) in &table {
        install_for(label, "", parameters, &namespace);
    }
    for (label, _, [region, role, of_app]) in &table {
        let made = eventually(label, || {
            try_rehearse(&namespace, &pod(label, json!({}))).and_then(has_sidecar)
        });
        let sidecar = &made["spec"]["initContainers"][0];
        let app = &made["spec"]["containers"][0];
        assert_eq!(sidecar["image"], "i", "{label}");
        assert_eq!(variable(sidecar, "AWS_DEFAULT_REGION"), region, "{label}");
        // The ConfigMap of the namespace has it by this name, and `env` would beat it.
        assert_eq!(variable(sidecar, "AWS_REGION"), &Value::Null, "{label}");
        assert_eq!(variable(sidecar, "AWS_ROLE_ARN"), role, "{label}");
        assert_eq!(variable(app, "AWS_REGION"), of_app, "{label}");
    }
}
