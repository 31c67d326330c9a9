//! The role that the service account's annotation names: when it is read, and what holds while it cannot be.
//!
//! An answer of the API server counts; its silence does not. A role that was read stays while it cannot be read again,
//! and ends when the annotation is gone: nobody keeps a role that was taken away. Before anything was heard,
//! `AWS_ROLE_ARN` stands in.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep_until};

use super::RefreshError;
use crate::backoff::up_to;
use crate::claims::Claims;
use crate::diagnosis::Finding;
use crate::role::RoleArn;
use crate::service_account::{
    Annotated, AnnotationsConfig, Api, ServiceAccountError, ServiceAccountName,
};

/// How often the service account is read at least; a tenth less by chance, so that pods that start together drift apart.
const EVERY: Duration = Duration::from_secs(300);

/// The role, and what is known of it.
pub(super) struct AnnotatedRole<A> {
    config: AnnotationsConfig,
    api: A,
    rng: Rng,
    account: Option<ServiceAccountName>,
    standing: Standing,
    /// Whether the last reading succeeded, and nothing has made it doubtful since.
    fresh: bool,
    /// When to read again at the latest; `None` before the first time.
    due: Option<Instant>,
    /// Why the last reading failed, where that was said in a line of its own.
    said: Option<Finding>,
}

/// What exchanges are made by.
#[derive(Debug)]
enum Standing {
    /// Nothing was heard yet.
    Unknown,
    /// `AWS_ROLE_ARN`, as nothing was heard yet.
    StandIn(RoleArn),
    /// What was read last.
    Read(Annotated),
    /// The API server answered, and not with a role.
    Refused,
}

impl<A: Api + Sync> AnnotatedRole<A> {
    /// Has read nothing yet.
    pub(super) fn new(config: AnnotationsConfig, api: A) -> Self {
        AnnotatedRole {
            config,
            api,
            rng: Rng::new(),
            account: None,
            standing: Standing::Unknown,
            fresh: false,
            due: None,
            said: None,
        }
    }

    /// The role; `None` while it is not known.
    pub(super) fn role(&self) -> Option<&RoleArn> {
        match &self.standing {
            Standing::StandIn(role) | Standing::Read(Annotated { role, .. }) => Some(role),
            Standing::Unknown | Standing::Refused => None,
        }
    }

    /// The audience that an annotation asks for.
    pub(super) fn audience(&self) -> Option<&str> {
        match &self.standing {
            Standing::Read(found) => found.audience.as_deref(),
            _ => None,
        }
    }

    /// The role for an exchange that is about to be made, read afresh where the last reading is old, failed, or in doubt.
    pub(super) async fn settle(&mut self, claims: &Claims) -> Result<RoleArn, RefreshError> {
        let account = ServiceAccountName::of(claims)?;
        let known = self.fresh && !self.is_due() && self.account.as_ref() == Some(&account);
        match self.role() {
            Some(role) if known => Ok(role.clone()),
            _ => Ok(self.read(&account, claims).await?),
        }
    }

    /// An exchange failed, and the annotation may be what somebody corrects.
    pub(super) fn doubt(&mut self) {
        self.fresh = false;
    }

    /// Returns when it is time to read again.
    pub(super) async fn until_due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Whether it is.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// The next reading is a whole interval ahead, whatever became of this one.
    pub(super) fn put_off(&mut self) {
        self.due = Some(Instant::now() + EVERY - up_to(EVERY / 10, &mut self.rng));
    }

    /// Reads, and tells whether exchanges are made by another role or audience now, or by none any more. Why a reading
    /// failed is said by the attempt that follows, unless it changes nothing.
    pub(super) async fn read_again(&mut self, claims: &Claims) -> bool {
        let Ok(account) = ServiceAccountName::of(claims) else {
            return false;
        };
        let before = self.terms();
        let _ = self.read(&account, claims).await;
        before != self.terms()
    }

    fn terms(&self) -> Option<(RoleArn, Option<String>)> {
        let role = self.role()?.clone();
        Some((role, self.audience().map(str::to_owned)))
    }

    async fn read(
        &mut self,
        account: &ServiceAccountName,
        claims: &Claims,
    ) -> Result<RoleArn, ServiceAccountError> {
        if self.account.as_ref() != Some(account) {
            self.account = Some(account.clone());
            self.standing = Standing::Unknown;
        }
        let found = self.api.annotations(account).await;
        self.put_off();
        let found = found.and_then(|annotations| self.config.read(account, &annotations));
        self.fresh = found.is_ok();
        match found {
            Ok(found) => {
                let role = found.role.clone();
                self.take(found, account, claims);
                Ok(role)
            }
            Err(error) => self.refuse(error),
        }
    }

    fn take(&mut self, found: Annotated, account: &ServiceAccountName, claims: &Claims) {
        if self.said.take().is_some() {
            tracing::info!(%account, "the service account can be read again");
        }
        let is_news = !matches!(&self.standing, Standing::Read(last) if *last == found);
        if is_news {
            tracing::info!(
                namespace = account.namespace,
                service_account = account.name,
                role = %found.role,
                audience = found.audience.as_deref(),
                token_expiration = found.token_expiration.map(|it| it.as_secs()),
                sts_regional_endpoints = found.sts_regional_endpoints,
                "read the service account's annotations"
            );
            compare_expiration(&found, claims);
        }
        if let Some(old) = self.role().filter(|old| **old != found.role) {
            tracing::warn!(%old, new = %found.role, "the role has changed");
        }
        self.standing = Standing::Read(found);
    }

    /// What holds when there is nothing to take. An error where nothing does.
    fn refuse(&mut self, error: ServiceAccountError) -> Result<RoleArn, ServiceAccountError> {
        match &self.standing {
            Standing::Read(last) if !error.is_about_annotations() => {
                let role = last.role.clone();
                self.say(
                    &error,
                    &role,
                    "the service account cannot be read again; its last role stays",
                );
                Ok(role)
            }
            Standing::Unknown | Standing::StandIn(_) if error.is_silence() => {
                let role = self.config.stand_in.clone().ok_or_else(|| error.clone())?;
                self.say(
                    &error,
                    &role,
                    "the service account cannot be read; the role in AWS_ROLE_ARN stands in",
                );
                self.standing = Standing::StandIn(role.clone());
                Ok(role)
            }
            _ => {
                self.standing = Standing::Refused;
                Err(error)
            }
        }
    }

    /// One line per transition: a failure that repeats itself is said at debug level.
    fn say(&mut self, error: &ServiceAccountError, role: &RoleArn, consequence: &str) {
        let finding = error.diagnosis().finding;
        if self.said == Some(finding) {
            tracing::debug!(%error, %role, finding = finding.id, "{consequence}");
        } else {
            tracing::warn!(%error, %role, finding = finding.id, "{consequence}");
        }
        self.said = Some(finding);
    }
}

/// The kubelet projects what the pod spec says: for a token of another life the annotation came too late.
fn compare_expiration(found: &Annotated, claims: &Claims) {
    let issued_and_ends = claims.issued_at.zip(claims.expires_at);
    let life = issued_and_ends.and_then(|(issued, ends)| ends.duration_since(issued).ok());
    if let (Some(wanted), Some(life)) = (found.token_expiration, life)
        && wanted != life
    {
        tracing::debug!(
            annotation = wanted.as_secs(),
            token = life.as_secs(),
            "the token lives for another time than the annotation token-expiration says, which counts when the pod is made"
        );
    }
}
