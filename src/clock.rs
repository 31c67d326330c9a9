//! The clock: wall time as STS would tell it, and a tick that no clock step can move.
//!
//! A node's clock may be wrong, may be stepped, and stands still while the machine is suspended. Decisions are
//! therefore made in *corrected* time (local wall time plus the offset measured from STS's `Date`), and ages are
//! never younger than the monotonic tick says. This is the only caller of `SystemTime::now`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use tokio::time::Instant;

use crate::diagnosis::{Diagnosis, findings};

/// The local clock and the tick run alike but for a step of the clock, a suspended machine, or this much.
const DOUBT: Duration = Duration::from_secs(5);

/// `Date` has whole seconds, and nothing minds this much.
pub const HARMLESS: Duration = Duration::from_secs(60);

/// The last second that a date of four digits can tell, in seconds since 1970.
pub const END_OF_TIME: i64 = 253_402_300_799;

/// One reading of the clock.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Wall time, corrected by the offset to STS.
    pub wall: SystemTime,
    /// Monotonic; does not count suspended time.
    pub tick: Instant,
}

impl Moment {
    /// How long ago `earlier` was: the larger of what wall time and the monotonic tick say. A clock that is stepped back
    /// makes nothing younger, and suspended time counts.
    pub fn since(self, earlier: Moment) -> Duration {
        let by_wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        by_wall.max(self.tick.saturating_duration_since(earlier.tick))
    }
}

/// Reads wall time and keeps the offset to STS. Clones share the offset.
#[derive(Clone)]
pub struct Clock {
    local: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    told: Arc<Mutex<Option<Told>>>,
}

/// What STS told of the time, and when.
#[derive(Debug, Clone, Copy)]
struct Told {
    offset_millis: i64,
    /// The corrected wall time of that moment,
    at: Moment,
    /// … and the local one.
    local: SystemTime,
}

impl Clock {
    /// The system's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
    pub fn system() -> Self {
        Clock::reading(SystemTime::now)
    }

    /// A clock whose local wall time is what `local` returns, for simulations.
    pub fn reading(local: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Clock {
            local: Arc::new(local),
            told: Arc::default(),
        }
    }

    /// The node's own wall time: what others on this node compare with.
    pub fn local(&self) -> SystemTime {
        (self.local)()
    }

    /// Corrected wall time and the monotonic tick: what decisions are made in. Since STS told the time, no less can have
    /// passed than ticked away: a local clock that is stepped back is not believed.
    pub fn now(&self) -> Moment {
        let (local, tick) = (self.local(), Instant::now());
        let wall = match self.told() {
            None => local,
            Some(told) => {
                let ticked = tick.saturating_duration_since(told.at.tick);
                shift(local, told.offset_millis).max(told.at.wall + ticked)
            }
        };
        Moment { wall, tick }
    }

    /// Milliseconds that STS is ahead of the local clock; `None` until STS has told its time.
    pub fn offset_millis(&self) -> Option<i64> {
        self.told().map(|told| told.offset_millis)
    }

    /// Whether the local clock was stepped, or the machine suspended, since STS told the time: which of the two cannot be
    /// known from here, and only one of them leaves the offset as it was.
    pub fn is_doubtful(&self) -> bool {
        self.told().is_some_and(|told| {
            let ticked = told.at.tick.elapsed();
            distance(self.local(), told.local + ticked) > DOUBT
        })
    }

    /// Takes in the `Date` of an answer of STS to a request that was sent and answered at these local times.
    pub fn observe(&self, date: SystemTime, sent: SystemTime, received: SystemTime) {
        let offset_millis = measure(date, sent, received);
        let at = Moment {
            wall: shift(received, offset_millis),
            tick: Instant::now(),
        };
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told {
            offset_millis,
            at,
            local: received,
        });
    }

    fn told(&self) -> Option<Told> {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The SDK signs at corrected time.
impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Clock::now(self).wall
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("offset_millis", &self.offset_millis())
            .finish_non_exhaustive()
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ`: no fraction and no offset, the one form that every SDK's parser takes.
pub fn rfc3339(time: SystemTime) -> String {
    DateTime::from_secs(unix_seconds(time))
        .fmt(Format::DateTime)
        .unwrap_or_else(|_| "a time out of range".to_owned())
}

/// A duration as people say it, without its fraction of a second.
pub fn whole(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}

/// Whole seconds since 1970, rounded down; negative before.
pub fn unix_seconds(time: SystemTime) -> i64 {
    DateTime::from(time).secs()
}

/// The offset in milliseconds that one `Date` proves. `Date` has whole seconds and was written somewhere between
/// sending and receiving: what lies within that doubt is no offset.
fn measure(date: SystemTime, sent: SystemTime, received: SystemTime) -> i64 {
    let round_trip = received.duration_since(sent).unwrap_or_default();
    let middle = sent + round_trip / 2;
    let doubt = Duration::from_millis(500) + round_trip / 2;
    let told = date + Duration::from_millis(500);
    let (distance, sign) = match told.duration_since(middle) {
        Ok(ahead) => (ahead, 1),
        Err(behind) => (behind.duration(), -1),
    };
    if distance <= doubt {
        return 0;
    }
    sign * i64::try_from(distance.as_millis()).unwrap_or(i64::MAX)
}

/// How far the node's clock is off and on which side, where that of STS is so far ahead of it; `None` where the two agree.
pub fn aside(offset_millis: i64) -> Option<String> {
    let off = Duration::from_millis(offset_millis.unsigned_abs());
    let side = if offset_millis < 0 {
        "ahead of"
    } else {
        "behind"
    };
    let found = || format!("the node's clock is {} {side} that of STS", whole(off));
    (off >= Duration::from_secs(1)).then(found)
}

/// What to say about a node's clock that shows `local` while that of STS is so far ahead of it; `None` where nothing minds.
pub fn wrong(offset_millis: i64, local: SystemTime) -> Option<Diagnosis> {
    let found = aside(offset_millis)
        .filter(|_| Duration::from_millis(offset_millis.unsigned_abs()) > HARMLESS)?;
    let (here, there) = (rfc3339(local), rfc3339(shift(local, offset_millis)));
    Some(Diagnosis {
        finding: findings::CLOCK_WRONG,
        found: format!("{found}: {here} here, {there} there"),
        expected: format!(
            "a clock within {} s of that of STS; AWS refuses requests that are signed more than 5 min off",
            HARMLESS.as_secs()
        ),
        fix: "set the node's clock by NTP: the sidecar corrects for it, but the app's AWS SDKs and kubectl may not. On the node:\n\
              chronyc sources && chronyc tracking\n\
              chronyc makestep\n\
              On EC2 the source is this line of /etc/chrony.conf: server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4"
            .into(),
    })
}

/// How far apart two times are.
pub fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}

fn shift(time: SystemTime, millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let shifted = if millis < 0 {
        time.checked_sub(distance)
    } else {
        time.checked_add(distance)
    };
    shifted.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn a_clock_that_agrees_within_the_doubt_of_date_has_no_offset() {
        assert_eq!(measure(at(10_000), at(10_100), at(10_200)), 0);
        assert_eq!(measure(at(10_000), at(10_950), at(10_990)), 0);
        assert_eq!(measure(at(11_000), at(10_990), at(11_030)), 0);
    }

    #[test]
    fn a_clock_that_is_wrong_is_corrected_in_both_directions() {
        assert_eq!(
            measure(at(3_610_000), at(10_400), at(10_600)),
            3_600_000,
            "an hour slow"
        );
        assert_eq!(
            measure(at(10_000), at(3_610_400), at(3_610_600)),
            -3_600_000,
            "an hour fast"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn now_is_corrected_and_local_is_not() {
        let clock = Clock::reading(|| at(10_000_000));
        assert_eq!(clock.offset_millis(), None);
        clock.observe(at(13_600_000), at(10_000_000), at(10_000_000));
        assert_eq!(clock.local(), at(10_000_000));
        assert_eq!(clock.now().wall, at(13_600_500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_back_is_not_believed_once_sts_has_told_the_time() {
        let local = Arc::new(Mutex::new(at(10_000_000)));
        let read = Arc::clone(&local);
        let clock = Clock::reading(move || *read.lock().unwrap());
        clock.observe(at(10_000_000), at(10_000_000), at(10_000_000));
        tokio::time::advance(Duration::from_secs(100)).await;
        *local.lock().unwrap() = at(1_000_000);
        assert_eq!(clock.now().wall, at(10_100_000));
        *local.lock().unwrap() = at(20_000_000);
        assert_eq!(clock.now().wall, at(20_000_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_in_either_direction_is_in_doubt_until_sts_tells_the_time_again() {
        let local = Arc::new(Mutex::new(at(10_000_000)));
        let read = Arc::clone(&local);
        let clock = Clock::reading(move || *read.lock().unwrap());
        assert!(!clock.is_doubtful(), "nothing was told yet");
        clock.observe(at(10_600_000), at(10_000_000), at(10_000_000));
        tokio::time::advance(Duration::from_secs(100)).await;
        *local.lock().unwrap() = at(10_103_000);
        assert!(!clock.is_doubtful());
        for stepped in [at(10_700_000), at(9_000_000)] {
            *local.lock().unwrap() = stepped;
            assert!(clock.is_doubtful());
            clock.observe(at(10_700_000), stepped, stepped);
            assert!(!clock.is_doubtful());
            assert!(distance(clock.now().wall, at(10_700_000)) < Duration::from_secs(1));
        }
    }

    #[test]
    fn times_are_written_without_fraction_and_offset() {
        assert_eq!(rfc3339(at(1_735_787_045_678)), "2025-01-02T03:04:05Z");
    }
}
