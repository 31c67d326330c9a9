//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::answer::{Code, last_words};
use super::io::WatchedIo;
use super::registry::{Phase, Slot};
use super::{Peer, Respond};

/// The largest head of a request; also the smallest buffer that hyper takes.
const LARGEST_HEAD: usize = 8 * 1024;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may lie idle between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// When the door closes, requests that were sent by now may take this long to be noticed.
const LAST_CALL: Duration = Duration::from_millis(100);

/// Why the connection is over.
enum End {
    /// Closed by either side in good order, or broken.
    Closed,
    /// To be closed with this answer.
    Refused(Code),
}

/// Serves the connection until it ends, is refused, or has to give way.
pub(super) async fn drive<R: Respond>(stream: TcpStream, peer: Peer, slot: Slot, door: Arc<R>) {
    let slot = Arc::new(slot);
    let (own, door) = (&*slot, &*door);
    let service = service_fn(move |request: Request<Incoming>| async move {
        own.enter_phase(Phase::Busy);
        let answer = door.respond(request, peer).await;
        door.counters().count(answer.status().as_u16());
        own.enter_phase(Phase::Idle(Instant::now()));
        Ok::<_, Infallible>(answer)
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .half_close(true)
        .serve_connection(WatchedIo::new(stream, Arc::clone(&slot)), service);

    let mut alarm = pin!(sleep_until(Instant::now()));
    let mut last_call = None;
    let end = poll_fn(|cx| {
        slot.register(cx.waker());
        loop {
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(result.map_or_else(refusal, |()| End::Closed));
            }
            if slot.gives_way() {
                return Poll::Ready(End::Closed);
            }
            if last_call.is_none() && slot.is_stopping() {
                last_call = Some(Instant::now() + LAST_CALL);
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            return poll_time_limit(&slot, last_call, alarm.as_mut(), cx);
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

/// Ready when the present phase has lasted too long.
fn poll_time_limit(
    slot: &Slot,
    last_call: Option<Instant>,
    mut alarm: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
) -> Poll<End> {
    loop {
        let Some((limit, end)) = time_limit(slot.phase(), last_call) else {
            return Poll::Pending;
        };
        // An alarm that rings early costs one look; setting it anew for each request would cost more.
        if limit < alarm.deadline() || alarm.is_elapsed() {
            alarm.as_mut().reset(limit);
        }
        ready!(alarm.as_mut().poll(cx));
        if limit <= Instant::now() {
            return Poll::Ready(end);
        }
    }
}

/// Until when a phase may last, and how the connection ends then; `None` while the time is ours.
fn time_limit(phase: Phase, last_call: Option<Instant>) -> Option<(Instant, End)> {
    match (phase, last_call) {
        (Phase::Busy, _) => None,
        (Phase::Head(_), Some(last_call)) => Some((last_call, End::Closed)),
        (Phase::Head(since), None) => {
            Some((since + HEAD_TIMEOUT, End::Refused(Code::RequestTimeout)))
        }
        (Phase::Idle(since), _) => Some((since + IDLE_TIMEOUT, End::Closed)),
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
