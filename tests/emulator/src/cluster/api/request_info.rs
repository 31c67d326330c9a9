//! What a request is about to do, read off its method and path.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb>

use hyper::{Method, Uri};

use crate::cluster::rbac::{Attempt, ResourceAttempt};
use crate::form::{Form, decode_segment};

/// A request before it is allowed.
#[derive(Debug)]
pub(super) struct RequestInfo {
    pub(super) attempt: Attempt,
    /// Of the group: `v1`.
    pub(super) version: String,
}

impl RequestInfo {
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let segments: Vec<String> = uri.path().split('/').skip(1).map(decode_segment).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments[..] {
            ["api", version, ref rest @ ..] => ("", version, rest),
            ["apis", group, version, ref rest @ ..] => (group, version, rest),
            _ => ("", "", &[][..]),
        };
        let attempt = match resource(rest) {
            Some(resource) => {
                let query = Form::parse(uri.query().unwrap_or_default());
                let watching = matches!(query.get("watch"), Some("true" | "1"));
                Attempt::Resource(ResourceAttempt {
                    verb: verb(method, resource.name.is_empty(), watching).to_owned(),
                    group: group.to_owned(),
                    ..resource
                })
            }
            None => Attempt::Path {
                verb: method.as_str().to_lowercase(),
                path: uri.path().to_owned(),
            },
        };
        Self {
            attempt,
            version: version.to_owned(),
        }
    }
}

/// What stands behind group and version; None for those themselves.
fn resource(segments: &[&str]) -> Option<ResourceAttempt> {
    let (namespace, segments) = match segments {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        // A namespace lies in itself.
        ["namespaces", namespace] => (*namespace, segments),
        segments => ("", segments),
    };
    let (resource, name, subresource) = match segments {
        [] | [""] => return None,
        [resource] => (*resource, "", ""),
        [resource, name] => (*resource, *name, ""),
        [resource, name, subresource, ..] => (*resource, *name, *subresource),
    };
    let resource = match subresource {
        "" => resource.to_owned(),
        subresource => format!("{resource}/{subresource}"),
    };
    Some(ResourceAttempt {
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..ResourceAttempt::default()
    })
}

fn verb(method: &Method, all: bool, watching: bool) -> &'static str {
    match (method.as_str(), all) {
        ("GET" | "HEAD", _) if watching => "watch",
        ("GET" | "HEAD", true) => "list",
        ("GET" | "HEAD", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(method: &str, uri: &str) -> String {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        match RequestInfo::of(&method, &uri.parse().unwrap()).attempt {
            Attempt::Path { verb, path } => format!("{verb} {path}"),
            Attempt::Resource(ResourceAttempt {
                verb,
                group,
                resource,
                namespace,
                name,
            }) => format!("{verb} [{group}] {resource} [{name}] in [{namespace}]"),
        }
    }

    #[test]
    fn a_path_names_a_resource_and_a_method_what_happens_to_it() {
        for (method, uri, expected) in [
            (
                "GET",
                "/api/v1/namespaces/default/pods?limit=500",
                "list [] pods [] in [default]",
            ),
            (
                "GET",
                "/api/v1/namespaces/default/pods/a",
                "get [] pods [a] in [default]",
            ),
            (
                "GET",
                "/api/v1/namespaces/default/pods/a/log",
                "get [] pods/log [a] in [default]",
            ),
            ("GET", "/api/v1/pods?watch=true", "watch [] pods [] in []"),
            ("GET", "/api/v1/namespaces", "list [] namespaces [] in []"),
            (
                "GET",
                "/api/v1/namespaces/team",
                "get [] namespaces [team] in [team]",
            ),
            ("DELETE", "/api/v1/nodes/n", "delete [] nodes [n] in []"),
            (
                "GET",
                "/apis/apps/v1/deployments",
                "list [apps] deployments [] in []",
            ),
            (
                "POST",
                "/api/v1/namespaces/a/pods",
                "create [] pods [] in [a]",
            ),
        ] {
            assert_eq!(attempt(method, uri), expected);
        }
    }

    #[test]
    fn what_is_no_resource_is_a_path() {
        for uri in [
            "/version",
            "/api",
            "/api/v1",
            "/apis/apps/v1",
            "/apis/apps",
            "/",
        ] {
            assert_eq!(attempt("GET", uri), format!("get {uri}"));
        }
    }
}
