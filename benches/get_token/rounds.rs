//! Both clients in turns.

use benches::median;

use crate::Failure;
use crate::client::Client;
use crate::cost::Cost;

/// How often, and how many at once.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) at_once: usize,
}

/// One job that calls kubectl.
pub(crate) const ALONE: Plan = Plan {
    rounds: 21,
    at_once: 1,
};
/// A script that calls kubectl for many things at a time.
pub(crate) const AT_ONCE: Plan = Plan {
    rounds: 5,
    at_once: 20,
};

/// Medians over the rounds.
pub(crate) struct Comparison {
    pub(crate) plan: Plan,
    pub(crate) sidecar: Cost,
    pub(crate) aws: Cost,
    /// How many times more the AWS CLI costs: the median over the rounds of the ratio within one round.
    pub(crate) ratio: Cost,
}

/// Each in each round.
pub(crate) fn measure(sidecar: &Client, aws: &Client, plan: Plan) -> Result<Comparison, Failure> {
    let Plan { rounds, at_once } = plan;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("{at_once} at a time: round {round} of {rounds}");
        // Who goes first changes.
        if round % 2 == 0 {
            ours.push(Cost::of(sidecar, at_once)?);
            theirs.push(Cost::of(aws, at_once)?);
        } else {
            theirs.push(Cost::of(aws, at_once)?);
            ours.push(Cost::of(sidecar, at_once)?);
        }
    }
    let ratios: Vec<Cost> = theirs.iter().zip(&ours).map(ratio).collect();
    Ok(Comparison {
        plan,
        sidecar: medians(&ours),
        aws: medians(&theirs),
        ratio: medians(&ratios),
    })
}

fn ratio((theirs, ours): (&Cost, &Cost)) -> Cost {
    Cost {
        wall_seconds: theirs.wall_seconds / ours.wall_seconds,
        cpu_seconds: theirs.cpu_seconds / ours.cpu_seconds,
        peak_bytes: theirs.peak_bytes / ours.peak_bytes,
    }
}

fn medians(of: &[Cost]) -> Cost {
    let part = |part: fn(&Cost) -> f64| median(of.iter().map(part));
    Cost {
        wall_seconds: part(|cost| cost.wall_seconds),
        cpu_seconds: part(|cost| cost.cpu_seconds),
        peak_bytes: part(|cost| cost.peak_bytes),
    }
}
