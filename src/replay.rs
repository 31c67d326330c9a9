//! The request that a cluster makes with a token: to STS, with the cluster's name in a header.
//!
//! Goes out only for a token that breaks no rule, and only to the token's own host, or to the address that was
//! configured for STS. What STS answers is what the cluster would have heard; the cluster tells nobody.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::diagnosis::{Diagnosis, Finding, findings, quote};
use crate::eks_token::ClusterName;
use crate::identity::{Identity, IdentityError};
use crate::inspection::{CLUSTER_HEADER, Inspection};
use crate::secret::scrub;
use crate::transport::{EndpointUrl, Network, Transport, TransportError};

/// Where STS is, and how to get there.
#[derive(Debug)]
pub struct ReplayConfig {
    /// Another address than the token's own host; the token's host goes along as `Host`.
    pub endpoint_url: Option<EndpointUrl>,
    /// How to get there.
    pub network: Network,
}

/// Why a cluster of this name would not take the token.
#[derive(Debug)]
pub enum ReplayError {
    /// Nothing was sent: the token breaks a rule.
    NotSent,
    /// STS could not be asked.
    Transport {
        /// Where it was looked for.
        host: String,
        /// What came of it.
        error: TransportError,
    },
    /// STS refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// STS's code; empty where something else answered.
        code: String,
        /// STS's words, without what was sent.
        message: String,
        /// Whom it was asked as.
        cluster: ClusterName,
        /// The verifier's own text, without what STS answered.
        verifier: String,
        /// Whether the verifier takes it for throttling: then it answers 429, and the API server tries again.
        throttled: bool,
    },
    /// STS answered, and the verifier would not know what to make of it.
    Identity(IdentityError),
}

/// Learns the time of STS, by which tokens are judged. Without the token, from where the token would go.
pub async fn ask_time(inspection: &Inspection, config: &ReplayConfig, clock: &Clock) {
    if let Some(host) = inspection.clock_host() {
        let transport = config.transport(clock);
        transport.ask_time(&config.base_url(host)).await;
    }
}

/// Sends the token as the cluster would.
pub async fn replay(
    inspection: &Inspection,
    cluster: &ClusterName,
    config: &ReplayConfig,
    clock: &Clock,
) -> Result<Identity, ReplayError> {
    let (host, target) = inspection.request().ok_or(ReplayError::NotSent)?;
    let endpoint = config.endpoint_url.as_ref();
    let headers = [
        ("host", host.to_owned()),
        (CLUSTER_HEADER, cluster.to_string()),
        ("accept", "application/json".to_owned()),
    ];
    let url = Zeroizing::new(format!("{}{}", config.base_url(host), target.expose()));
    let reply = config.transport(clock).get(&url, &headers).await;
    let reply = reply.map_err(|error| ReplayError::Transport {
        host: endpoint.map_or(host.to_owned(), ToString::to_string),
        error,
    })?;
    if reply.status == 200 {
        return Identity::from_json(&reply.body).map_err(ReplayError::Identity);
    }
    let (code, message) = refusal(&reply.body, &session_token(target.expose()));
    let throttled = reply
        .body
        .windows(THROTTLING.len())
        .any(|part| part == THROTTLING);
    let region = inspection.region.as_deref().unwrap_or_default();
    Err(ReplayError::Refused {
        status: reply.status,
        code,
        message,
        cluster: cluster.clone(),
        verifier: match throttled {
            true => "sts getCallerIdentity was throttled: ".to_owned(),
            false => format!(
                "sts getCallerIdentity failed: error from AWS (expected 200, got {}) on {region} endpoint. Body: ",
                reply.status
            ),
        },
        throttled,
    })
}

/// Whatever the status, the verifier looks for this word.
const THROTTLING: &[u8] = b"Throttling";

impl ReplayConfig {
    fn base_url(&self, host: &str) -> String {
        match &self.endpoint_url {
            Some(url) => url.to_string().trim_end_matches('/').to_owned(),
            None => format!("https://{host}"),
        }
    }

    fn transport(&self, clock: &Clock) -> Transport {
        Transport::new(&self.network, self.endpoint_url.as_ref(), clock.clone())
    }
}

/// The secret in a presigned request, as STS reads it.
fn session_token(target: &str) -> Zeroizing<String> {
    const NAME: &str = "X-Amz-Security-Token";
    let mut parameters = target
        .split(['?', '&'])
        .filter_map(|parameter| parameter.split_once('='));
    let found = parameters.find(|(name, _)| name.eq_ignore_ascii_case(NAME));
    let encoded = found.map(|(_, value)| value);
    let decoded = percent_decode_str(encoded.unwrap_or_default()).decode_utf8_lossy();
    Zeroizing::new(decoded.into_owned())
}

/// Code and words of STS, without the session token that was sent. Some texts repeat the whole request: only what stands
/// before it is kept.
fn refusal(body: &[u8], session_token: &str) -> (String, String) {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        error: Refusal,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Refusal {
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(Body { error }) = serde_json::from_slice(body) else {
        return (String::new(), String::new());
    };
    let message = scrub(&error.message, session_token);
    let ends = ["X-Amz-", "GET\n"];
    let end = ends.iter().filter_map(|end| message.find(end)).min();
    let message = &message[..end.unwrap_or(message.len())];
    (error.code, message.trim_end().to_owned())
}

impl ReplayError {
    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        let (finding, expected, fix) = match self {
            ReplayError::NotSent => (
                findings::EKS_TOKEN_MALFORMED,
                "a token that breaks no rule of the verifier",
                "mend what the broken rule names; nothing was sent",
            ),
            ReplayError::Transport { .. } => (
                findings::EKS_REPLAY_UNREACHABLE,
                "an answer of STS at the token's own host",
                "the cluster has a way of its own to STS, so this says nothing about the token; for the pod let its security group, network policy and NAT or VPC endpoint pass HTTPS to this host",
            ),
            ReplayError::Refused {
                status,
                code,
                message,
                throttled,
                ..
            } => refused(*status, code, message, *throttled),
            ReplayError::Identity(_) => (
                findings::EKS_IDENTITY,
                "the ARN of a user, a role session or a federated user",
                "sign the token with other credentials",
            ),
        };
        Diagnosis {
            finding,
            found: self.found(),
            expected: expected.to_owned(),
            fix: fix.to_owned(),
        }
    }

    /// How it stands in the log of the cluster's authenticator; the answer of STS follows there.
    pub fn verifier(&self) -> Option<&str> {
        match self {
            ReplayError::Refused { verifier, .. } => Some(verifier),
            _ => None,
        }
    }

    fn found(&self) -> String {
        match self {
            ReplayError::NotSent => "the token breaks a rule of the verifier".to_owned(),
            ReplayError::Transport { host, error } => format!("STS at {host}: {error}"),
            ReplayError::Refused {
                status,
                code,
                message,
                cluster,
                ..
            } => {
                let mut found = format!(
                    "asked as the cluster {}, STS answered {status}",
                    quote(cluster.as_str())
                );
                if !code.is_empty() {
                    found.push_str(&format!(" {}", quote(code)));
                }
                if !message.is_empty() {
                    found.push_str(&format!(": {}", quote(message)));
                }
                found
            }
            ReplayError::Identity(error) => error.to_string(),
        }
    }
}

/// Codes that are none of the verifier's throttling, and mean the same.
const THROTTLED: &[&str] = &[
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
];

/// Whatever the status.
const UNAVAILABLE: &[&str] = &[
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
];

type Row = (Finding, &'static str, &'static str);

/// What STS's refusals mean for a token.
fn refused(status: u16, code: &str, message: &str, throttled: bool) -> Row {
    match code {
        "SignatureDoesNotMatch" if message.contains("not yet current") => (
            findings::EKS_TOKEN_CLOCK,
            "a signature at most 5 minutes ahead of STS",
            "set the clock of the machine that signed the token: it is ahead",
        ),
        "SignatureDoesNotMatch" if message.contains("expired") => (
            findings::EKS_TOKEN_CLOCK,
            "a signature at most 15 minutes old",
            "take a new token; if this one is new, set the clock of the machine that signed it: it is behind",
        ),
        "SignatureDoesNotMatch" => (
            findings::EKS_TOKEN_SIGNATURE,
            "a signature over this cluster's name",
            "sign for exactly this cluster: its name as `aws eks list-clusters` spells it, the id for a local cluster on Outposts, the cluster ID of a self-hosted authenticator; if the name is right, the secret key or the session token is not the one of this key id",
        ),
        "ExpiredToken" | "ExpiredTokenException" => (
            findings::EKS_TOKEN_CREDENTIALS_EXPIRED,
            "a token whose credentials are alive",
            "take a new token: this one died with the session that signed it",
        ),
        "InvalidClientTokenId" | "UnrecognizedClientException" => (
            findings::EKS_TOKEN_UNKNOWN_KEY,
            "an access key that exists and is active, with its session token",
            "sign with other credentials: the key was deleted or is of another partition, the role's sessions were revoked, or the session token is missing",
        ),
        "RegionDisabledException" => (
            findings::STS_REGION_DISABLED,
            "a region in which the account has STS activated",
            "activate STS in the cluster's region for the account of the role",
        ),
        _ if throttled || status == 429 || THROTTLED.contains(&code) => (
            findings::STS_THROTTLED,
            "fewer requests to STS in this account and region",
            "try again; use one token for as long as it lasts, since every new one costs a request of the cluster",
        ),
        _ if status >= 500 || UNAVAILABLE.contains(&code) => (
            findings::STS_UNAVAILABLE,
            "an answer of STS",
            "try again; if it lasts, see the AWS Health Dashboard for STS in this region",
        ),
        _ => (
            findings::EKS_TOKEN_REFUSED,
            "the identity that the token stands for",
            "see the code in the documentation of STS; without a code something else answered in its place",
        ),
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for ReplayError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sts_repeats_of_the_request_is_cut_off() {
        let body = br#"{"Error":{"Code":"SignatureDoesNotMatch","Message":"The request signature we calculated does not match. The Canonical String for this request should have been\n'GET\n/\nX-Amz-Security-Token=hunter2'","Type":"Sender"},"RequestId":"1"}"#;
        let (code, message) = refusal(body, "");
        assert_eq!(code, "SignatureDoesNotMatch");
        assert_eq!(
            message,
            "The request signature we calculated does not match."
        );
        assert_eq!(refusal(b"<html>", ""), (String::new(), String::new()));
    }

    #[test]
    fn a_session_token_that_sts_quotes_is_not_repeated() {
        let target = "/?Action=GetCallerIdentity&X-Amz-Security-Token=hunter2%2F%2B%3D%3D&X-Amz-Signature=00";
        let token = session_token(target);
        assert_eq!(*token, "hunter2/+==");
        let body = br#"{"Error":{"Code":"ValidationError","Message":"Value 'hunter2/+==' at 'securityToken'"}}"#;
        let (_, message) = refusal(body, &token);
        assert_eq!(message, "Value '[token]' at 'securityToken'");
        assert_eq!(*session_token("/?Action=GetCallerIdentity"), "");
    }
}
