//! The table and the JSON, and the aims beside what was reached.

use std::fmt::Write;
use std::time::Duration;

use benches::aim::{self, Aim};
use serde_json::{Value, json};

use crate::cost::Cost;
use crate::mint::Mint;
use crate::rounds::Comparison;

const AIM_MINT: Duration = Duration::from_micros(30);
const AIM_WALL: Duration = Duration::from_millis(5);
const AIM_WALL_RATIO: f64 = 100.0;
const AIM_MEMORY_RATIO: f64 = 10.0;
const MIB: f64 = 1024.0 * 1024.0;

/// All that was measured.
pub(crate) struct Report {
    pub(crate) aws_version: String,
    pub(crate) mints: Vec<Mint>,
    pub(crate) alone: Comparison,
    pub(crate) at_once: Comparison,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
}

impl Report {
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        let mut line = |text: String| writeln!(table, "{text}").expect("a string takes any text");
        line(format!(
            "\n{:<32}{:>10}{:>12}{:>13}{:>12}{:>12}",
            "mint, of a session token of",
            "median µs",
            "fastest µs",
            "allocations",
            "KiB",
            "peak KiB"
        ));
        for mint in &self.mints {
            line(format!(
                "{:<32}{:>10.1}{:>12.1}{:>13}{:>12.1}{:>12.1}",
                format!("{} characters", mint.session_token),
                micros(mint.median),
                micros(mint.fastest),
                mint.allocations,
                mint.allocated_bytes as f64 / 1024.0,
                mint.peak_bytes as f64 / 1024.0,
            ));
        }
        for comparison in [&self.alone, &self.at_once] {
            line(format!(
                "\n{:<32}{:>10}{:>12}{:>13}",
                named(comparison),
                "wall ms",
                "CPU ms",
                "peak MiB"
            ));
            for (who, cost) in [
                ("irsa-sidecar get-token", comparison.sidecar),
                ("aws eks get-token", comparison.aws),
            ] {
                line(format!(
                    "{who:<32}{:>10.2}{:>12.2}{:>13.2}",
                    cost.wall_seconds * 1e3,
                    cost.cpu_seconds * 1e3,
                    cost.peak_bytes / MIB
                ));
            }
            let ratio = comparison.ratio;
            line(format!(
                "{:<32}{:>10.0}{:>12.0}{:>13.1}",
                "times less", ratio.wall_seconds, ratio.cpu_seconds, ratio.peak_bytes
            ));
        }
        line(format!("\n{}", aim::table(&self.aims())));
        line(format!(
            "{}; load average {} before, {} after",
            self.aws_version, self.load_before, self.load_after
        ));
        table
    }

    fn aims(&self) -> Vec<Aim> {
        let mints = self.mints.iter().map(|mint| Aim {
            name: format!("mint, session token of {} characters", mint.session_token),
            reached: format!("{:.1} µs", micros(mint.median)),
            wanted: format!("at most {} µs", micros(AIM_MINT)),
            met: mint.median <= AIM_MINT,
        });
        let wall = self.alone.sidecar.wall_seconds;
        let alone = Aim {
            name: "get-token, from exec to exit".to_owned(),
            reached: format!("{:.2} ms", wall * 1e3),
            wanted: format!("at most {} ms", AIM_WALL.as_millis()),
            met: wall <= AIM_WALL.as_secs_f64(),
        };
        let at_least = |name: String, ratio: f64, aim: f64| Aim {
            name,
            reached: format!("{ratio:.1}"),
            wanted: format!("at least {aim}"),
            met: ratio >= aim,
        };
        let ratios = [&self.alone, &self.at_once].map(|comparison| {
            let (how, ratio) = (named(comparison), comparison.ratio);
            let wall = format!("{how}: times less wall time than aws");
            let memory = format!("{how}: times less memory than aws");
            [
                at_least(wall, ratio.wall_seconds, AIM_WALL_RATIO),
                at_least(memory, ratio.peak_bytes, AIM_MEMORY_RATIO),
            ]
        });
        mints
            .chain([alone])
            .chain(ratios.into_iter().flatten())
            .collect()
    }

    pub(crate) fn json(&self) -> Value {
        let mints = self.mints.iter().map(|mint| {
            json!({
                "session_token_characters": mint.session_token,
                "token_bytes": mint.token,
                "median_seconds": mint.median.as_secs_f64(),
                "fastest_seconds": mint.fastest.as_secs_f64(),
                "allocations": mint.allocations,
                "allocated_bytes": mint.allocated_bytes,
                "peak_bytes": mint.peak_bytes,
            })
        });
        let cost = |cost: &Cost| {
            json!({
                "wall_seconds": cost.wall_seconds,
                "cpu_seconds": cost.cpu_seconds,
                "peak_bytes": cost.peak_bytes,
            })
        };
        let comparison = |comparison: &Comparison| {
            let ratio = comparison.ratio;
            json!({
                "at_once": comparison.plan.at_once,
                "rounds": comparison.plan.rounds,
                "irsa_sidecar": cost(&comparison.sidecar),
                "aws": cost(&comparison.aws),
                "times_less": {
                    "wall": ratio.wall_seconds,
                    "cpu": ratio.cpu_seconds,
                    "peak": ratio.peak_bytes,
                },
            })
        };
        json!({
            "aws_version": self.aws_version,
            "mint": mints.collect::<Vec<_>>(),
            "get_token": [comparison(&self.alone), comparison(&self.at_once)],
            "load_average": { "before": self.load_before, "after": self.load_after },
            "aims": aim::json(&self.aims()),
        })
    }
}

fn named(comparison: &Comparison) -> String {
    match comparison.plan.at_once {
        1 => "one at a time".to_owned(),
        many => format!("{many} at once"),
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
