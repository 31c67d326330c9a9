//! The published schema: what is printed keeps to it, and what is broken does not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use emulator::Fault;
use serde_json::{Value, json};

use crate::clients::installed;
use crate::sidecar::{Launch, Pod};

const SCHEMA: &str = "docs/doctor.schema.json";

/// Every one of these reports by a validator of JSON Schema, which others wrote: whether it takes it, and what it says.
fn judged(reports: &[Value]) -> Vec<(bool, String)> {
    const JUDGE: &str = "
import json, sys
from jsonschema import Draft202012Validator as Validator
schema = json.load(open(sys.argv[1]))
Validator.check_schema(schema)
for report in sys.argv[2:]:
    errors = [error.message for error in Validator(schema).iter_errors(json.load(open(report)))]
    print(json.dumps([not errors, str(errors)]))
";
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = reports.iter().enumerate().map(|(n, report)| {
        let file = place.path().join(format!("{n}.json"));
        fs::write(&file, report.to_string()).expect("a file");
        file
    });
    let python = installed("kubernetes-validate/bin/python");
    let output = Command::new(&python)
        .args(["-c", JUDGE])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA))
        .args(files)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{}: {error}; run `make clients`", python.display());
        });
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    let judged = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    judged.collect()
}

fn report(launch: &Launch) -> Value {
    let finished = launch.output();
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// All that a report can be: good, failing, with nothing to look at, offline.
fn reports() -> Vec<Value> {
    let pod = Pod::new();
    let good = report(&pod.alone(["doctor", "--json"]));
    pod.emulator.sts().fail(Fault::Throttle);
    vec![
        good,
        report(&pod.alone(["doctor", "--json"])),
        report(&pod.alone(["doctor", "--json", "--offline"])),
        report(&Launch::new(["doctor", "--json"])),
    ]
}

#[test]
fn what_is_printed_keeps_to_the_published_schema() {
    let reports = reports();
    let has = |wanted: &str| {
        let findings = reports.iter().filter_map(|it| it["findings"].as_array());
        findings.flatten().any(|it| it["status"] == wanted)
    };
    for status in ["ok", "fail", "skipped"] {
        assert!(has(status), "no report has any that is {status}");
    }
    for ((is_good, words), report) in judged(&reports).iter().zip(&reports) {
        assert!(is_good, "{words}: {report:#}");
    }
}

#[test]
fn a_report_that_is_broken_does_not_keep_to_it() {
    let finding = |status: &str, expected: &str, fix: &str| {
        json!({
            "id": "token-file", "status": status, "title": "a title", "found": "a fact",
            "expected": expected, "fix": fix, "docs": "docs/troubleshooting.md#token-file",
        })
    };
    let report = |ok: bool, findings: &[Value]| json!({"ok": ok, "findings": findings});
    let (fine, fail) = (finding("ok", "", ""), finding("fail", "this", "that"));
    let with = |name: &str, value: Value| {
        let mut finding = fine.clone();
        finding[name] = value;
        report(true, &[finding])
    };
    let good = [
        report(true, &[]),
        report(true, &[fine.clone(), finding("warn", "this", "that")]),
        report(false, &[fine.clone(), fail.clone()]),
    ];
    let mut without = fine.clone();
    without.as_object_mut().expect("an object").remove("docs");
    let broken = [
        json!({"ok": true}),
        json!({"ok": true, "findings": [], "more": 1}),
        json!([]),
        report(true, &[fail]),
        report(false, std::slice::from_ref(&fine)),
        report(false, &[finding("fail", "this", "")]),
        report(false, &[finding("fail", "", "that")]),
        report(true, &[finding("good", "", "")]),
        report(true, &[finding("ok", "", "that")]),
        report(true, &[without]),
        with("more", json!(1)),
        with("id", json!("Token File")),
        with("found", json!("")),
        with("found", json!(null)),
        with("docs", json!("docs/other.md#token-file")),
    ];
    for (report, (taken, words)) in good.iter().zip(judged(&good)) {
        assert!(taken, "{words}: {report}");
    }
    for (report, (taken, _)) in broken.iter().zip(judged(&broken)) {
        assert!(!taken, "{report}");
    }
}
