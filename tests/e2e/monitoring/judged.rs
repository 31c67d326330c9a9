//! By Prometheus' own parser and engine: every query parses, and the alerts fire where they should and are quiet where not.
//! `make alerts-test` builds the judge, which takes a Go, and runs these.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{only, queries};
use crate::clients::installed;
use crate::sidecar::read;

/// A file for `promtool test rules`, too: with `rules.yaml` beside it.
pub fn tests() -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/monitoring/alerts.yaml"))
}

/// What the judge complains of.
fn judge(arguments: &[&str], stdin: &str, folder: &Path) -> Result<(), String> {
    let judge = installed("judge/judge");
    let mut child = Command::new(&judge)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run `make alerts-test`", judge.display()));
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(stdin.as_bytes()).expect("all of it");
    drop(pipe);
    let output = child.wait_with_output().expect("its output");
    let said = [output.stdout, output.stderr].concat();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&said).into_owned()),
    }
}

fn judge_alerts(rules: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rules.yaml"), rules).expect("a file");
    fs::write(folder.path().join("alerts.yaml"), tests()).expect("a file");
    judge(&["alerts", "rules.yaml", "alerts.yaml"], "", folder.path())
}

#[test]
#[ignore = "make alerts-test"]
fn every_query_parses_in_prometheus() {
    let here = Path::new("/");
    let lines: Vec<String> = queries::every()
        .into_iter()
        .map(|query| query.text)
        .collect();
    let lines = lines.iter().map(|text| text.replace('\n', " "));
    let lines: String = lines.map(|text| text + "\n").collect();
    judge(&["queries"], &lines, here).unwrap_or_else(|said| panic!("{said}"));
    let broken = judge(&["queries"], "sum by (pod (up)\n", here);
    assert!(broken.is_err(), "the judge takes anything");
}

#[test]
#[ignore = "make alerts-test"]
fn alerts_fire_where_they_should_and_are_quiet_where_not() {
    // JSON is YAML.
    let rules = only("PrometheusRule")["spec"].to_string();
    judge_alerts(&rules).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
#[ignore = "make alerts-test"]
fn the_tests_of_the_alerts_notice_another_threshold_in_each_of_them() {
    for (right, wrong) in [
        (" <= time()", " <= time() - 600"),
        ("< 0.25 ", "< 0.6 "),
        ("result=\\\"change_needed\\\"", "result=\\\"wait\\\""),
        ("result=\\\"new_token\\\"", "result=\\\"wait\\\""),
        ("result=\\\"wait\\\"", "result=\\\"success\\\""),
        (" < 300", " < 700"),
        (" > 60\"", " > 100\""),
        (" > 3800", " >= 3800"),
        (" > 12\"", " > 9\""),
        ("\\\"irsa-sidecar\\\"", "\\\"app\\\""),
        ("401|403", "401"),
        ("code=\\\"404\\\"", "code=\\\"405\\\""),
        (
            "door=\\\"credentials\\\"",
            "door=~\\\"credentials|link_local\\\"",
        ),
        ("[6h]) > 0", "[1m]) > 0"),
        (" and max_over_time", " or max_over_time"),
        (" unless ", " and "),
    ] {
        let rules = only("PrometheusRule")["spec"].to_string();
        assert!(rules.contains(right), "{right} is nowhere in {rules}");
        let said = judge_alerts(&rules.replace(right, wrong));
        assert!(said.is_err(), "{right} may as well be {wrong}");
    }
}
