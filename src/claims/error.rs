//! Why a token must not be sent to STS, and what to change in the pod spec.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::clock::{rfc3339, whole};
use crate::diagnosis::{Diagnosis, Finding, Remedy, findings, quote, without_tokens};

/// Why a token must not be sent to STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimsError {
    /// Not three parts of base64url with a JSON object in the middle.
    NotAJwt {
        /// Characters in the file.
        length: usize,
        /// Parts between dots.
        parts: usize,
        /// What stands there that belongs to no token, in words.
        odd: Option<&'static str>,
    },
    /// A claim that STS needs is not there.
    Missing(&'static str),
    /// A claim has another type than RFC 7519 and Kubernetes give it.
    Malformed {
        /// The claim.
        claim: &'static str,
        /// The JSON type that stands there.
        found: &'static str,
        /// The JSON type that should stand there.
        expected: &'static str,
    },
    /// The token at `/var/run/secrets/kubernetes.io/serviceaccount/token`.
    ApiToken(Audience),
    /// The token out of a Secret of type `kubernetes.io/service-account-token`.
    LegacySecret(Audience),
    /// The token that the EKS Pod Identity webhook mounts.
    PodIdentity(Audience),
    /// Any other token for somebody else.
    Audience(Audience),
    /// `exp` is over.
    Expired {
        /// `exp`.
        at: SystemTime,
        /// How long ago by corrected time.
        ago: Duration,
    },
    /// `nbf` is ahead.
    NotYetValid {
        /// `nbf`.
        at: SystemTime,
        /// How far ahead by corrected time.
        ahead: Duration,
    },
}

/// An audience that was found, and the one that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    pub(super) found: Vec<String>,
    pub(super) expected: String,
}

impl ClaimsError {
    /// What was found, expected and is to be changed.
    pub fn diagnosis(&self) -> Diagnosis {
        let diagnose = |finding: Finding, found: String, expected: String, fix: String| Diagnosis {
            finding,
            found,
            expected,
            fix,
        };
        let wrong_token = |finding, what: &str, audience: &Audience| {
            let (found, expected) = (list(&audience.found), without_tokens(&audience.expected));
            diagnose(
                finding,
                format!("the token is {what}: its aud is {found}"),
                format!("aud {}", quote(&expected)),
                format!(
                    "project a token of its own: volumes[].projected.sources[].serviceAccountToken with audience: {expected}, mount it in the sidecar's container and set --token-file to it"
                ),
            )
        };
        match self {
            ClaimsError::NotAJwt { length, parts, odd } => diagnose(
                findings::TOKEN_NOT_A_JWT,
                format!(
                    "the token file holds {length} characters in {parts} dot-separated parts that do not decode{}",
                    odd.map_or(String::new(), |odd| format!(": {odd}"))
                ),
                "a JSON Web Token alone: header.claims.signature, each in base64url".into(),
                "set --token-file to the token in the projected volume; nothing else may write that file".into(),
            ),
            ClaimsError::Missing(claim) => diagnose(
                findings::CLAIM_MISSING,
                format!("the token has no claim {claim}"),
                match *claim {
                    "kubernetes.io" => "the claim kubernetes.io with namespace and service account, by which role-from-annotation finds the annotation",
                    _ => "the claims aud, iss, sub and exp",
                }
                .into(),
                "use a token that the kubelet projects: volumes[].projected.sources[].serviceAccountToken".into(),
            ),
            ClaimsError::Malformed {
                claim,
                found,
                expected,
            } => diagnose(
                findings::CLAIM_MALFORMED,
                format!("the token's claim {claim} is {found}"),
                (*expected).into(),
                "use a token that the kubelet projects: volumes[].projected.sources[].serviceAccountToken".into(),
            ),
            ClaimsError::ApiToken(audience) => wrong_token(
                findings::TOKEN_IS_API_TOKEN,
                "the default Kubernetes API token",
                audience,
            ),
            ClaimsError::LegacySecret(audience) => wrong_token(
                findings::TOKEN_IS_LEGACY_SECRET,
                "a legacy service account secret",
                audience,
            ),
            ClaimsError::PodIdentity(audience) => wrong_token(
                findings::TOKEN_IS_POD_IDENTITY,
                "the one for EKS Pod Identity",
                audience,
            ),
            ClaimsError::Audience(audience) => {
                let (found, expected) = (list(&audience.found), without_tokens(&audience.expected));
                diagnose(
                    findings::TOKEN_AUDIENCE,
                    format!("the token's aud is {found}"),
                    format!("aud {}", quote(&expected)),
                    format!(
                        "set audience: {expected} on the projected volume's serviceAccountToken, or --audience to what the IAM OIDC provider lists"
                    ),
                )
            }
            ClaimsError::Expired { at, ago } => diagnose(
                findings::TOKEN_EXPIRED,
                format!("the token expired at {}, {} ago", rfc3339(*at), whole(*ago)),
                "a token that the kubelet has rotated in time".into(),
                "see why the kubelet does not rotate it: a subPath mount, a copied file, or TokenRequest errors in the kubelet's log; deleting the pod brings a new token".into(),
            ),
            ClaimsError::NotYetValid { at, ahead } => diagnose(
                findings::TOKEN_NOT_YET_VALID,
                format!(
                    "the token is valid from {} on, in {}",
                    rfc3339(*at),
                    whole(*ahead)
                ),
                "a token that is valid now".into(),
                "set the clock of the node, or of the control plane that issued the token".into(),
            ),
        }
    }

    /// The kubelet has to bring another token; until then nothing can change.
    pub fn remedy(&self) -> Remedy {
        Remedy::NewToken
    }

    /// Whether another clock could change the verdict.
    pub fn is_about_time(&self) -> bool {
        matches!(
            self,
            ClaimsError::Expired { .. } | ClaimsError::NotYetValid { .. }
        )
    }
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for ClaimsError {}

/// Audiences from outside, for one line of a log.
pub(super) fn list(audiences: &[String]) -> String {
    const SHOWN: usize = 5;
    if audiences.is_empty() {
        return "absent".to_owned();
    }
    let mut shown: Vec<String> = audiences.iter().take(SHOWN).map(|one| quote(one)).collect();
    if audiences.len() > SHOWN {
        shown.push(format!("{} more", audiences.len() - SHOWN));
    }
    shown.join(", ")
}
