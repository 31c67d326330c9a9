//! Asking the running sidecar, over its own credentials door.

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Failure;
use crate::config::{Running, Shown};
use crate::diagnosis::word;
use crate::outputs::container_credentials::CREDENTIALS_BY_SECRET;
use crate::regular_file;

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
    let sent = send(address, Some(&running.authorization), method, target);
    let sent = timeout(TIMEOUT, sent).await;
    match sent.map_err(late)? {
        Ok(answer) if answer.status == wanted => Ok(Some(answer.body)),
        Ok(answer) => Err(failed(format!("answered {}", answer.words()))),
        Err(Unanswered::Nobody) => Ok(None),
        Err(Unanswered::Broken(what)) => Err(failed(what)),
        Err(Unanswered::Unsendable(words)) => Err(Failure::Failed(words)),
    }
}

/// What the sidecar answered, whatever it is.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    /// May hold credentials.
    pub(super) body: Bytes,
    /// Why nothing was shown.
    unread: Option<String>,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// Nothing listens.
    Nobody,
    /// It broke off, in words that follow "the sidecar at ADDRESS".
    Broken(String),
    /// What is to be shown cannot be.
    Unsendable(String),
}

impl Answered {
    /// Whether it speaks as a sidecar does.
    pub(super) fn is_ours(&self) -> bool {
        serde_json::from_slice::<Refusal>(&self.body).is_ok()
    }

    /// The status and the sidecar's own words.
    pub(super) fn words(&self) -> String {
        let unread = match (self.status, &self.unread) {
            (StatusCode::UNAUTHORIZED, Some(unread)) => unread,
            _ => "",
        };
        format!("{}{unread}", reason(self.status, &self.body))
    }
}

/// One request with what is to be shown, if anything is. Has no end by itself: the caller limits the time.
pub(super) async fn send(
    address: SocketAddr,
    shown: Option<&Shown>,
    method: Method,
    target: &str,
) -> Result<Answered, Unanswered> {
    let unasked =
        |error: &dyn fmt::Display| Unanswered::Broken(format!("cannot be asked: {error}"));
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(Unanswered::Nobody);
        }
        Err(error) => return Err(unasked(&error)),
    };
    let (authorization, unread) = shown.map_or(Ok((None, None)), authorization)?;
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, address.to_string());
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| unasked(&error))?;
    let (status, body) = exchange(stream, request)
        .await
        .map_err(|error| Unanswered::Broken(format!("broke off: {error}; see its log")))?;
    Ok(Answered {
        status,
        body,
        unread,
    })
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
fn authorization(shown: &Shown) -> Result<(Option<HeaderValue>, Option<String>), Unanswered> {
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
        Unanswered::Unsendable(format!(
            "{place} holds what no header can hold; expected one line of visible ASCII"
        ))
    })?;
    value.set_sensitive(true);
    Ok((Some(value), None))
}

/// Where credentials are for what is to be shown, in the path instead of a header; `None` where there is nothing to show.
pub(super) fn by_secret(shown: &Shown) -> Option<Zeroizing<String>> {
    let secret = match shown {
        Shown::Text(secret) => Zeroizing::new(secret.expose().to_owned()),
        Shown::File(path) => Zeroizing::new(read(path).ok()?),
    };
    let encoded = utf8_percent_encode(secret.trim(), NON_ALPHANUMERIC);
    let nothing = secret.trim().is_empty();
    (!nothing).then(|| Zeroizing::new(format!("{CREDENTIALS_BY_SECRET}{encoded}")))
}

/// A pipe or a device in its place must not hang us.
fn read(path: &Path) -> io::Result<String> {
    let file = regular_file::open(path)?;
    let file = file.ok_or_else(|| io::Error::other("it is a directory, a pipe or a device"))?;
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

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

/// The sidecar's own words, if it is one: nothing that would move a terminal's cursor, and not without end. Some have
/// several lines.
fn reason(status: StatusCode, body: &[u8]) -> String {
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
