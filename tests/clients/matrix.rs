//! Runs rows, each in a network namespace of its own, and holds the table to what came out.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use tokio::time::Instant;

use crate::outcome::Outcome;
use crate::row::{Ecosystem, Row};
use crate::{ECOSYSTEMS, scenarios, surroundings, table};

/// They mostly wait.
const AT_ONCE: usize = 10;

/// Says to a copy of this program which row it is for, and where the result goes.
const ROW: &str = "MATRIX_ROW";
const RESULT: &str = "MATRIX_RESULT";

/// A row and what became of it.
pub struct Ran {
    pub ecosystem: &'static Ecosystem,
    pub row: &'static Row,
    pub outcomes: Vec<Outcome>,
}

/// Runs the rows that are wanted; `test` is the name of the test that calls.
pub fn run(test: &str, wanted: impl Fn(&Row) -> bool) {
    if let Some(name) = std::env::var_os(ROW) {
        return run_inside(&name.to_string_lossy());
    }
    let all = ECOSYSTEMS
        .iter()
        .flat_map(|ecosystem| ecosystem.rows.iter().map(move |row| (*ecosystem, row)));
    let rows: Vec<_> = all.filter(|(_, row)| wanted(row)).collect();
    assert!(!rows.is_empty(), "no row has such a name");
    let ran = run_all(test, rows);
    table::hold(&ran);
}

fn run_all(test: &str, rows: Vec<(&'static Ecosystem, &'static Row)>) -> Vec<Ran> {
    let count = rows.len();
    let waiting = Mutex::new(rows.iter().copied().enumerate().collect::<VecDeque<_>>());
    let ended = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(count) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("the queue").pop_back();
                    let Some((index, (ecosystem, row))) = next else {
                        return;
                    };
                    let start = Instant::now();
                    let outcomes = run_outside(test, row);
                    let took = start.elapsed().as_secs();
                    let verdict = if outcomes.is_ok() { "ok" } else { "FAILED" };
                    eprintln!("{} {verdict} after {took} s", row.name);
                    ended
                        .lock()
                        .expect("the results")
                        .push((index, ecosystem, row, outcomes));
                }
            });
        }
    });
    let mut ended = ended.into_inner().expect("the results");
    ended.sort_by_key(|(index, ..)| *index);
    let failed: Vec<_> = ended
        .iter()
        .filter_map(|(.., outcomes)| outcomes.as_ref().err())
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {count} rows failed:\n{}",
        failed.len(),
        failed
            .iter()
            .map(|text| text.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    );
    let ran = |(_, ecosystem, row, outcomes): (_, _, _, Result<_, String>)| Ran {
        ecosystem,
        row,
        outcomes: outcomes.expect("none has failed"),
    };
    ended.into_iter().map(ran).collect()
}

/// This program once more, as root of a network namespace of its own.
fn run_outside(test: &str, row: &Row) -> Result<Vec<Outcome>, String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let result = dir.path().join("result.json");
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(std::env::current_exe().expect("our own path"))
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .env(ROW, row.name)
        .env(RESULT, &result)
        .stdin(Stdio::null())
        .output();
    let output = run.expect("unshare (of util-linux) cannot be run, and this test needs it");
    match std::fs::read(&result) {
        Ok(json) if output.status.success() => Ok(read(&json)),
        _ => Err(format!(
            "--- {}\n{}",
            row.name,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn run_inside(name: &str) {
    let row = |ecosystem: &&'static Ecosystem| {
        let row = ecosystem.rows.iter().find(|row| row.name == name);
        row.map(|row| (*ecosystem, row))
    };
    let (ecosystem, row) = ECOSYSTEMS.iter().find_map(row).expect("a row of that name");
    surroundings::prepare_network();
    let outcomes = scenarios::run(ecosystem, row);
    let json: Vec<_> = outcomes.iter().map(Outcome::to_json).collect();
    let path = std::env::var_os(RESULT).expect("the outer one says where");
    std::fs::write(Path::new(&path), Value::from(json).to_string()).expect("the result is written");
}

fn read(json: &[u8]) -> Vec<Outcome> {
    let json: Value = serde_json::from_slice(json).expect("what we wrote");
    json.as_array()
        .expect("a list")
        .iter()
        .map(Outcome::from_json)
        .collect()
}
