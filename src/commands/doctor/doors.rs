//! The doors of a running sidecar: asked on loopback, with what this container has to show.

mod judgment;

use std::time::{Duration, SystemTime};

use hyper::{Method, StatusCode};

use self::judgment::{Door, Ops, Sight};
use super::{Local, Patience, skipped};
use crate::commands::pod_credentials;
use crate::commands::readiness::{self, NoAnswer, Readiness};
use crate::commands::sidecar::{self, Unanswered};
use crate::config::Running;
use crate::credentials::Credentials;
use crate::diagnosis::{Step, steps};
use crate::doctor::Entry;
use crate::outputs::container_credentials::CREDENTIALS;

/// The doors answer from memory, and hold a request for less than a second.
const REQUEST: Duration = Duration::from_millis(2_500);

/// The steps that are about the running sidecar.
const DOORS: &[Step] = &[
    steps::SIDECAR,
    steps::SIDECAR_DOOR,
    steps::SIDECAR_CREDENTIALS,
    steps::SIDECAR_EXPIRY,
];

/// What came of it.
pub(super) struct Doors {
    pub(super) entries: Vec<Entry>,
    /// Whether it was a sidecar that answered: then this container may be one that has nothing but its address.
    pub(super) answered: bool,
    /// What the sidecar serves.
    pub(super) credentials: Option<Credentials>,
}

/// Asks on loopback only. `now` is the node's own time, by which SDKs judge what they are given.
pub(super) async fn walk(local: &Local, now: SystemTime, patience: &Patience) -> Doors {
    let examined = &local.examined;
    let Some(running) = &examined.running else {
        let why = "the settings that say where a sidecar is have errors: see configuration";
        return Doors {
            entries: skipped(DOORS, why),
            answered: false,
            credentials: None,
        };
    };
    let ready = readiness::ask(&examined.ops, REQUEST);
    let (ops, door) = tokio::join!(
        patience.within(steps::SIDECAR, REQUEST, ready),
        patience.within(steps::SIDECAR_DOOR, REQUEST, door(running, CREDENTIALS)),
    );
    let mut sight = Sight {
        address: running.address,
        is_pointed: examined.is_pointed,
        role: examined.role.as_ref(),
        ops: ops.map_or(Ops::Late, seen),
        door: door.unwrap_or(Door::Late),
        again: None,
        now,
    };
    if let Door::Gives(_) = sight.door {
        let again = patience.within(steps::SIDECAR_CREDENTIALS, REQUEST, again(running));
        sight.again = again.await.ok().flatten();
    }
    Doors {
        entries: sight.entries(),
        answered: sight.is_sidecar(),
        credentials: match sight.door {
            Door::Gives(credentials) => Some(*credentials),
            _ => None,
        },
    }
}

fn seen(answer: Result<(std::net::SocketAddr, Readiness), NoAnswer>) -> Ops {
    match answer {
        Ok((door, readiness)) => Ops::Says(door, readiness),
        Err(NoAnswer::Nobody(door, _)) => Ops::Nobody(door),
        Err(NoAnswer::Late(_)) => Ops::Late,
        Err(NoAnswer::Broken(door, error)) => Ops::Broken(door, error.to_string()),
    }
}

async fn door(running: &Running, target: &str) -> Door {
    match sidecar::send(running, Method::GET, target).await {
        Ok(answer) => match answer.status {
            StatusCode::OK => match pod_credentials::parse(&answer.body) {
                Some(credentials) => Door::Gives(Box::new(credentials)),
                None => Door::Stranger("answered 200 with no credentials".to_owned()),
            },
            StatusCode::SERVICE_UNAVAILABLE if answer.is_ours() => Door::Nothing(answer.words()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
                if answer.is_ours() =>
            {
                Door::Refuses(format!("answered {}", answer.words()))
            }
            _ => Door::Stranger(format!("answered {}", answer.words())),
        },
        Err(Unanswered::Nobody) => Door::Nobody,
        Err(Unanswered::Broken(what)) => Door::Stranger(what),
        Err(Unanswered::Unsendable(words)) => Door::Refuses(format!("was not asked: {words}")),
    }
}

/// What the door gives for a secret in the path, and once more without: a refresh may have come in between.
async fn again(running: &Running) -> Option<(Credentials, Credentials)> {
    let target = sidecar::by_secret(running)?;
    let gives = |door: Door| match door {
        Door::Gives(credentials) => Some(*credentials),
        _ => None,
    };
    let by_secret = gives(door(running, &target).await)?;
    Some((by_secret, gives(door(running, CREDENTIALS).await)?))
}
