//! `doctor`: every finding that it can come to, produced once by the real binary; and what it must never do.

mod account;
mod cluster;
mod configuration;
mod doors;
mod environment;
mod exchange;
mod kubeconfig;
mod report;
mod role;
mod time;
mod token;
mod way;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use irsa_sidecar::diagnosis::{Finding, findings, steps};
use serde_json::Value;

use crate::sidecar::{Finished, Launch};

/// One finding, and surroundings in which `doctor --json` comes to it.
pub struct Row {
    pub finding: Finding,
    /// `fail` or `warn`.
    pub status: &'static str,
    /// Makes the surroundings and runs it.
    pub run: fn() -> Finished,
}

/// Findings of other subcommands, which doctor cannot come to.
const OF_OTHERS: &[(Finding, &str)] = &[
    (
        findings::LINK_LOCAL_NODE_NAMESPACE,
        "of link-local, which runs before the sidecar",
    ),
    (
        findings::LINK_LOCAL_CAPABILITY,
        "of link-local, which runs before the sidecar",
    ),
    (
        findings::LINK_LOCAL_ADDRESS,
        "of link-local, which runs before the sidecar",
    ),
    (
        findings::EKS_TOKEN_MALFORMED,
        "of inspect-token: what doctor signs by itself breaks no rule",
    ),
    (
        findings::TOO_MANY_ROLES,
        "of the running sidecar's seventeenth role",
    ),
];

fn rows() -> Vec<Row> {
    let parts = [
        configuration::rows(),
        environment::rows(),
        kubeconfig::rows(),
        token::rows(),
        role::rows(),
        account::rows(),
        way::rows(),
        exchange::rows(),
        doors::rows(),
        cluster::rows(),
    ];
    parts.into_iter().flatten().collect()
}

/// The findings of a run, whose JSON is as documented.
pub fn findings_of(finished: &Finished) -> Vec<Value> {
    let report: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    report::conforms(&report, finished);
    report["findings"].as_array().expect("a list").clone()
}

/// The one with this id.
pub fn finding_of(finished: &Finished, id: &str) -> Value {
    let all = findings_of(finished);
    let found = all.iter().find(|finding| finding["id"] == id);
    found
        .cloned()
        .unwrap_or_else(|| panic!("no {id} in {}\n{}", finished.stdout, finished.stderr))
}

/// Its text fields, together.
pub fn words(finding: &Value) -> String {
    ["found", "expected", "fix"]
        .map(|field| finding[field].as_str().expect("a text"))
        .join("\n")
}

fn judge(row: &Row) {
    let finished = (row.run)();
    let finding = finding_of(&finished, row.finding.id);
    assert_eq!(finding["status"], row.status, "{finding}");
    assert_eq!(finding["title"], row.finding.title);
    let exit = finished.status.code();
    let fails = findings_of(&finished)
        .iter()
        .any(|finding| finding["status"] == "fail");
    assert_eq!(exit, Some(i32::from(fails)), "{finished:?}");
    assert!(row.status != "fail" || fails);
}

#[test]
fn each_finding_is_come_to_with_its_id_its_sentence_and_its_exit_code() {
    let rows = rows();
    assert!(rows.len() >= 45, "{} rows", rows.len());
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = std::panic::catch_unwind(|| judge(row));
                    if let Err(panic) = judged {
                        let words = panic.downcast_ref::<String>().cloned();
                        let words = words.unwrap_or_else(|| "it panicked".to_owned());
                        wrong
                            .lock()
                            .expect("a list")
                            .push(format!("{}: {words}", row.finding.id));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("a list");
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_table_has_every_finding_but_those_of_other_subcommands() {
    let ids = |findings: Vec<Finding>| -> BTreeSet<&str> {
        findings.iter().map(|finding| finding.id).collect()
    };
    let mut covered = ids(rows().iter().map(|row| row.finding).collect());
    covered.extend(ids(OF_OTHERS.iter().map(|(finding, _)| *finding).collect()));
    assert_eq!(covered, ids(findings::ALL.to_vec()));
}

#[test]
fn each_step_is_judged_or_says_why_not() {
    let finished = Launch::new(["doctor", "--json", "--offline"]).ends();
    let judged = findings_of(&finished);
    assert_eq!(judged.len(), steps::ALL.len(), "{}", finished.stdout);
}
