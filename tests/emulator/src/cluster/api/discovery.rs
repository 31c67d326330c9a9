//! What the API has: groups, versions, resources, and its own version.

use serde_json::{Value, json};

use super::response::Reply;

/// A group of reviews of oneself, which nobody can list.
struct Group {
    name: &'static str,
    versions: &'static [&'static str],
    /// Name and kind.
    reviews: &'static [(&'static str, &'static str)],
}

const GROUPS: [Group; 2] = [
    Group {
        name: "authentication.k8s.io",
        // The second for kubectl 1.27.
        versions: &["v1", "v1beta1"],
        reviews: &[("selfsubjectreviews", "SelfSubjectReview")],
    },
    Group {
        name: "authorization.k8s.io",
        versions: &["v1"],
        reviews: &[
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ],
    },
];

/// A resource of the core group.
pub(super) struct Resource {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    short_name: Option<&'static str>,
    namespaced: bool,
}

pub(super) const CORE: [Resource; 8] = [
    namespaced("configmaps", "ConfigMap", Some("cm")),
    namespaced("events", "Event", Some("ev")),
    namespaced("pods", "Pod", Some("po")),
    namespaced("secrets", "Secret", None),
    namespaced("serviceaccounts", "ServiceAccount", Some("sa")),
    namespaced("services", "Service", Some("svc")),
    Resource {
        namespaced: false,
        ..namespaced("namespaces", "Namespace", Some("ns"))
    },
    Resource {
        namespaced: false,
        ..namespaced("nodes", "Node", Some("no"))
    },
];

const fn namespaced(
    name: &'static str,
    kind: &'static str,
    short_name: Option<&'static str>,
) -> Resource {
    Resource {
        name,
        kind,
        short_name,
        namespaced: true,
    }
}

/// Answers for a path that is no resource.
pub(super) fn reply(path: &str) -> Reply {
    let document = match path.trim_end_matches('/') {
        "/version" => version(),
        "/healthz" | "/livez" | "/readyz" => return Reply::text("ok"),
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => groups(),
        "/api/v1" => resources("v1", CORE.iter().map(Resource::document).collect()),
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
    let groups: Vec<Value> = GROUPS.iter().map(Group::document).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP` or `/apis/GROUP/VERSION`.
fn group_version(path: &str) -> Option<Value> {
    let path = path.strip_prefix("/apis/")?;
    let (name, version) = path.split_once('/').unwrap_or((path, ""));
    let group = GROUPS.iter().find(|group| group.name == name)?;
    if version.is_empty() {
        return Some(group.document());
    }
    let known = group.versions.contains(&version);
    known.then(|| resources(path, group.reviews.iter().map(review).collect()))
}

impl Group {
    fn document(&self) -> Value {
        let name = self.name;
        let version = |version: &&str| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
        let versions: Vec<Value> = self.versions.iter().map(version).collect();
        json!({ "name": name, "preferredVersion": versions[0], "versions": versions })
    }
}

fn resources(group_version: &str, resources: Vec<Value>) -> Value {
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    })
}

fn review((name, kind): &(&str, &str)) -> Value {
    json!({
        "name": name,
        "singularName": kind.to_lowercase(),
        "namespaced": false,
        "kind": kind,
        "verbs": ["create"],
    })
}

impl Resource {
    fn document(&self) -> Value {
        let mut document = json!({
            "name": self.name,
            "singularName": self.kind.to_lowercase(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        });
        if let Some(short_name) = self.short_name {
            document["shortNames"] = json!([short_name]);
        }
        document
    }
}
