//! The newest credentials, and why there are none: one writer, many readers.
//!
//! A reader decides at each request whether credentials are still alive, so a refresh that stopped can never make an
//! expired answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::clock::{Clock, Moment};
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, findings};
use crate::secret::Secret;

/// Credentials are no longer given out when this little is left, or a tenth of their lifetime if that is less: they
/// would be dead on arrival at the service that they sign for.
const FLOOR: Duration = Duration::from_secs(20);
/// The same over IMDS, or a third of their lifetime if that is less: with little left botocore takes it that the service
/// is down, and signs with what it has for up to ten minutes more.
const IMDS_FLOOR: Duration = Duration::from_secs(600);

/// How much life must be left in what is given out.
#[derive(Debug, Clone, Copy)]
enum Floor {
    Usual,
    Imds,
}

impl Floor {
    fn of(self, lifetime: Duration) -> Duration {
        match self {
            Floor::Usual => FLOOR.min(lifetime / 10),
            Floor::Imds => IMDS_FLOOR.min(lifetime / 3),
        }
    }

    /// How long credentials are still given out; zero from their end on.
    fn served_for(self, credentials: &Credentials, now: Moment) -> Duration {
        let floor = self.of(credentials.lifetime());
        credentials.remaining(now).saturating_sub(floor)
    }
}

/// Everything that a reader may see.
#[derive(Debug, Clone)]
struct State {
    /// The last good ones, perhaps expired by now.
    credentials: Option<Arc<Credentials>>,
    pod_uid: PodUid,
    /// Why the last attempt failed; `None` after a success.
    trouble: Option<Arc<Trouble>>,
}

/// What is known of the pod's UID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodUid {
    /// No token was read yet.
    Unknown,
    /// The token is bound to no pod.
    Absent,
    /// The UID, which serves as an authorization.
    Known(Secret),
}

/// A failure that lasts.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What is wrong.
    pub diagnosis: Diagnosis,
    /// Local time of the first failure in a row.
    pub since: SystemTime,
    /// Local time of the next attempt.
    pub next_attempt: SystemTime,
}

/// Makes the two ends.
pub fn store(clock: Clock) -> (Writer, Reader) {
    let (sender, receiver) = watch::channel(State {
        credentials: None,
        pod_uid: PodUid::Unknown,
        trouble: None,
    });
    let (nudge, renewal) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let started = clock.local();
    (
        Writer {
            state: sender,
            nudge: Arc::clone(&nudge),
            renewal: Arc::clone(&renewal),
        },
        Reader {
            state: receiver,
            nudge,
            renewal,
            floor: Floor::Usual,
            clock,
            started,
        },
    )
}

/// The one end that changes the store.
#[derive(Debug)]
pub struct Writer {
    state: watch::Sender<State>,
    nudge: Arc<Notify>,
    renewal: Arc<Notify>,
}

impl Writer {
    /// A token was read: this is what it says about the pod.
    pub fn pod_uid(&self, pod_uid: PodUid) {
        self.state.send_if_modified(|state| {
            let changed = state.pod_uid != pod_uid;
            state.pod_uid = pod_uid;
            changed
        });
    }

    /// An exchange succeeded.
    pub fn refreshed(&self, credentials: Arc<Credentials>) {
        self.state.send_modify(|state| {
            state.credentials = Some(credentials);
            state.trouble = None;
        });
    }

    /// An attempt failed. The last good credentials stay.
    pub fn failed(&self, trouble: Trouble) {
        self.state.send_modify(|state| {
            state.trouble = Some(Arc::new(trouble));
        });
    }

    /// The clock was set right: whoever waits looks again.
    pub fn time_told(&self) {
        self.state.send_modify(|_| {});
    }

    /// Returns when a reader found the credentials dead though nothing had failed, or the time in doubt: the clock was
    /// stepped, or the machine was suspended, and the writer's timers know nothing of it.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// Returns when a reader needs credentials that live longer than those that are there.
    pub async fn renewal_wanted(&self) {
        self.renewal.notified().await;
    }
}

/// One of the ends that look.
#[derive(Debug, Clone)]
pub struct Reader {
    state: watch::Receiver<State>,
    nudge: Arc<Notify>,
    renewal: Arc<Notify>,
    floor: Floor,
    clock: Clock,
    started: SystemTime,
}

/// Why there is nothing to give out.
#[derive(Debug, Clone)]
pub struct Unavailable(pub Arc<Trouble>);

impl Reader {
    /// One for IMDS, where credentials have to live longer than elsewhere.
    pub fn over_imds(&self) -> Self {
        Reader {
            floor: Floor::Imds,
            ..self.clone()
        }
    }

    /// Credentials that are alive now.
    pub fn credentials(&self) -> Result<Arc<Credentials>, Unavailable> {
        let state = self.state.borrow();
        match &state.credentials {
            Some(credentials) if self.is_alive(credentials) => Ok(Arc::clone(credentials)),
            _ => {
                if state.trouble.is_none() {
                    self.nudge.notify_one();
                }
                Err(self.unavailable(&state))
            }
        }
    }

    /// Credentials that are alive for `enough`, or as good as new; `None` where they would have to be asked for.
    pub fn lasting(&self, enough: Duration) -> Option<Arc<Credentials>> {
        let now = self.clock.now();
        let held = self.credentials().ok()?;
        (held.remaining(now) >= enough || held.are_young(now)).then_some(held)
    }

    /// Credentials that are alive for `enough`; where that takes newer ones, they are asked for and awaited until
    /// `deadline`. When none can be had, those that are there have to do.
    pub async fn credentials_for(
        &self,
        enough: Duration,
        deadline: Instant,
    ) -> Result<Arc<Credentials>, Unavailable> {
        if self.credentials().is_err() {
            self.decided(deadline).await;
        }
        if let Some(lasting) = self.lasting(enough) {
            return Ok(lasting);
        }
        let held = self.credentials()?;
        let mut state = self.state.clone();
        self.renewal.notify_one();
        let answered = state.wait_for(|state| {
            let newer = |newest: &Arc<_>| !Arc::ptr_eq(newest, &held);
            state.trouble.is_some() || state.credentials.as_ref().is_some_and(newer)
        });
        // An error means that the writer is gone: nothing newer will come.
        let _ = tokio::time::timeout_at(deadline, answered).await;
        self.credentials()
    }

    /// Whether the time can be relied on.
    pub fn is_settled(&self) -> bool {
        !self.clock.is_doubtful()
    }

    /// Waits, until `deadline`, for STS to tell the time where the clock is in doubt.
    pub async fn settled(&self, deadline: Instant) {
        if self.is_settled() {
            return;
        }
        let mut state = self.state.clone();
        self.nudge.notify_one();
        let settled = state.wait_for(|_| self.is_settled());
        // An error means that the writer is gone: nobody will ask.
        let _ = tokio::time::timeout_at(deadline, settled).await;
    }

    /// Returns when something in the store has changed since the last call.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // The writer is gone: nothing will change any more.
            std::future::pending::<()>().await;
        }
    }

    /// Whether `candidate` is the pod's UID; `None` while that is not known.
    pub fn is_pod_uid(&self, candidate: &[u8]) -> Option<bool> {
        match &self.state.borrow().pod_uid {
            PodUid::Unknown => None,
            PodUid::Absent => Some(false),
            PodUid::Known(uid) => Some(uid.matches(candidate)),
        }
    }

    /// Whether the last attempt failed.
    pub fn is_failing(&self) -> bool {
        self.state.borrow().trouble.is_some()
    }

    /// Why there is nothing to give out, asked when there is not.
    pub fn trouble(&self) -> Unavailable {
        self.unavailable(&self.state.borrow())
    }

    /// Waits until there are credentials or a reason why not, or until `deadline`. While there is neither, an exchange is
    /// under way: the first one, or the one after a leap of the clock.
    pub async fn decided(&self, deadline: Instant) {
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| {
            let held = state.credentials.as_ref();
            held.is_some_and(|held| self.is_alive(held)) || state.trouble.is_some()
        });
        // An error means that the writer is gone: nothing will change any more.
        let _ = tokio::time::timeout_at(deadline, decided).await;
    }

    fn is_alive(&self, credentials: &Credentials) -> bool {
        let served = self.floor.served_for(credentials, self.clock.now());
        !served.is_zero()
    }

    fn unavailable(&self, state: &State) -> Unavailable {
        match &state.trouble {
            Some(trouble) => Unavailable(Arc::clone(trouble)),
            // Between the end of the old credentials and the end of the attempt that replaces them, or at the start.
            None => Unavailable(Arc::new(Trouble {
                diagnosis: Diagnosis {
                    finding: findings::STARTING,
                    found: "an exchange with STS is under way".to_owned(),
                    expected: "its end within seconds".to_owned(),
                    fix: "ask again".to_owned(),
                },
                since: self.started,
                next_attempt: self.clock.local(),
            })),
        }
    }
}

/// How long credentials are still given out, but for IMDS; zero from their end on.
pub fn served_for(credentials: &Credentials, now: Moment) -> Duration {
    Floor::Usual.served_for(credentials, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_are_not_given_out() {
        let seconds = Duration::from_secs;
        for (lifetime, usual, over_imds) in [(3600, 20, 600), (900, 20, 300), (60, 6, 20)] {
            let lifetime = seconds(lifetime);
            assert_eq!(Floor::Usual.of(lifetime), seconds(usual));
            assert_eq!(Floor::Imds.of(lifetime), seconds(over_imds));
        }
    }
}
