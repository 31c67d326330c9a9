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
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use irsa_sidecar::diagnosis::{Finding, findings, steps};
use serde_json::Value;

use crate::sidecar::{Finished, Launch, read};

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
        time::rows(),
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

/// What else fails in the surroundings of a row, for a reason of its own: a bare process has neither role nor sidecar.
const ACCOMPANIED: &[(Finding, &[Finding])] = &[
    (
        findings::WEBHOOK_INCOMPLETE,
        &[findings::CONFIGURATION_INVALID, findings::TOKEN_MISSING],
    ),
    (findings::APP_SDK_BYPASS, NO_SIDECAR),
    (findings::APP_URI_UNRESOLVED, NO_SIDECAR),
    (findings::APP_PROXY, NO_SIDECAR),
    (findings::APP_SDK_UNPOINTED, NO_ROLE),
    (findings::SKIP_CONTAINERS_BLANKS, NO_ROLE),
    (findings::SKIP_CONTAINERS_UNKNOWN, NO_ROLE),
    (findings::KUBECONFIG_UNREADABLE, NO_ROLE),
    (findings::KUBECONFIG_COMMAND_MISSING, NO_ROLE),
    (findings::KUBECONFIG_API_VERSION, NO_ROLE),
    (findings::KUBECONFIG_TOKEN_FILE, NO_ROLE),
    (findings::KUBECONFIG_PLAIN_HTTP, NO_ROLE),
    (
        findings::EKS_REPLAY_UNREACHABLE,
        &[findings::EKS_API_UNREACHABLE],
    ),
];
const NO_SIDECAR: &[Finding] = &[findings::SIDECAR_NOT_RUNNING];
const NO_ROLE: &[Finding] = &[findings::WEBHOOK_NOT_RUN];

/// The sentence is held by the page, which is written by hand.
fn judge(row: &Row) {
    let finished = (row.run)();
    let finding = finding_of(&finished, row.finding.id);
    assert_eq!(finding["status"], row.status, "{finding}");
    let page = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md"));
    let sentence = format!(
        "### {}\n> {}\n",
        row.finding.id,
        finding["title"].as_str().expect("a text")
    );
    assert!(page.contains(&sentence), "{sentence}");
    let all = findings_of(&finished);
    let failed = all.iter().filter(|finding| finding["status"] == "fail");
    let failed: Vec<&str> = failed
        .filter_map(|finding| finding["id"].as_str())
        .collect();
    let mut expected = match row.status {
        "fail" => vec![row.finding.id],
        _ => Vec::new(),
    };
    let others = ACCOMPANIED
        .iter()
        .filter(|(finding, _)| *finding == row.finding);
    expected.extend(others.flat_map(|(_, others)| others.iter().map(|other| other.id)));
    assert_eq!(
        failed.iter().collect::<BTreeSet<_>>(),
        expected.iter().collect(),
        "what fails"
    );
    let exit = i32::from(!expected.is_empty());
    assert_eq!(finished.status.code(), Some(exit), "{finished:?}");
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
