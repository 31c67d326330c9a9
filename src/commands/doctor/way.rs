//! The way to STS: name, connection, TLS, clock.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::{Local, Patience, WAY, skipped};
use crate::clock::Clock;
use crate::diagnosis::{Step, steps};
use crate::doctor::Entry;
use crate::doctor::way::{Looked, Trouble, Way, clock as judge_clock};

/// A resolver that lost a packet asks again after 2.5 s.
const NAME: Duration = Duration::from_millis(3_500);
/// What the sidecar's own connections have.
const CONNECTION: Duration = Duration::from_secs(3);
/// The sidecar's own requests give up after 6 s without a word: that they end here is what the sidecar meets, too.
const ANSWER: Duration = Duration::from_millis(6_500);

/// The clock learns what time STS has.
pub(super) async fn walk(local: &Local, clock: &Clock, patience: &Patience) -> Vec<Entry> {
    let Some(config) = &local.examined.sts else {
        return skipped(
            WAY,
            "not judged: without a region, or with a wrong endpoint, CA bundle or proxy, there is no way to STS; see configuration",
        );
    };
    let way = Way::of(config, clock.clone());

    let looking = look(patience, steps::STS_ADDRESS, NAME, way.resolve());
    let (resolved, took) = looking.await;
    let mut entries = vec![way.address(&resolved, took)];
    let Ok(addresses) = resolved else {
        return with_the_rest(entries);
    };

    let connecting = way.connect(&addresses);
    let looking = look(patience, steps::STS_CONNECTION, CONNECTION, connecting);
    let (connected, took) = looking.await;
    entries.push(way.connection(&addresses, &connected, took));
    if connected.is_err() {
        return with_the_rest(entries);
    }

    let looking = look(patience, steps::STS_ANSWER, ANSWER, way.ask());
    let (answered, took) = looking.await;
    entries.push(way.answer(&answered, took));
    if answered.is_err() {
        return with_the_rest(entries);
    }

    entries.push(judge_clock(clock.offset_millis(), clock.local()));
    entries
}

/// What came of it, and how long that took.
async fn look<T, E>(
    patience: &Patience,
    step: Step,
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> (Looked<T, E>, Duration) {
    let begun = Instant::now();
    let looked = match patience.within(step, limit, work).await {
        Ok(done) => done.map_err(Trouble::Failed),
        Err(_) => Err(Trouble::Hung),
    };
    (looked, begun.elapsed())
}

/// One trouble is one failure: what comes after the last of these was not looked at.
fn with_the_rest(mut entries: Vec<Entry>) -> Vec<Entry> {
    let last = entries.last().map_or("", |entry| entry.step.id);
    let why = format!("not judged: the way to STS ends before it; see {last}");
    let rest = WAY.get(entries.len()..).unwrap_or_default();
    entries.extend(skipped(rest, &why));
    entries
}
