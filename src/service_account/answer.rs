//! What the API server answers: a ServiceAccount, or a `Status` that says why not.

use serde::Deserialize;

use super::{Annotations, ServiceAccountErrorKind, ServiceAccountName};
use crate::secret::scrub;
use crate::transport::Reply;

/// What is wanted of either; the rest is skipped as it is read, and takes no memory.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    kind: String,
    reason: String,
    message: String,
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    namespace: String,
    name: String,
    annotations: Option<Annotations>,
}

/// `token` is what the request carried, in case it comes back.
pub(super) fn read(
    reply: &Reply,
    account: &ServiceAccountName,
    server: &str,
    token: &str,
) -> Result<Annotations, ServiceAccountErrorKind> {
    let body: Body = serde_json::from_slice(&reply.body).unwrap_or_default();
    let message = scrub(&body.message, token);
    let is_not_found = body.kind == "Status" && body.reason == "NotFound";
    let unusable = |what: String| ServiceAccountErrorKind::Unreachable {
        server: server.to_owned(),
        cause: what,
    };
    match reply.status {
        200 => annotations(body, account).ok_or_else(|| {
            unusable("it answered 200 with what is not this service account".into())
        }),
        401 => Err(ServiceAccountErrorKind::Unauthorized { message }),
        403 => Err(ServiceAccountErrorKind::Forbidden { message }),
        404 if is_not_found => Err(ServiceAccountErrorKind::NotFound),
        status => Err(unusable(match message.as_str() {
            "" => format!("it answered {status}"),
            message => format!("it answered {status} {}", crate::diagnosis::quote(message)),
        })),
    }
}

/// Of this very account: a gateway that answers everything alike is no API server.
fn annotations(body: Body, account: &ServiceAccountName) -> Option<Annotations> {
    let found = body.metadata;
    let is_it = body.kind == "ServiceAccount"
        && found.name == account.name
        && found.namespace == account.namespace;
    is_it.then(|| found.annotations.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_body(status: u16, body: &str) -> Result<Annotations, ServiceAccountErrorKind> {
        let reply = Reply {
            status,
            error_type: None,
            body: body.to_owned().into(),
        };
        let account = ServiceAccountName {
            namespace: "team".into(),
            name: "app".into(),
        };
        read(
            &reply,
            &account,
            "https://10.0.0.1:443",
            "the-token-of-the-pod",
        )
    }

    fn object(kind: &str, namespace: &str, name: &str, annotations: Value) -> String {
        json!({ "kind": kind, "apiVersion": "v1", "metadata": {
            "namespace": namespace, "name": name, "annotations": annotations,
        }})
        .to_string()
    }

    #[test]
    fn annotations_are_taken_from_this_service_account_and_from_nothing_else() {
        let good = object("ServiceAccount", "team", "app", json!({ "a": "b" }));
        assert_eq!(read_body(200, &good).unwrap()["a"], "b");
        let none = object("ServiceAccount", "team", "app", Value::Null);
        assert!(read_body(200, &none).unwrap().is_empty());
        for bad in [
            object("Pod", "team", "app", json!({})),
            object("ServiceAccount", "other", "app", json!({})),
            object("ServiceAccount", "team", "other", json!({})),
            object("ServiceAccount", "team", "app", json!({ "a": 1 })),
            object("ServiceAccount", "team", "app", json!(["a"])),
            "<html>".to_owned(),
            String::new(),
            "null".to_owned(),
            "[]".to_owned(),
        ] {
            let kind = read_body(200, &bad).unwrap_err();
            assert!(
                matches!(kind, ServiceAccountErrorKind::Unreachable { .. }),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_404_of_something_else_is_no_missing_service_account() {
        let status = r#"{"kind":"Status","reason":"NotFound","code":404}"#;
        assert_eq!(
            read_body(404, status),
            Err(ServiceAccountErrorKind::NotFound)
        );
        for other in [
            "<html>no such page</html>",
            r#"{"kind":"Status","reason":"","code":404}"#,
            r#"{"reason":"NotFound"}"#,
        ] {
            assert!(matches!(
                read_body(404, other),
                Err(ServiceAccountErrorKind::Unreachable { .. })
            ));
        }
    }

    #[test]
    fn a_token_that_comes_back_is_not_repeated() {
        let status = r#"{"kind":"Status","message":"bad the-token-of-the-pod"}"#;
        for code in [401, 403, 500] {
            let kind = read_body(code, status).unwrap_err();
            assert!(!format!("{kind:?}").contains("the-token"), "{kind:?}");
        }
    }
}
