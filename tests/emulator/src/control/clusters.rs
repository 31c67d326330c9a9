//! Clusters on the control door: `/clusters`, and what lies below each name.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::{Control, Refusal, Reply, bad_request, object};
use crate::cluster::{ApiRequest, Cluster};

pub(super) const ROUTES: &str = "POST /clusters, POST /clusters/NAME/aws-auth, \
                                 POST /clusters/NAME/access-entries, POST /clusters/NAME/rbac, \
                                 POST /clusters/NAME/service-accounts, \
                                 GET /clusters/NAME/requests, POST /clusters/NAME/review";

impl Control {
    /// The answer of a route of clusters; None when it is none of them.
    pub(super) fn clusters(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Option<Result<Reply, Refusal>> {
        let rest = path.strip_prefix("/clusters")?;
        if (method, rest) == ("POST", "") {
            return Some(self.add_cluster(body));
        }
        let (name, what) = rest.strip_prefix('/')?.split_once('/')?;
        type Route = fn(&Cluster, &[u8]) -> Result<Value, Refusal>;
        let route: Route = match (method, what) {
            ("POST", "aws-auth") => aws_auth,
            ("POST", "access-entries") => access_entry,
            ("POST", "rbac") => rule,
            ("POST", "service-accounts") => service_account,
            ("GET", "requests") => |cluster, _| Ok(requests(cluster)),
            ("POST", "review") => review,
            _ => return None,
        };
        let answer = self.cluster(name).and_then(|cluster| route(&cluster, body));
        Some(answer.map(Reply::Json))
    }

    pub(super) fn cluster(&self, name: &str) -> Result<Cluster, Refusal> {
        let found = self.clusters.named(name);
        found.ok_or_else(|| (404, format!("no cluster is named `{name}`")))
    }

    fn add_cluster(&self, body: &[u8]) -> Result<Reply, Refusal> {
        let body = object(body)?;
        let added = self
            .clusters
            .add(text(&body, "name")?, text(&body, "region")?);
        let cluster = added.map_err(|error| bad_request(error.to_string()))?;
        Ok(Reply::Json(json!({
            "name": cluster.name(),
            "region": cluster.region(),
            "arn": cluster.arn(),
            "url": cluster.url(),
        })))
    }
}

/// `mapRoles` and `mapUsers`, or the whole ConfigMap as `yaml`.
fn aws_auth(cluster: &Cluster, body: &[u8]) -> Result<Value, Refusal> {
    let body = object(body)?;
    match optional(&body, "yaml")? {
        Some(yaml) => cluster.apply_aws_auth(yaml).map_err(bad_request)?,
        None => {
            let key = |name| Ok(optional(&body, name)?.unwrap_or_default());
            cluster.set_aws_auth(key("mapRoles")?, key("mapUsers")?);
        }
    }
    Ok(json!({}))
}

fn access_entry(cluster: &Cluster, body: &[u8]) -> Result<Value, Refusal> {
    let body = object(body)?;
    let groups = list(&body, "groups")?;
    cluster
        .create_access_entry(
            text(&body, "principal_arn")?,
            optional(&body, "username")?,
            &groups,
        )
        .map_err(bad_request)?;
    Ok(json!({}))
}

fn rule(cluster: &Cluster, body: &[u8]) -> Result<Value, Refusal> {
    let body = object(body)?;
    cluster.allow(
        text(&body, "subject")?,
        &list(&body, "verbs")?,
        text(&body, "resource")?,
        optional(&body, "namespace")?,
    );
    Ok(json!({}))
}

/// `namespace`, `name`, and the `annotations` that it has from now on.
fn service_account(cluster: &Cluster, body: &[u8]) -> Result<Value, Refusal> {
    let body = object(body)?;
    let wrong = || bad_request("`annotations` is an object of strings".to_owned());
    let annotations = match &body["annotations"] {
        Value::Null => Some(Vec::new()),
        Value::Object(pairs) => pairs
            .iter()
            .map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect(),
        _ => None,
    };
    cluster.set_service_account(
        text(&body, "namespace")?,
        text(&body, "name")?,
        &annotations.ok_or_else(wrong)?,
    );
    Ok(json!({}))
}

/// Without the tokens.
fn requests(cluster: &Cluster) -> Value {
    let request = |request: &ApiRequest| {
        let at = request.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "at": at.as_secs_f64(),
            "method": request.method,
            "path": request.path,
            "status": request.status,
            "username": request.username,
        })
    };
    cluster.requests().iter().map(request).collect()
}

fn review(cluster: &Cluster, body: &[u8]) -> Result<Value, Refusal> {
    let body = object(body)?;
    Ok(match cluster.review(text(&body, "token")?) {
        Ok(reviewed) => json!({
            "ok": true,
            "username": reviewed.username,
            "groups": reviewed.groups,
            "arn": reviewed.arn,
            "canonical_arn": reviewed.canonical_arn,
            "access_key_id": reviewed.access_key_id,
        }),
        Err(message) => json!({ "ok": false, "message": message }),
    })
}

pub(super) fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    let wanted = || bad_request(format!("`{name}` is missing"));
    optional(body, name)?.ok_or_else(wanted)
}

fn optional<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Refusal> {
    match &body[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(bad_request(format!("`{name}` is a string"))),
    }
}

pub(super) fn list<'a>(body: &'a Value, name: &str) -> Result<Vec<&'a str>, Refusal> {
    let wrong = || bad_request(format!("`{name}` is a list of strings"));
    let all = match &body[name] {
        Value::Null => Some(Vec::new()),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    };
    all.ok_or_else(wrong)
}
