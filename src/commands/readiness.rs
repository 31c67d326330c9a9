//! What the ops door of a running sidecar says of itself.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::sidecar;
use crate::diagnosis::{Finding, findings, quote, word};

/// What it is asked for.
pub(super) const READYZ: &str = "/readyz";

/// Its answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It can give out credentials.
    Ready,
    /// It cannot, for this reason.
    Unready(Finding),
    /// It cannot, for a reason that this version does not know: its own words, made safe.
    Unknown(String),
    /// What answers with this status is no ops door of ours.
    Stranger(StatusCode),
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nobody can be connected to at the first address that was tried.
    Nobody(SocketAddr, io::Error),
    /// The time was up.
    Late(SocketAddr),
    /// It broke off.
    Broken(SocketAddr, Box<dyn std::error::Error + Send + Sync>),
}

/// Asks the first of the doors that can be connected to: the pod may not have the first address, or the sidecar only the
/// second.
pub(super) async fn ask(
    doors: &[SocketAddr],
    limit: Duration,
) -> Result<(SocketAddr, Readiness), NoAnswer> {
    let deadline = Instant::now() + limit;
    let mut nobody = None;
    for &door in doors {
        let late = |_| NoAnswer::Late(door);
        let connecting = timeout_at(deadline, TcpStream::connect(door));
        let stream = match connecting.await.map_err(late)? {
            Ok(stream) => stream,
            Err(error) => {
                nobody.get_or_insert(NoAnswer::Nobody(door, error));
                continue;
            }
        };
        let request = Request::get(READYZ)
            .header(HOST, door.to_string())
            .body(Empty::<Bytes>::new())
            .map_err(|error| NoAnswer::Broken(door, error.into()))?;
        let answer = timeout_at(deadline, sidecar::exchange(stream, request));
        let (status, body) = answer
            .await
            .map_err(late)?
            .map_err(|error| NoAnswer::Broken(door, error))?;
        return Ok((door, judge(status, &body)));
    }
    let unspecified: SocketAddr = ([0, 0, 0, 0], 0).into();
    let none = || NoAnswer::Nobody(unspecified, io::ErrorKind::NotFound.into());
    Err(nobody.unwrap_or_else(none))
}

/// Only what irsa-sidecar itself says counts: anybody may answer 200.
fn judge(status: StatusCode, body: &[u8]) -> Readiness {
    #[derive(Deserialize)]
    struct Body {
        ready: bool,
        finding: Option<String>,
        reason: Option<String>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    match (status, body) {
        (StatusCode::OK, Some(Body { ready: true, .. })) => Readiness::Ready,
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Some(Body {
                ready: false,
                finding: Some(id),
                reason: Some(reason),
            }),
        ) => match findings::ALL.iter().find(|finding| finding.id == id) {
            Some(finding) => Readiness::Unready(*finding),
            // Of another version, or of no sidecar at all.
            None => Readiness::Unknown(format!("{}: {}", word(&id), quote(&reason))),
        },
        (status, _) => Readiness::Stranger(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Readiness {
        judge(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn ready_is_only_what_the_sidecar_itself_calls_so() {
        assert_eq!(judged(200, r#"{"ready":true}"#), Readiness::Ready);
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, r#"{"ready":false}"#),
            (200, r#"{"live":true}"#),
            (503, r#"{"ready":true}"#),
            (404, r#"{"ready":true}"#),
            (404, r#"{"code":"NotFound","message":"x"}"#),
            (503, r#"{"ready":false}"#),
            (503, "upstream connect error"),
        ] {
            let stranger = Readiness::Stranger(StatusCode::from_u16(status).unwrap());
            assert_eq!(judged(status, body), stranger, "{body}");
        }
    }

    #[test]
    fn a_finding_that_is_known_is_told_by_its_id() {
        let body = r#"{"ready":false,"finding":"token-missing","reason":"x","since":"","next_attempt":null}"#;
        assert_eq!(
            judged(503, body),
            Readiness::Unready(findings::TOKEN_MISSING)
        );
    }

    #[test]
    fn what_a_stranger_says_is_one_short_line_without_control_characters() {
        let finding = r"x\u001b[31m\n".repeat(50);
        let reason = r"y\u001b[31m\n".repeat(5_000);
        let body = format!(r#"{{"ready":false,"finding":"{finding}","reason":"{reason}"}}"#);
        let Readiness::Unknown(words) = judged(503, &body) else {
            panic!("it is known");
        };
        assert!(words.contains(r"y\u{1b}[31m"), "{words}");
        assert!(
            words.len() < 1_000 && !words.contains(char::is_control),
            "{words}"
        );
    }
}
