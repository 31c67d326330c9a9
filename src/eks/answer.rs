//! What EKS answered: a whole cluster, or what is wrong. Pure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Uri;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::Cluster;
use super::error::EksErrorKind;
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

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(rename = "__type", alias = "code", default)]
    code: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// The cluster in an answer.
pub(super) fn cluster(reply: &Reply) -> Result<Cluster, EksErrorKind> {
    if reply.status != 200 {
        return Err(refusal(reply));
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
            .filter(|endpoint| is_https(endpoint))
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
    })
}

/// `x-amzn-errortype` is the code, with a colon and a URL behind it at times; the body may have it after a `#`.
fn refusal(reply: &Reply) -> EksErrorKind {
    let said: Refusal = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = reply.error_type.as_deref().unwrap_or(&said.code);
    let code = code.split(':').next().unwrap_or_default();
    EksErrorKind::Answered {
        status: reply.status,
        code: word(code.rsplit('#').next().unwrap_or_default()),
        message: said.message,
    }
}

/// A code or a status is a word; whatever else stands there is not worth repeating.
fn word(text: &str) -> String {
    const LONGEST: usize = 64;
    let wordy = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    text.chars().filter(wordy).take(LONGEST).collect()
}

fn is_cluster_arn(arn: &str) -> bool {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(fields[..], ["arn", _, "eks", region, _, resource]
        if !region.is_empty() && resource.strip_prefix("cluster/").is_some_and(|name| !name.is_empty()))
}

/// kubectl shows its token to no other server.
fn is_https(endpoint: &str) -> bool {
    endpoint.parse::<Uri>().is_ok_and(|uri| {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        uri.scheme_str() == Some("https")
            && !authority.is_empty()
            && !authority.contains('@')
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
