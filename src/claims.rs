//! Claims of the web identity token: decoded and checked before anything leaves the pod.
//!
//! The signature is not verified: that is STS's job, and only STS's answer counts. The checks here turn what STS
//! would answer with three words into a sentence that names the claim, and keep wrong tokens from leaving the pod.

mod error;
mod rotation;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::dangerous::insecure_decode_claims;
use serde_json::{Map, Value};

use self::error::list;
pub use self::error::{Audience, ClaimsError};
pub use self::rotation::Rotation;
use crate::diagnosis::quote;
use crate::token::WebIdentityToken;

/// How far `exp` and `nbf` may be off: clocks differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// The audience of tokens that STS takes, where nobody has agreed on another.
pub const STS_AUDIENCE: &str = "sts.amazonaws.com";
/// The audience of the token that the EKS Pod Identity webhook mounts.
const POD_IDENTITY_AUDIENCE: &str = "pods.eks.amazonaws.com";
/// The API server's own audience begins with this; on EKS it is exactly this.
const API_SERVER_AUDIENCE: &str = "https://kubernetes.default.svc";
/// The issuer of legacy secret tokens.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

/// What a token says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `aud`, always as a list; empty where the claim is absent.
    pub audiences: Vec<String>,
    /// `iss`.
    pub issuer: String,
    /// `sub`, for a service account `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: String,
    /// `exp`; absent in legacy secret tokens.
    pub expires_at: Option<SystemTime>,
    /// `nbf`.
    pub not_before: Option<SystemTime>,
    /// `iat`.
    pub issued_at: Option<SystemTime>,
    /// `kubernetes.io`; absent in legacy secret tokens and in tokens of other issuers.
    pub kubernetes: Option<Kubernetes>,
}

/// The `kubernetes.io` claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    /// The namespace of the service account.
    pub namespace: Option<String>,
    /// The name of the service account.
    pub service_account: Option<String>,
    /// The pod that the token is bound to.
    pub pod: Option<Pod>,
}

/// Name and UID of a pod.
#[derive(Clone, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; serves as an authorization, hence not shown.
    pub uid: String,
}

impl fmt::Debug for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pod")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Decodes the claims; says nothing yet about whether they are right.
pub fn decode(token: &WebIdentityToken) -> Result<Claims, ClaimsError> {
    let text = token.expose();
    let not_a_jwt = || ClaimsError::NotAJwt {
        length: text.chars().count(),
        parts: text.split('.').count(),
        odd: odd(text),
    };
    // The decoder looks at the claims only, and not at what stands around and between the parts.
    if !is_compact(text) {
        return Err(not_a_jwt());
    }
    let claims: Map<String, Value> = insecure_decode_claims(text).map_err(|_| not_a_jwt())?;
    Ok(Claims {
        audiences: audiences(&claims)?,
        issuer: text_claim(&claims, "iss")?.unwrap_or_default(),
        subject: text_claim(&claims, "sub")?.unwrap_or_default(),
        expires_at: time_claim(&claims, "exp")?,
        not_before: time_claim(&claims, "nbf")?,
        issued_at: time_claim(&claims, "iat")?,
        kubernetes: kubernetes(&claims)?,
    })
}

/// RFC 7515 section 3.1: three parts in the letters of base64url, without padding, and nothing else. The last one, the
/// signature, is the business of whoever verifies it.
fn is_compact(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.';
    let parts: Vec<&str> = text.split('.').collect();
    let [header, claims, _] = parts[..] else {
        return false;
    };
    !header.is_empty() && !claims.is_empty() && text.bytes().all(plain)
}

/// What people have left around a token, in words; it is not repeated.
fn odd(text: &str) -> Option<&'static str> {
    let begins_with = |beginning: &str| {
        let begin = text.get(..beginning.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(beginning))
    };
    let holds = |what: fn(char) -> bool| text.contains(what);
    Some(if text.starts_with('\u{feff}') {
        "a byte order mark stands before it"
    } else if begins_with("Bearer ") || begins_with("Bearer:") {
        "the word Bearer stands before it"
    } else if begins_with("{") {
        "it begins with a brace, as JSON does"
    } else if holds(|c| "\"'`".contains(c)) {
        "a quotation mark stands in it"
    } else if holds(|c| c == '\n' || c == '\r') {
        "there is a second line"
    } else if holds(char::is_whitespace) {
        "a blank stands in it"
    } else if holds(|c| c == '=') {
        "an equals sign stands in it"
    } else if holds(|c| c == '+' || c == '/') {
        "it is in base64, not base64url"
    } else {
        return None;
    })
}

/// What IAM compares with provider and trust policy.
impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (issuer, subject) = (quote(&self.issuer), quote(&self.subject));
        write!(
            f,
            "iss {issuer}, sub {subject}, aud {}",
            list(&self.audiences)
        )
    }
}

impl Claims {
    /// Checks that STS can accept this token for `audience` at `now` (corrected time).
    pub fn check(&self, audience: &str, now: SystemTime) -> Result<(), ClaimsError> {
        if !self.audiences.iter().any(|found| found == audience) {
            return Err(self.wrong_audience(audience));
        }
        for (claim, value) in [("iss", &self.issuer), ("sub", &self.subject)] {
            if value.is_empty() {
                return Err(ClaimsError::Missing(claim));
            }
        }
        let expires_at = self.expires_at.ok_or(ClaimsError::Missing("exp"))?;
        if let Ok(ago) = now.duration_since(expires_at)
            && ago > LEEWAY
        {
            return Err(ClaimsError::Expired {
                at: expires_at,
                ago,
            });
        }
        if let Some(at) = self.not_before
            && let Ok(ahead) = at.duration_since(now)
            && ahead > LEEWAY
        {
            return Err(ClaimsError::NotYetValid { at, ahead });
        }
        Ok(())
    }

    /// The three wrong tokens that people really mount are recognised by name.
    fn wrong_audience(&self, expected: &str) -> ClaimsError {
        let audience = Audience {
            found: self.audiences.clone(),
            expected: expected.to_owned(),
        };
        let holds = |part: &str| self.audiences.iter().any(|found| found.starts_with(part));
        if self.issuer == LEGACY_ISSUER || (self.audiences.is_empty() && self.expires_at.is_none())
        {
            ClaimsError::LegacySecret(audience)
        } else if holds(POD_IDENTITY_AUDIENCE) {
            ClaimsError::PodIdentity(audience)
        } else if holds(API_SERVER_AUDIENCE) || self.audiences == [self.issuer.as_str()] {
            ClaimsError::ApiToken(audience)
        } else {
            ClaimsError::Audience(audience)
        }
    }

    /// The AWS region in the issuer of an EKS cluster, `https://oidc.eks.REGION.SUFFIX/id/…`.
    pub fn eks_region(&self) -> Option<&str> {
        let host = self
            .issuer
            .strip_prefix("https://oidc.eks.")?
            .split('/')
            .next()?;
        let (region, suffix) = host.split_once('.')?;
        (!region.is_empty() && !suffix.is_empty()).then_some(region)
    }
}

/// RFC 7519 section 4.1.3: a string or a list of strings. Kubernetes always writes a list.
fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, ClaimsError> {
    let malformed = |value: &Value| ClaimsError::Malformed {
        claim: "aud",
        found: type_of(value),
        expected: "a string or a list of strings",
    };
    match claims.get("aud") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(list)) => list
            .iter()
            .map(|value| {
                value
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| malformed(value))
            })
            .collect(),
        Some(other) => Err(malformed(other)),
    }
}

fn text_claim(
    claims: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<String>, ClaimsError> {
    match claims.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(ClaimsError::Malformed {
            claim,
            found: type_of(other),
            expected: "a string",
        }),
    }
}

/// RFC 7519 NumericDate: seconds since 1970, possibly with a fraction, which is cut off.
fn time_claim(
    claims: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<SystemTime>, ClaimsError> {
    let Some(value) = claims.get(claim).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let seconds = value
        .as_u64()
        .or_else(|| value.as_f64().map(|float| float as u64));
    match seconds {
        // Beyond the year 9999 stands a mistake, and arithmetic on it would overflow.
        Some(seconds) if seconds < 253_402_300_800 => {
            Ok(Some(UNIX_EPOCH + Duration::from_secs(seconds)))
        }
        _ => Err(ClaimsError::Malformed {
            claim,
            found: type_of(value),
            expected: "a number of seconds since 1970",
        }),
    }
}

/// What is missing in it is no reason to refuse a token: STS does not look at it.
fn kubernetes(claims: &Map<String, Value>) -> Result<Option<Kubernetes>, ClaimsError> {
    let object = match claims.get("kubernetes.io") {
        None | Some(Value::Null) => return Ok(None),
        Some(object @ Value::Object(_)) => object,
        Some(other) => {
            return Err(ClaimsError::Malformed {
                claim: "kubernetes.io",
                found: type_of(other),
                expected: "an object",
            });
        }
    };
    let text = |pointer: &str| {
        let text = object.pointer(pointer).and_then(Value::as_str)?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    Ok(Some(Kubernetes {
        namespace: text("/namespace"),
        service_account: text("/serviceaccount/name"),
        pod: text("/pod/name")
            .zip(text("/pod/uid"))
            .map(|(name, uid)| Pod { name, uid }),
    }))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number out of range",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
