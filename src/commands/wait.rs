//! `wait`: asks the ops door of the running sidecar until it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Environment, Failure, Output, say, sidecar};
use crate::config::{self, Wait};
use crate::diagnosis::{findings, quote, word};

/// The door answers from memory: what takes longer hangs.
const REQUEST: Duration = Duration::from_secs(2);
/// What a request is given at the end of the time, and by who has none to wait.
const MOMENT: Duration = Duration::from_millis(500);
/// What it is asked for.
const READYZ: &str = "/readyz";
/// Between requests, for as long as the answer stays the same: from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// Most sidecars are ready by then, and nobody has to read of it.
const QUIET: Duration = Duration::from_secs(1);

/// Nothing on stdout. As PID 1, in an init container, a signal without a handler is no signal.
pub async fn run(asked: Wait, environment: Environment) -> Result<Output, Failure> {
    let doors = config::ops(asked.flags, environment)?;
    let handler = |error| Failure::Failed(format!("signals cannot be received: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(handler)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(handler)?;
    let stopped = |name| Failure::Failed(format!("{name} came before the sidecar was ready"));
    tokio::select! {
        outcome = until_ready(doors, asked.timeout) => outcome,
        _ = terminate.recv() => Err(stopped("SIGTERM")),
        _ = interrupt.recv() => Err(stopped("SIGINT")),
    }
}

/// What there is to wait for is said when it is, since whoever waits wants to know.
async fn until_ready(doors: Vec<SocketAddr>, patience: Duration) -> Result<Output, Failure> {
    let within = humantime::format_duration(patience);
    let begun = Instant::now();
    let left = || patience.saturating_sub(begun.elapsed());
    let (mut last, mut told, mut pause) = (None, None, PAUSES.0);
    loop {
        let limit = left().clamp(MOMENT, REQUEST);
        let reason = match probe(&doors, limit).await {
            Ok(()) => return Ok(Output::of([])),
            Err(reason) => reason,
        };
        if left().is_zero() {
            let reason = format!("not ready within {within}: {reason}");
            return Err(Failure::Failed(reason));
        }
        if begun.elapsed() >= QUIET && told.as_ref() != Some(&reason) {
            say(&match told {
                None => format!("irsa-sidecar: waiting up to {within}: {reason}\n"),
                Some(_) => format!("irsa-sidecar: still waiting: {reason}\n"),
            });
            told = Some(reason.clone());
        }
        // A step forward: the next may be near.
        if last.as_ref() != Some(&reason) {
            pause = PAUSES.0;
        }
        last = Some(reason);
        sleep(pause.min(left())).await;
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}

/// The error says why it is not ready. Where nobody can be connected to, the next address is tried: the pod may not have
/// the first, or the sidecar only the second.
async fn probe(doors: &[SocketAddr], limit: Duration) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    let mut unanswered = None;
    for door in doors {
        let late = |_| format!("what listens at {door} did not answer in time; see what it is");
        let connecting = timeout_at(deadline, TcpStream::connect(door));
        let stream = match connecting.await.map_err(late)? {
            Ok(stream) => stream,
            Err(error) => {
                unanswered.get_or_insert_with(|| format!(
                    "no sidecar answers at {door}: {error}; it has not started, has ended, or listens elsewhere (--ops-listen)"
                ));
                continue;
            }
        };
        let broken = |error| format!("what listens at {door} broke off: {error}; see what it is");
        let request = Request::get(READYZ)
            .header(HOST, door.to_string())
            .body(Empty::<Bytes>::new())
            .map_err(|error| broken(error.into()))?;
        let answer = timeout_at(deadline, sidecar::exchange(stream, request));
        let (status, body) = answer.await.map_err(late)?.map_err(broken)?;
        return judge(*door, status, &body);
    }
    Err(unanswered.unwrap_or_default())
}

/// Only what irsa-sidecar itself says counts: anybody may answer 200.
fn judge(door: SocketAddr, status: StatusCode, body: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Readiness {
        ready: bool,
        finding: Option<String>,
        reason: Option<String>,
    }
    let readiness: Option<Readiness> = serde_json::from_slice(body).ok();
    match (status, readiness) {
        (StatusCode::OK, Some(Readiness { ready: true, .. })) => Ok(()),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Some(Readiness {
                ready: false,
                finding: Some(id),
                reason: Some(reason),
            }),
        ) => {
            let known = findings::ALL.iter().find(|finding| finding.id == id);
            let said = match known {
                Some(finding) => format!("{}: {}", finding.id, finding.title),
                // Of another version, or of no sidecar at all.
                None => format!("{}: {}", word(&id), quote(&reason)),
            };
            Err(format!(
                "the sidecar at {door} says {said}; see its log, and docs/troubleshooting.md"
            ))
        }
        (status, _) => Err(format!(
            "what listens at {door} is not the ops port of an irsa-sidecar: it answered {status} to {READYZ} in other words; see what it is, or name the right one (--ops-listen)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Result<(), String> {
        let status = StatusCode::from_u16(status).unwrap();
        judge(([127, 0, 0, 1], 9911).into(), status, body.as_bytes())
    }

    #[test]
    fn ready_is_only_what_the_sidecar_itself_calls_so() {
        assert_eq!(judged(200, r#"{"ready":true}"#), Ok(()));
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
            let reason = judged(status, body).unwrap_err();
            let named = format!("is not the ops port of an irsa-sidecar: it answered {status}");
            assert!(reason.contains(&named), "{reason}");
        }
    }

    #[test]
    fn a_finding_is_given_with_its_sentence() {
        let body = r#"{"ready":false,"finding":"token-missing","reason":"x","since":"","next_attempt":null}"#;
        assert_eq!(
            judged(503, body).unwrap_err(),
            "the sidecar at 127.0.0.1:9911 says token-missing: the web identity token file is not there; see its log, and docs/troubleshooting.md"
        );
    }

    #[test]
    fn what_a_stranger_says_is_one_short_line_without_control_characters() {
        let finding = r"x\u001b[31m\n".repeat(50);
        let reason = r"y\u001b[31m\n".repeat(5_000);
        let body = format!(r#"{{"ready":false,"finding":"{finding}","reason":"{reason}"}}"#);
        let words = judged(503, &body).unwrap_err();
        assert!(words.contains(r"y\u{1b}[31m"), "{words}");
        assert!(
            words.len() < 1_000 && !words.contains(char::is_control),
            "{words}"
        );
    }
}
