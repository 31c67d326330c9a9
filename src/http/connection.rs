//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::answer::{Code, last_words};
use super::io::WatchedIo;
use super::phase::Phase;
use super::registry::Slot;
use super::{Peer, Respond};

/// The largest head of a request; also the smallest buffer that hyper takes.
const LARGEST_HEAD: usize = 8 * 1024;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may lie idle between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection is idle before its buffers are given back.
const RESTS_AFTER: Duration = Duration::from_millis(2);
/// When the door closes, requests that were sent by now may take this long to be noticed.
const LAST_CALL: Duration = Duration::from_millis(100);

/// Why nothing more is asked, or for now.
enum End {
    /// Closed by either side in good order, or broken.
    Closed,
    /// To be closed with this answer.
    Refused(Code),
    /// Answered, and closed because the request had a body: what is left of it must not be taken for the next request.
    BodyUnread,
    /// Not over: nothing has been said for a while.
    Rests,
}

/// Serves the connection until it ends, is refused, or has to give way.
pub(super) async fn drive<R: Respond>(stream: TcpStream, peer: Peer, slot: Slot, door: Arc<R>) {
    let slot = Arc::new(slot);
    let mut io = WatchedIo::new(stream, Arc::clone(&slot));
    let mut alarm = pin!(sleep_until(Instant::now() + HEAD_TIMEOUT));
    // Many clients ask once and keep the connection: only who asks again gets a pause before the buffers go.
    let mut pause = Duration::ZERO;
    let end = loop {
        if let Some(end) = rest(&io, &slot, alarm.as_mut()).await {
            break end;
        }
        let (socket, end) = on_heap(converse(io, peer, &slot, &*door, alarm.as_mut(), pause)).await;
        io = socket;
        pause = RESTS_AFTER;
        match end {
            End::Rests => {}
            end => break end,
        }
    };
    let mut socket = io.into_socket();
    match end {
        End::Refused(code) => {
            door.counters().count(code.status().as_u16());
            on_heap(part(socket, &last_words(code))).await;
        }
        End::BodyUnread => on_heap(part(socket, &[])).await,
        End::Closed | End::Rests => drop(socket.shutdown().await),
    }
}

/// Keeps the room that a future needs out of the one that awaits it: a resting connection is to be small.
fn on_heap<F: Future>(future: F) -> Pin<Box<F>> {
    Box::pin(future)
}

/// Waits until the client says something. hyper keeps two buffers of 8 KiB for each connection: hundreds of silent ones
/// would be most of this program's memory, so that it is only there while something happens. `None`: something does.
async fn rest(io: &WatchedIo, slot: &Slot, mut alarm: Pin<&mut Sleep>) -> Option<End> {
    let mut last_call = None;
    poll_fn(|cx| {
        slot.register(cx.waker());
        if io.poll_readable(cx).is_ready() {
            return Poll::Ready(None);
        }
        let idle = matches!(slot.phase(), Phase::Idle(_));
        if slot.gives_way() || (idle && slot.is_stopping()) {
            return Poll::Ready(Some(End::Closed));
        }
        if last_call.is_none() && slot.is_stopping() {
            last_call = Some(Instant::now() + LAST_CALL);
        }
        let limit = time_limit(slot.phase(), last_call, IDLE_TIMEOUT, End::Closed);
        poll_limit(limit, alarm.as_mut(), cx).map(Some)
    })
    .await
}

/// Answers requests while they come; gives the socket back when none has come for a `pause`.
async fn converse<R: Respond>(
    io: WatchedIo,
    peer: Peer,
    slot: &Slot,
    door: &R,
    mut alarm: Pin<&mut Sleep>,
    pause: Duration,
) -> (WatchedIo, End) {
    let body_unread = &AtomicBool::new(false);
    let service = service_fn(move |request: Request<Incoming>| async move {
        slot.enter_phase(Phase::Busy);
        let has_body = !request.body().is_end_stream();
        let mut answer = door.respond(request, peer).await;
        if has_body {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
            body_unread.store(true, Ordering::Relaxed);
        }
        door.counters().count(answer.status().as_u16());
        slot.enter_phase(Phase::Answered(Instant::now()));
        Ok::<_, Infallible>(answer)
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .half_close(true)
        .serve_connection(io, service);
    let mut last_call = None;
    let end = poll_fn(|cx| {
        slot.register(cx.waker());
        loop {
            let ended = Pin::new(&mut connection).poll(cx);
            let body_unread = body_unread.load(Ordering::Relaxed);
            if body_unread && matches!(slot.phase(), Phase::Idle(_)) {
                return Poll::Ready(End::BodyUnread);
            }
            if let Poll::Ready(result) = ended {
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
            let phase = slot.phase();
            if pause.is_zero() && matches!(phase, Phase::Idle(_)) {
                return Poll::Ready(End::Rests);
            }
            let limit = time_limit(phase, last_call, pause, End::Rests);
            return poll_limit(limit, alarm.as_mut(), cx);
        }
    })
    .await;
    let parts = connection.into_parts();
    (parts.io.with_early(parts.read_buf), end)
}

/// Until when a phase may last and how it ends then; `None` while the time is ours.
fn time_limit(
    phase: Phase,
    last_call: Option<Instant>,
    idle: Duration,
    idle_end: End,
) -> Option<(Instant, End)> {
    match (phase, last_call) {
        (Phase::Busy, _) => None,
        (Phase::Head(_), Some(last_call)) => Some((last_call, End::Closed)),
        (Phase::Head(since), None) => {
            Some((since + HEAD_TIMEOUT, End::Refused(Code::RequestTimeout)))
        }
        (Phase::Answered(since), _) => Some((since + IDLE_TIMEOUT, End::Closed)),
        (Phase::Idle(since), _) => Some((since + idle, idle_end)),
    }
}

/// Ready when the limit is reached. An alarm that rings early costs one look; setting it anew for each request would
/// cost more.
fn poll_limit(
    limit: Option<(Instant, End)>,
    mut alarm: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
) -> Poll<End> {
    let Some((limit, end)) = limit else {
        return Poll::Pending;
    };
    if limit < alarm.deadline() {
        alarm.as_mut().reset(limit);
    }
    while alarm.as_mut().poll(cx).is_ready() {
        if limit <= Instant::now() {
            return Poll::Ready(end);
        }
        alarm.as_mut().reset(limit);
    }
    Poll::Pending
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

/// Writes the last words and closes. What the client is still sending is read for a moment: closing before it was read
/// would reset the connection, and the answer with it.
async fn part(mut socket: TcpStream, last_words: &[u8]) {
    const MOMENT: Duration = Duration::from_secs(1);
    const MOST: usize = 64 * 1024;
    let parting = async {
        socket.write_all(last_words).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Answer, Registry};
    use crate::metrics::RequestCounters;

    struct Nobody;

    impl Respond for Nobody {
        async fn respond(&self, _: Request<Incoming>, _: Peer) -> Answer {
            unreachable!("nobody asks")
        }

        fn counters(&self) -> &RequestCounters {
            unreachable!("nobody is answered")
        }
    }

    #[tokio::test]
    async fn a_resting_connection_keeps_no_buffers() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let stream = TcpStream::connect(local).await.unwrap();
        let slot = Registry::new(1).enter().unwrap();
        let peer = Peer {
            remote: local,
            local,
        };
        let size = size_of_val(&drive(stream, peer, slot, Arc::new(Nobody)));
        assert!(size < 1024, "{size} bytes");
    }
}
