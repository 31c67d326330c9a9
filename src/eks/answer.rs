//! What EKS answered: a whole cluster, or what is wrong. Pure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Uri;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::error::EksErrorKind;
use super::{AuthenticationMode, Cluster};
use crate::diagnosis::word;
use crate::secret::{Secret, scrub};
use crate::transport::Reply;

/// The part of DescribeCluster's answer that is used.
#[derive(Deserialize)]
struct Document {
    cluster: Description,
}

/// While a cluster is made most of it is missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    status: String,
    arn: Option<String>,
    endpoint: Option<String>,
    certificate_authority: Option<CertificateAuthority>,
    id: Option<String>,
    outpost_config: Option<OutpostConfig>,
    access_config: Option<AccessConfig>,
}

#[derive(Deserialize)]
struct CertificateAuthority {
    data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutpostConfig {
    etcd_instance_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessConfig {
    authentication_mode: Option<String>,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(rename = "__type", alias = "code", default)]
    code: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// The cluster in an answer to a request that carried the session token `sent`.
pub(super) fn cluster(reply: &Reply, sent: &Secret) -> Result<Cluster, EksErrorKind> {
    if reply.status != 200 {
        return Err(refusal(reply, sent));
    }
    let Document { cluster } = serde_json::from_slice(&reply.body)
        .map_err(|_| EksErrorKind::Garbled("what is no answer of EKS"))?;
    if !matches!(cluster.status.as_str(), "ACTIVE" | "UPDATING") {
        return Err(EksErrorKind::NotActive(word(&cluster.status)));
    }
    let missing = EksErrorKind::Garbled;
    let data = cluster.certificate_authority.and_then(|found| found.data);
    Ok(Cluster {
        arn: cluster
            .arn
            .filter(|arn| is_cluster_arn(arn))
            .ok_or(missing("a cluster without its ARN"))?,
        endpoint: cluster
            .endpoint
            .filter(|endpoint| is_api_server(endpoint))
            .ok_or(missing("a cluster without an https endpoint"))?,
        certificate_authority_data: data
            .filter(|data| is_pem(data))
            .ok_or(missing("a cluster without a certificate authority in PEM"))?,
        outpost_id: match cluster.outpost_config {
            Some(OutpostConfig {
                etcd_instance_type: None,
            }) => Some(
                cluster
                    .id
                    .filter(|id| !id.is_empty())
                    .ok_or(missing("a cluster on an Outpost without its id"))?,
            ),
            _ => None,
        },
        authentication_mode: mode(cluster.access_config),
    })
}

/// Clusters from before there were access entries say nothing; of a mode to come nothing is known.
fn mode(found: Option<AccessConfig>) -> AuthenticationMode {
    let named = found.and_then(|found| found.authentication_mode);
    match named.as_deref() {
        Some("API") => AuthenticationMode::Api,
        None | Some("CONFIG_MAP") => AuthenticationMode::ConfigMap,
        Some(_) => AuthenticationMode::ApiAndConfigMap,
    }
}

/// `x-amzn-errortype` is the code, with a colon and a URL behind it at times; the body may have it after a `#`.
fn refusal(reply: &Reply, sent: &Secret) -> EksErrorKind {
    let said: Refusal = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = reply.error_type.as_deref().unwrap_or(&said.code);
    let code = code.split(':').next().unwrap_or_default();
    EksErrorKind::Answered {
        status: reply.status,
        code: word(code.rsplit('#').next().unwrap_or_default()),
        message: scrub(&said.message, sent.expose()),
    }
}

fn is_cluster_arn(arn: &str) -> bool {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(fields[..], ["arn", _, "eks", region, _, resource]
        if !region.is_empty() && resource.strip_prefix("cluster/").is_some_and(|name| !name.is_empty()))
}

/// Whether a kubeconfig can name this as its server: `https://HOST[:PORT][/path]`, since kubectl shows its token to no
/// other, and nothing that another program would read in another way.
pub fn is_api_server(url: &str) -> bool {
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['#', '\\']);
    is_plain
        && url.parse::<Uri>().is_ok_and(|uri| {
            let (authority, host) = match uri.authority() {
                Some(authority) => (authority.as_str(), authority.host()),
                None => ("", ""),
            };
            let port = authority.strip_prefix(host).unwrap_or("@");
            let is_port = match port.strip_prefix(':') {
                Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
                None => port.is_empty(),
            };
            uri.scheme_str() == Some("https")
                && !host.is_empty()
                && is_port
                && uri.query().is_none()
        })
}

/// Base64 of at least one certificate in PEM, and nothing broken in it.
fn is_pem(data: &str) -> bool {
    let Ok(pem) = BASE64_STANDARD.decode(data) else {
        return false;
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found.is_ok_and(|certificates| !certificates.is_empty())
}
