//! How long to wait before something is tried again: pure functions of who can end the failure, how often it came, and
//! chance.

use std::time::Duration;

use fastrand::Rng;

use crate::diagnosis::Remedy;

/// The longest sleep without a look at the wall clock: timers stand still while the machine is suspended.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Full jitter grows from here
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// … to here.
const BACKOFF_CAP: Duration = Duration::from_secs(60);
/// What somebody has to change is tried this often at first
const CHANGE_SOON: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60));
/// … for this long
const CHANGE_SOON_FOR: Duration = Duration::from_secs(600);
/// … and this often later: a broken rollout must not throttle the account.
const CHANGE_LATER: (Duration, Duration) = (Duration::from_secs(150), Duration::from_secs(300));

/// How long to wait after the `count`th failure in a row (from 1) of one kind that has lasted for `lasting`.
pub fn retry_delay(remedy: Remedy, count: u32, lasting: Duration, rng: &mut Rng) -> Duration {
    match remedy {
        Remedy::Wait => full_jitter(count, rng),
        // The file may have been read in the middle of a rotation: once more, soon.
        Remedy::NewToken if count == 1 => full_jitter(count, rng),
        Remedy::NewToken | Remedy::Change if lasting < CHANGE_SOON_FOR => between(CHANGE_SOON, rng),
        Remedy::NewToken | Remedy::Change => between(CHANGE_LATER, rng),
    }
}

/// "Exponential Backoff And Jitter", AWS Architecture Blog: anything from nothing to the doubled base.
fn full_jitter(count: u32, rng: &mut Rng) -> Duration {
    let doubled = BACKOFF_BASE.saturating_mul(1 << count.saturating_sub(1).min(16));
    up_to(doubled.min(BACKOFF_CAP), rng)
}

fn between((low, high): (Duration, Duration), rng: &mut Rng) -> Duration {
    low + up_to(high - low, rng)
}

/// Anything from nothing to `longest`.
pub fn up_to(longest: Duration, rng: &mut Rng) -> Duration {
    longest.mul_f64(rng.f64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    proptest! {
        #[test]
        fn what_can_pass_is_tried_within_a_minute_for_ever(count in 1u32..1_000_000, seed: u64) {
            let rng = &mut Rng::with_seed(seed);
            let delay = retry_delay(Remedy::Wait, count, MINUTE * count, rng);
            prop_assert!(delay <= MINUTE);
            prop_assert!(count > 6 || delay <= Duration::from_secs(1 << (count - 1)));
        }

        #[test]
        fn what_somebody_has_to_change_never_hammers_the_account(
            count in 2u32..10_000, minutes in 0u32..10_000, seed: u64,
        ) {
            for remedy in [Remedy::Change, Remedy::NewToken] {
                let delay = retry_delay(remedy, count, MINUTE * minutes, &mut Rng::with_seed(seed));
                let (low, high) = if minutes < 10 { (30, 60) } else { (150, 300) };
                prop_assert!(delay >= Duration::from_secs(low) && delay <= Duration::from_secs(high));
            }
        }
    }
}
