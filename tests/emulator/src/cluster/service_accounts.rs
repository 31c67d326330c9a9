//! Service accounts of a cluster: what is annotated on them, and whose a token for the Kubernetes API is.

use std::collections::BTreeMap;

use super::Cluster;
use super::rbac::Rule;
use crate::clock;
use crate::sts::{Provider, claims_of, verify};

/// What tokens for the Kubernetes API have as `aud`, as on EKS.
pub const API_AUDIENCE: &str = "https://kubernetes.default.svc";

/// What the Kubernetes API does instead of answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// Takes the request and never answers.
    Hang,
    /// Sends the client elsewhere.
    Redirect(String),
    /// Answers with this status and this body, which is called plain text.
    Answer(u16, String),
}

/// Annotations by namespace and name.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceAccounts(BTreeMap<(String, String), BTreeMap<String, String>>);

impl ServiceAccounts {
    pub(super) fn annotations(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<&BTreeMap<String, String>> {
        self.0.get(&(namespace.to_owned(), name.to_owned()))
    }
}

impl Cluster {
    /// Makes a service account, or gives the one that is there these annotations and no others.
    pub fn set_service_account(&self, namespace: &str, name: &str, annotations: &[(&str, &str)]) {
        let pairs = annotations.iter();
        let pairs = pairs.map(|&(key, value)| (key.to_owned(), value.to_owned()));
        let key = (namespace.to_owned(), name.to_owned());
        let annotations = pairs.collect();
        self.state().service_accounts.0.insert(key, annotations);
    }

    /// There is no such service account any more.
    pub fn delete_service_account(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.state().service_accounts.0.remove(&key);
    }

    /// The Role and RoleBinding by which a service account may get itself, and no other.
    pub fn allow_service_account_to_get_itself(&self, namespace: &str, name: &str) {
        self.state().rbac.add(Rule {
            subject: format!("system:serviceaccount:{namespace}:{name}"),
            verbs: vec!["get".to_owned()],
            resource: "serviceaccounts".to_owned(),
            names: vec![name.to_owned()],
            namespace: Some(namespace.to_owned()),
        });
    }

    /// Every rule is gone.
    pub fn forbid_everything(&self) {
        self.state().rbac = super::Rbac::default();
    }

    /// Every request to the Kubernetes API meets this fault until it is lifted with `None`.
    pub fn set_api_fault(&self, fault: Option<ApiFault>) {
        self.state().api_fault = fault;
    }

    /// How far the clock of the API server is ahead of the machine's, as its `Date` tells it.
    pub fn set_api_clock_skew(&self, seconds: i64) {
        self.state().api_clock_skew = seconds;
    }

    /// Namespace and name of whose token this is: signed by the cluster's issuer for its own API, and alive by the machine's
    /// clock.
    pub(super) fn service_account_of(&self, token: &str) -> Option<(String, String)> {
        let issuer = &self.shared.issuer;
        let provider = Provider {
            issuer: issuer.iss(),
            client_ids: &[API_AUDIENCE],
            jwks: issuer.jwks(),
        };
        verify(token, &provider, clock::unix_now()).ok()?;
        let kubernetes = claims_of(token)?["kubernetes.io"].take();
        let text = |pointer: &str| Some(kubernetes.pointer(pointer)?.as_str()?.to_owned());
        text("/namespace").zip(text("/serviceaccount/name"))
    }
}
