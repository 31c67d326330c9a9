//! What the authenticator of an EKS cluster does with a bearer token: the rules in their order, each refusal in
//! its words. The token is a request to STS, pre-signed: whoever could sign it is whom STS says he is.
//!
//! <https://github.com/kubernetes-sigs/aws-iam-authenticator>

mod base64url;
mod date;
mod host;
mod parameters;
mod replay;
mod url;

use std::fmt;

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

pub use self::host::Authenticator;
use self::host::Home;
use self::parameters::Parameters;
use self::replay::Identified;
pub(super) use self::replay::TIMEOUT;
use self::url::Url;
use super::arn::{self, Principal};
use crate::partition::Partition;
use crate::sts::{AwsRequest, Replay};

const PREFIX: &str = "k8s-aws-v1.";
const LONGEST: usize = 4096;
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// Why a token opens nothing; its display is what the authenticator logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is none, whoever signed it.
    Format(String),
    /// STS does not know who signed it, or could not be asked.
    Sts(String),
    /// STS has too much to do: the API server tries again.
    Throttled(String),
    /// STS knows him, the cluster does not.
    Mapping(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(reason) => write!(f, "input token was not properly formatted: {reason}"),
            Self::Sts(reason) => write!(f, "sts getCallerIdentity failed: {reason}"),
            Self::Throttled(body) => write!(f, "sts getCallerIdentity was throttled: {body}"),
            Self::Mapping(reason) => f.write_str(reason),
        }
    }
}

/// Who signed a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// As STS says it.
    pub(super) arn: String,
    pub(super) canonical_arn: String,
    pub(super) account: String,
    /// `AROA…`, without the session's name.
    pub(super) user_id: String,
    /// Empty for users.
    pub(super) session_name: String,
    pub(super) access_key_id: String,
}

/// The verifier of one cluster.
#[derive(Debug)]
pub(super) struct Verifier<'a> {
    /// What it sends as `x-k8s-aws-id`.
    pub(super) cluster_id: &'a str,
    pub(super) region: &'a str,
    pub(super) authenticator: Authenticator,
}

impl Verifier<'_> {
    /// Goes through the rules at `now`, by unix seconds; `ask` is STS.
    pub(super) fn verify(
        &self,
        token: &str,
        now: i64,
        ask: impl FnOnce(&AwsRequest) -> Replay,
    ) -> Result<Identity, Refusal> {
        let presigned = self.check(token, now).map_err(Refusal::Format)?;
        let region = match self.authenticator {
            Authenticator::Sdk1 => None,
            Authenticator::Sdk2 => Some(presigned.region.as_str()),
        };
        if !host::exists(&presigned.host) {
            let reason = format!("dial tcp: lookup {}: no such host", presigned.host);
            return Err(replay::during_get(&reason, region));
        }
        let identified = replay::identify(ask(&self.request(&presigned)), region)?;
        identity(identified, presigned.access_key_id)
    }

    /// All that can be said without asking anybody.
    fn check(&self, token: &str, now: i64) -> Result<Presigned, String> {
        if token.len() > LONGEST {
            return Err("token is too large".to_owned());
        }
        let encoded = token
            .strip_prefix(PREFIX)
            .ok_or_else(|| format!("token is missing expected \"{PREFIX}\" prefix"))?;
        let decoded = base64url::decode(encoded)
            .map_err(|offset| format!("illegal base64 data at input byte {offset}"))?;
        let url = Url::parse(&String::from_utf8_lossy(&decoded))?;
        if url.scheme != "https" {
            let scheme = url::quote(&url.scheme);
            return Err(format!("unexpected scheme {scheme} in pre-signed URL"));
        }
        let home = Home {
            partition: Partition::of_region(self.region),
            region: self.region,
            authenticator: self.authenticator,
        };
        let region = home.region_of(&url.host)?;
        if url.path != "/" {
            return Err("unexpected path in pre-signed URL".to_owned());
        }
        let parameters = Parameters::parse(&url.query)?;
        parameters.check(now)?;
        Ok(Presigned {
            host: url.host,
            query: url.query,
            region,
            access_key_id: parameters.access_key_id().to_owned(),
        })
    }

    /// The request as Go's client sends it.
    fn request(&self, presigned: &Presigned) -> AwsRequest {
        let headers = [
            ("host", presigned.host.as_str()),
            ("user-agent", "Go-http-client/1.1"),
            ("accept", "application/json"),
            (CLUSTER_HEADER, self.cluster_id),
            ("accept-encoding", "gzip"),
        ];
        let header = |(name, value): (&'static str, &str)| {
            let value =
                HeaderValue::from_str(value).expect("hosts and names of clusters are ASCII");
            (HeaderName::from_static(name), value)
        };
        let headers: HeaderMap = headers.into_iter().map(header).collect();
        AwsRequest::new(Method::GET, "/", Some(&presigned.query), headers, b"")
    }
}

/// A token that holds as far as anybody can see.
#[derive(Debug)]
struct Presigned {
    host: String,
    query: String,
    region: String,
    access_key_id: String,
}

fn identity(identified: Identified, access_key_id: String) -> Result<Identity, Refusal> {
    let Identified {
        account,
        arn,
        user_id,
    } = identified;
    let (principal, canonical_arn) = arn::canonicalize(&arn).map_err(Refusal::Sts)?;
    let (user_id, session_name) = match principal {
        Principal::Other => (user_id, String::new()),
        Principal::Role => match user_id.split(':').collect::<Vec<_>>()[..] {
            [user_id, session_name] => (user_id.to_owned(), session_name.to_owned()),
            _ => {
                let user_id = url::quote(&user_id);
                return Err(Refusal::Sts(format!("malformed UserID {user_id}")));
            }
        },
    };
    Ok(Identity {
        arn,
        canonical_arn,
        account,
        user_id,
        session_name,
        access_key_id,
    })
}

#[cfg(test)]
mod tests;
