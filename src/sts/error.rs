//! Why an exchange failed.
//!
//! The raw answer is never kept: code, message and request id are enough, and a body may hold credentials.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;

use super::endpoint::Endpoint;
use super::table::{
    GARBLED, Row, TIMED_OUT, USELESS, assume_role, classify, credentials_refused, unreachable,
};
use crate::claims::Claims;
use crate::diagnosis::{Diagnosis, Remedy, findings, quote, word};
use crate::role::RoleArn;
use crate::secret::scrub;
use crate::transport::innermost;

/// Why an exchange yielded nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsError {
    /// What happened on the wire.
    pub kind: StsErrorKind,
    asked: Option<Box<Asked>>,
}

/// What was asked, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) role: RoleArn,
    pub(super) duration: Duration,
    pub(super) endpoint: Endpoint,
    pub(super) region: String,
    pub(super) by: By,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// A token with these claims, which STS compares with provider and trust policy.
    Token(Claims),
    /// The pod's role.
    Role(String),
    /// A session of the role itself: this access key id.
    Itself(String),
}

impl By {
    /// Without what STS does not look at: the pod's UID is nobody's business.
    pub(super) fn token(claims: &Claims) -> Self {
        By::Token(Claims {
            kubernetes: None,
            ..claims.clone()
        })
    }
}

/// What happened on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StsErrorKind {
    /// STS answered with an error.
    Answered {
        /// HTTP status.
        status: u16,
        /// STS's own code; empty where a proxy or a load balancer answered.
        code: String,
        /// STS's own words, shortened, without the token.
        message: String,
        /// What AWS support asks for.
        request_id: Option<String>,
    },
    /// The time was up.
    TimedOut,
    /// No connection: the innermost cause.
    Unreachable(String),
    /// An answer that is none of STS's: a captive proxy, or half of one.
    Garbled {
        /// HTTP status.
        status: Option<u16>,
    },
    /// STS's answer, but nothing that could be used.
    Useless(String),
}

impl StsError {
    /// `sent` is the secret that the request carried and STS may repeat; may be empty.
    pub(super) fn from_sdk<E>(error: &SdkError<E>, asked: Asked, sent: &str) -> Self
    where
        E: ProvideErrorMetadata + RequestId,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let kind = match error {
            SdkError::TimeoutError(_) => StsErrorKind::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => StsErrorKind::TimedOut,
            SdkError::DispatchFailure(failure) => StsErrorKind::Unreachable(innermost(
                failure.as_connector_error().map(|error| error as _),
            )),
            // A page of a captive proxy: the SDK calls whatever it cannot parse an error of the service.
            SdkError::ServiceError(service)
                if service.err().code().is_none() && status.is_some_and(|s| s < 300) =>
            {
                StsErrorKind::Garbled { status }
            }
            SdkError::ServiceError(service) => StsErrorKind::Answered {
                status: status.unwrap_or_default(),
                code: word(service.err().code().unwrap_or_default()),
                message: scrub(service.err().message().unwrap_or_default(), sent),
                request_id: service.err().request_id().map(str::to_owned),
            },
            _ => StsErrorKind::Garbled { status },
        };
        StsError {
            kind,
            asked: Some(Box::new(asked)),
        }
    }

    pub(super) fn useless(what: &str) -> Self {
        StsError::of(StsErrorKind::Useless(what.to_owned()))
    }

    pub(super) fn late(asked: Asked) -> Self {
        StsError {
            kind: StsErrorKind::TimedOut,
            asked: Some(Box::new(asked)),
        }
    }

    /// An error of this kind that cannot name what was asked.
    pub fn of(kind: StsErrorKind) -> Self {
        StsError { kind, asked: None }
    }

    /// The row of the table that this error falls into.
    fn row(&self) -> Row {
        match &self.kind {
            StsErrorKind::Answered {
                status,
                code,
                message,
                ..
            } => {
                let usual = classify(*status, code, message);
                match self.asked.as_ref().map(|asked| &asked.by) {
                    Some(By::Role(_)) => assume_role(code).unwrap_or(usual),
                    Some(By::Itself(_)) if usual.remedy != Remedy::Wait => {
                        credentials_refused(code)
                    }
                    _ => usual,
                }
            }
            StsErrorKind::TimedOut => TIMED_OUT,
            StsErrorKind::Unreachable(cause) => unreachable(cause),
            StsErrorKind::Garbled { .. } => GARBLED,
            StsErrorKind::Useless(_) => USELESS,
        }
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        self.row().remedy
    }

    /// Whether the role allows only shorter sessions than were asked for.
    pub fn is_about_duration(&self) -> bool {
        self.row().finding == findings::STS_DURATION
    }

    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        let row = self.row();
        let asked = self.asked.as_ref();
        let names = asked.and_then(|asked| asked.fix(row.finding));
        let diagnosis = Diagnosis {
            finding: row.finding,
            found: self.found(),
            expected: row.expected.to_owned(),
            fix: row.fix.to_owned() + names.as_deref().unwrap_or_default(),
        };
        match asked {
            Some(asked) => asked.endpoint.led_to(diagnosis),
            None => diagnosis,
        }
    }

    fn found(&self) -> String {
        let unnamed = Endpoint::unnamed();
        let at = match &self.asked {
            Some(asked) => &asked.endpoint,
            None => &unnamed,
        };
        match &self.kind {
            StsErrorKind::Answered {
                status,
                code,
                message,
                request_id,
            } => {
                let mut found = format!("STS answered {status}");
                match code.as_str() {
                    "" => found.push_str(" without a code"),
                    code => found.push_str(&format!(" {code}")),
                }
                if !message.is_empty() {
                    found.push_str(&format!(" {}", quote(message)));
                }
                if let Some(asked) = &self.asked {
                    found.push_str(&format!(" for role {}", asked.role));
                    match &asked.by {
                        // The claims matter where STS compared them with something.
                        By::Token(_) if self.remedy() == Remedy::Wait => {}
                        By::Token(claims) => found.push_str(&format!(" and a token with {claims}")),
                        By::Role(own) => found.push_str(&format!(", assumed from {own}")),
                        By::Itself(key) => found.push_str(&format!(" and its access key {key}")),
                    }
                }
                if let Some(id) = request_id {
                    found.push_str(&format!(", request id {}", quote(id)));
                }
                found
            }
            StsErrorKind::TimedOut => at.no_answer(),
            StsErrorKind::Unreachable(cause) => at.no_connection(cause),
            StsErrorKind::Garbled { status } => match status {
                Some(status) => format!("{at} answered {status} with what is no answer of STS"),
                None => format!("{at} answered with what is no answer of STS"),
            },
            StsErrorKind::Useless(what) => format!("STS answered 200 with {what}"),
        }
    }
}

impl fmt::Display for StsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl Error for StsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_code_words_and_request_id() {
        let error = StsError {
            kind: StsErrorKind::Answered {
                status: 403,
                code: "AccessDenied".into(),
                message: "Not authorized".into(),
                request_id: Some("b2f1".into()),
            },
            asked: Some(Box::new(Asked {
                role: "arn:aws:iam::111122223333:role/app".parse().unwrap(),
                duration: Duration::from_secs(3600),
                endpoint: Endpoint::unnamed(),
                region: String::new(),
                by: By::Token(Claims {
                    audiences: vec!["a".into()],
                    issuer: "i".into(),
                    subject: "s".into(),
                    expires_at: None,
                    not_before: None,
                    issued_at: None,
                    kubernetes: None,
                }),
            })),
        };
        let sentence = error.to_string();
        assert!(sentence.starts_with(
            "STS answered 403 AccessDenied \"Not authorized\" for role arn:aws:iam::111122223333:role/app and a token with iss \"i\", sub \"s\", aud \"a\", request id \"b2f1\"; expected a role that exists"
        ), "{sentence}");
    }
}
