//! Asking the running sidecar, over its own credentials door.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Failure;
use crate::config::{Running, Shown};

/// The sidecar holds a request for an EKS token for up to 10 s.
const TIMEOUT: Duration = Duration::from_secs(15);
/// No answer is as long.
const LONGEST: usize = 64 * 1024;

/// The body of a 200; `None` where nothing listens.
pub(super) async fn ask(running: &Running, target: &str) -> Result<Option<Bytes>, Failure> {
    let address = running.address;
    let failed = |what: String| Failure::Failed(format!("the sidecar at {address} {what}"));
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
        Err(error) => return Err(failed(format!("cannot be asked: {error}"))),
    };
    let (authorization, unread) = authorization(&running.authorization)?;
    let mut request = Request::get(target).header(HOST, address.to_string());
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(format!("cannot be asked: {error}")))?;
    let (status, body) = timeout(TIMEOUT, exchange(stream, request))
        .await
        .map_err(|_| failed(format!("did not answer within {} s", TIMEOUT.as_secs())))?
        .map_err(|error| failed(format!("broke off: {error}; see its log")))?;
    match status {
        StatusCode::OK => Ok(Some(body)),
        StatusCode::UNAUTHORIZED => Err(failed(format!(
            "answered {}{}",
            reason(status, &body),
            unread.unwrap_or_default()
        ))),
        status => Err(failed(format!("answered {}", reason(status, &body)))),
    }
}

async fn exchange(
    stream: TcpStream,
    request: Request<Empty<Bytes>>,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST)
        .collect()
        .await?;
    connection.abort();
    Ok((status, body.to_bytes()))
}

/// What to show, and why there is nothing to show. With `authorization` `none` nothing has to be.
fn authorization(shown: &Shown) -> Result<(Option<HeaderValue>, Option<String>), Failure> {
    let (text, path) = match shown {
        Shown::Text(secret) => (secret.expose().to_owned(), None),
        Shown::File(path) => match std::fs::read_to_string(path) {
            Ok(text) => (text, Some(path)),
            Err(error) => {
                let unread = format!(
                    "; the authorization token file {} cannot be read: {error}; mount its volume here, or set AWS_CONTAINER_CREDENTIALS_FULL_URI to the sidecar's /v2/credentials/$(POD_UID)",
                    path.display()
                );
                return Ok((None, Some(unread)));
            }
        },
    };
    let mut value = HeaderValue::from_str(text.trim()).map_err(|_| {
        let place = path.map_or("the authorization".to_owned(), |path| {
            format!("the authorization token file {}", path.display())
        });
        Failure::Failed(format!(
            "{place} holds what no header can hold; expected one line of visible ASCII"
        ))
    })?;
    value.set_sensitive(true);
    Ok((Some(value), None))
}

/// The sidecar's own words.
fn reason(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
        message: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => format!("{} {}: {}", status.as_u16(), refusal.code, refusal.message),
        Err(_) => {
            format!("{status} in words that are none of irsa-sidecar's; see what listens there")
        }
    }
}
