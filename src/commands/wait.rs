//! `wait`: asks the ops door of the running sidecar until it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::readiness::{self, NoAnswer, READYZ, Readiness};
use super::{Environment, Failure, Output, say};
use crate::config::{self, Wait};
use crate::diagnosis::Finding;

/// The door answers from memory: what takes longer hangs.
const REQUEST: Duration = Duration::from_secs(2);
/// What a request is given at the end of the time, and by who has none to wait.
const MOMENT: Duration = Duration::from_millis(500);
/// Between requests, for as long as the answer stays the same: from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// Most sidecars are ready by then, and nobody has to read of it.
const QUIET: Duration = Duration::from_secs(1);

/// Nothing on stdout. As PID 1, in an init container, a signal without a handler is no signal.
pub async fn run(asked: Wait, environment: Environment) -> Result<Output, Failure> {
    let doors = config::ops(asked.flags, environment)?;
    let handler = |error| Failure::Failed(format!("signals cannot be received: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(handler)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(handler)?;
    let stopped = |name| Failure::Failed(format!("{name} came before the sidecar was ready"));
    tokio::select! {
        outcome = until_ready(doors, asked.timeout) => outcome,
        _ = terminate.recv() => Err(stopped("SIGTERM")),
        _ = interrupt.recv() => Err(stopped("SIGINT")),
    }
}

/// What there is to wait for is said when it is, since whoever waits wants to know.
async fn until_ready(doors: Vec<SocketAddr>, patience: Duration) -> Result<Output, Failure> {
    let within = humantime::format_duration(patience);
    let begun = Instant::now();
    let left = || patience.saturating_sub(begun.elapsed());
    let (mut last, mut told, mut pause) = (None, None, PAUSES.0);
    loop {
        let limit = left().clamp(MOMENT, REQUEST);
        let reason = match probe(&doors, limit).await {
            Ok(()) => return Ok(Output::of([])),
            Err(reason) => reason,
        };
        if left().is_zero() {
            let reason = format!("not ready within {within}: {reason}");
            return Err(Failure::Failed(reason));
        }
        if begun.elapsed() >= QUIET && told.as_ref() != Some(&reason) {
            say(&match told {
                None => format!("irsa-sidecar: waiting up to {within}: {reason}\n"),
                Some(_) => format!("irsa-sidecar: still waiting: {reason}\n"),
            });
            told = Some(reason.clone());
        }
        // A step forward: the next may be near.
        if last.as_ref() != Some(&reason) {
            pause = PAUSES.0;
        }
        last = Some(reason);
        sleep(pause.min(left())).await;
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}

/// The error says why it is not ready.
async fn probe(doors: &[SocketAddr], limit: Duration) -> Result<(), String> {
    let reason = match readiness::ask(doors, limit).await {
        Ok((_, Readiness::Ready)) => return Ok(()),
        Ok((door, Readiness::Unready(Finding { id, title }))) => {
            says(door, &format!("{id}: {title}"))
        }
        Ok((door, Readiness::Unknown(words))) => says(door, &words),
        Ok((door, Readiness::Stranger(status))) => format!(
            "what listens at {door} is not the ops port of an irsa-sidecar: it answered {status} to {READYZ} in other words; see what it is, or name the right one (--ops-listen)"
        ),
        Err(NoAnswer::Nobody(door, error)) => format!(
            "no sidecar answers at {door}: {error}; it has not started, has ended, or listens elsewhere (--ops-listen)"
        ),
        Err(NoAnswer::Late(door)) => {
            format!("what listens at {door} did not answer in time; see what it is")
        }
        Err(NoAnswer::Broken(door, error)) => {
            format!("what listens at {door} broke off: {error}; see what it is")
        }
    };
    Err(reason)
}

fn says(door: SocketAddr, words: &str) -> String {
    format!("the sidecar at {door} says {words}; see its log, and docs/troubleshooting.md")
}
