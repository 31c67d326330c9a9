//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::answer::{Code, last_words};
use super::io::WatchedIo;
use super::registry::{Phase, Slot};
use super::{Peer, Respond, asked_to_stop};

/// The largest head of a request; also the smallest buffer that hyper takes.
const LARGEST_HEAD: usize = 8 * 1024;

/// Why the connection is over.
enum End {
    /// Closed by either side in good order, or broken.
    Closed,
    /// To be closed with this answer.
    Refused(Code),
}

/// Serves the connection until it ends, is refused, or has to give way.
pub(super) async fn drive<R: Respond>(
    stream: TcpStream,
    peer: Peer,
    slot: Slot,
    door: Arc<R>,
    mut stopping: watch::Receiver<bool>,
) {
    let slot = Arc::new(slot);
    let service = service_fn(|request: Request<Incoming>| {
        let (slot, door) = (Arc::clone(&slot), Arc::clone(&door));
        async move {
            slot.enter_phase(Phase::Busy);
            let answer = door.respond(request, peer).await;
            door.counters().count(answer.status().as_u16());
            slot.enter_phase(Phase::Idle(Instant::now()));
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .half_close(true)
        .serve_connection(WatchedIo::new(stream, Arc::clone(&slot)), service);

    let mut alarm = pin!(sleep_until(Instant::now()));
    let mut gives_way = pin!(slot.gives_way());
    let mut stop = pin!(asked_to_stop(&mut stopping));
    let mut draining = false;
    let end = poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(result.map_or_else(refusal, |()| End::Closed));
            }
            if gives_way.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Closed);
            }
            if draining {
                // What had not wholly arrived by now is not in flight.
                if matches!(slot.phase(), Phase::Head(_)) {
                    return Poll::Ready(End::Closed);
                }
            } else if stop.as_mut().poll(cx).is_ready() {
                draining = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            let Some(deadline) = slot.deadline() else {
                return Poll::Pending;
            };
            // An alarm that rings early costs one look; setting it anew for each request would cost more.
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if slot
                .deadline()
                .is_some_and(|deadline| deadline <= Instant::now())
            {
                return Poll::Ready(match slot.phase() {
                    Phase::Head(_) => End::Refused(Code::RequestTimeout),
                    _ => End::Closed,
                });
            }
        }
    })
    .await;
    let mut socket = connection.into_parts().io.into_socket();
    match end {
        End::Closed => drop(socket.shutdown().await),
        End::Refused(code) => {
            door.counters().count(code.status().as_u16());
            refuse(socket, code).await;
        }
    }
}

fn refusal(error: hyper::Error) -> End {
    if error.is_parse_too_large() {
        End::Refused(Code::RequestHeaderFieldsTooLarge)
    } else if error.is_parse() {
        End::Refused(Code::MalformedRequest)
    } else {
        End::Closed
    }
}

/// Writes a last answer and closes. What the client is still sending is read for a moment: closing before it was read
/// would reset the connection, and the answer with it.
async fn refuse(mut socket: TcpStream, code: Code) {
    const MOMENT: Duration = Duration::from_secs(1);
    const MOST: usize = 64 * 1024;
    let parting = async {
        socket.write_all(&last_words(code)).await?;
        socket.shutdown().await?;
        let mut left = MOST;
        let mut scratch = [0; 1024];
        while left > 0 {
            match socket.read(&mut scratch).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    // The client may be gone already: there is nobody left to tell.
    let _ = timeout(MOMENT, parting).await;
}
