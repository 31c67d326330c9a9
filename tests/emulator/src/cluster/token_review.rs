//! TokenReview: the webhook by which an API server asks the authenticator.

use std::time::Duration;

use serde_json::{Value, json};

use super::Cluster;
use super::verifier::{Identity, Refusal, TIMEOUT, Verifier};
use crate::sts::Replay;

/// Who a token is, in AWS and in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// The user in Kubernetes.
    pub username: String,
    /// Without `system:authenticated`, which the API server adds.
    pub groups: Vec<String>,
    /// `aws-iam-authenticator:ACCOUNT:AROA…`.
    pub uid: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    pub arn: String,
    /// `arn:aws:iam::ACCOUNT:role/NAME`, without the role's path.
    pub canonical_arn: String,
    /// `AROA…`.
    pub principal_id: String,
    /// `RoleSessionName`.
    pub session_name: String,
    /// Whose key signed.
    pub access_key_id: String,
}

/// An outcome, and how long STS took.
pub(super) struct Verdict {
    pub(super) outcome: Result<Reviewed, Refusal>,
    pub(super) took: Duration,
}

impl Cluster {
    /// Verifies a token and maps who signed it, by the clock of STS.
    pub(super) fn verdict(&self, token: &str) -> Verdict {
        let (cluster_id, authenticator, mapping) = {
            let state = self.state();
            let id = state.outpost_id.as_deref().unwrap_or(self.name());
            (id.to_owned(), state.authenticator, state.mapping.clone())
        };
        let verifier = Verifier {
            cluster_id: &cluster_id,
            region: self.region(),
            authenticator,
        };
        let sts = &self.shared.sts;
        let mut took = Duration::ZERO;
        let ask = |request: &_| {
            let replay = sts.replay(request);
            took = match replay {
                Replay::Answered(_, latency) => latency.min(TIMEOUT),
                Replay::Hung => TIMEOUT,
                Replay::Reset | Replay::Closed => Duration::ZERO,
            };
            replay
        };
        let outcome = verifier.verify(token, sts.now(), ask).and_then(|identity| {
            let mapped = mapping
                .map(&identity, self.region())
                .map_err(Refusal::Mapping)?;
            Ok(reviewed(identity, mapped.username, mapped.groups))
        });
        Verdict { outcome, took }
    }
}

fn reviewed(identity: Identity, username: String, groups: Vec<String>) -> Reviewed {
    let Identity {
        account, user_id, ..
    } = &identity;
    Reviewed {
        username,
        groups,
        uid: format!("aws-iam-authenticator:{account}:{user_id}"),
        arn: identity.arn,
        canonical_arn: identity.canonical_arn,
        principal_id: identity.user_id,
        session_name: identity.session_name,
        access_key_id: identity.access_key_id,
    }
}

impl Reviewed {
    /// `UserInfo` of Kubernetes.
    pub(super) fn user_info(&self) -> Value {
        json!({
            "username": self.username,
            "uid": self.uid,
            "groups": self.groups,
            "extra": {
                "accessKeyId": [self.access_key_id],
                "arn": [self.arn],
                "canonicalArn": [self.canonical_arn],
                "principalId": [self.principal_id],
                "sessionName": [self.session_name],
                "sigs.k8s.io/aws-iam-authenticator/principalId": [self.principal_id],
            },
        })
    }
}

/// Answers `POST /authenticate`: status and body. Bodies are JSON but for a 400's.
pub(crate) async fn authenticate(cluster: &Cluster, body: &[u8]) -> (u16, String) {
    let Some((api_version, token)) = read(body) else {
        return (
            400,
            "expected a request body to be a TokenReview".to_owned(),
        );
    };
    let Verdict { outcome, took } = cluster.verdict(&token);
    tokio::time::sleep(took).await;
    let (code, status) = match outcome {
        Ok(reviewed) => {
            let status = json!({ "authenticated": true, "user": reviewed.user_info() });
            (200, status)
        }
        Err(Refusal::Throttled(_)) => (429, json!({ "user": {} })),
        Err(_) => (403, json!({ "user": {} })),
    };
    let review = json!({
        "kind": "TokenReview",
        "apiVersion": api_version,
        "metadata": {},
        "spec": {},
        "status": status,
    });
    (code, review.to_string())
}

/// Version and token; None when it is no TokenReview.
fn read(body: &[u8]) -> Option<(String, String)> {
    let review: Value = serde_json::from_slice(body).ok()?;
    let version = review["apiVersion"].as_str()?;
    let known = ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"];
    if review["kind"] != "TokenReview" || !known.contains(&version) {
        return None;
    }
    let token = review["spec"]["token"].as_str()?;
    Some((version.to_owned(), token.to_owned()))
}
