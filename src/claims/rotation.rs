//! Whether the kubelet rotates the token in time.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::{Claims, LEEWAY};
use crate::clock::{rfc3339, whole};
use crate::diagnosis::{Diagnosis, findings};

/// The kubelet asks for another token when so much of the life is over, in tenths (its `token_manager.go`),
const ROTATED_AT: u32 = 8;
/// … or when the token is so old.
const OLDEST: Duration = Duration::from_secs(24 * 3600);
/// It looks every 90 s at most, and a busy API server makes it wait.
const LEAST_SLACK: Duration = Duration::from_secs(300);

/// What a token's age says of the kubelet.
#[derive(Debug)]
pub enum Rotation {
    /// Nothing, for this reason.
    Unknown(&'static str),
    /// The next token comes in its time.
    Due {
        /// When this one was made,
        issued: SystemTime,
        /// … and how long ago that was.
        age: Duration,
        /// How long until the kubelet asks for the next one; `None`: that moment is past.
        ahead: Option<Duration>,
    },
    /// The next one should have been there long ago.
    Late(Diagnosis),
}

impl Claims {
    /// Judged at `now`, which is corrected time where STS has told it.
    pub fn rotation(&self, now: SystemTime) -> Rotation {
        let (Some(issued), Some(expires)) = (self.issued_at, self.expires_at) else {
            return Rotation::Unknown("the token has no iat or no exp to tell its age by");
        };
        let Ok(life) = expires.duration_since(issued) else {
            return Rotation::Unknown("the token's exp is before its iat");
        };
        if issued > now + LEEWAY || now > expires + LEEWAY {
            return Rotation::Unknown("the token is not valid now; see claims");
        }
        let age = now.duration_since(issued).unwrap_or_default();
        let left = expires.duration_since(now).unwrap_or_default();
        let planned = (life * ROTATED_AT / 10).min(OLDEST);
        let slack = (life.min(OLDEST) / 10).max(LEAST_SLACK);
        match age > planned + slack {
            true => Rotation::Late(is_late(issued, age, whole(age - planned), left)),
            false => Rotation::Due {
                issued,
                age,
                ahead: planned.checked_sub(age),
            },
        }
    }
}

fn is_late(
    issued: SystemTime,
    age: Duration,
    late: impl fmt::Display,
    left: Duration,
) -> Diagnosis {
    Diagnosis {
        finding: findings::TOKEN_ROTATION_LATE,
        found: format!(
            "the token was issued {} ago, at {}, and its rotation is {late} late; it is good for another {}",
            whole(age),
            rfc3339(issued),
            whole(left)
        ),
        expected: "a token that the kubelet replaces when 80 % of its life or 24 h are over".into(),
        fix: "look into the kubelet's log of the pod's node for TokenRequest and serviceaccounts/token (`journalctl -u kubelet`), and see whether the API server is up and the service account still exists; deleting the pod brings a new token where the kubelet can get one".into(),
    }
}
