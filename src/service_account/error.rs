//! Why the service account does not tell the role.

use std::fmt;

use super::{ServiceAccountName, role_and_binding};
use crate::diagnosis::{Diagnosis, Finding, Remedy, findings, quote};
use crate::in_cluster::NotInCluster;

/// Why the service account does not tell the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountError {
    /// Whose role was asked for.
    pub account: ServiceAccountName,
    /// What was met.
    pub kind: ServiceAccountErrorKind,
}

/// What was met, in the order in which it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAccountErrorKind {
    /// Nobody says where the API server is.
    NotInCluster(NotInCluster),
    /// No token or no CA that it can be asked with: what is wrong with which file.
    NoApiToken(String),
    /// No answer, or none of an API server.
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        cause: String,
    },
    /// 401.
    Unauthorized {
        /// Of the API server.
        message: String,
    },
    /// 403.
    Forbidden {
        /// Of the API server.
        message: String,
    },
    /// 404, of this very service account.
    NotFound,
    /// No such annotation.
    NoAnnotation {
        /// Prefix and name.
        annotation: String,
        /// The same name under other prefixes.
        others: Vec<String>,
    },
    /// One that cannot be used.
    Invalid {
        /// Prefix and name.
        annotation: String,
        /// What stands there.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ServiceAccountError {
    pub(super) fn new(account: &ServiceAccountName, kind: ServiceAccountErrorKind) -> Self {
        ServiceAccountError {
            account: account.clone(),
            kind,
        }
    }

    /// Whether the API server has not said anything about the service account: something else may stand in for it.
    pub fn is_silence(&self) -> bool {
        matches!(
            self.kind,
            ServiceAccountErrorKind::NotInCluster(_)
                | ServiceAccountErrorKind::NoApiToken(_)
                | ServiceAccountErrorKind::Unreachable { .. }
        )
    }

    /// Whether the API server has said of the service account that it names no role, or that it is not there: a role
    /// that was read before was taken away.
    pub fn is_about_the_account(&self) -> bool {
        matches!(
            self.kind,
            ServiceAccountErrorKind::NotFound
                | ServiceAccountErrorKind::NoAnnotation { .. }
                | ServiceAccountErrorKind::Invalid { .. }
        )
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        match self.kind {
            ServiceAccountErrorKind::Unreachable { .. } => Remedy::Wait,
            ServiceAccountErrorKind::Unauthorized { .. } => Remedy::NewToken,
            _ => Remedy::Change,
        }
    }

    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        let account = &self.account;
        let ServiceAccountName { namespace, name } = account;
        let diagnose = |finding: Finding, found: String, expected: &str, fix: String| Diagnosis {
            finding,
            found,
            expected: expected.to_owned(),
            fix,
        };
        match &self.kind {
            ServiceAccountErrorKind::NotInCluster(found) => diagnose(
                findings::NOT_IN_CLUSTER,
                found.to_string(),
                "the address of the Kubernetes API, which every pod has in its environment",
                "run this in a pod, or set --role-arn instead of --role-from-annotation".into(),
            ),
            ServiceAccountErrorKind::NoApiToken(found) => diagnose(
                findings::API_TOKEN_MISSING,
                found.clone(),
                "the token for the Kubernetes API and the cluster's CA, which role-from-annotation needs beside the web identity token",
                "set automountServiceAccountToken: true, or where only the sidecar shall have them mount at /var/run/secrets/kubernetes.io/serviceaccount of its container a projected volume (kube-api-access) with the sources serviceAccountToken (path: token) and configMap (name: kube-root-ca.crt, items: key ca.crt, path ca.crt)".into(),
            ),
            ServiceAccountErrorKind::Unreachable { server, cause } => diagnose(
                findings::API_UNREACHABLE,
                format!("service account {account} cannot be read from {server}: {cause}"),
                "an answer of the Kubernetes API, without a proxy, by a certificate of the cluster's CA",
                "see whether the API server is up and whether a NetworkPolicy keeps the pod from it".into(),
            ),
            ServiceAccountErrorKind::Unauthorized { message } => diagnose(
                findings::SERVICE_ACCOUNT_UNAUTHORIZED,
                format!("the Kubernetes API answered 401 {} to the pod's token", quote(message)),
                "a token for the API server's own audience that the kubelet keeps fresh",
                "see that what is mounted at /var/run/secrets/kubernetes.io/serviceaccount is the pod's own token without an audience, and that its pod and service account still exist".into(),
            ),
            ServiceAccountErrorKind::Forbidden { message } => diagnose(
                findings::SERVICE_ACCOUNT_FORBIDDEN,
                format!("the Kubernetes API answered 403 {}", quote(message)),
                &format!("that the pod may get service account {account}"),
                format!("give this to kubectl apply -f -\n{}", role_and_binding(account)),
            ),
            ServiceAccountErrorKind::NotFound => diagnose(
                findings::SERVICE_ACCOUNT_NOT_FOUND,
                format!("there is no service account {name} in namespace {namespace}, though the web identity token is of it"),
                "the service account of the pod in the cluster whose API the pod reaches",
                "make it again and delete the pod, as tokens of a deleted service account are not renewed; or see why KUBERNETES_SERVICE_HOST is another cluster's".into(),
            ),
            ServiceAccountErrorKind::NoAnnotation { annotation, others } => {
                let others = match others.as_slice() {
                    [] => String::new(),
                    others => format!(", but {}", others.join(" and ")),
                };
                diagnose(
                    findings::ROLE_ANNOTATION_MISSING,
                    format!("service account {account} has no annotation {annotation}{others}"),
                    "the role's ARN there",
                    format!(
                        "kubectl annotate serviceaccount -n {namespace} {name} {annotation}=arn:aws:iam::ACCOUNT:role/NAME, or set --annotation-prefix to another one; where a ConfigMap gives the webhook its roles, as kOps has it, there is no annotation: leave role-from-annotation out, since AWS_ROLE_ARN names the role then"
                    ),
                )
            }
            ServiceAccountErrorKind::Invalid {
                annotation,
                value,
                problem,
            } => diagnose(
                findings::ROLE_ANNOTATION_INVALID,
                format!(
                    "the annotation {annotation} of service account {account} is {}: {problem}",
                    quote(value)
                ),
                "role-arn arn:aws:iam::ACCOUNT:role/NAME, and an audience that IAM can list",
                format!(
                    "correct it: kubectl annotate --overwrite serviceaccount -n {namespace} {name} {annotation}=…"
                ),
            ),
        }
    }
}

impl fmt::Display for ServiceAccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for ServiceAccountError {}
