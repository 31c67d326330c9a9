//! Answers of the API server: objects, and `Status` where something went wrong.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::cluster::ApiFault;
use crate::cluster::rbac::{Attempt, ResourceAttempt};
use crate::{clock, random};

/// Status, media type and body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    content_type: &'static str,
    location: Option<String>,
    body: String,
}

impl Reply {
    /// An object, as it is.
    pub(super) fn object(status: u16, object: &Value) -> Self {
        Self::json(status, &object.to_string())
    }

    pub(super) fn text(text: &str) -> Self {
        Self {
            status: 200,
            content_type: "text/plain; charset=utf-8",
            location: None,
            body: text.to_owned(),
        }
    }

    /// A stream of events that has ended before the first.
    pub(super) fn ended_watch() -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            location: None,
            body: String::new(),
        }
    }

    /// What a fault puts in the place of an answer.
    pub(super) fn faulty(fault: Option<&ApiFault>) -> Self {
        match fault {
            Some(ApiFault::Redirect(location)) => Self {
                location: Some(location.clone()),
                ..Self::failure(307, "", "", None)
            },
            Some(ApiFault::Answer(status, body)) => Self {
                status: *status,
                ..Self::text(body)
            },
            Some(ApiFault::Hang) | None => Self::failure(500, "InternalError", "", None),
        }
    }

    /// No user: all that a client ever learns.
    pub(super) fn unauthorized() -> Self {
        Self::failure(401, "Unauthorized", "Unauthorized", None)
    }

    /// A user who may not.
    pub(super) fn forbidden(username: &str, attempt: &Attempt) -> Self {
        let (message, details) = match attempt {
            Attempt::Path { verb, path } => (
                format!("forbidden: User \"{username}\" cannot {verb} path \"{path}\""),
                json!({}),
            ),
            Attempt::Resource(attempt) => {
                let message = forbidden_resource(username, attempt);
                (message, details(attempt))
            }
        };
        Self::failure(403, "Forbidden", &message, Some(details))
    }

    pub(super) fn not_found(attempt: &ResourceAttempt) -> Self {
        let ResourceAttempt { resource, name, .. } = attempt;
        let message = format!("{resource} \"{name}\" not found");
        Self::failure(404, "NotFound", &message, Some(details(attempt)))
    }

    pub(super) fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::failure(404, "NotFound", message, Some(json!({})))
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::failure(405, "MethodNotAllowed", message, Some(json!({})))
    }

    pub(super) fn unsupported_media_type() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types \
                       include: application/json, application/vnd.kubernetes.protobuf";
        Self::failure(415, "UnsupportedMediaType", message, None)
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::failure(400, "BadRequest", message, None)
    }

    /// A `Status`, its keys in the API server's order.
    fn failure(status: u16, reason: &str, message: &str, details: Option<Value>) -> Self {
        let message = Value::from(message);
        let details = details.map_or(String::new(), |details| format!(r#""details":{details},"#));
        let body = format!(
            r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":{message},"reason":"{reason}",{details}"code":{status}}}"#
        );
        Self::json(status, &body)
    }

    fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            content_type: "application/json",
            location: None,
            body: format!("{body}\n"),
        }
    }

    /// `skew`: how far the server's clock is ahead.
    pub(super) fn into_response(self, skew: i64) -> Response<Full<Bytes>> {
        let status = StatusCode::from_u16(self.status).expect("a status of our own");
        let mut builder = Response::builder().status(status);
        if let Some(location) = &self.location {
            builder = builder.header("location", location);
        }
        builder
            .header("audit-id", random::uuid())
            .header("cache-control", "no-cache, private")
            .header("content-type", self.content_type)
            .header("date", clock::http_date(clock::unix_now() + skew))
            .body(Full::new(self.body.into()))
            .expect("names and values of the headers are ours")
    }
}

fn forbidden_resource(username: &str, attempt: &ResourceAttempt) -> String {
    let ResourceAttempt {
        verb,
        group,
        resource,
        namespace,
        name,
    } = attempt;
    let plain = resource.split('/').next().unwrap_or_default();
    let dotted = match group.as_str() {
        "" => plain.to_owned(),
        group => format!("{plain}.{group}"),
    };
    let what = match name.as_str() {
        "" => dotted,
        name => format!("{dotted} \"{name}\""),
    };
    let place = match namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    format!(
        "{what} is forbidden: User \"{username}\" cannot {verb} resource \"{resource}\" in API \
         group \"{group}\" {place}"
    )
}

/// Without what is empty.
fn details(attempt: &ResourceAttempt) -> Value {
    let kind = attempt.resource.split('/').next().unwrap_or_default();
    let mut details = json!({ "kind": kind });
    for (key, value) in [("name", &attempt.name), ("group", &attempt.group)] {
        if !value.is_empty() {
            details[key] = json!(value);
        }
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(resource: &str, namespace: &str, name: &str) -> ResourceAttempt {
        ResourceAttempt {
            verb: "list".to_owned(),
            group: String::new(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_bad_credential_gets_one_word() {
        assert_eq!(
            Reply::unauthorized().body,
            "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\
             \"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}\n",
        );
    }

    #[test]
    fn who_may_not_is_told_what_he_may_not() {
        let message = |attempt: &ResourceAttempt| forbidden_resource("job:x", attempt);
        assert_eq!(
            message(&attempt("pods", "default", "")),
            "pods is forbidden: User \"job:x\" cannot list resource \"pods\" in API group \"\" in \
             the namespace \"default\"",
        );
        assert_eq!(
            message(&attempt("pods/log", "default", "a")),
            "pods \"a\" is forbidden: User \"job:x\" cannot list resource \"pods/log\" in API \
             group \"\" in the namespace \"default\"",
        );
        let deployments = ResourceAttempt {
            group: "apps".to_owned(),
            ..attempt("deployments", "", "")
        };
        assert_eq!(
            message(&deployments),
            "deployments.apps is forbidden: User \"job:x\" cannot list resource \"deployments\" in \
             API group \"apps\" at the cluster scope",
        );
    }
}
