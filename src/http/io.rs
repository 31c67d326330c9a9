//! The socket as hyper sees it: watched for the first byte of a request, and for answers that hyper makes by itself.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::phase::Phase;
use super::registry::Slot;

/// A socket that tells its slot when a request begins.
pub(super) struct WatchedIo {
    socket: TokioIo<TcpStream>,
    /// What was read before and belongs in front.
    early: Bytes,
    slot: Arc<Slot>,
}

impl WatchedIo {
    pub(super) fn new(socket: TcpStream, slot: Arc<Slot>) -> Self {
        WatchedIo {
            socket: TokioIo::new(socket),
            early: Bytes::new(),
            slot,
        }
    }

    /// The same socket, with what another reader took from it too early.
    pub(super) fn with_early(mut self, early: Bytes) -> Self {
        self.early = early;
        self
    }

    /// Ready when a read would yield something: bytes, the end, or an error.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.early.is_empty() {
            ready!(self.socket.inner().poll_read_ready(cx)).ok();
        }
        Poll::Ready(())
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
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early.split_to(length));
        } else {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        }
        if matches!(self.slot.phase(), Phase::Answered(_) | Phase::Idle(_)) {
            self.slot.enter_phase(Phase::Head(Instant::now()));
        }
        Poll::Ready(Ok(()))
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
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        if let Phase::Answered(since) = self.slot.phase() {
            self.slot.enter_phase(Phase::Idle(since));
        }
        Poll::Ready(Ok(()))
    }

    /// Closing is left to whoever owns the socket at the end, who may still have an answer to write.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
