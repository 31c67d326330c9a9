//! The rules that a token can break, what the verifier says then, and what to do.

use std::fmt;

use super::quote::is_shown;
use super::shown;

/// A rule of the verifier, in the order in which it judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// At most 4096 bytes.
    Size,
    /// `k8s-aws-v1.` stands first.
    Prefix,
    /// Unpadded base64url.
    Encoding,
    /// A URL.
    Url,
    /// `https`.
    Scheme,
    /// A host of STS.
    Host,
    /// Not the global host where there is none.
    GlobalHost,
    /// A host in the cluster's own partition.
    Partition,
    /// `/`.
    Path,
    /// A query that decodes.
    Query,
    /// Every parameter once.
    Once,
    /// No parameter but the nine.
    Allowed,
    /// `GetCallerIdentity`.
    Action,
    /// `x-k8s-aws-id` is signed.
    SignedHeaders,
    /// X-Amz-Expires from 0 to 900.
    Expires,
    /// X-Amz-Date in its one form.
    Date,
    /// Not older than 15 minutes.
    Age,
}

/// A rule that is broken. `Display` is the verifier's own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    text: String,
}

impl Violation {
    /// Text from within the token is made safe for a terminal, and may be a piece of a secret: the verifier minds neither.
    pub(super) fn new(rule: Rule, text: impl Into<String>) -> Self {
        let text = shown::without_secrets(&text.into());
        let safe = |c: char| match is_shown(c) {
            true => c.to_string(),
            false => c.escape_default().to_string(),
        };
        Violation {
            rule,
            text: text.chars().map(safe).collect(),
        }
    }

    /// What to do, in one sentence.
    pub fn fix(&self) -> &'static str {
        match self.rule {
            Rule::Size => {
                "the session token is too long for EKS: assume a role without session tags, session policy and policy ARNs, or with fewer"
            }
            Rule::Prefix => {
                "give the whole token, from k8s-aws-v1. on; a service account's token is none of this kind"
            }
            Rule::Encoding => {
                "encode the URL in base64url without padding, and leave no quotes and blanks around the token"
            }
            Rule::Url => "make the token anew: what it holds is no URL",
            Rule::Scheme => {
                "sign for https: the address of a test or local endpoint got into the token, often by AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_STS"
            }
            Rule::Host => {
                "sign for sts.REGION.amazonaws.com of the cluster's region: no port, no VPC endpoint, no other address by AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_STS"
            }
            Rule::GlobalHost => {
                "sign for the regional host: set the region and AWS_STS_REGIONAL_ENDPOINTS=regional"
            }
            Rule::Partition => {
                "sign for the cluster's own region, with credentials of that partition"
            }
            Rule::Path => {
                "write the host, then exactly one slash, then the query; encode only the values of the query"
            }
            Rule::Query => "percent-encode every value of the query, exactly once",
            Rule::Once => "write every parameter once",
            Rule::Allowed => {
                "sign without this parameter: the presigners of some SDKs add x-id, X-Amz-Content-Sha256 or X-Amz-User-Agent by themselves"
            }
            Rule::Action => "presign GetCallerIdentity, version 2011-06-15",
            Rule::SignedHeaders => {
                "presign with the header x-k8s-aws-id, its value the cluster's name"
            }
            Rule::Expires => {
                "give X-Amz-Expires before signing, a whole number from 0 to 900; 60 is usual"
            }
            Rule::Date => "write X-Amz-Date as 20250102T030405Z, in UTC",
            Rule::Age => {
                "take a new token, as one lasts for 15 minutes whatever X-Amz-Expires says; if it is new, set the clock of the machine that signed it"
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input token was not properly formatted: {}", self.text)
    }
}

impl std::error::Error for Violation {}
