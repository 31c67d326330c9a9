//! What one may ask about oneself: who am I, may I, what may I.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::authentication::User;
use super::protobuf;
use super::request_info::RequestInfo;
use super::response::Reply;
use crate::cluster::rbac::{Attempt, Rbac, ResourceAttempt, Rule};

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// Whether a resource is one of these.
pub(super) fn is_about(attempt: &ResourceAttempt) -> bool {
    [AUTHENTICATION, AUTHORIZATION].contains(&attempt.group.as_str())
}

/// Answers a review of oneself; who may ask has been decided.
pub(super) fn reply(
    user: &User,
    rbac: &Rbac,
    info: &RequestInfo,
    headers: &HeaderMap,
    body: &[u8],
) -> Reply {
    let Attempt::Resource(attempt) = &info.attempt else {
        return Reply::no_such_resource();
    };
    if attempt.verb != "create" {
        return Reply::method_not_allowed();
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let review = if content_type.starts_with(b"application/json") {
        serde_json::from_slice::<Value>(body).ok()
    } else if content_type == b"application/vnd.kubernetes.protobuf" {
        protobuf::review(body, &attempt.resource)
    } else {
        return Reply::unsupported_media_type();
    };
    let Some(review) = review else {
        return Reply::bad_request("the object provided is unrecognized");
    };
    let spec = &review["spec"];
    let (group, version) = (attempt.group.as_str(), info.version.as_str());
    let (kind, status) = match (group, version, attempt.resource.as_str()) {
        (AUTHENTICATION, "v1" | "v1beta1", "selfsubjectreviews") => {
            ("SelfSubjectReview", json!({ "userInfo": user.info }))
        }
        (AUTHORIZATION, "v1", "selfsubjectaccessreviews") => {
            let allowed = rbac.allows(&user.username, &user.groups, &asked(spec));
            ("SelfSubjectAccessReview", json!({ "allowed": allowed }))
        }
        (AUTHORIZATION, "v1", "selfsubjectrulesreviews") => {
            let namespace = spec["namespace"].as_str().unwrap_or_default();
            ("SelfSubjectRulesReview", rules(user, rbac, namespace))
        }
        _ => return Reply::no_such_resource(),
    };
    let object = json!({
        "kind": kind,
        "apiVersion": format!("{group}/{version}"),
        "metadata": { "creationTimestamp": null },
        "spec": spec,
        "status": status,
    });
    Reply::object(201, &object)
}

/// The attempt of a `SelfSubjectAccessReview`.
fn asked(spec: &Value) -> Attempt {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let path @ Value::Object(_) = &spec["nonResourceAttributes"] {
        return Attempt::Path {
            verb: text(&path["verb"]),
            path: text(&path["path"]),
        };
    }
    let asked = &spec["resourceAttributes"];
    let resource = match text(&asked["subresource"]).as_str() {
        "" => text(&asked["resource"]),
        subresource => format!("{}/{subresource}", text(&asked["resource"])),
    };
    Attempt::Resource(ResourceAttempt {
        verb: text(&asked["verb"]),
        group: text(&asked["group"]),
        resource,
        namespace: text(&asked["namespace"]),
        name: text(&asked["name"]),
    })
}

fn rules(user: &User, rbac: &Rbac, namespace: &str) -> Value {
    let here = |rule: &&Rule| rule.is_in(namespace);
    let found = rbac.of(&user.username, &user.groups).filter(here);
    let resource_rules: Vec<Value> = found
        .map(
            |rule| json!({ "verbs": rule.verbs, "apiGroups": ["*"], "resources": [rule.resource] }),
        )
        .collect();
    json!({
        "resourceRules": resource_rules,
        "nonResourceRules": [{ "verbs": ["get"], "nonResourceURLs": ["/api", "/apis", "/version"] }],
        "incomplete": false,
    })
}
