//! Who is connected, and who has to go when there are too many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::phase::{Phase, PhaseCell};

/// The connections of one door, over all its listeners.
#[derive(Debug)]
pub struct Registry {
    most: usize,
    connections: Mutex<Connections>,
    stopping: AtomicBool,
    stops: Notify,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    places: HashMap<u64, Arc<Place>>,
}

/// One connection as the registry sees it.
#[derive(Debug)]
struct Place {
    phase: PhaseCell,
    gives_way: AtomicBool,
    waker: AtomicWaker,
}

/// A connection's own end of its place; leaving is dropping it.
#[derive(Debug)]
pub(super) struct Slot {
    registry: Arc<Registry>,
    number: u64,
    place: Arc<Place>,
}

impl Registry {
    /// For at most so many connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Registry {
            most,
            connections: Mutex::default(),
            stopping: AtomicBool::new(false),
            stops: Notify::new(),
        })
    }

    /// A place for a new connection. When all are taken, somebody gives way; only when everybody is being answered
    /// there is none.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Slot> {
        if lock(&self.connections).places.len() >= self.most && !self.evict(Duration::ZERO) {
            return None;
        }
        let mut connections = lock(&self.connections);
        let number = connections.next;
        connections.next += 1;
        let place = Arc::new(Place {
            phase: PhaseCell::new(),
            gives_way: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        connections.places.insert(number, Arc::clone(&place));
        Some(Slot {
            registry: Arc::clone(self),
            number,
            place,
        })
    }

    /// Closes the slowest sender of a head, otherwise the longest idle connection; none that is younger than `age`.
    pub(super) fn evict(&self, age: Duration) -> bool {
        let now = Instant::now();
        let mut connections = lock(&self.connections);
        let phases = connections
            .places
            .iter()
            .map(|(number, place)| (*number, place.phase.get()));
        let Some(place) =
            victim(phases, now, age).and_then(|number| connections.places.remove(&number))
        else {
            return false;
        };
        place.gives_way.store(true, Ordering::Release);
        place.waker.wake();
        true
    }

    /// Closes the door: listeners close, and connections end when what is in flight is answered.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stops.notify_waiters();
        for place in lock(&self.connections).places.values() {
            place.waker.wake();
        }
    }

    /// Returns when the door is to be closed.
    pub(super) async fn stopped(&self) {
        // Made before the look at the flag: from here on no stop is missed.
        let stops = self.stops.notified();
        if !self.is_stopping() {
            stops.await;
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

fn victim(phases: impl Iterator<Item = (u64, Phase)>, now: Instant, age: Duration) -> Option<u64> {
    phases
        .filter_map(|(number, phase)| match phase {
            Phase::Head(since) => Some((0, since, number)),
            Phase::Answered(since) | Phase::Idle(since) => Some((1, since, number)),
            Phase::Busy => None,
        })
        .filter(|(_, since, _)| now.saturating_duration_since(*since) >= age)
        .min()
        .map(|(_, _, number)| number)
}

impl Slot {
    pub(super) fn phase(&self) -> Phase {
        self.place.phase.get()
    }

    pub(super) fn enter_phase(&self, phase: Phase) {
        self.place.phase.set(phase);
    }

    /// Whose task to wake when the answer of one of the next two changes.
    pub(super) fn register(&self, waker: &Waker) {
        self.place.waker.register(waker);
    }

    /// Whether this connection has to go.
    pub(super) fn gives_way(&self) -> bool {
        self.place.gives_way.load(Ordering::Acquire)
    }

    /// Whether the door is being closed.
    pub(super) fn is_stopping(&self) -> bool {
        self.registry.is_stopping()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.registry.connections).places.remove(&self.number);
    }
}

/// Nothing panics while holding these locks, and if something did, the numbers in them would still be right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_slowest_head_sender_goes_first_then_the_longest_idle_and_the_busy_never() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut phases = vec![
            (1, Phase::Idle(at(1))),
            (2, Phase::Busy),
            (3, Phase::Head(at(9))),
            (6, Phase::Head(at(10))),
            (4, Phase::Head(at(8))),
            (5, Phase::Idle(at(0))),
        ];
        let mut order = Vec::new();
        while let Some(gone) = victim(phases.iter().copied(), at(10), Duration::from_secs(1)) {
            order.push(gone);
            phases.retain(|(number, _)| *number != gone);
        }
        assert_eq!(order, [4, 3, 5, 1]);
    }

    #[tokio::test]
    async fn a_full_house_makes_room_unless_everybody_is_being_answered() {
        let registry = Registry::new(20);
        let slots: Vec<Slot> = (0..20).map(|_| registry.enter().unwrap()).collect();
        let newcomer = registry.enter().expect("a silent connection gives way");
        assert!(slots[0].gives_way() && !slots[1].gives_way());
        for slot in slots.iter().skip(1).chain([&newcomer]) {
            slot.enter_phase(Phase::Busy);
        }
        assert!(registry.enter().is_none());
        drop(newcomer);
        assert!(registry.enter().is_some());
    }
}
