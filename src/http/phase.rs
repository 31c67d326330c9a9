//! What a connection is doing, and since when; cheap enough to note several times in each request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What a connection is doing, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head of a request is awaited or has begun to arrive.
    Head(Instant),
    /// A request is being judged.
    Busy,
    /// An answer was made and is on its way.
    Answered(Instant),
    /// The last answer has left, and nothing came since.
    Idle(Instant),
}

/// A phase that can be read from another task: its kind in the lowest bits, its time in microseconds above.
#[derive(Debug)]
pub(super) struct PhaseCell {
    epoch: Instant,
    packed: AtomicU64,
}

const KINDS: u64 = 4;

impl PhaseCell {
    /// In the phase of a connection that was just made.
    pub(super) fn new() -> Self {
        let epoch = Instant::now();
        PhaseCell {
            epoch,
            packed: AtomicU64::new(0),
        }
    }

    pub(super) fn get(&self) -> Phase {
        let packed = self.packed.load(Ordering::Relaxed);
        let since = self.epoch + Duration::from_micros(packed / KINDS);
        match packed % KINDS {
            0 => Phase::Head(since),
            1 => Phase::Busy,
            2 => Phase::Answered(since),
            _ => Phase::Idle(since),
        }
    }

    pub(super) fn set(&self, phase: Phase) {
        let (kind, since) = match phase {
            Phase::Head(since) => (0, since),
            Phase::Busy => (1, self.epoch),
            Phase::Answered(since) => (2, since),
            Phase::Idle(since) => (3, since),
        };
        let micros = since.saturating_duration_since(self.epoch).as_micros();
        // 62 bits of microseconds are 146,000 years.
        let packed = u64::try_from(micros).unwrap_or(0) * KINDS + kind;
        self.packed.store(packed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_phase_is_read_as_it_was_written() {
        let cell = PhaseCell::new();
        let start = Instant::now();
        assert_eq!(cell.get(), Phase::Head(start));
        let later = start + Duration::from_secs(100_000);
        for phase in [
            Phase::Busy,
            Phase::Answered(later),
            Phase::Idle(later),
            Phase::Head(later),
        ] {
            cell.set(phase);
            assert_eq!(cell.get(), phase);
        }
    }
}
