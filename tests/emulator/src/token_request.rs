//! What one asks the issuer for: the claims of a projected service account token.

use std::time::Duration;

use serde_json::{Value, json};

use crate::random;

/// A request for a service account token, by default the one that a healthy pod gets.
///
/// `TokenRequest { lifetime: Duration::from_secs(60), ..TokenRequest::default() }`
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Namespace of the pod and its service account.
    pub namespace: String,
    /// Name of the service account.
    pub service_account: String,
    /// Name and UID of the pod that the token is bound to.
    pub pod: Option<(String, String)>,
    /// `aud`: always a list, as in Kubernetes.
    pub audiences: Vec<String>,
    /// From `iat` to `exp`. Not held to Kubernetes' minimum of ten minutes.
    pub lifetime: Duration,
    /// How long ago the token was issued.
    pub issued_ago: Duration,
    /// A JSON merge patch (RFC 7386) over the finished claims: null removes a claim.
    pub claims_patch: Value,
}

impl Default for TokenRequest {
    fn default() -> Self {
        let pod = (
            "app-7d9f8b6c5-x2x4q".to_owned(),
            "6f1e9a52-3c0b-4f6e-9d58-2b7c1a4e8d03".to_owned(),
        );
        Self {
            namespace: "team".to_owned(),
            service_account: "app".to_owned(),
            pod: Some(pod),
            audiences: vec!["sts.amazonaws.com".to_owned()],
            lifetime: Duration::from_secs(3600),
            issued_ago: Duration::ZERO,
            claims_patch: json!({}),
        }
    }
}

impl TokenRequest {
    /// What the downward API would give the app as `POD_UID`.
    pub fn pod_uid(&self) -> &str {
        match &self.pod {
            Some((_, uid)) => uid,
            None => "",
        }
    }

    /// The claims as the API server writes them (Kubernetes 1.32 and later).
    pub(crate) fn claims(&self, iss: &str, now: i64) -> Value {
        let issued_at = now - self.issued_ago.as_secs() as i64;
        let mut kubernetes = json!({
            "namespace": self.namespace,
            "node": {
                "name": "ip-10-0-1-23.eu-west-1.compute.internal",
                "uid": "0c6a4a3e-5d1f-4c57-8f0e-7be2a1d9c644",
            },
            "serviceaccount": {
                "name": self.service_account,
                "uid": "a3d7c1f0-92b4-4e6d-b7a8-5e0c9f2d1b36",
            },
        });
        if let Some((name, uid)) = &self.pod {
            kubernetes["pod"] = json!({ "name": name, "uid": uid });
        }
        let mut claims = json!({
            "aud": self.audiences,
            "exp": issued_at + self.lifetime.as_secs() as i64,
            "iat": issued_at,
            "iss": iss,
            "jti": random::uuid(),
            "kubernetes.io": kubernetes,
            "nbf": issued_at,
            "sub": format!("system:serviceaccount:{}:{}", self.namespace, self.service_account),
        });
        merge(&mut claims, &self.claims_patch);
        claims
    }
}

/// RFC 7386, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().expect("just made an object");
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_adds_and_removes_claims_at_any_depth() {
        let request = TokenRequest {
            claims_patch: json!({ "aud": "one", "exp": null, "kubernetes.io": { "pod": null } }),
            ..TokenRequest::default()
        };
        let claims = request.claims("https://issuer", 1000);
        assert_eq!(claims["aud"], "one");
        assert_eq!(claims.get("exp"), None);
        assert_eq!(claims["kubernetes.io"].get("pod"), None);
        assert_eq!(claims["kubernetes.io"]["namespace"], "team");
    }

    #[test]
    fn a_token_issued_ten_minutes_ago_expires_ten_minutes_earlier() {
        let request = TokenRequest {
            issued_ago: Duration::from_secs(600),
            ..TokenRequest::default()
        };
        let claims = request.claims("https://issuer", 10_000);
        assert_eq!(
            (claims["iat"].as_i64(), claims["nbf"].as_i64()),
            (Some(9_400), Some(9_400))
        );
        assert_eq!(claims["exp"].as_i64(), Some(13_000));
    }
}
