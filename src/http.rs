//! HTTP/1.1 for the doors: accepting, limits, and answers. Knows nothing of what is asked for.
//!
//! What no client can do here: hold a connection with half a request, exhaust the file descriptors, or make another
//! client wait.

mod answer;
mod connection;
mod io;
mod registry;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub use self::answer::{Answer, Code, failure, json, text};
use self::registry::Registry;
use crate::metrics::RequestCounters;

/// How long an evicted connection takes to give its file descriptor back.
const ROOM_IS_MADE_IN: Duration = Duration::from_millis(50);

/// How long the complaint about that is not repeated.
const QUIET: Duration = Duration::from_secs(60);

/// What a door answers to one request. It cannot fail and must not panic.
pub trait Respond: Send + Sync + 'static {
    /// Answers one request of `peer`.
    fn respond(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Answer> + Send;

    /// The counters of this door.
    fn counters(&self) -> &RequestCounters;
}

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The client's address.
    pub remote: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
}

/// Accepts on `listener` until `stopping` turns true, then finishes what is in flight.
pub async fn serve<R: Respond>(
    listener: TcpListener,
    door: Arc<R>,
    registry: Arc<Registry>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let for_connections = stopping.clone();
    let mut quiet_until = Instant::now();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    if let Some(connection) = admit(stream, remote, &door, &registry, &for_connections) {
                        connections.spawn(connection);
                    }
                }
                Err(error) if is_exhaustion(&error) => {
                    if quiet_until <= Instant::now() {
                        tracing::warn!(%error, "cannot accept connections; closing those that wait longest");
                        quiet_until = Instant::now() + QUIET;
                    }
                    registry.evict();
                    sleep(ROOM_IS_MADE_IN).await;
                }
                Err(_) => {}
            },
            Some(_) = connections.join_next() => {}
            () = asked_to_stop(&mut stopping) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Returns when the doors are to close; also when nobody is left who could say so.
async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// The limit on the connections of one door, over all its listeners.
pub fn registry() -> Arc<Registry> {
    Arc::new(Registry::default())
}

fn admit<R: Respond>(
    stream: TcpStream,
    remote: SocketAddr,
    door: &Arc<R>,
    registry: &Arc<Registry>,
    stopping: &watch::Receiver<bool>,
) -> Option<impl Future<Output = ()> + Send + use<R>> {
    let local = stream.local_addr().ok()?;
    // Answers are one small packet: waiting to fill it would only add latency.
    stream.set_nodelay(true).ok()?;
    let slot = registry.enter()?;
    let peer = Peer { remote, local };
    Some(connection::drive(
        stream,
        peer,
        slot,
        Arc::clone(door),
        stopping.clone(),
    ))
}

/// Whether `error` says that something has run out, which closing a connection brings back. Other errors are about one
/// connection that was gone before it was accepted.
fn is_exhaustion(error: &std::io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}
