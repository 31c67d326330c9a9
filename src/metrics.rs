//! Metrics: what the one who is paged looks at first. Labels are closed sets; nothing here names a role or an account.

use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::clock::unix_seconds;
use crate::diagnosis::Remedy;

/// The statuses that a door can answer with; counted apart from the start.
pub const STATUSES: &[u16] = &[200, 202, 400, 401, 403, 404, 405, 408, 422, 429, 431, 503];

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    expiration: Gauge,
    refreshed: Gauge,
    token_expiration: Gauge,
    clock_offset: Gauge<f64, AtomicU64>,
    eks_token: Gauge,
    refreshes: Family<RefreshLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
}

/// How an attempt to refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With credentials.
    Success,
    /// With a failure, by who can end it.
    Failure(Remedy),
}

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `listen`.
    Credentials,
    /// `link-local-listen`.
    LinkLocal,
    /// `imds-listen`.
    Imds,
    /// `ops-listen`.
    Ops,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefreshLabels {
    result: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    door: Door,
    code: u16,
}

impl Outcome {
    const ALL: [Outcome; 4] = [
        Outcome::Success,
        Outcome::Failure(Remedy::Wait),
        Outcome::Failure(Remedy::NewToken),
        Outcome::Failure(Remedy::Change),
    ];

    fn label(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure(Remedy::Wait) => "wait",
            Outcome::Failure(Remedy::NewToken) => "new_token",
            Outcome::Failure(Remedy::Change) => "change_needed",
        }
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        encoder.write_str(self.label())
    }
}

impl EncodeLabelValue for Door {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        encoder.write_str(match self {
            Door::Credentials => "credentials",
            Door::LinkLocal => "link_local",
            Door::Imds => "imds",
            Door::Ops => "ops",
        })
    }
}

/// The counters of one door, looked up once instead of at each request.
#[derive(Debug, Clone)]
pub struct RequestCounters(Vec<(u16, Counter)>);

impl RequestCounters {
    /// Counts one answer.
    pub fn count(&self, status: u16) {
        if let Some((_, counter)) = self.0.iter().find(|(code, _)| *code == status) {
            counter.inc();
        }
    }
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let metrics = Metrics {
            registry: Registry::with_prefix("irsa_sidecar"),
            expiration: Gauge::default(),
            refreshed: Gauge::default(),
            token_expiration: Gauge::default(),
            clock_offset: Gauge::default(),
            eks_token: Gauge::default(),
            refreshes: Family::default(),
            requests: Family::default(),
        };
        for result in Outcome::ALL {
            drop(metrics.refreshes.get_or_create(&RefreshLabels { result }));
        }
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "credentials_expiration_timestamp_seconds",
            "When the newest credentials expire; 0 while there are none",
            self.expiration.clone(),
        );
        registry.register(
            "credentials_refreshed_timestamp_seconds",
            "When credentials were last obtained; 0 before the first time",
            self.refreshed.clone(),
        );
        registry.register(
            "web_identity_token_expiration_timestamp_seconds",
            "When the web identity token that was read last expires; 0 before the first",
            self.token_expiration.clone(),
        );
        registry.register(
            "clock_offset_seconds",
            "How far the clock of STS is ahead of the node's; 0 until it was measured",
            self.clock_offset.clone(),
        );
        registry.register(
            "eks_token_bytes",
            "The size of the EKS token that was minted last; a cluster accepts 4096; 0 before the first",
            self.eks_token.clone(),
        );
        registry.register(
            "refreshes",
            "Attempts to obtain credentials, by result",
            self.refreshes.clone(),
        );
        registry.register(
            "requests",
            "Requests answered, by door and HTTP status",
            self.requests.clone(),
        );
        registry.register(
            "build",
            "The version of this program",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        self
    }

    /// Credentials were obtained.
    pub fn refreshed(&self, expiration: SystemTime, at: SystemTime) {
        self.expiration.set(unix_seconds(expiration));
        self.refreshed.set(unix_seconds(at));
        self.attempt(Outcome::Success);
    }

    /// An attempt failed.
    pub fn failed(&self, remedy: Remedy) {
        self.attempt(Outcome::Failure(remedy));
    }

    fn attempt(&self, result: Outcome) {
        self.refreshes
            .get_or_create(&RefreshLabels { result })
            .inc();
    }

    /// A token was read.
    pub fn token(&self, expiration: Option<SystemTime>) {
        self.token_expiration
            .set(expiration.map_or(0, unix_seconds));
    }

    /// The offset to STS was measured.
    pub fn clock_offset(&self, millis: i64) {
        self.clock_offset.set(millis as f64 / 1_000.0);
    }

    /// An EKS token of this size was minted.
    pub fn eks_token(&self, bytes: usize) {
        self.eks_token.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The counters of one door.
    pub fn requests(&self, door: Door) -> RequestCounters {
        let counter = |code: &u16| {
            let labels = RequestLabels { door, code: *code };
            (*code, self.requests.get_or_create(&labels).clone())
        };
        RequestCounters(STATUSES.iter().map(counter).collect())
    }

    /// OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
