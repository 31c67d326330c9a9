//! Another role, assumed from the pod's role: for clusters that know only that one.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Change, DURATION_OF_EVERY_ROLE, RefreshError, Source};
use crate::credentials::Credentials;
use crate::role::RoleArn;
use crate::store::{Reader, Unavailable};
use crate::sts::{AssumeRole, Exchange, Sts};
use crate::transport::OPERATION_TIMEOUT;

/// The pod's credentials, and the role to assume with them.
pub struct AssumedRole {
    role: RoleArn,
    pod: Reader,
    sts: Sts,
    /// What the last attempt was made with.
    used: Option<Arc<Credentials>>,
}

impl AssumedRole {
    /// Has asked for nothing yet.
    pub fn new(role: RoleArn, pod: Reader, sts: Sts) -> Self {
        AssumedRole {
            role,
            pod,
            sts,
            used: None,
        }
    }
}

impl Source for AssumedRole {
    fn role(&self) -> Option<&RoleArn> {
        Some(&self.role)
    }

    async fn obtain(&mut self) -> Result<Credentials, RefreshError> {
        self.pod.decided(Instant::now() + OPERATION_TIMEOUT).await;
        let unavailable = |Unavailable(trouble)| RefreshError::Pod(trouble.diagnosis.clone());
        let credentials = self.pod.credentials().map_err(unavailable)?;
        let request = AssumeRole {
            credentials: &credentials,
            session_name: credentials.session_name(),
            role: &self.role,
            // Role chaining allows no more than an hour, whatever the role allows.
            duration: DURATION_OF_EVERY_ROLE,
        };
        let answer = self.sts.assume_role(&request).await;
        self.used = Some(credentials);
        Ok(answer?)
    }

    async fn ask_time(&self) {
        self.sts.ask_time().await;
    }

    async fn stirred(&mut self) {
        self.pod.changed().await;
    }

    /// What another role could assume, the pod's role of now may not.
    async fn changed(&mut self) -> Change {
        let Ok(held) = self.pod.credentials() else {
            return Change::None;
        };
        match &self.used {
            Some(used) if Arc::ptr_eq(used, &held) => Change::None,
            Some(used) if used.role_arn() != held.role_arn() => Change::Anew,
            _ => Change::Retry,
        }
    }
}
