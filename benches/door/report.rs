//! The table and the JSON, and the aims beside what was reached.

use std::fmt::Write;
use std::time::Duration;

use benches::aim::{self, Aim};
use serde_json::{Value, json};

use crate::load::Mode;
use crate::memory::Memory;
use crate::rounds::{Comparison, Medians};
use crate::start::Start;

const AIM_RATIO: f64 = 0.9;
const MIB: f64 = 1024.0 * 1024.0;
const AIM_RSS: f64 = 7.0 * MIB;
/// More between the first and the second half million than an allocator's breathing is a leak.
const AIM_GROWTH: f64 = 0.125 * MIB;
const AIM_START: Duration = Duration::from_millis(15);
const AIM_BINARY: f64 = 6.0 * MIB;

/// All that was measured.
pub(crate) struct Report {
    pub(crate) cores: String,
    pub(crate) answer_bytes: usize,
    pub(crate) binary_bytes: u64,
    pub(crate) start: Start,
    pub(crate) rounds: Vec<Comparison>,
    pub(crate) memory: Memory,
}

impl Report {
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        let mut line = |text: String| writeln!(table, "{text}").expect("a string takes any text");
        line(format!(
            "\nGET /v1/credentials, {} bytes of answer; {}\n",
            self.answer_bytes, self.cores
        ));
        line(format!(
            "{:<32}{:>10}{:>12}{:>7}{:>10}{:>10}",
            "", "requests/s", "per CPU s", "busy", "p50 µs", "p99 µs"
        ));
        for comparison in &self.rounds {
            for (who, medians) in [
                ("irsa-sidecar", &comparison.sidecar),
                ("bare hyper", &comparison.limit),
            ] {
                line(format!(
                    "{:<32}{:>10.0}{:>12.0}{:>6.0}%{:>10}{:>10}",
                    format!("{}: {who}", name(comparison.mode)),
                    medians.per_second,
                    medians.per_cpu_second,
                    medians.busy * 100.0,
                    medians.p50.as_micros(),
                    medians.p99.as_micros(),
                ));
            }
        }
        if self.disturbed() {
            line("a server had less than 90 % of its core: other work disturbs, and per CPU s says more".to_owned());
        }
        line(format!("\n{}", aim::table(&self.aims())));
        line(format!(
            "exec to listening {}, to ready {}; one exchange by a bare client {}",
            millis(self.start.listening),
            millis(self.start.ready),
            millis(self.start.exchange)
        ));
        line(format!(
            "an open connection holds {:.1} KiB; of bare hyper {:.1} KiB",
            self.memory.connection as f64 / 1024.0,
            self.memory.connection_of_limit as f64 / 1024.0
        ));
        table
    }

    fn aims(&self) -> Vec<Aim> {
        let mut aims = Vec::new();
        for comparison in &self.rounds {
            for (what, ratio) in [
                ("second", comparison.ratio),
                ("CPU second", comparison.cpu_ratio),
            ] {
                aims.push(Aim {
                    name: format!(
                        "{}: of the limit's requests per {what}",
                        name(comparison.mode)
                    ),
                    reached: format!("{ratio:.2}"),
                    wanted: format!("at least {AIM_RATIO}"),
                    met: ratio >= AIM_RATIO,
                });
            }
        }
        let mut at_most = |name: &str, bytes: f64, aim: f64| {
            aims.push(Aim {
                name: name.to_owned(),
                reached: format!("{:.2} MiB", bytes / MIB),
                wanted: format!("at most {} MiB", aim / MIB),
                met: bytes <= aim,
            });
        };
        let memory = &self.memory;
        at_most("resident, idle", memory.idle as f64, AIM_RSS);
        at_most(
            "resident, after 1,000,000 requests",
            memory.after_requests as f64,
            AIM_RSS,
        );
        at_most("  of which since the 500,000th", self.growth(), AIM_GROWTH);
        at_most(
            "resident, with 500 open connections",
            memory.with_connections as f64,
            AIM_RSS,
        );
        at_most("binary", self.binary_bytes as f64, AIM_BINARY);
        aims.push(Aim {
            name: "exec to ready, less one exchange".to_owned(),
            reached: millis(self.own_start()),
            wanted: format!("at most {}", millis(AIM_START)),
            met: self.own_start() <= AIM_START,
        });
        aims
    }

    /// A server that is not busy is not what limits the requests per second.
    fn disturbed(&self) -> bool {
        let mut all = self
            .rounds
            .iter()
            .flat_map(|both| [both.sidecar.busy, both.limit.busy]);
        all.any(|busy| busy < 0.9)
    }

    fn growth(&self) -> f64 {
        self.memory
            .after_requests
            .saturating_sub(self.memory.half_way) as f64
    }

    fn own_start(&self) -> Duration {
        self.start.ready.saturating_sub(self.start.exchange)
    }

    pub(crate) fn json(&self) -> Value {
        let medians = |medians: &Medians| {
            json!({
                "requests_per_second": medians.per_second,
                "requests_per_cpu_second": medians.per_cpu_second,
                "busy": medians.busy,
                "p50_seconds": medians.p50.as_secs_f64(),
                "p99_seconds": medians.p99.as_secs_f64(),
            })
        };
        let rounds = self.rounds.iter().map(|comparison| {
            json!({
                "mode": name(comparison.mode),
                "ratio": comparison.ratio,
                "cpu_ratio": comparison.cpu_ratio,
                "sidecar": medians(&comparison.sidecar),
                "limit": medians(&comparison.limit),
            })
        });
        json!({
            "cores": self.cores,
            "answer_bytes": self.answer_bytes,
            "throughput": rounds.collect::<Vec<_>>(),
            "memory_bytes": {
                "idle": self.memory.idle,
                "after_500000_requests": self.memory.half_way,
                "after_1000000_requests": self.memory.after_requests,
                "with_500_connections": self.memory.with_connections,
                "per_connection": self.memory.connection,
                "per_connection_of_limit": self.memory.connection_of_limit,
            },
            "start_seconds": {
                "listening": self.start.listening.as_secs_f64(),
                "ready": self.start.ready.as_secs_f64(),
                "one_exchange": self.start.exchange.as_secs_f64(),
            },
            "binary_bytes": self.binary_bytes,
            "aims": aim::json(&self.aims()),
        })
    }
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::KeepAlive => "keep-alive",
        Mode::NewConnection => "new connection",
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
