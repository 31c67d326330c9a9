//! Waiting for what has to happen.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

/// How long anything may take that is not under test. Never slept through: waits end when what they wait for is there.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Looks again and again until there is something; without it says what was there instead.
#[track_caller]
pub fn eventually<T, E: Display>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) if Instant::now() >= end => {
                panic!("{what}: not within {PATIENCE:?}; at the end: {instead}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
