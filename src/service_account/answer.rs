//! What the API server answers: a ServiceAccount, or a `Status` that says why not.

use serde_json::Value;

use super::{Annotations, ServiceAccountErrorKind, ServiceAccountName};
use crate::secret::scrub;
use crate::transport::Reply;

/// `token` is what the request carried, in case it comes back.
pub(super) fn read(
    reply: &Reply,
    account: &ServiceAccountName,
    server: &str,
    token: &str,
) -> Result<Annotations, ServiceAccountErrorKind> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    let is_status = body["kind"] == "Status";
    let message = scrub(body["message"].as_str().unwrap_or_default(), token);
    let unusable = |what: String| ServiceAccountErrorKind::Unreachable {
        server: server.to_owned(),
        cause: what,
    };
    match reply.status {
        200 => annotations(&body, account).ok_or_else(|| {
            unusable("it answered 200 with what is not this service account".into())
        }),
        401 => Err(ServiceAccountErrorKind::Unauthorized { message }),
        403 => Err(ServiceAccountErrorKind::Forbidden { message }),
        404 if is_status => Err(ServiceAccountErrorKind::NotFound),
        status => Err(unusable(match message.as_str() {
            "" => format!("it answered {status}"),
            message => format!("it answered {status} {}", crate::diagnosis::quote(message)),
        })),
    }
}

/// Of this very account: a gateway that answers everything alike is no API server.
fn annotations(body: &Value, account: &ServiceAccountName) -> Option<Annotations> {
    let metadata = &body["metadata"];
    let is_it = body["kind"] == "ServiceAccount"
        && metadata["name"] == *account.name
        && metadata["namespace"] == *account.namespace;
    let annotations = match &metadata["annotations"] {
        Value::Null => Annotations::new(),
        annotations => serde_json::from_value(annotations.clone()).ok()?,
    };
    is_it.then_some(annotations)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        assert!(matches!(
            read_body(404, "<html>no such page</html>"),
            Err(ServiceAccountErrorKind::Unreachable { .. })
        ));
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
