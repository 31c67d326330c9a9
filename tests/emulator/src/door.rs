//! A listening socket and the HTTP connections that come in through it.

use std::convert::Infallible;
use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Instead of an answer: how the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// In good order.
    Close,
    /// By a TCP reset.
    Reset,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection is cut: {self:?}")
    }
}

impl std::error::Error for Cut {}

/// Accepts for ever. `turns_away` says whether a new connection is closed at once; `handle`
/// answers requests.
pub(crate) async fn serve<H, F>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    turns_away: impl Fn() -> bool,
    handle: H,
) -> Infallible
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Cut>> + Send + 'static,
{
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of file descriptors, mostly: it would fail again at once.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if turns_away() {
            continue;
        }
        let (tls, handle) = (tls.clone(), handle.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(stream, handle).await,
                Some(tls) => {
                    // A client that does not trust the CA hangs up here: its business.
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, handle).await;
                    }
                }
            }
        });
    }
}

async fn connection<S, H, F>(stream: S, handle: H)
where
    S: Socket,
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response<Full<Bytes>>, Cut>>,
{
    let mut connection = http1::Builder::new()
        // The clock of STS is not the machine's, and some answers have no date at all.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service_fn(handle));
    let Err(error) = (&mut connection).await else {
        return;
    };
    let cut = error
        .source()
        .and_then(|source| source.downcast_ref::<Cut>());
    if cut == Some(&Cut::Reset) {
        let stream = connection.into_parts().io.into_inner();
        // Fails when the client was faster, and then there is nothing left to reset.
        let _ = stream.tcp().set_zero_linger();
    }
}

/// A stream of bytes over TCP.
trait Socket: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}
