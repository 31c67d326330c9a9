//! The cluster itself, asked who comes in: a SelfSubjectReview, as `kubectl auth whoami` does it.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review>

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::Admission;
use crate::diagnosis::{Diagnosis, findings, quote, steps};
use crate::doctor::Entry;
use crate::eks::Cluster;
use crate::in_cluster;
use crate::secret::{Secret, scrub};
use crate::service_account::KubernetesApi;
use crate::transport::{
    EndpointUrl, Flaw, Network, Proxy, Reply, Transport, TransportError, Trust,
};

const PATH: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const REVIEW: &str = r#"{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}"#;
/// More than a person wants to read.
const MOST_GROUPS: usize = 10;

/// Where an API server is, and what vouches for it: the cluster's own CA and nobody else.
#[derive(Debug)]
pub struct ApiServer {
    url: String,
    network: Network,
    /// It is that of the pod's own cluster.
    is_own: bool,
}

impl ApiServer {
    /// As DescribeCluster tells it; by the proxy that kubectl would take.
    pub fn of_cluster(cluster: &Cluster, proxy: Option<Proxy>) -> Result<Self, Diagnosis> {
        let data = &cluster.certificate_authority_data;
        let pem = BASE64_STANDARD.decode(data).unwrap_or_default();
        let name = "the cluster's CA, as DescribeCluster tells it";
        let trust = Trust::certificates(pem, name.to_owned()).map_err(|flaw| {
            let wrong = match flaw {
                Flaw::Empty => "holds no certificate".to_owned(),
                Flaw::Broken(number) => {
                    format!("has a certificate that cannot be parsed, number {number}")
                }
            };
            unreachable(&cluster.endpoint, &format!("{name}, {wrong}"), false)
        })?;
        let url = cluster.endpoint.parse();
        let is_local = url.is_ok_and(|url: EndpointUrl| url.is_loopback());
        Ok(ApiServer {
            url: cluster.endpoint.clone(),
            network: Network {
                trust: Some(trust),
                proxy: proxy.filter(|_| !is_local),
            },
            is_own: false,
        })
    }

    /// Where every pod finds it. Reads the CA's file.
    pub fn of_pod(api: &KubernetesApi) -> Result<Self, Diagnosis> {
        let url = api.server().map_err(|error| Diagnosis {
            finding: findings::NOT_IN_CLUSTER,
            found: error.to_string(),
            expected: "the address of the Kubernetes API, which every pod has in its environment"
                .into(),
            fix: "run this in a pod of the cluster, or leave --in-cluster out".into(),
        })?;
        let trust = Trust::bundle(Path::new(in_cluster::CA));
        let trust = trust.map_err(|error| no_certificate_authority(&error.to_string()))?;
        Ok(ApiServer {
            url: url.to_owned(),
            network: Network {
                trust: Some(trust),
                proxy: None,
            },
            is_own: true,
        })
    }
}

/// `--in-cluster` where the pod has no CA.
pub fn no_certificate_authority(found: &str) -> Diagnosis {
    Diagnosis {
        finding: findings::API_TOKEN_MISSING,
        found: found.to_owned(),
        expected: "the cluster's CA, which every pod has that mounts a service account's token"
            .into(),
        fix: format!(
            "set automountServiceAccountToken: true, or mount the ConfigMap kube-root-ca.crt so that its key ca.crt is {}; or leave --in-cluster out",
            in_cluster::CA
        ),
    }
}

/// Shows the token to the API server, which tells nobody's time: that of STS counts.
pub async fn ask(server: &ApiServer, token: &Secret) -> Result<Reply, TransportError> {
    let url = format!("{}{PATH}", server.url.trim_end_matches('/'));
    let headers = [
        ("authorization", format!("Bearer {}", token.expose())),
        ("accept", "application/json".to_owned()),
    ];
    let transport = Transport::without_clock(&server.network);
    transport.post(&url, &headers, REVIEW).await
}

/// What the API server says to somebody who brings a token.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Name and groups.
    Known { name: String, groups: Vec<String> },
    /// Let in, and may not ask who that is.
    Named(String),
    /// Let in by a server that knows no such question.
    In,
    /// 401.
    Unauthorized,
    /// Nothing of use.
    Unusable(String),
}

/// The verdict on the answer, which may not show the token.
pub fn judge(
    server: &ApiServer,
    outcome: &Result<Reply, TransportError>,
    token: &Secret,
    admission: &Admission<'_>,
) -> Entry {
    let (step, url) = (steps::EKS_LOGIN, &server.url);
    let said = match outcome {
        Ok(reply) => read(reply, token),
        Err(error) => Said::Unusable(error.to_string()),
    };
    match said {
        Said::Known { name, groups } => Entry::fine(
            step,
            format!("let in as {}, {}, at {url}", quote(&name), shown(&groups)),
        ),
        Said::Named(name) => Entry::fine(
            step,
            format!(
                "let in as {}, who may not ask for its groups, at {url}",
                quote(&name)
            ),
        ),
        // Who is not let in is told so before anything else.
        Said::In => Entry::fine(
            step,
            format!(
                "let in at {url}, which is older than Kubernetes 1.28 and does not say as whom"
            ),
        ),
        Said::Unauthorized => Entry::failed(step, admission.refused(url)),
        Said::Unusable(what) => Entry::failed(step, unreachable(url, &what, server.is_own)),
    }
}

fn read(reply: &Reply, token: &Secret) -> Said {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Body {
        kind: String,
        message: String,
        status: serde_json::Value,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        user_info: UserInfo,
    }
    #[derive(Deserialize)]
    struct UserInfo {
        username: String,
        #[serde(default)]
        groups: Vec<String>,
    }
    let body: Body = serde_json::from_slice(&reply.body).unwrap_or_default();
    let message = scrub(&body.message, token.expose());
    let is = |kind: &str| body.kind == kind;
    let words = match message.as_str() {
        "" => format!("it answered {}", reply.status),
        message => format!("it answered {} {}", reply.status, quote(message)),
    };
    let said = match reply.status {
        200 | 201 if is("SelfSubjectReview") => {
            let status = serde_json::from_value::<Status>(body.status).ok();
            status.map(|Status { user_info }| Said::Known {
                name: user_info.username,
                groups: user_info.groups,
            })
        }
        403 if is("Status") => user_in(&message).map(Said::Named),
        404 if is("Status") => Some(Said::In),
        401 if is("Status") => Some(Said::Unauthorized),
        _ => None,
    };
    match said {
        // Whoever brings a token is somebody, or gets a 401.
        Some(Said::Named(name) | Said::Known { name, .. }) if name == "system:anonymous" => {
            Said::Unusable(
                "it answered as if no token had come with the request: what lies between drops the header Authorization".to_owned(),
            )
        }
        Some(said) => said,
        None => Said::Unusable(format!("{words}, in words that are none of Kubernetes for this")),
    }
}

/// `… is forbidden: User "NAME" cannot …`
fn user_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("User \"")?;
    let (name, _) = rest.split_once("\" cannot")?;
    Some(name.to_owned())
}

fn shown(groups: &[String]) -> String {
    const EVERYBODY: &str = "system:authenticated";
    if groups.iter().all(|group| group == EVERYBODY) {
        return "in no group but those of everybody, so that it may what a binding allows to this user"
            .to_owned();
    }
    let named: Vec<String> = groups
        .iter()
        .take(MOST_GROUPS)
        .map(|group| quote(group))
        .collect();
    let more = match groups.len().saturating_sub(MOST_GROUPS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("in the groups {}{more}", named.join(", "))
}

fn unreachable(server: &str, what: &str, is_own: bool) -> Diagnosis {
    let fix = match is_own {
        true => {
            "see whether the API server is up and whether a NetworkPolicy keeps the pod from it"
        }
        false => {
            "let the pod's security group and network policy pass HTTPS to it; where the cluster's endpoint is private, its security group has to let the pod in, and the pod has to be in its VPC or a peered one with DNS; in a pod of this very cluster use --in-cluster"
        }
    };
    Diagnosis {
        finding: findings::EKS_API_UNREACHABLE,
        found: format!("{server}: {what}"),
        expected: "an answer of the cluster's API server over TLS, by a certificate of the cluster's own CA".into(),
        fix: fix.into(),
    }
}

#[cfg(test)]
mod tests;
