//! Why EKS did not tell where a cluster is, and who can change that.

use std::error::Error;
use std::fmt;

use super::meaning::is_about_the_session;
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, Remedy, quote};
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::transport::TransportError;

/// Why there is no cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EksError {
    /// What happened.
    pub kind: EksErrorKind,
    pub(super) asked: Asked,
}

/// What was asked, where, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) cluster: String,
    pub(super) region: Region,
    pub(super) endpoint: String,
    /// The ARN of the role whose session asked.
    pub(super) role: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EksErrorKind {
    /// EKS answered with an error.
    Answered {
        /// HTTP status.
        status: u16,
        /// EKS's own code; empty where a proxy or a load balancer answered.
        code: String,
        /// EKS's own words.
        message: String,
    },
    /// The cluster is there, in this status.
    NotActive(String),
    /// The time was up.
    TimedOut,
    /// No connection: the innermost cause.
    Unreachable(String),
    /// A 200 that holds this instead of a cluster.
    Garbled(&'static str),
}

impl From<TransportError> for EksErrorKind {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::TimedOut => EksErrorKind::TimedOut,
            TransportError::Unreachable(cause) => EksErrorKind::Unreachable(cause),
            TransportError::Unreadable => {
                EksErrorKind::Garbled("an answer that broke off or has no end")
            }
        }
    }
}

impl EksErrorKind {
    /// EKS says so in several codes, and the words change.
    pub(super) fn may_be_the_clock(&self) -> bool {
        matches!(self, EksErrorKind::Answered { status: 400 | 401 | 403, code, .. } if is_about_the_session(code))
    }
}

impl EksError {
    /// What happened when the API at `endpoint` was asked for this cluster.
    pub fn new(
        kind: EksErrorKind,
        endpoint: &str,
        credentials: &Credentials,
        region: &Region,
        cluster: &ClusterName,
    ) -> Self {
        let asked = Asked {
            cluster: cluster.to_string(),
            region: region.clone(),
            endpoint: endpoint.to_owned(),
            role: credentials.role_arn().to_owned(),
        };
        EksError { kind, asked }
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        self.meaning().remedy
    }

    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        let meaning = self.meaning();
        Diagnosis {
            finding: meaning.finding,
            found: self.found(),
            expected: meaning.expected,
            fix: meaning.fix,
        }
    }

    fn found(&self) -> String {
        let Asked {
            cluster,
            region,
            endpoint,
            ..
        } = &self.asked;
        match &self.kind {
            EksErrorKind::Answered {
                status,
                code,
                message,
            } => {
                let code = match code.as_str() {
                    "" => " without a code".to_owned(),
                    code => format!(" {code}"),
                };
                let words = match message.as_str() {
                    "" => String::new(),
                    message => format!(" {}", quote(message)),
                };
                format!(
                    "DescribeCluster of {cluster} in {region}: EKS answered {status}{code}{words}"
                )
            }
            EksErrorKind::NotActive(status) => {
                format!("Cluster status is {status}: {cluster} in {region}")
            }
            EksErrorKind::TimedOut => format!("no answer from {endpoint} in time"),
            EksErrorKind::Unreachable(cause) => format!("no connection to {endpoint}: {cause}"),
            EksErrorKind::Garbled(what) => format!("{endpoint} answered with {what}"),
        }
    }
}

impl fmt::Display for EksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl Error for EksError {}
