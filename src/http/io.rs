//! The socket as hyper sees it: watched for the first byte of a request, and for answers that hyper makes by itself.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::registry::{Phase, Slot};

/// A socket that tells its slot when a request begins.
pub(super) struct WatchedIo {
    socket: TokioIo<TcpStream>,
    slot: Arc<Slot>,
}

impl WatchedIo {
    pub(super) fn new(socket: TcpStream, slot: Arc<Slot>) -> Self {
        WatchedIo {
            socket: TokioIo::new(socket),
            slot,
        }
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }

    /// hyper answers a head that it cannot parse with a bare status line. Clients are to get our words instead: such
    /// an answer is held back, and [`super::connection`] writes the one with words. Our own always say `no-store`.
    fn is_hypers_own(&self, bytes: &[u8]) -> bool {
        // The head may have come along with the request before it, whose answer has just gone out.
        !matches!(self.slot.phase(), Phase::Busy)
            && (bytes.starts_with(b"HTTP/1.1 4") || bytes.starts_with(b"HTTP/1.0 4"))
            && !bytes.windows(8).any(|window| window == b"no-store")
    }
}

impl Read for WatchedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if matches!(read, Poll::Ready(Ok(()))) && matches!(self.slot.phase(), Phase::Idle(_)) {
            self.slot.enter_phase(Phase::Head(Instant::now()));
        }
        read
    }
}

impl Write for WatchedIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.is_hypers_own(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        // hyper's own answers have no body, so that they come in one slice.
        if let [only] = slices
            && self.is_hypers_own(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Closing is left to whoever owns the socket at the end, who may still have an answer to write.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
