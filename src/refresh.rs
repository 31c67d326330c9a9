//! The task that keeps one role's credentials fresh: it alone obtains them and writes their store.
//!
//! It is alone (so there is never more than one exchange at a time) and it knows no client (so none can cancel it).
//! When to act is decided by [`schedule`], where credentials come from by a [`Source`]; here it is done.

mod annotated_role;
pub mod assumed_role;
pub mod schedule;
pub mod web_identity;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use tokio::time::{Instant, sleep};
use tracing::field::display;

use self::schedule::Schedule;
use crate::backoff::LONGEST_SLEEP;
use crate::claims::ClaimsError;
use crate::clock::{self, Clock, rfc3339};
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, Finding, Remedy};
use crate::metrics::Metrics;
use crate::role::RoleArn;
use crate::service_account::ServiceAccountError;
use crate::store::{Trouble, Writer, served_for};
use crate::sts::StsError;
use crate::token::TokenError;

/// What every role allows, and the most that a role assumed from another role is given.
pub const DURATION_OF_EVERY_ROLE: Duration = Duration::from_secs(3600);

/// How soon STS is asked again for the time that it did not tell.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(5);

/// The line to look for in a log.
const NO_CREDENTIALS: &str = "no credentials";
/// The same of a role that some client asked for: the pod's own is none the worse for it.
const CANNOT_ASSUME: &str = "cannot assume the other role";

/// Where one role's credentials come from.
pub trait Source {
    /// The role; `None` while nobody has told it.
    fn role(&self) -> Option<&RoleArn>;

    /// Obtains credentials, once.
    fn obtain(&mut self) -> impl Future<Output = Result<Credentials, RefreshError>> + Send;

    /// Has STS tell the time, with a request that carries nothing.
    fn ask_time(&self) -> impl Future<Output = ()> + Send;

    /// Returns when it is time to look whether something has changed that a failure may have been about.
    fn stirred(&mut self) -> impl Future<Output = ()> + Send;

    /// Looks.
    fn changed(&mut self) -> impl Future<Output = Change> + Send;
}

/// What a look brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// What a failure may have been about is another now.
    Retry,
    /// So is what the credentials are of: they are not what would be asked for now.
    Anew,
}

/// The task's state.
pub struct Refresh<S> {
    source: S,
    clock: Clock,
    writer: Arc<Writer>,
    /// Those of the pod's own credentials; `None` for any others.
    metrics: Option<Arc<Metrics>>,
    rng: Rng,
    schedule: Schedule,
    credentials: Option<Arc<Credentials>>,
    trouble_since: Option<SystemTime>,
    /// When STS was last asked for the time alone.
    asked_time: Option<Instant>,
    /// The finding that was logged last, and whether credentials were given out at that time.
    last_said: Option<(Finding, bool)>,
    /// Whether the node's clock was said to be wrong, and is.
    said_clock: bool,
}

/// Why an attempt failed.
#[derive(Debug)]
pub enum RefreshError {
    /// No token to look at.
    Token(TokenError),
    /// A token that must not be sent.
    Claims(ClaimsError),
    /// No role to ask for.
    ServiceAccount(ServiceAccountError),
    /// STS.
    Sts(StsError),
    /// A role cannot be assumed from the pod's role, since that has no credentials itself.
    Pod(Diagnosis),
}

impl<S: Source> Refresh<S> {
    /// A task that has done nothing yet.
    pub fn new(
        source: S,
        clock: Clock,
        writer: Arc<Writer>,
        metrics: Option<Arc<Metrics>>,
        rng: Rng,
    ) -> Self {
        Refresh {
            source,
            clock,
            writer,
            metrics,
            rng,
            schedule: Schedule::default(),
            credentials: None,
            trouble_since: None,
            asked_time: None,
            last_said: None,
            said_clock: false,
        }
    }

    /// Keeps the store fresh; never returns.
    pub async fn run(mut self) {
        loop {
            self.settle_time().await;
            self.notice_the_clock();
            self.notice_the_end();
            let wait = self.schedule.wait(self.clock.now());
            if wait.is_zero() {
                let outcome = self.source.obtain().await;
                self.take(outcome);
                continue;
            }
            let nap = match self.served_for() {
                Duration::ZERO => LONGEST_SLEEP,
                until_the_end => LONGEST_SLEEP.min(until_the_end),
            };
            tokio::select! {
                () = sleep(wait.min(nap)) => {}
                () = self.writer.nudged() => {}
                () = self.writer.renewal_wanted() => self.schedule.renew(self.clock.now()),
                () = self.source.stirred() => {
                    match self.source.changed().await {
                        Change::None => {}
                        Change::Retry => self.schedule.changed(self.clock.now()),
                        Change::Anew => self.schedule.outdated(self.clock.now()),
                    }
                }
            }
        }
    }

    /// After a step of the clock or a suspended machine, before anything is decided.
    async fn settle_time(&mut self) {
        let asked_lately = self
            .asked_time
            .is_some_and(|asked| asked.elapsed() < BETWEEN_QUESTIONS);
        if self.clock.is_doubtful() && !asked_lately {
            self.source.ask_time().await;
            self.asked_time = Some(Instant::now());
            self.writer.time_told();
        }
    }

    fn take(&mut self, outcome: Result<Credentials, RefreshError>) {
        if let (Some(metrics), Some(millis)) = (&self.metrics, self.clock.offset_millis()) {
            metrics.clock_offset(millis);
        }
        match outcome {
            Ok(credentials) => self.succeeded(Arc::new(credentials)),
            Err(error) => self.failed(&error),
        }
    }

    fn succeeded(&mut self, credentials: Arc<Credentials>) {
        let now = self.clock.now();
        self.schedule
            .succeeded(Arc::clone(&credentials), now, &mut self.rng);
        self.writer.refreshed(Arc::clone(&credentials));
        if let Some(metrics) = &self.metrics {
            metrics.refreshed(credentials.expiration(), self.clock.local());
        }
        tracing::info!(
            role = credentials.role_arn(),
            expiration = rfc3339(credentials.expiration()),
            refresh_in = %whole(self.schedule.wait(now)),
            access_key_id = format_args!("{}…", credentials.key_id_prefix()),
            "refreshed credentials"
        );
        self.credentials = Some(credentials);
        self.trouble_since = None;
        self.last_said = None;
    }

    fn failed(&mut self, error: &RefreshError) {
        let (now, local) = (self.clock.now(), self.clock.local());
        let delay = self.schedule.failed(error.remedy(), now, &mut self.rng);
        let diagnosis = error.diagnosis();
        if let Some(metrics) = &self.metrics {
            metrics.failed(error.remedy());
        }
        self.say(error, &diagnosis, delay);
        self.writer.failed(Trouble {
            diagnosis,
            since: *self.trouble_since.get_or_insert(local),
            next_attempt: local + delay,
        });
    }

    /// One line per transition: a failure that repeats itself is said at debug level.
    fn say(&mut self, error: &RefreshError, diagnosis: &Diagnosis, delay: Duration) {
        let served = !self.served_for().is_zero();
        let (finding, retry_in, role) = (
            diagnosis.finding.id,
            whole(delay),
            self.source.role().cloned(),
        );
        let role = role.as_ref().map(display);
        // Of another role than the one that was asked for, where that has changed.
        let last = self.credentials.as_ref().filter(|_| served);
        let serving = last.map(|held| held.role_arn());
        let saying = Some((diagnosis.finding, served));
        if self.last_said == saying {
            tracing::debug!(role, %error, finding, %retry_in, serving, "still no new credentials");
        } else if served {
            let until = last.map(|held| rfc3339(held.expiration()));
            tracing::warn!(role, %error, finding, %retry_in, serving, until, "no new credentials; serving the last ones");
        } else {
            match self.metrics {
                Some(_) => tracing::error!(role, %error, finding, %retry_in, "{NO_CREDENTIALS}"),
                None => tracing::warn!(role, %error, finding, %retry_in, "{CANNOT_ASSUME}"),
            }
        }
        self.last_said = saying;
    }

    /// The sidecar minds no wrong clock; others on the node do. One line per transition, of the task that is there always.
    fn notice_the_clock(&mut self) {
        let (Some(_), Some(millis)) = (&self.metrics, self.clock.offset_millis()) else {
            return;
        };
        let wrong = clock::wrong(millis, self.clock.local());
        match &wrong {
            Some(wrong) if !self.said_clock => {
                tracing::warn!(finding = wrong.finding.id, "{wrong}");
            }
            None if self.said_clock => {
                tracing::info!("the node's clock is that of STS again");
            }
            _ => {}
        }
        self.said_clock = wrong.is_some();
    }

    /// The last credentials may end between two attempts, minutes before the next.
    fn notice_the_end(&mut self) {
        if let Some((finding, true)) = self.last_said
            && self.served_for().is_zero()
        {
            let (finding_id, role) = (finding.id, self.source.role().map(display));
            match self.metrics {
                Some(_) => tracing::error!(role, finding = finding_id, "{NO_CREDENTIALS}"),
                None => tracing::warn!(role, finding = finding_id, "{CANNOT_ASSUME}"),
            }
            self.last_said = Some((finding, false));
        }
    }

    fn served_for(&self) -> Duration {
        let now = self.clock.now();
        self.credentials
            .as_ref()
            .map_or(Duration::ZERO, |held| served_for(held, now))
    }
}

fn whole(duration: Duration) -> humantime::FormattedDuration {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let shown = if millis < 10_000 {
        millis
    } else {
        millis / 1_000 * 1_000
    };
    humantime::format_duration(Duration::from_millis(shown))
}

impl RefreshError {
    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        match self {
            RefreshError::Token(error) => error.diagnosis(),
            RefreshError::Claims(error) => error.diagnosis(),
            RefreshError::ServiceAccount(error) => error.diagnosis(),
            RefreshError::Sts(error) => error.diagnosis(),
            RefreshError::Pod(diagnosis) => diagnosis.clone(),
        }
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        match self {
            RefreshError::Token(error) => error.remedy(),
            RefreshError::Claims(error) => error.remedy(),
            RefreshError::ServiceAccount(error) => error.remedy(),
            RefreshError::Sts(error) => error.remedy(),
            // Their return is noticed at once.
            RefreshError::Pod(_) => Remedy::Wait,
        }
    }
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for RefreshError {}

impl From<TokenError> for RefreshError {
    fn from(error: TokenError) -> Self {
        RefreshError::Token(error)
    }
}

impl From<ClaimsError> for RefreshError {
    fn from(error: ClaimsError) -> Self {
        RefreshError::Claims(error)
    }
}

impl From<ServiceAccountError> for RefreshError {
    fn from(error: ServiceAccountError) -> Self {
        RefreshError::ServiceAccount(error)
    }
}

impl From<StsError> for RefreshError {
    fn from(error: StsError) -> Self {
        RefreshError::Sts(error)
    }
}

#[cfg(test)]
mod tests;
