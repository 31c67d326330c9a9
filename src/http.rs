//! HTTP/1.1 for the doors: accepting, limits, and answers. Knows nothing of what is asked for.
//!
//! What no client can do here: hold a connection with half a request, exhaust the file descriptors, or make another
//! client wait.

mod answer;
mod connection;
mod io;
mod phase;
mod refusal;
mod registry;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep};

pub use self::answer::{Answer, Code, json, text};
pub use self::refusal::{READ, Refusal, allow};
pub use self::registry::Registry;
use crate::metrics::RequestCounters;

/// What tokio asks the kernel to queue for a listener.
const BACKLOG: usize = 1024;
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

/// Accepts on `listener` until the registry is stopped, then finishes what is in flight.
pub async fn serve<R: Respond>(listener: TcpListener, door: Arc<R>, registry: Arc<Registry>) {
    let mut connections = JoinSet::new();
    let mut quiet_until = Instant::now();
    let mut stopped = pin!(registry.stopped());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    if let Some(connection) = admit(stream, remote, &door, &registry) {
                        connections.spawn(connection);
                    }
                }
                Err(error) if is_exhaustion(&error) => {
                    if quiet_until <= Instant::now() {
                        tracing::warn!(%error, "cannot accept connections; closing those that wait longest");
                        quiet_until = Instant::now() + QUIET;
                    }
                    // First the pause: Linux says so too when the queue is empty and the newcomer took the last one.
                    sleep(ROOM_IS_MADE_IN).await;
                    registry.evict(ROOM_IS_MADE_IN);
                }
                Err(_) => {}
            },
            Some(_) = connections.join_next() => {}
            () = &mut stopped => break,
        }
    }
    // Bounded, or those who keep connecting would keep us.
    for _ in 0..BACKLOG {
        match accepted_already(&listener).await {
            Some(Ok((stream, remote))) => {
                if let Some(connection) = admit(stream, remote, &door, &registry) {
                    connections.spawn(connection);
                }
            }
            Some(Err(_)) => {}
            None => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A connection that the kernel has accepted for us; closing the listener would reset it.
async fn accepted_already(
    listener: &TcpListener,
) -> Option<std::io::Result<(TcpStream, SocketAddr)>> {
    let look = poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    });
    // Without the budget that makes a task pause now and then: a pause would look like the end of the queue.
    unconstrained(look).await
}

fn admit<R: Respond>(
    stream: TcpStream,
    remote: SocketAddr,
    door: &Arc<R>,
    registry: &Arc<Registry>,
) -> Option<impl Future<Output = ()> + Send + use<R>> {
    let local = stream.local_addr().ok()?;
    // Answers are one small packet: waiting to fill it would only add latency.
    stream.set_nodelay(true).ok()?;
    let slot = registry.enter()?;
    let peer = Peer { remote, local };
    Some(connection::drive(stream, peer, slot, Arc::clone(door)))
}

/// Whether `error` says that something has run out, which closing a connection brings back. Other errors are about one
/// connection that was gone before it was accepted.
fn is_exhaustion(error: &std::io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}
