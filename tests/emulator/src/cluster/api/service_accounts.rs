//! Service accounts, one by one.

use serde_json::json;

use super::response::Reply;
use crate::cluster::rbac::ResourceAttempt;
use crate::cluster::service_accounts::ServiceAccounts;

/// Whether it is for here: to list them nobody needs.
pub(super) fn is_about(attempt: &ResourceAttempt) -> bool {
    attempt.group.is_empty() && attempt.resource == "serviceaccounts" && attempt.verb == "get"
}

/// Answers a get; who may has been decided.
pub(super) fn reply(attempt: &ResourceAttempt, accounts: &ServiceAccounts) -> Reply {
    let ResourceAttempt {
        namespace, name, ..
    } = attempt;
    let Some(annotations) = accounts.annotations(namespace, name) else {
        return Reply::not_found(attempt);
    };
    let mut metadata = json!({
        "name": name,
        "namespace": namespace,
        "uid": "a3d7c1f0-92b4-4e6d-b7a8-5e0c9f2d1b36",
        "resourceVersion": "1",
        "creationTimestamp": "2025-01-02T03:04:05Z",
    });
    // The API server leaves an empty map out.
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    let object = json!({ "kind": "ServiceAccount", "apiVersion": "v1", "metadata": metadata });
    Reply::object(200, &object)
}
