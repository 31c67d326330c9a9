//! Asking the running sidecar, over its own credentials door.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Failure;
use crate::config::{Running, Shown};
use crate::diagnosis::word;

/// The sidecar holds a request for an EKS token for up to 10 s.
const TIMEOUT: Duration = Duration::from_secs(15);
/// No answer is as long.
const LONGEST: usize = 64 * 1024;
/// No reason is as long, in characters.
const LONGEST_REASON: usize = 4096;
/// No authorization is as long.
const LONGEST_AUTHORIZATION: u64 = 4096;

/// The body of a 200; `None` where nothing listens.
pub(super) async fn get(running: &Running, target: &str) -> Result<Option<Bytes>, Failure> {
    ask(running, Method::GET, target, StatusCode::OK).await
}

/// The body of a 202; `None` where nothing listens.
pub(super) async fn post(running: &Running, target: &str) -> Result<Option<Bytes>, Failure> {
    ask(running, Method::POST, target, StatusCode::ACCEPTED).await
}

async fn ask(
    running: &Running,
    method: Method,
    target: &str,
    wanted: StatusCode,
) -> Result<Option<Bytes>, Failure> {
    let address = running.address;
    let failed = |what: String| Failure::Failed(format!("the sidecar at {address} {what}"));
    let late = |_| failed(format!("did not answer within {} s", TIMEOUT.as_secs()));
    let deadline = Instant::now() + TIMEOUT;
    let connecting = timeout_at(deadline, TcpStream::connect(address));
    let stream = match connecting.await.map_err(late)? {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
        Err(error) => return Err(failed(format!("cannot be asked: {error}"))),
    };
    let (authorization, unread) = authorization(&running.authorization)?;
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, address.to_string());
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(format!("cannot be asked: {error}")))?;
    let (status, body) = timeout_at(deadline, exchange(stream, request))
        .await
        .map_err(late)?
        .map_err(|error| failed(format!("broke off: {error}; see its log")))?;
    match status {
        status if status == wanted => Ok(Some(body)),
        StatusCode::UNAUTHORIZED => Err(failed(format!(
            "answered {}{}",
            reason(status, &body),
            unread.unwrap_or_default()
        ))),
        status => Err(failed(format!("answered {}", reason(status, &body)))),
    }
}

/// One request on a connection of its own, which is all of it that anybody waits for: the caller limits the time.
pub(super) async fn exchange(
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
        Shown::File(path) => match read(path) {
            Ok(text) if text.trim().is_empty() => {
                return Ok((None, Some(unread(path, "is empty"))));
            }
            Ok(text) => (text, Some(path)),
            Err(error) => {
                let why = format!("cannot be read: {error}");
                return Ok((None, Some(unread(path, &why))));
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

/// A pipe or a device in its place must not hang us.
fn read(path: &Path) -> io::Result<String> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let mut text = String::new();
    file.take(LONGEST_AUTHORIZATION).read_to_string(&mut text)?;
    Ok(text)
}

fn unread(path: &Path, why: &str) -> String {
    format!(
        "; the authorization token file {} {why}; mount its volume here, or set AWS_CONTAINER_CREDENTIALS_FULL_URI to the sidecar's /v2/credentials/$(POD_UID)",
        path.display()
    )
}

/// The sidecar's own words, if it is one: nothing that would move a terminal's cursor, and not without end. Some have
/// several lines.
fn reason(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
        message: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => {
            let message: String = refusal
                .message
                .chars()
                .filter(|c| *c == '\n' || !c.is_control())
                .take(LONGEST_REASON)
                .collect();
            format!("{} {}: {message}", status.as_u16(), word(&refusal.code))
        }
        Err(_) => {
            format!("{status} in words that are none of irsa-sidecar's; see what listens there")
        }
    }
}
