//! The ops door: health and metrics for the kubelet and Prometheus, on the pod's address.
//!
//! It needs no authorization, so nothing that it says names a secret, an ARN, an account or an issuer.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde::Serialize;

use crate::clock::rfc3339;
use crate::diagnosis::{Finding, findings};
use crate::http::{Answer, Code, Peer, READ, Refusal, Respond, allow, json, text};
use crate::metrics::{Metrics, RequestCounters};
use crate::outputs::files::FilesReader;
use crate::store::{Reader, Unavailable};

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The door.
#[derive(Debug)]
pub struct Ops {
    store: Reader,
    files: Option<FilesReader>,
    metrics: Arc<Metrics>,
    counters: RequestCounters,
    draining: Arc<OnceLock<SystemTime>>,
}

/// The body of a probe that fails.
#[derive(Serialize)]
struct NotReady {
    ready: bool,
    reason: &'static str,
    finding: &'static str,
    since: String,
    /// `null` when there will be none.
    next_attempt: Option<String>,
}

impl Ops {
    /// `files` where some were asked for: an app that starts without them would take another identity. `draining` holds when the program was asked to stop, once it was.
    pub fn new(
        store: Reader,
        files: Option<FilesReader>,
        metrics: Arc<Metrics>,
        counters: RequestCounters,
        draining: Arc<OnceLock<SystemTime>>,
    ) -> Self {
        Ops {
            store,
            files,
            metrics,
            counters,
            draining,
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let answer: fn(&Ops) -> Answer = match request.uri().path() {
            "/livez" => |_| json(StatusCode::OK, r#"{"live":true}"#),
            "/readyz" => Ops::readyz,
            "/startupz" => Ops::startupz,
            "/metrics" => |ops| text(METRICS_TYPE, ops.metrics.text()),
            _ => {
                let words = "this port answers /livez, /readyz, /startupz and /metrics";
                return Refusal::new(Code::NotFound, words).into();
            }
        };
        match allow(request, READ) {
            Ok(()) => answer(self),
            Err(refusal) => refusal.into(),
        }
    }

    fn readyz(&self) -> Answer {
        match self.draining.get() {
            Some(since) => not_ready(findings::DRAINING, *since, None),
            None => self.startupz(),
        }
    }

    fn startupz(&self) -> Answer {
        let files = || self.files.as_ref().map_or(Ok(()), FilesReader::check);
        match self.store.credentials().and_then(|_| files()) {
            Ok(()) => json(StatusCode::OK, r#"{"ready":true}"#),
            Err(Unavailable(trouble)) => not_ready(
                trouble.diagnosis.finding,
                trouble.since,
                Some(trouble.next_attempt),
            ),
        }
    }
}

impl Respond for Ops {
    async fn respond(&self, request: Request<Incoming>, _: Peer) -> Answer {
        self.answer(&request)
    }

    fn counters(&self) -> &RequestCounters {
        &self.counters
    }
}

fn not_ready(finding: Finding, since: SystemTime, next_attempt: Option<SystemTime>) -> Answer {
    let body = NotReady {
        ready: false,
        reason: finding.title,
        finding: finding.id,
        since: rfc3339(since),
        next_attempt: next_attempt.map(rfc3339),
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    json(StatusCode::SERVICE_UNAVAILABLE, body)
}
