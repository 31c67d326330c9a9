//! What the API has: groups, versions, resources, and its own version.

use serde_json::{Value, json};

use super::response::Reply;

/// Those about oneself, which nobody can list.
const REVIEWS: [(&str, &[&str], &[(&str, &str)]); 2] = [
    (
        "authentication.k8s.io",
        // The second for kubectl 1.27.
        &["v1", "v1beta1"],
        &[("selfsubjectreviews", "SelfSubjectReview")],
    ),
    (
        "authorization.k8s.io",
        &["v1"],
        &[
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ],
    ),
];

/// Name, kind, short name, and whether it lies in a namespace.
pub(super) const CORE: [(&str, &str, &str, bool); 8] = [
    ("configmaps", "ConfigMap", "cm", true),
    ("events", "Event", "ev", true),
    ("namespaces", "Namespace", "ns", false),
    ("nodes", "Node", "no", false),
    ("pods", "Pod", "po", true),
    ("secrets", "Secret", "", true),
    ("serviceaccounts", "ServiceAccount", "sa", true),
    ("services", "Service", "svc", true),
];

/// Answers for a path that is no resource.
pub(super) fn reply(path: &str) -> Reply {
    let document = match path.trim_end_matches('/') {
        "/version" => version(),
        "/healthz" | "/livez" | "/readyz" => return Reply::text("ok"),
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => groups(),
        "/api/v1" => resources("v1", CORE.iter().map(core).collect()),
        path => match group_version(path) {
            Some(document) => document,
            None => return Reply::no_such_resource(),
        },
    };
    Reply::object(200, &document)
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "32",
        "gitVersion": "v1.32.5-eks-5d4a308",
        "gitCommit": "0123456789abcdef0123456789abcdef01234567",
        "gitTreeState": "clean",
        "buildDate": "2025-05-20T01:41:11Z",
        "goVersion": "go1.23.8",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn groups() -> Value {
    let groups: Vec<Value> = REVIEWS
        .iter()
        .map(|(name, versions, _)| group(name, versions))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

fn group(name: &str, versions: &[&str]) -> Value {
    let version =
        |version: &&str| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({ "name": name, "preferredVersion": versions[0], "versions": versions })
}

/// `/apis/GROUP` or `/apis/GROUP/VERSION`.
fn group_version(path: &str) -> Option<Value> {
    let path = path.strip_prefix("/apis/")?;
    let (name, version) = path.split_once('/').unwrap_or((path, ""));
    let (name, versions, reviews) = REVIEWS.iter().find(|(found, ..)| *found == name)?;
    if version.is_empty() {
        return Some(group(name, versions));
    }
    if !versions.contains(&version) {
        return None;
    }
    let review = |(name, kind): &(&str, &str)| {
        json!({
            "name": name,
            "singularName": kind.to_lowercase(),
            "namespaced": false,
            "kind": kind,
            "verbs": ["create"],
        })
    };
    let reviews = reviews.iter().map(review).collect();
    Some(resources(&format!("{name}/{version}"), reviews))
}

fn resources(group_version: &str, resources: Vec<Value>) -> Value {
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    })
}

fn core((name, kind, short_name, namespaced): &(&str, &str, &str, bool)) -> Value {
    let mut resource = json!({
        "name": name,
        "singularName": kind.to_lowercase(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
    });
    if !short_name.is_empty() {
        resource["shortNames"] = json!([short_name]);
    }
    resource
}
