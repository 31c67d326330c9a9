//! The injection says the same as the component. That Kubernetes takes its CEL, and what becomes of a pod, only a real API
//! server can tell: `tests/cluster/` asks one.

use serde_json::{Value, json};

use super::component::component;
use super::pods::{Pod, SIDECAR, list, name, variable};
use super::rendered::{Object, WORKLOADS, every, manifests, with_components};
use crate::sidecar::read;

fn injection() -> &'static [Object] {
    let mut folders = every().iter();
    let found = folders.find(|(folder, _)| folder == "injection");
    &found.expect("the injection").1
}

fn of_kind(kind: &str) -> &'static Object {
    let found = injection().iter().find(|object| object["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))
}

/// As it is applied.
fn policy() -> &'static Value {
    &of_kind("MutatingAdmissionPolicy")["spec"]
}

/// A literal of CEL, which is YAML but for its types and conversions.
fn literal(cel: &str) -> Value {
    let mut text = cel
        .replace("dyn(", "")
        .replace("\")", "\"")
        .replace("})", "}")
        .replace("noProxy)", "noProxy");
    while let Some(at) = text.find("Object.") {
        let brace = text[at..].find('{').expect("an object") + at;
        text.replace_range(at..brace, "");
    }
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// From the opening bracket after these words to the one that closes it.
fn after<'a>(cel: &'a str, words: &str) -> &'a str {
    let start = cel
        .find(words)
        .unwrap_or_else(|| panic!("no {words} in {cel}"))
        + words.len();
    let start = start + cel[start..].find(['[', '{']).expect("a bracket");
    let mut depth = 0;
    for (at, c) in cel[start..].char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &cel[start..=start + at];
        }
    }
    panic!("no end of {words}")
}

fn expression(of: &'static Value) -> &'static str {
    of["expression"].as_str().expect("an expression")
}

/// What the policy calls by this name.
fn variable_of_the_policy(wanted: &str) -> &'static str {
    let mut variables = list(&policy()["variables"]).iter();
    let found = variables.find(|one| name(one) == wanted);
    expression(found.unwrap_or_else(|| panic!("no {wanted}")))
}

/// What adds sidecar, volume and the rest.
fn last_mutation() -> &'static str {
    expression(&policy()["mutations"][1]["jsonPatch"])
}

fn component_pod() -> Pod {
    let rendered = with_components(WORKLOADS, &[&component()], "");
    let pods = Pod::every(&rendered).into_iter();
    pods.last().expect("a pod")
}

#[test]
fn the_sidecar_is_that_of_the_component() {
    let mut sidecar = literal(after(last_mutation(), "\"/spec/initContainers/0\", value:"));
    assert_eq!(sidecar["image"], "params.data.image");
    sidecar["image"] = of_kind("ConfigMap")["data"]["image"].clone();
    assert_eq!(sidecar, *component_pod().sidecar());
}

#[test]
fn so_is_its_volume() {
    let volume = literal(after(last_mutation(), "\"/spec/volumes/-\", value:"));
    assert_eq!(component_pod().volumes(), [volume]);
}

#[test]
fn so_are_the_variables_of_the_app() {
    let mut env = literal(after(variable_of_the_policy("env"), ""));
    let pod = component_pod();
    let app = pod.apps().next().expect("an app");
    for one in env.as_array_mut().expect("a list") {
        let mut expected = variable(app, name(one))
            .expect("a variable of the component's")
            .clone();
        if name(one) == "NO_PROXY" {
            assert_eq!(one["value"], "variables.noProxy");
            one["value"] = literal(variable_of_the_policy("noProxy"));
            // kustomize's comma.
            let value = expected["value"]
                .as_str()
                .expect("a value")
                .trim_end_matches(',');
            expected["value"] = json!(value);
        }
        assert_eq!(*one, expected);
    }
    // What keeps the webhook away from containers that nobody named: here they are named.
    let names: Vec<&str> = list(&env).iter().map(name).collect();
    let rest = list(&app["env"]).iter().map(name);
    let rest: Vec<&str> = rest.filter(|one| !names.contains(one)).collect();
    assert_eq!(rest, ["AWS_WEB_IDENTITY_TOKEN_FILE"]);
    assert!(last_mutation().contains("eks.amazonaws.com/skip-containers"));
    assert_eq!(names[0], "POD_UID", "before the line that uses it");
}

#[test]
fn the_image_is_of_this_version_there_too() {
    let image = &of_kind("ConfigMap")["data"]["image"];
    assert_eq!(*image, format!("{SIDECAR}:{}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn only_labelled_pods_are_looked_at_and_those_not_without_it() {
    let policy = policy();
    let labels = &policy["matchConstraints"]["objectSelector"]["matchLabels"];
    assert_eq!(*labels, json!({"irsa-sidecar/inject": "true"}));
    let rules = &policy["matchConstraints"]["resourceRules"];
    let pods = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]);
    assert_eq!(*rules, pods);
    assert_eq!(policy["failurePolicy"], "Fail");
    let binding = &of_kind("MutatingAdmissionPolicyBinding")["spec"];
    assert_eq!(binding["paramRef"]["parameterNotFoundAction"], "Deny");
}

/// Whatever the one looks at and the other does not would start without the sidecar.
#[test]
fn what_cannot_have_the_sidecar_is_refused_by_a_policy_for_the_same_pods() {
    let (policy, refusal) = (policy(), &of_kind("ValidatingAdmissionPolicy")["spec"]);
    for same in ["paramKind", "matchConstraints", "failurePolicy"] {
        assert_eq!(refusal[same], policy[same]);
    }
    assert_eq!(refusal["matchConditions"], Value::Null);
    let binding = &of_kind("ValidatingAdmissionPolicyBinding")["spec"];
    let of_policy = &of_kind("MutatingAdmissionPolicyBinding")["spec"];
    assert_eq!(binding["paramRef"], of_policy["paramRef"]);
    assert_eq!(binding["validationActions"], json!(["Deny"]));
}

#[test]
fn policies_bindings_and_parameters_find_each_other() {
    let parameters = of_kind("ConfigMap");
    for kind in ["MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"] {
        let (policy, binding) = (of_kind(kind), of_kind(&format!("{kind}Binding")));
        assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
        assert_eq!(
            policy["spec"]["paramKind"],
            json!({"apiVersion": "v1", "kind": "ConfigMap"})
        );
        for key in ["name", "namespace"] {
            let named = &binding["spec"]["paramRef"][key];
            assert_eq!(*named, parameters["metadata"][key], "{kind}");
        }
    }
    // By name in what a user is told.
    let place = ["namespace", "name"].map(|key| parameters["metadata"][key].as_str());
    let place = place.map(|part| part.expect("a name")).join("/");
    let refusal = of_kind("ValidatingAdmissionPolicy").to_string();
    assert!(refusal.contains(&format!("ConfigMap {place} has no `image`")));
}

#[test]
fn every_parameter_that_is_read_is_named_in_the_file_and_no_other() {
    let file = read(&manifests().join("injection/parameters.yaml"));
    for key in ["image", "region", "role-arn"] {
        assert!(file.contains(&format!("  {key}: ")), "{key}");
        let reads = format!("params.?data[?\"{key}\"]");
        let text = policy().to_string().replace('\\', "");
        assert!(text.contains(&reads), "{key} in {text}");
    }
    let text = [policy(), &of_kind("ValidatingAdmissionPolicy")["spec"]].map(Value::to_string);
    let text = text.concat().replace('\\', "");
    for read in text.split("params.").skip(1) {
        let key = read
            .strip_prefix("?data[?\"")
            .or(read.strip_prefix("data."));
        let key = key.unwrap_or_else(|| panic!("what is read here? {read}"));
        let end = key.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        let key = &key[..end.expect("an end")];
        assert!(["image", "region", "role-arn"].contains(&key), "{key}");
    }
    let data = of_kind("ConfigMap")["data"].as_object().expect("data");
    assert!(
        data.keys()
            .all(|key| ["image", "region"].contains(&key.as_str()))
    );
}
