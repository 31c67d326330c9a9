//! The doors of a running sidecar: asked on this pod's own addresses, with what this container has to show.

mod judgment;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use tokio::net::TcpStream;

pub(super) use self::judgment::Sight;
use self::judgment::{Door, Ops};
use super::{Local, Patience, skipped};
use crate::commands::pod_credentials;
use crate::commands::readiness::{self, NoAnswer, Readiness};
use crate::commands::sidecar::{self, Unanswered};
use crate::config::{Running, Shown};
use crate::credentials::Credentials;
use crate::diagnosis::{Step, steps};
use crate::doctor::Entry;
use crate::outputs::container_credentials::{CREDENTIALS, CREDENTIALS_BY_SECRET};
use crate::outputs::imds::{CREDENTIALS_OF, SESSION_TOKEN, TOKEN, TTL_SECONDS};
use crate::role::RoleArn;
use crate::secret::Secret;

/// The doors answer from memory, and hold a request for less than a second.
const REQUEST: Duration = Duration::from_millis(2_500);
/// Of a session token for one request.
const IMDS_TTL_SECONDS: &str = "60";

/// The steps that are about the running sidecar.
const DOORS: &[Step] = &[
    steps::SIDECAR,
    steps::SIDECAR_DOOR,
    steps::SIDECAR_CREDENTIALS,
    steps::SIDECAR_EXPIRY,
];

/// What was seen; `None` where nobody knows where to look.
pub(super) struct Doors(Option<Sight>);

impl Doors {
    /// Whether it was a sidecar that answered: then this container may be one that has nothing but its address.
    pub(super) fn answered(&self) -> bool {
        self.0.as_ref().is_some_and(Sight::is_sidecar)
    }

    /// What the sidecar serves.
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        match &self.0.as_ref()?.door {
            Door::Gives(credentials) => Some(credentials),
            _ => None,
        }
    }

    /// `role` is what this walk takes for the pod's; `now` the node's own time, by which SDKs judge what they are given.
    pub(super) fn entries(&self, role: Option<&RoleArn>, now: SystemTime) -> Vec<Entry> {
        match &self.0 {
            Some(sight) => sight.entries(role, now),
            None => {
                let why = "the settings that say where a sidecar is have errors: see configuration";
                skipped(DOORS, why)
            }
        }
    }
}

/// Asks all of them.
pub(super) async fn walk(local: &Local, patience: &Patience) -> Doors {
    let examined = &local.examined;
    let Some(running) = &examined.running else {
        return Doors(None);
    };
    let address = running.address;
    let ready = readiness::ask(&examined.ops, REQUEST);
    let (ops, door) = tokio::join!(
        patience.within(steps::SIDECAR, REQUEST, ready),
        patience.within(steps::SIDECAR_DOOR, REQUEST, first(running)),
    );
    let ops_door = examined.ops.first().copied().unwrap_or(address);
    let mut sight = Sight {
        address,
        is_pointed: examined.is_pointed,
        ops: ops.map_or(Ops::Late(ops_door), seen),
        door: door.unwrap_or(Door::Late),
        others: Vec::new(),
        again: None,
    };
    if let Door::Gives(given) = &sight.door {
        let asking = others(local, running, given);
        let asked = patience.within(steps::SIDECAR_CREDENTIALS, REQUEST, asking);
        (sight.others, sight.again) = asked.await.unwrap_or_default();
    }
    Doors(Some(sight))
}

/// What an SDK of this container would get: by the address that it is given, with what that wants.
async fn first(running: &Running) -> Door {
    let shown = Some(&running.authorization);
    match running.target.as_ref().map(Secret::expose) {
        Some(target) if target.starts_with(CREDENTIALS_BY_SECRET) => {
            door(running.address, None, target).await
        }
        Some(target) => door(running.address, shown, target).await,
        None => door(running.address, shown, CREDENTIALS).await,
    }
}

fn seen(answer: Result<(SocketAddr, Readiness), NoAnswer>) -> Ops {
    match answer {
        Ok((door, readiness)) => Ops::Says(door, readiness),
        Err(NoAnswer::Nobody(door, _)) => Ops::Nobody(door),
        Err(NoAnswer::Late(door)) => Ops::Late(door),
        Err(NoAnswer::Broken(door, error)) => Ops::Broken(door, error.to_string()),
    }
}

async fn door(address: SocketAddr, shown: Option<&Shown>, target: &str) -> Door {
    match sidecar::send(address, shown, Method::GET, target).await {
        Ok(answer) => match answer.status {
            StatusCode::OK => parsed(&answer.body),
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

fn parsed(body: &[u8]) -> Door {
    match pod_credentials::parse(body) {
        Some(credentials) => Door::Gives(Box::new(credentials)),
        None => Door::Stranger("answered 200 with no credentials".to_owned()),
    }
}

/// What the other doors give that this container knows of, by where they are; and once more what the first one gives,
/// since a refresh may have come in between.
async fn others(
    local: &Local,
    running: &Running,
    given: &Credentials,
) -> (Vec<(String, Door)>, Option<Credentials>) {
    let address = running.address;
    let shown = Some(&running.authorization);
    let mut others = Vec::new();
    if let Some(target) = sidecar::by_secret(&running.authorization) {
        let place = format!("http://{address}{CREDENTIALS_BY_SECRET}…");
        others.push((place, door(address, None, &target).await));
    }
    let place = format!("http://{address}{CREDENTIALS}");
    others.push((place, door(address, shown, CREDENTIALS).await));
    if let Some(config) = &local.examined.config {
        for &address in &config.doors.link_local_listen {
            let answer = match is_own(address) {
                true => door(address, shown, CREDENTIALS).await,
                false => Door::Nobody,
            };
            others.push((format!("http://{address}{CREDENTIALS}"), answer));
        }
        if let Some(imds) = config.doors.imds {
            let address = imds.address;
            let answer = imds_door(address, given).await;
            let answer =
                answer.unwrap_or_else(|error| Door::Stranger(format!("broke off: {error}")));
            others.push((format!("http://{address}{CREDENTIALS_OF}…"), answer));
        }
    }
    let again = match first(running).await {
        Door::Gives(credentials) => Some(*credentials),
        _ => None,
    };
    (others, again)
}

/// Whether it is this pod's: what is link-local there may be the node's elsewhere, and gets nothing to see.
fn is_own(address: SocketAddr) -> bool {
    std::net::TcpListener::bind((address.ip(), 0)).is_ok()
}

/// With a session token, as SDKs ask.
async fn imds_door(
    address: SocketAddr,
    given: &Credentials,
) -> Result<Door, Box<dyn std::error::Error + Send + Sync>> {
    if !is_own(address) {
        return Ok(Door::Nobody);
    }
    let Ok(stream) = TcpStream::connect(address).await else {
        return Ok(Door::Nobody);
    };
    let put = Request::put(SESSION_TOKEN)
        .header(HOST, address.to_string())
        .header(TTL_SECONDS, IMDS_TTL_SECONDS)
        .body(Empty::<Bytes>::new())?;
    let (_, token) = sidecar::exchange(stream, put).await?;
    let name = given.role_arn().rsplit('/').next().unwrap_or_default();
    let get = Request::get(format!("{CREDENTIALS_OF}{name}"))
        .header(HOST, address.to_string())
        .header(TOKEN, token.as_ref())
        .body(Empty::<Bytes>::new())?;
    let stream = TcpStream::connect(address).await?;
    let (status, body) = sidecar::exchange(stream, get).await?;
    Ok(match status {
        StatusCode::OK => parsed(&body),
        // Not in the last minutes of their life.
        StatusCode::SERVICE_UNAVAILABLE => Door::Nothing("503".to_owned()),
        status => Door::Stranger(format!("answered {status}")),
    })
}
