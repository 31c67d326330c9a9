//! The ops door: health and metrics for the kubelet and Prometheus, on the pod's address.
//!
//! It needs no authorization, so nothing that it says names a secret, an ARN, an account or an issuer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;

use crate::clock::rfc3339;
use crate::diagnosis::{Finding, findings};
use crate::http::{Answer, Code, Peer, Respond, failure, json, text};
use crate::metrics::{Metrics, RequestCounters};
use crate::store::{Reader, Unavailable};

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The door.
#[derive(Debug)]
pub struct Ops {
    store: Reader,
    metrics: Arc<Metrics>,
    counters: RequestCounters,
    draining: Arc<AtomicBool>,
}

/// The body of a probe; `null` nowhere, since what is not known is left out.
#[derive(Serialize)]
struct Health<'a> {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt: Option<String>,
}

impl Ops {
    /// `draining` turns true when the program was asked to stop.
    pub fn new(
        store: Reader,
        metrics: Arc<Metrics>,
        counters: RequestCounters,
        draining: Arc<AtomicBool>,
    ) -> Self {
        Ops {
            store,
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
                return failure(
                    Code::NotFound,
                    Some("this port answers /livez, /readyz, /startupz and /metrics"),
                );
            }
        };
        match *request.method() {
            Method::GET | Method::HEAD => answer(self),
            _ => failure(Code::MethodNotAllowed("GET, HEAD"), None),
        }
    }

    fn readyz(&self) -> Answer {
        if self.draining.load(Ordering::Relaxed) {
            return not_ready(findings::DRAINING, None);
        }
        self.startupz()
    }

    fn startupz(&self) -> Answer {
        match self.store.credentials() {
            Ok(_) => health(
                StatusCode::OK,
                &Health {
                    ready: true,
                    reason: None,
                    finding: None,
                    since: None,
                    next_attempt: None,
                },
            ),
            Err(unavailable) => not_ready(unavailable.0.diagnosis.finding, Some(&unavailable)),
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

fn not_ready(finding: Finding, trouble: Option<&Unavailable>) -> Answer {
    health(
        StatusCode::SERVICE_UNAVAILABLE,
        &Health {
            ready: false,
            reason: Some(finding.title),
            finding: Some(finding.id),
            since: trouble.map(|trouble| rfc3339(trouble.0.since)),
            next_attempt: trouble.map(|trouble| rfc3339(trouble.0.next_attempt)),
        },
    )
}

fn health(status: StatusCode, health: &Health<'_>) -> Answer {
    json(status, serde_json::to_vec(health).unwrap_or_default())
}
