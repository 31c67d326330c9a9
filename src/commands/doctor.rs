//! `doctor`: walks the whole way and judges each step. The judgments are in [`crate::doctor`]; this is the walking.
//!
//! What is independent is asked at the same time, and everything in the time that all of it has together.

mod account;
mod cluster;
mod doors;
mod exchange;
mod local;
mod patience;
mod surroundings;
mod way;

use std::future::Future;
use std::io::IsTerminal;

use self::doors::Doors;
use self::local::Local;
use self::patience::Patience;
use self::surroundings::Surroundings;
use super::{Environment, Failure, Output};
use crate::clock::Clock;
use crate::config::Doctor;
use crate::diagnosis::{Step, steps};
use crate::doctor::{Entry, Style, Verdict, explain, in_order, json, one_failure_each, text};
use crate::service_account::Annotated;

/// Why nothing that leaves the pod was looked at.
const OFFLINE: &str = "--offline: nothing is sent out of the pod";

/// The findings; a success where none of them is a failure.
pub async fn run(asked: Doctor, environment: Environment) -> Result<Output, Failure> {
    if let Some(id) = &asked.explain {
        let entry = explain(id).map_err(Failure::Usage)?;
        return Ok(Output::of(entry));
    }
    let patience = Patience::new(is_dumb(&environment));
    let (local, surroundings) = tokio::join!(
        local::look(&asked, &environment, &patience),
        surroundings::look(&asked, &environment, &patience)
    );
    let entries = match local {
        Ok(local) => walk(&asked, &local, &surroundings, &patience).await,
        Err(mut hanging) => {
            hanging.extend(surroundings.entries_alone(Clock::system().local()));
            hanging
        }
    };
    let entries = in_order(entries);
    let product = match asked.json {
        true => json(&entries),
        false => text(&entries, style(&asked, &environment)),
    };
    let words = surroundings
        .not_a_pod
        .iter()
        .map(|error| format!("{error}; what is said of the pod is of this container alone"));
    Ok(Output {
        words: words.collect(),
        success: surroundings.not_a_pod.is_none() && !entries.iter().any(Entry::is_failed),
        ..Output::of(product)
    })
}

async fn walk(
    asked: &Doctor,
    local: &Local,
    surroundings: &Surroundings,
    patience: &Patience,
) -> Vec<Entry> {
    let clock = Clock::system();
    let doors = doors::walk(local, patience);
    let (mut entries, annotated, doors) = match asked.offline {
        true => (skipped(&OUTSIDE.concat(), OFFLINE), None, doors.await),
        false => outside(asked, local, &clock, doors, patience).await,
    };
    entries.extend(local.entries(clock.now().wall, annotated.as_ref()));
    let asks_sidecar = is_apps_container(local, &doors);
    if asks_sidecar {
        entries = entries.into_iter().map(of_the_sidecar).collect();
    }
    entries.extend(surroundings.entries(local, asks_sidecar, clock.now().wall));
    let role = annotated.as_ref().map(|annotated| &annotated.role);
    let role = role.or(local.examined.role.as_ref());
    entries.extend(doors.entries(role, clock.local()));
    one_failure_each(entries, local.examined.lacks_role_only)
}

/// Everything that is sent out of the pod.
async fn outside(
    asked: &Doctor,
    local: &Local,
    clock: &Clock,
    doors: impl Future<Output = Doors>,
    patience: &Patience,
) -> (Vec<Entry>, Option<Annotated>, Doors) {
    let (mut entries, (annotation, annotated), doors) = tokio::join!(
        way::walk(local, clock, patience),
        account::walk(local, patience),
        doors
    );
    entries.push(annotation);
    let exchanged = exchange::walk(local, annotated.as_ref(), &entries, clock, patience).await;
    entries.extend(exchanged.entries);
    let credentials = exchanged.credentials.as_ref().or(doors.credentials());
    entries.extend(cluster::walk(asked, local, credentials, clock, patience).await);
    (entries, annotated, doors)
}

/// It has neither role nor token of its own, and needs none where a sidecar answers it, or should.
fn is_apps_container(local: &Local, doors: &Doors) -> bool {
    local.examined.is_app && (doors.answered() || local.examined.is_pointed)
}

/// What an app's container lacks is no failure: the sidecar's has it.
fn of_the_sidecar(entry: Entry) -> Entry {
    const WHY: &str = "this container asks a sidecar, and has neither role nor token of its own: run irsa-sidecar doctor in the sidecar's container to look at it";
    match OF_THE_SIDECAR.concat().contains(&entry.step) {
        true if !matches!(entry.verdict, Verdict::Fine(_)) => Entry::skipped(entry.step, WHY),
        _ => entry,
    }
}

/// What an app's container leaves to the sidecar's.
const OF_THE_SIDECAR: [&[Step]; 5] = [
    &[steps::CONFIGURATION],
    OF_THE_TOKEN,
    &[steps::ROLE, steps::ANNOTATION],
    WAY,
    EXCHANGE,
];
/// That for which something is sent out of the pod.
const OUTSIDE: [&[Step]; 4] = [&[steps::ANNOTATION], WAY, EXCHANGE, CLUSTER];
/// The steps that are about the token.
const OF_THE_TOKEN: &[Step] = &[
    steps::TOKEN_FILE,
    steps::TOKEN_MOUNT,
    steps::TOKEN_TEXT,
    steps::CLAIMS,
    steps::TOKEN_ROTATION,
];
/// The steps on the way to STS.
const WAY: &[Step] = &[
    steps::STS_ADDRESS,
    steps::STS_CONNECTION,
    steps::STS_ANSWER,
    steps::STS_CLOCK,
];
/// The steps of the exchange.
const EXCHANGE: &[Step] = &[
    steps::STS_REGION,
    steps::EXCHANGE,
    steps::SESSION_DURATION,
    steps::CREDENTIALS,
];
/// The steps into a cluster.
const CLUSTER: &[Step] = &[
    steps::ASSUMED_ROLE,
    steps::EKS_TOKEN,
    steps::EKS_REPLAY,
    steps::EKS_CLUSTER,
    steps::EKS_LOGIN,
];

/// All of these, for one reason.
fn skipped(steps: &[Step], why: &str) -> Vec<Entry> {
    steps
        .iter()
        .map(|step| Entry::skipped(*step, why))
        .collect()
}

fn style(asked: &Doctor, environment: &Environment) -> Style {
    let no_colour = super::variable(environment, "NO_COLOR").is_some();
    Style {
        colour: std::io::stdout().is_terminal() && !is_dumb(environment) && !no_colour,
        verbose: asked.verbose,
    }
}

/// Whether the terminal, if there is one, knows no more than lines.
fn is_dumb(environment: &Environment) -> bool {
    super::variable(environment, "TERM").is_some_and(|term| term == "dumb")
}
