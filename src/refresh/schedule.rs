//! When to try again: pure functions of credentials, time and chance.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::backoff::{retry_delay, up_to};
use crate::clock::Moment;
use crate::credentials::Credentials;
use crate::diagnosis::Remedy;

/// Clients ask on every call, block, or extend expiry by themselves when less than 10 to 25 minutes are left.
const LEFT_AT_LEAST: Duration = Duration::from_secs(30 * 60);
/// Nothing makes two attempts follow each other faster, however often the token changes.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// How much of its lifetime a session has left when it is refreshed: the larger of 30 minutes and a third, half where
/// the lifetime is under an hour, and up to a tenth more by chance, so that pods that start together drift apart.
pub fn left_at_refresh(lifetime: Duration, rng: &mut Rng) -> Duration {
    let left = LEFT_AT_LEAST.min(lifetime / 2).max(lifetime / 3);
    left + up_to(lifetime / 10, rng)
}

/// What the loop knows: the credentials it holds, and the failures since.
#[derive(Debug, Default)]
pub struct Schedule {
    held: Option<Held>,
    failing: Option<Failing>,
    last_attempt: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    credentials: Arc<Credentials>,
    left_at_refresh: Duration,
}

#[derive(Debug)]
struct Failing {
    remedy: Remedy,
    count: u32,
    since: Instant,
    next: Instant,
}

impl Schedule {
    /// How long to wait for the next attempt; zero when it is due.
    pub fn wait(&self, now: Moment) -> Duration {
        let pause = self.last_attempt.map_or(Duration::ZERO, |last| {
            (last + BETWEEN_ATTEMPTS).saturating_duration_since(now.tick)
        });
        self.due(now).max(pause)
    }

    fn due(&self, now: Moment) -> Duration {
        match (&self.failing, &self.held) {
            (Some(failing), _) => failing.next.saturating_duration_since(now.tick),
            (None, Some(held)) => held
                .credentials
                .remaining(now)
                .saturating_sub(held.left_at_refresh),
            (None, None) => Duration::ZERO,
        }
    }

    /// An attempt yielded these.
    pub fn succeeded(&mut self, credentials: Arc<Credentials>, now: Moment, rng: &mut Rng) {
        let left_at_refresh = left_at_refresh(credentials.lifetime(), rng);
        *self = Schedule {
            held: Some(Held {
                credentials,
                left_at_refresh,
            }),
            failing: None,
            last_attempt: Some(now.tick),
        };
    }

    /// An attempt failed; returns how long to wait for the next.
    pub fn failed(&mut self, remedy: Remedy, now: Moment, rng: &mut Rng) -> Duration {
        let (count, since) = match &self.failing {
            Some(before) if before.remedy == remedy => {
                (before.count.saturating_add(1), before.since)
            }
            _ => (1, now.tick),
        };
        let delay = retry_delay(
            remedy,
            count,
            now.tick.saturating_duration_since(since),
            rng,
        );
        self.failing = Some(Failing {
            remedy,
            count,
            since,
            next: now.tick + delay,
        });
        self.last_attempt = Some(now.tick);
        delay
    }

    /// A reader needs credentials that live longer. A failure keeps its pace, and what is as good as new stays.
    pub fn renew(&mut self, now: Moment) {
        if let Some(held) = &mut self.held
            && !held.credentials.are_young(now)
        {
            held.left_at_refresh = Duration::MAX;
        }
    }

    /// What is held is not what would be asked for now: the next attempt is at once, whatever has failed before.
    pub fn outdated(&mut self, now: Moment) {
        if let Some(held) = &mut self.held {
            held.left_at_refresh = Duration::MAX;
        }
        self.changed(now);
    }

    /// Something changed that the failure may have been about: the next attempt is at once.
    pub fn changed(&mut self, now: Moment) {
        if let Some(failing) = &mut self.failing {
            failing.next = failing.next.min(now.tick);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;
    use crate::clock::Clock;
    use crate::credentials::Session;
    use crate::secret::Secret;

    const MINUTE: Duration = Duration::from_secs(60);

    proptest! {
        #[test]
        fn a_session_of_an_hour_or_more_never_has_less_than_30_minutes_left(
            minutes in 60u32..=720, seed: u64,
        ) {
            let lifetime = MINUTE * minutes;
            let left = left_at_refresh(lifetime, &mut Rng::with_seed(seed));
            prop_assert!(left >= (30 * MINUTE).max(lifetime / 3));
            prop_assert!(left <= (30 * MINUTE).max(lifetime / 3) + lifetime / 10);
        }

        #[test]
        fn a_shorter_session_is_refreshed_at_half_its_life(seconds in 1u64..3600, seed: u64) {
            let lifetime = Duration::from_secs(seconds);
            let left = left_at_refresh(lifetime, &mut Rng::with_seed(seed));
            prop_assert!(left >= lifetime / 2 && left <= lifetime.mul_f64(0.6));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_token_is_tried_at_once_but_not_in_a_loop() {
        let clock = Clock::reading(|| std::time::UNIX_EPOCH);
        let rng = &mut Rng::with_seed(7);
        let mut schedule = Schedule::default();
        assert_eq!(schedule.wait(clock.now()), Duration::ZERO);
        schedule.failed(Remedy::Change, clock.now(), rng);
        assert!(schedule.wait(clock.now()) >= Duration::from_secs(30));
        schedule.changed(clock.now());
        assert_eq!(schedule.wait(clock.now()), BETWEEN_ATTEMPTS);
        tokio::time::advance(BETWEEN_ATTEMPTS).await;
        assert_eq!(schedule.wait(clock.now()), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_of_a_role_that_was_changed_are_replaced_at_once_and_a_failure_keeps_its_pace()
     {
        let clock = Clock::system();
        let rng = &mut Rng::with_seed(7);
        let mut schedule = Schedule::default();
        schedule.succeeded(session(&clock), clock.now(), rng);
        tokio::time::advance(BETWEEN_ATTEMPTS).await;
        assert!(schedule.wait(clock.now()) > MINUTE);
        schedule.outdated(clock.now());
        assert_eq!(schedule.wait(clock.now()), Duration::ZERO);
        let delay = schedule.failed(Remedy::Change, clock.now(), rng);
        assert_eq!(schedule.wait(clock.now()), delay);
        tokio::time::advance(BETWEEN_ATTEMPTS).await;
        schedule.outdated(clock.now());
        assert_eq!(schedule.wait(clock.now()), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_for_longer_credentials_is_granted_once_they_have_aged_and_nothing_fails() {
        let clock = Clock::system();
        let rng = &mut Rng::with_seed(7);
        let mut schedule = Schedule::default();
        schedule.succeeded(session(&clock), clock.now(), rng);
        schedule.renew(clock.now());
        assert!(schedule.wait(clock.now()) > MINUTE, "as good as new");
        tokio::time::advance(MINUTE).await;
        schedule.renew(clock.now());
        assert_eq!(schedule.wait(clock.now()), Duration::ZERO);
        let delay = schedule.failed(Remedy::Change, clock.now(), rng);
        schedule.renew(clock.now());
        assert_eq!(
            schedule.wait(clock.now()),
            delay,
            "a failure keeps its pace"
        );
    }

    fn session(clock: &Clock) -> Arc<Credentials> {
        let session = Session {
            access_key_id: "ASIA".into(),
            secret_access_key: Secret::new("secret".into()),
            session_token: Secret::new("token".into()),
            expiration: clock.local() + 60 * MINUTE,
            account_id: "111122223333".into(),
            role_arn: "arn:aws:iam::111122223333:role/app".into(),
            session_name: "app-0".into(),
        };
        Arc::new(Credentials::new(session, clock.now(), 60 * MINUTE).unwrap())
    }
}
