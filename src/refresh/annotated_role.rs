//! The role that the service account's annotation names: when it is read, and what holds while it cannot be.
//!
//! What the API server says of the service account counts: a role that it names, and that it names none, as the annotation
//! is gone or the service account itself is. Nobody keeps a role that was taken away. Its silence does not count, and a 401
//! or 403 says nothing of the service account: a role that was read stays, and is said to be unconfirmed with every
//! exchange. Before anything was heard, `AWS_ROLE_ARN` stands in for silence.

use std::mem;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep_until};

use super::RefreshError;
use crate::backoff::{retry_delay, up_to};
use crate::claims::Claims;
use crate::diagnosis::Remedy;
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
    /// The last role, while there is none.
    former: Option<RoleArn>,
    /// Set while the last reading did not confirm the role.
    unconfirmed: Option<Unconfirmed>,
    /// Whether an exchange has failed since the last reading.
    doubtful: bool,
    /// When to read again at the latest; `None` while there is no role, as every attempt reads then.
    due: Option<Instant>,
    /// Why a look left no role, for the attempt that follows it.
    refusal: Option<ServiceAccountError>,
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

/// Why, and what was said of it.
#[derive(Debug)]
struct Unconfirmed {
    error: ServiceAccountError,
    consequence: &'static str,
    /// How many readings have failed in a row.
    count: u32,
    /// Whether it was said since the last exchange.
    said: bool,
}

impl Standing {
    fn role(&self) -> Option<&RoleArn> {
        match self {
            Standing::StandIn(role) | Standing::Read(Annotated { role, .. }) => Some(role),
            Standing::Unknown | Standing::Refused => None,
        }
    }
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
            former: None,
            unconfirmed: None,
            doubtful: false,
            due: None,
            refusal: None,
        }
    }

    /// The role; `None` while it is not known.
    pub(super) fn role(&self) -> Option<&RoleArn> {
        self.standing.role()
    }

    /// The audience that an annotation asks for.
    pub(super) fn audience(&self) -> Option<&str> {
        match &self.standing {
            Standing::Read(found) => found.audience.as_deref(),
            _ => None,
        }
    }

    /// The role for an exchange that is about to be made, read afresh where the last reading is old or in doubt.
    pub(super) async fn settle(&mut self, claims: &Claims) -> Result<RoleArn, RefreshError> {
        let account = ServiceAccountName::of(claims)?;
        if let Some(error) = self.refusal.take()
            && error.account == account
        {
            return Err(error.into());
        }
        let known = !self.doubtful && !self.is_due() && self.account.as_ref() == Some(&account);
        let role = match self.role() {
            Some(role) if known => role.clone(),
            _ => self.read(&account, claims).await?,
        };
        self.remind(&role);
        Ok(role)
    }

    /// An exchange was made.
    pub(super) fn exchanged(&mut self) {
        if let Some(unconfirmed) = &mut self.unconfirmed {
            unconfirmed.said = false;
        }
    }

    /// An exchange failed, and the annotation may be what somebody corrects.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
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

    /// The next reading is a whole interval ahead, should this one come to nothing.
    pub(super) fn put_off(&mut self) {
        if self.due.is_some() {
            self.due = Some(self.next());
        }
    }

    fn next(&mut self) -> Instant {
        Instant::now() + EVERY - up_to(EVERY / 10, &mut self.rng)
    }

    /// Reads, and tells whether exchanges are made by another role or audience now, or by none any more. Why there is
    /// none is said by the attempt that follows, which does not read a second time for it.
    pub(super) async fn read_again(&mut self, claims: &Claims) -> bool {
        let Ok(account) = ServiceAccountName::of(claims) else {
            return false;
        };
        let before = self.terms();
        self.refusal = self.read(&account, claims).await.err();
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
            self.leave(Standing::Unknown);
        }
        let found = self.api.annotations(account).await;
        let found = found.and_then(|annotations| self.config.read(account, &annotations));
        self.doubtful = false;
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
        if self.unconfirmed.take().is_some() {
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
        let is_other = !matches!(&self.standing, Standing::Read(last) if last.role == found.role);
        if let Some(stale) = self.config.stale(&found, account, claims)
            && is_other
        {
            tracing::warn!(finding = stale.finding.id, "{stale}");
        }
        let former = self.former.take();
        let old = self.role().or(former.as_ref());
        if let Some(old) = old.filter(|old| **old != found.role) {
            tracing::warn!(%old, new = %found.role, "the role has changed");
        }
        self.standing = Standing::Read(found);
        self.due = Some(self.next());
    }

    /// What holds when there is nothing to take. An error where nothing does.
    fn refuse(&mut self, error: ServiceAccountError) -> Result<RoleArn, ServiceAccountError> {
        match (&self.standing, &self.config.stand_in) {
            (Standing::Read(last), _) if !error.is_about_the_account() => {
                let role = last.role.clone();
                self.stay(
                    error,
                    &role,
                    "the service account cannot be read again; its last role stays",
                );
                Ok(role)
            }
            (Standing::Unknown | Standing::StandIn(_), Some(role)) if error.is_silence() => {
                let role = role.clone();
                self.standing = Standing::StandIn(role.clone());
                self.stay(
                    error,
                    &role,
                    "the service account cannot be read; the role in AWS_ROLE_ARN stands in",
                );
                Ok(role)
            }
            (Standing::Unknown, None) if error.is_silence() => Err(error),
            _ => {
                if let Standing::Read(Annotated { role, .. }) = &self.standing {
                    let finding = error.diagnosis().finding.id;
                    tracing::warn!(%role, finding, "the role was taken away");
                }
                self.leave(Standing::Refused);
                Err(error)
            }
        }
    }

    /// There is no role now.
    fn leave(&mut self, standing: Standing) {
        let last = mem::replace(&mut self.standing, standing);
        self.former = last.role().cloned().or(self.former.take());
        self.unconfirmed = None;
        self.due = None;
    }

    /// The role is what it was. One line per transition, and one per exchange: a failure that repeats itself is said at
    /// debug level.
    fn stay(&mut self, error: ServiceAccountError, role: &RoleArn, consequence: &'static str) {
        let finding = error.diagnosis().finding;
        let before = self.unconfirmed.take();
        let count = before.as_ref().map_or(0, |before| before.count);
        let said = before
            .filter(|before| before.error.diagnosis().finding == finding)
            .map(|before| before.said);
        if said.is_some() {
            tracing::debug!(%error, %role, finding = finding.id, "{consequence}");
        }
        let unconfirmed = self.unconfirmed.insert(Unconfirmed {
            error,
            consequence,
            count: count.saturating_add(1),
            said: said.unwrap_or(true),
        });
        if said.is_none() {
            unconfirmed.warn(role);
        }
        let delay = retry_delay(
            Remedy::Wait,
            unconfirmed.count,
            Duration::ZERO,
            &mut self.rng,
        );
        self.due = Some(Instant::now() + delay);
    }

    /// An exchange by a role that the API server has not confirmed: for as long as this lasts, a changed annotation
    /// changes nothing.
    fn remind(&mut self, role: &RoleArn) {
        if let Some(unconfirmed) = &mut self.unconfirmed
            && !unconfirmed.said
        {
            unconfirmed.warn(role);
            unconfirmed.said = true;
        }
    }
}

impl Unconfirmed {
    fn warn(&self, role: &RoleArn) {
        let (error, consequence) = (&self.error, self.consequence);
        let finding = error.diagnosis().finding.id;
        tracing::warn!(%error, %role, finding, "{consequence}");
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
