//! Why there is no token for a cluster, and what to do about it.

use std::fmt;
use std::time::Duration;

use super::{LONGEST, MARGIN};
use crate::diagnosis::{Diagnosis, findings};

/// Why there is no token for a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EksTokenError {
    /// Longer than what the verifier takes; the cluster would answer 401 and not say why.
    TooLarge {
        /// Of the whole token.
        bytes: usize,
        /// Characters of the session token in it.
        session_token_length: usize,
    },
    /// The token dies with the credentials that sign it, and they are about to.
    Dying {
        /// What is left of them.
        remaining: Duration,
    },
    /// The signing code refused its input.
    Unsignable(String),
}

impl EksTokenError {
    /// What was found, expected and is to be changed.
    pub fn diagnosis(&self) -> Diagnosis {
        match self {
            EksTokenError::TooLarge {
                bytes,
                session_token_length,
            } => Diagnosis {
                finding: findings::EKS_TOKEN_TOO_LARGE,
                found: format!(
                    "the EKS token has {bytes} bytes, as the session token in it has {session_token_length} characters"
                ),
                expected: format!(
                    "at most {LONGEST} bytes, which is all that EKS accepts: a session token of about 2,500 characters"
                ),
                fix: "session tags, a session policy and policy ARNs make session tokens long: assume a role without them, or with fewer".into(),
            },
            EksTokenError::Dying { remaining } => Diagnosis {
                finding: findings::EKS_CREDENTIALS_DYING,
                found: format!(
                    "the credentials that would sign the EKS token expire in {} s",
                    remaining.as_secs()
                ),
                expected: format!(
                    "more than {} s, since the token dies with them",
                    MARGIN.as_secs()
                ),
                fix: "they have to be refreshed first; the log says what keeps that from happening".into(),
            },
            EksTokenError::Unsignable(reason) => Diagnosis {
                finding: findings::EKS_TOKEN_UNSIGNABLE,
                found: format!("the EKS token could not be signed: {reason}"),
                expected: "credentials of STS and a clock that is right".into(),
                fix: "set the clock of the node; if it is right, please report this".into(),
            },
        }
    }
}

impl fmt::Display for EksTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for EksTokenError {}
