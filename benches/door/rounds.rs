//! Throughput and latency, of both servers in turns.

use std::net::SocketAddr;
use std::time::Duration;

use benches::median;
use benches::process::Process;
use benches::world::{Sidecar, World};

use crate::Failure;
use crate::limit::Limit;
use crate::load::{self, Mode, Until};

const ROUNDS: usize = 7;
const TURN: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
/// Enough to keep a core busy, and more than a pod has containers.
pub(crate) const CLIENTS: usize = 16;

/// Medians over the rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Medians {
    pub(crate) per_second: f64,
    /// Per second of the server's own processor time: what remains the same on a machine with other work.
    pub(crate) per_cpu_second: f64,
    /// How much of its core the server used: with less than all of it, the load was the limit.
    pub(crate) busy: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Both servers, one way of connecting.
pub(crate) struct Comparison {
    pub(crate) mode: Mode,
    pub(crate) sidecar: Medians,
    pub(crate) limit: Medians,
    /// The median over the rounds of the ratio within one round.
    pub(crate) ratio: f64,
    /// The same of requests per second of processor time.
    pub(crate) cpu_ratio: f64,
}

/// Each way of connecting, in turns.
pub(crate) fn measure(
    world: &World,
    sidecar: &Sidecar,
    limit: &Limit,
    answer_length: usize,
) -> Result<Vec<Comparison>, Failure> {
    let mut comparisons = Vec::new();
    for mode in [Mode::KeepAlive, Mode::NewConnection] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            eprintln!("{mode:?}: round {round} of {ROUNDS}");
            let turn = |process: &Process, address: SocketAddr| {
                let request = load::request(world, address, mode)?;
                let load =
                    |until| load::run(address, &request, answer_length, (CLIENTS, mode, until));
                load(Until::Elapsed(WARM_UP))?;
                let before = process.cpu_seconds()?;
                let sample = load(Until::Elapsed(TURN))?;
                let cpu = process.cpu_seconds()? - before;
                Ok::<_, Failure>(Medians {
                    per_second: sample.per_second(),
                    per_cpu_second: sample.latencies.len() as f64 / cpu,
                    busy: cpu / sample.elapsed.as_secs_f64(),
                    p50: sample.percentile(0.50),
                    p99: sample.percentile(0.99),
                })
            };
            // Who goes first changes, as a machine that is warming up would favour the second.
            if round % 2 == 0 {
                ours.push(turn(&sidecar.process, sidecar.address)?);
                theirs.push(turn(&limit.process, limit.address)?);
            } else {
                theirs.push(turn(&limit.process, limit.address)?);
                ours.push(turn(&sidecar.process, sidecar.address)?);
            }
        }
        let ratio = |of: fn(&Medians) -> f64| {
            median(
                ours.iter()
                    .zip(&theirs)
                    .map(|(our, their)| of(our) / of(their)),
            )
        };
        comparisons.push(Comparison {
            mode,
            ratio: ratio(|medians| medians.per_second),
            cpu_ratio: ratio(|medians| medians.per_cpu_second),
            sidecar: medians(&ours),
            limit: medians(&theirs),
        });
    }
    Ok(comparisons)
}

fn medians(of: &[Medians]) -> Medians {
    let seconds = |part: fn(&Medians) -> Duration| {
        Duration::from_secs_f64(median(of.iter().map(|one| part(one).as_secs_f64())))
    };
    Medians {
        per_second: median(of.iter().map(|one| one.per_second)),
        per_cpu_second: median(of.iter().map(|one| one.per_cpu_second)),
        busy: median(of.iter().map(|one| one.busy)),
        p50: seconds(|one| one.p50),
        p99: seconds(|one| one.p99),
    }
}
