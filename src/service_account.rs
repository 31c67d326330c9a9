//! The pod's service account, as the Kubernetes API has it: one GET, without a client library for it.
//!
//! Server, CA and token are those that every pod of the cluster has; no proxy is ever on this way, the system's roots
//! vouch for nobody on it, and its clock is not asked. CA and token are read afresh each time, since both rotate.

mod annotations;
mod answer;
mod error;
mod rbac;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;

use tokio::runtime::Handle;

pub use self::annotations::{Annotated, AnnotationsConfig};
pub use self::error::{ServiceAccountError, ServiceAccountErrorKind};
pub use self::rbac::role_and_binding;
use crate::claims::{Claims, ClaimsError};
use crate::in_cluster::{self, NotInCluster};
use crate::token::{self, WebIdentityToken};
use crate::transport::{Network, Transport, Trust, TrustError};

/// Namespace and name, both as Kubernetes allows them: good for a path, a command line and YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountName {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// `metadata.annotations`.
pub type Annotations = BTreeMap<String, String>;

/// The seam between the role's source and the network: real in the program, scripted under virtual time.
pub trait Api {
    /// Reads the annotations once.
    fn annotations(
        &self,
        account: &ServiceAccountName,
    ) -> impl Future<Output = Result<Annotations, ServiceAccountError>> + Send;
}

/// The cluster's API server.
#[derive(Debug, Clone)]
pub struct KubernetesApi {
    server: Result<String, NotInCluster>,
}

impl ServiceAccountName {
    /// The one that a token is of.
    pub fn of(claims: &Claims) -> Result<Self, ClaimsError> {
        const CLAIM: &str = "kubernetes.io";
        let found = claims.kubernetes.as_ref();
        let names =
            found.and_then(|found| found.namespace.clone().zip(found.service_account.clone()));
        let (namespace, name) = names.ok_or(ClaimsError::Missing(CLAIM))?;
        if namespace.contains('.') || !is_dns_subdomain(&namespace) || !is_dns_subdomain(&name) {
            return Err(ClaimsError::Malformed {
                claim: CLAIM,
                found: "an object with names that Kubernetes does not allow",
                expected: "namespace and name of a service account",
            });
        }
        Ok(ServiceAccountName { namespace, name })
    }
}

impl fmt::Display for ServiceAccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What stands before the names of the annotations that the EKS webhook reads, where nobody has given it another prefix.
pub const ANNOTATION_PREFIX: &str = "eks.amazonaws.com";

/// RFC 1123, as Kubernetes checks names and the prefixes of annotations.
pub fn is_dns_subdomain(text: &str) -> bool {
    const LONGEST: usize = 253;
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.iter().all(|&b| alphanumeric(b) || b == b'-')
            && bytes.first().is_some_and(|&first| alphanumeric(first))
            && bytes.last().is_some_and(|&last| alphanumeric(last))
    };
    text.len() <= LONGEST && text.split('.').all(label)
}

impl KubernetesApi {
    /// `host` and `port` are the variables that every pod has; empty where they are missing. Connects to nothing.
    pub fn new(host: &str, port: &str) -> Self {
        KubernetesApi {
            server: in_cluster::server(host, port),
        }
    }

    /// What is said of an answer that did not come in time.
    pub fn unreachable(&self, account: &ServiceAccountName, cause: String) -> ServiceAccountError {
        let server = self.server.clone().unwrap_or_default();
        ServiceAccountError::new(
            account,
            ServiceAccountErrorKind::Unreachable { server, cause },
        )
    }

    /// Its address.
    pub fn server(&self) -> Result<&str, &NotInCluster> {
        self.server.as_deref()
    }
}

impl Api for KubernetesApi {
    async fn annotations(
        &self,
        account: &ServiceAccountName,
    ) -> Result<Annotations, ServiceAccountError> {
        let fail = |kind| ServiceAccountError::new(account, kind);
        let server = self.server.as_ref();
        let server =
            server.map_err(|found| fail(ServiceAccountErrorKind::NotInCluster(found.clone())))?;
        let (token, trust) = mounted().await.map_err(fail)?;
        let network = Network {
            trust: Some(trust),
            proxy: None,
        };
        let ServiceAccountName { namespace, name } = account;
        let url = format!("{server}/api/v1/namespaces/{namespace}/serviceaccounts/{name}");
        let headers = [
            ("authorization", format!("Bearer {}", token.expose())),
            ("accept", "application/json".to_owned()),
        ];
        let reply = Transport::without_clock(&network).get(&url, &headers).await;
        let reply = reply.map_err(|error| {
            fail(ServiceAccountErrorKind::Unreachable {
                server: server.clone(),
                cause: error.to_string(),
            })
        })?;
        answer::read(&reply, account, server, token.expose()).map_err(fail)
    }
}

/// What is mounted for the API. Where its volume hangs, nobody else waits for it: there is but one thread.
async fn mounted() -> Result<(WebIdentityToken, Trust), ServiceAccountErrorKind> {
    let reading = tokio::task::spawn_blocking(|| {
        let token = Handle::current().block_on(api_token())?;
        Ok((token, cluster_ca()?))
    });
    reading.await.unwrap_or_else(|error| {
        Err(ServiceAccountErrorKind::NoApiToken(format!(
            "reading {} and {} ended early: {error}",
            in_cluster::TOKEN,
            in_cluster::CA
        )))
    })
}

/// Waits out a swap of the kubelet's, as with the web identity token. What no header can carry is never sent.
async fn api_token() -> Result<WebIdentityToken, ServiceAccountErrorKind> {
    const PATH: &str = in_cluster::TOKEN;
    let wrong = match token::read(Path::new(PATH)).await {
        Ok(token) if token.expose().bytes().all(|b| b.is_ascii_graphic()) => return Ok(token),
        Ok(_) => format!("{PATH} holds blanks, line breaks or other than ASCII inside its token"),
        Err(error) if error.is_missing() => format!("there is no {PATH}"),
        Err(error) => error.diagnosis().found,
    };
    Err(ServiceAccountErrorKind::NoApiToken(wrong))
}

fn cluster_ca() -> Result<Trust, ServiceAccountErrorKind> {
    Trust::bundle(Path::new(in_cluster::CA)).map_err(|error| {
        ServiceAccountErrorKind::NoApiToken(match error {
            TrustError::Unreadable(path, error) if error.kind() == io::ErrorKind::NotFound => {
                format!("there is no {}", path.display())
            }
            error => error.to_string(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_kubernetes_allows_them() {
        for good in ["app", "a", "0", "eks.amazonaws.com", "a-b.c-d"] {
            assert!(is_dns_subdomain(good), "{good}");
        }
        let long = "a".repeat(254);
        for bad in [
            "", ".", "..", "a..b", "-a", "a-", "a/b", "A", "a_b", "a b", "a\n", "é", "a.", &long,
        ] {
            assert!(!is_dns_subdomain(bad), "{bad}");
        }
    }
}
