//! The one task that exchanges tokens for credentials and writes the store.
//!
//! It is alone (so there is never more than one exchange at a time) and it knows no client (so none can cancel it).
//! When to act is decided by [`schedule`]; here it is done.

pub mod schedule;

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use tokio::time::sleep;

use self::schedule::{LONGEST_SLEEP, Schedule};
use crate::claims::{self, Claims, ClaimsError};
use crate::clock::{Clock, rfc3339};
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, Finding, Remedy};
use crate::metrics::Metrics;
use crate::role::{RoleArn, SessionName};
use crate::secret::Secret;
use crate::store::{PodUid, Trouble, Writer, served_for};
use crate::sts::{AssumeRole, Exchange, StsError};
use crate::token::{self, Mount, TokenError, WebIdentityToken};
use crate::watch::FileWatch;

/// What every role allows.
const DURATION_OF_EVERY_ROLE: Duration = Duration::from_secs(3600);

/// The line to look for in a log.
const NO_CREDENTIALS: &str = "no credentials";

/// What to exchange for what.
#[derive(Debug, Clone)]
pub struct RefreshConfig {
    /// The projected token.
    pub token_file: PathBuf,
    /// What `aud` has to hold.
    pub audience: String,
    /// The role to assume.
    pub role: RoleArn,
    /// `None`: from the token.
    pub session_name: Option<SessionName>,
    /// How long sessions shall live.
    pub duration: Duration,
}

/// The task's state.
pub struct Refresh<E> {
    config: RefreshConfig,
    exchange: E,
    clock: Clock,
    writer: Writer,
    metrics: Arc<Metrics>,
    rng: Rng,
    schedule: Schedule,
    /// Of the file that was looked at last; its content is not kept.
    fingerprint: Option<u64>,
    said_not_rotating: bool,
    credentials: Option<Arc<Credentials>>,
    trouble_since: Option<SystemTime>,
    /// The finding that was logged last, and whether credentials were given out at that time.
    last_said: Option<(Finding, bool)>,
}

/// Why an attempt failed.
#[derive(Debug)]
pub enum RefreshError {
    /// No token to look at.
    Token(TokenError),
    /// A token that must not be sent.
    Claims(ClaimsError),
    /// STS.
    Sts(StsError),
}

impl<E: Exchange> Refresh<E> {
    /// A task that has done nothing yet.
    pub fn new(
        config: RefreshConfig,
        exchange: E,
        clock: Clock,
        writer: Writer,
        metrics: Arc<Metrics>,
        rng: Rng,
    ) -> Self {
        Refresh {
            config,
            exchange,
            clock,
            writer,
            metrics,
            rng,
            schedule: Schedule::default(),
            fingerprint: None,
            said_not_rotating: false,
            credentials: None,
            trouble_since: None,
            last_said: None,
        }
    }

    /// Keeps the store fresh; never returns.
    pub async fn run(mut self) {
        let mut watch = FileWatch::new(&self.config.token_file);
        loop {
            self.notice_the_end();
            let wait = self.schedule.wait(self.clock.now());
            if wait.is_zero() {
                let outcome = self.attempt().await;
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
                () = watch.changed() => self.look_at_token().await,
            }
        }
    }

    /// From file to credentials, once.
    async fn attempt(&mut self) -> Result<Credentials, RefreshError> {
        let (token, claims) = self.read_token().await?;
        self.check(&claims).await?;
        let derived;
        let session_name = match &self.config.session_name {
            Some(name) => name,
            None => {
                derived = SessionName::from_claims(&claims);
                &derived
            }
        };
        let mut request = AssumeRole {
            token: &token,
            claims: &claims,
            role: &self.config.role,
            session_name,
            duration: self.config.duration,
        };
        match self.exchange.assume_role(&request).await {
            Err(error)
                if error.is_about_duration() && request.duration > DURATION_OF_EVERY_ROLE =>
            {
                tracing::warn!(
                    %error,
                    duration = %humantime::format_duration(request.duration),
                    "the role allows only shorter sessions; asking for 1h from now on"
                );
                request.duration = DURATION_OF_EVERY_ROLE;
                let answer = self.exchange.assume_role(&request).await;
                self.config.duration = DURATION_OF_EVERY_ROLE;
                Ok(answer?)
            }
            answer => Ok(answer?),
        }
    }

    /// A node with a wrong clock must not lock itself out, nor one that was told a wrong time: where time decides, STS is
    /// asked for it first.
    async fn check(&self, claims: &Claims) -> Result<(), ClaimsError> {
        let verdict = claims.check(&self.config.audience, self.clock.now().wall);
        match verdict {
            Err(error) if error.is_about_time() => {
                self.exchange.ask_time().await;
                claims.check(&self.config.audience, self.clock.now().wall)
            }
            verdict => verdict,
        }
    }

    /// Reads the token afresh. What is new about it is told to whom it concerns.
    async fn read_token(&mut self) -> Result<(WebIdentityToken, Claims), RefreshError> {
        let token = token::read(&self.config.token_file).await;
        let before = self.fingerprint.replace(fingerprint(&token));
        let token = token?;
        let claims = claims::decode(&token)?;
        if before != self.fingerprint {
            tracing::info!(
                %claims,
                issued = claims.issued_at.map(rfc3339),
                expires = claims.expires_at.map(rfc3339),
                "{}",
                match before {
                    None => "read the web identity token",
                    Some(_) => "the web identity token was rotated",
                }
            );
            self.learn(&claims);
        }
        Ok((token, claims))
    }

    /// The store learns of the pod's UID, the metrics of the token's end, and the log of a mount that never rotates.
    fn learn(&mut self, claims: &Claims) {
        if token::mount(&self.config.token_file) == Mount::RegularFile && !self.said_not_rotating {
            let diagnosis = token::not_rotating(&self.config.token_file);
            tracing::warn!(finding = diagnosis.finding.id, "{diagnosis}");
            self.said_not_rotating = true;
        }
        let pod = claims
            .kubernetes
            .as_ref()
            .and_then(|kubernetes| kubernetes.pod.as_ref());
        self.writer.pod_uid(match pod {
            Some(pod) => PodUid::Known(Secret::new(pod.uid.clone())),
            None => PodUid::Absent,
        });
        self.metrics.token(claims.expires_at);
    }

    /// The directory changed or was polled: is it another token?
    async fn look_at_token(&mut self) {
        let before = self.fingerprint;
        // What is wrong with it is for the attempt that follows to say.
        let _ = self.read_token().await;
        if before != self.fingerprint {
            self.schedule.changed(self.clock.now());
        }
    }

    fn take(&mut self, outcome: Result<Credentials, RefreshError>) {
        if let Some(millis) = self.clock.offset_millis() {
            self.metrics.clock_offset(millis);
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
        self.metrics
            .refreshed(credentials.expiration(), self.clock.local());
        tracing::info!(
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
        self.metrics.failed(error.remedy());
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
        let (finding, retry_in) = (diagnosis.finding.id, whole(delay));
        let saying = Some((diagnosis.finding, served));
        if self.last_said == saying {
            tracing::debug!(%error, finding, %retry_in, served, "still no new credentials");
        } else if served {
            let until = self
                .credentials
                .as_ref()
                .map(|held| rfc3339(held.expiration()));
            tracing::warn!(%error, finding, %retry_in, until, "no new credentials; serving the last ones");
        } else {
            tracing::error!(%error, finding, %retry_in, "{NO_CREDENTIALS}");
        }
        self.last_said = saying;
    }

    /// The last credentials may end between two attempts, minutes before the next.
    fn notice_the_end(&mut self) {
        if let Some((finding, true)) = self.last_said
            && self.served_for().is_zero()
        {
            tracing::error!(finding = finding.id, "{NO_CREDENTIALS}");
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

/// Tells one token from another without keeping it, and one wrong file from the next.
fn fingerprint(read: &Result<WebIdentityToken, TokenError>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match read {
        Ok(token) => token.expose().hash(&mut hasher),
        Err(error) => error.to_string().hash(&mut hasher),
    }
    hasher.finish()
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
            RefreshError::Sts(error) => error.diagnosis(),
        }
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        match self {
            RefreshError::Token(error) => error.remedy(),
            RefreshError::Claims(error) => error.remedy(),
            RefreshError::Sts(error) => error.remedy(),
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

impl From<StsError> for RefreshError {
    fn from(error: StsError) -> Self {
        RefreshError::Sts(error)
    }
}

#[cfg(test)]
mod tests;
