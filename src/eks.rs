//! `eks:DescribeCluster`: where a cluster's API server is and who vouches for it. One signed GET; no SDK is needed.
//!
//! What it returns goes into kubeconfigs, so an answer that is not whole is an error and never half a cluster.

mod answer;
mod error;
mod meaning;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use self::answer::is_api_server;
pub use self::error::{EksError, EksErrorKind};
use crate::clock::{Clock, END_OF_TIME};
use crate::credentials::Credentials;
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::transport::{OPERATION_TIMEOUT, Reply, Transport};

/// What names of clusters are made of stays as it is. A dot does not: no name is a way to another resource.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A cluster that can be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its ARN, which the AWS CLI gives to the entries in a kubeconfig as their name.
    pub arn: String,
    /// The address of its API server, `https://…`.
    pub endpoint: String,
    /// The CA of its API server: PEM in base64, as EKS wrote it.
    pub certificate_authority_data: String,
    /// On an Outpost a token is signed for this id and not for the name.
    pub outpost_id: Option<String>,
    /// Where it looks up who may come in.
    pub authentication_mode: AuthenticationMode,
}

/// Where a cluster looks up who may come in.
///
/// <https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationMode {
    /// `CONFIG_MAP`: `aws-auth` alone.
    ConfigMap,
    /// `API_AND_CONFIG_MAP`: access entries first.
    ApiAndConfigMap,
    /// `API`: access entries alone.
    Api,
}

/// Asks the EKS API at `base_url` for a cluster, within 10 s.
pub async fn describe_cluster(
    transport: &Transport,
    base_url: &str,
    credentials: &Credentials,
    region: &Region,
    name: &ClusterName,
    clock: &Clock,
) -> Result<Cluster, EksError> {
    let asking = ask(transport, base_url, credentials, region, name, clock);
    let kind = match tokio::time::timeout(OPERATION_TIMEOUT, asking).await {
        Ok(Ok(cluster)) => return Ok(cluster),
        Ok(Err(kind)) => kind,
        Err(_) => EksErrorKind::TimedOut,
    };
    Err(EksError::new(kind, base_url, credentials, region, name))
}

async fn ask(
    transport: &Transport,
    base_url: &str,
    credentials: &Credentials,
    region: &Region,
    name: &ClusterName,
    clock: &Clock,
) -> Result<Cluster, EksErrorKind> {
    let url = url(base_url, name);
    let sent = credentials.session_token();
    let known_offset = clock.offset_millis();
    let answer = get(transport, &url, credentials, region, clock.now().wall).await?;
    match answer::cluster(&answer, sent) {
        // The `Date` of the refusal has told how wrong the node's clock is.
        Err(refusal) if refusal.may_be_the_clock() && clock.offset_millis() != known_offset => {
            let answer = get(transport, &url, credentials, region, clock.now().wall).await?;
            answer::cluster(&answer, sent)
        }
        result => result,
    }
}

async fn get(
    transport: &Transport,
    url: &str,
    credentials: &Credentials,
    region: &Region,
    signed_at: SystemTime,
) -> Result<Reply, EksErrorKind> {
    let headers = signed(url, credentials, region, signed_at)?;
    Ok(transport.get(url, &headers).await?)
}

fn url(base_url: &str, name: &ClusterName) -> String {
    let name = utf8_percent_encode(name.as_str(), ENCODED);
    format!("{}/clusters/{name}", base_url.trim_end_matches('/'))
}

/// The headers that sign a GET of `url`.
fn signed(
    url: &str,
    credentials: &Credentials,
    region: &Region,
    signed_at: SystemTime,
) -> Result<Vec<(&'static str, String)>, EksErrorKind> {
    let identity = Identity::from(SigningCredentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key().expose(),
        Some(credentials.session_token().expose().to_owned()),
        None,
        "irsa-sidecar",
    ));
    let unsignable = |error: &dyn std::fmt::Display| {
        EksErrorKind::Unreachable(format!("the request cannot be signed: {error}"))
    };
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name("eks")
        // No other time can be written; EKS's refusal tells the right one.
        .time(signed_at.clamp(
            UNIX_EPOCH,
            UNIX_EPOCH + Duration::from_secs(END_OF_TIME.unsigned_abs()),
        ))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsignable(&error))?
        .into();
    let request = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::empty())
        .map_err(|error| unsignable(&error))?;
    let (instructions, _) = sign(request, &parameters)
        .map_err(|error| unsignable(&error))?
        .into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers
        .iter()
        .map(|header| (header.name(), header.value().to_owned()))
        .collect())
}

#[cfg(test)]
mod tests;
