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
use tokio::time::sleep;

pub use self::answer::{Answer, Code, failure, json, text};
use self::registry::Registry;
use crate::metrics::RequestCounters;

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
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    if let Some(connection) = admit(stream, remote, &door, &registry, &for_connections) {
                        connections.spawn(connection);
                    }
                }
                Err(error) => out_of_resources(&error, &registry).await,
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

/// Out of file descriptors, most likely: make room and go on. Errors of a single connection attempt land here too
/// and cost the pause only.
async fn out_of_resources(error: &std::io::Error, registry: &Registry) {
    const PAUSE: Duration = Duration::from_millis(50);
    tracing::warn!(%error, "cannot accept a connection; closing the one that waits longest");
    registry.evict();
    sleep(PAUSE).await;
}
