use serde_json::Value;

use super::*;
use crate::diagnosis::{Diagnosis, findings};

const PLAIN: Style = Style {
    colour: false,
    verbose: false,
};
const VERBOSE: Style = Style {
    verbose: true,
    ..PLAIN
};
const ARN: &str = "arn:aws:sts::111122223333:assumed-role/app/pod, until 2026-01-02T03:04:05Z";

fn trouble(finding: crate::diagnosis::Finding) -> Diagnosis {
    Diagnosis {
        finding,
        found: "this\nand that".into(),
        expected: "something else".into(),
        fix: "change it to:\n{\n  \"a\": 1\n}\n".into(),
    }
}

fn well() -> Vec<Entry> {
    vec![
        Entry::fine(steps::CONFIGURATION, "3 settings\nof which one is a flag"),
        Entry::fine(steps::CREDENTIALS, format!("{ARN}\nand more")),
        Entry::skipped(steps::EKS_TOKEN, "no cluster"),
        Entry::skipped(steps::EKS_LOGIN, "no cluster"),
    ]
}

fn ill() -> Vec<Entry> {
    let mut entries = well();
    entries[1] = Entry::failed(steps::EXCHANGE, trouble(findings::STS_ACCESS_DENIED));
    entries
}

#[test]
fn one_line_is_all_where_all_is_well() {
    let said = text(&well(), PLAIN);
    assert_eq!(
        said,
        format!("well: {ARN} (2 of 4 steps fine, 2 skipped)\n")
    );
    let said = text(&well()[..2], PLAIN);
    assert_eq!(said, format!("well: {ARN} (2 of 2 steps fine)\n"));
}

#[test]
fn whoever_asked_only_the_sidecar_is_told_who_that_is() {
    let entries = [
        Entry::skipped(steps::CREDENTIALS, "there is no token"),
        Entry::fine(steps::SIDECAR_CREDENTIALS, ARN),
    ];
    let said = text(&entries, PLAIN);
    assert_eq!(
        said,
        format!("well: {ARN} (1 of 2 steps fine, 1 skipped)\n")
    );
}

#[test]
fn nobody_is_called_well_who_was_not_seen() {
    let entries = [
        Entry::fine(steps::CONFIGURATION, "3 settings"),
        Entry::skipped(steps::CREDENTIALS, "--offline"),
        Entry::skipped(steps::SIDECAR_CREDENTIALS, "none runs"),
    ];
    assert_eq!(
        text(&entries, PLAIN),
        "nothing fails (1 of 3 steps fine, 2 skipped), but no credentials were seen: --offline\n"
    );
}

#[test]
fn a_sidecar_that_nobody_saw_is_named_beside_what_is_well() {
    let unseen = Entry::skipped(steps::SIDECAR_DOOR, "none runs at 127.0.0.1:9910\nand more");
    let mut entries = well();
    entries.push(unseen.clone());
    assert_eq!(
        text(&entries, PLAIN),
        format!("well: {ARN} (2 of 5 steps fine, 3 skipped); none runs at 127.0.0.1:9910\n")
    );
    let offline = [Entry::skipped(steps::CREDENTIALS, "--offline"), unseen];
    assert_eq!(
        text(&offline, PLAIN),
        "nothing fails (0 of 2 steps fine, 2 skipped), but no credentials were seen: --offline; none runs at 127.0.0.1:9910\n"
    );
    entries[4] = Entry::fine(steps::SIDECAR_DOOR, "http://127.0.0.1:9910 takes it");
    assert!(!text(&entries, PLAIN).contains("9910"));
}

#[test]
fn details_of_what_is_right_are_for_those_who_ask() {
    let said = text(&well(), VERBOSE);
    assert_eq!(
        said.lines().skip(1).collect::<Vec<_>>(),
        [
            "ok    configuration        3 settings",
            "of which one is a flag",
            &format!("ok    credentials          {ARN}"),
            "and more",
            "skip  eks-token            no cluster",
            "skip  eks-login            no cluster",
        ]
    );
}

#[test]
fn a_failure_is_told_with_what_to_do_and_what_is_to_be_pasted_begins_its_lines() {
    let said = text(&ill(), PLAIN);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "1 of 4 steps fails: STS does not let this service account assume the role",
            "ok    configuration        3 settings",
            "FAIL  exchange             STS does not let this service account assume the role",
            "      found     this",
            "                and that",
            "      expected  something else",
            "      fix       change it to:",
            "{",
            "  \"a\": 1",
            "}",
            "      docs      docs/troubleshooting.md#sts-access-denied, or: irsa-sidecar doctor --explain sts-access-denied",
            "skip  eks-token            no cluster (so also eks-login)",
        ]
    );
}

#[test]
fn what_somebody_has_to_paste_is_shown_even_where_the_step_was_skipped() {
    let mut entries = ill();
    entries.push(Entry::skipped(
        steps::EKS_CLUSTER,
        "not judged; add:\n- rolearn: x",
    ));
    let said = text(&entries, PLAIN);
    assert!(said.ends_with("not judged; add:\n- rolearn: x\n"), "{said}");
}

#[test]
fn the_verdict_counts_and_names_the_first_failure_before_any_warning() {
    let warned = Entry::warned(steps::TOKEN_TEXT, trouble(findings::TOKEN_BLANKS));
    let failed = Entry::failed(steps::EXCHANGE, trouble(findings::STS_THROTTLED));
    let other = Entry::failed(steps::EKS_LOGIN, trouble(findings::EKS_UNAUTHORIZED));
    let blanks = findings::TOKEN_BLANKS.title;
    let throttled = findings::STS_THROTTLED.title;
    for (entries, expected) in [
        (
            vec![warned.clone()],
            format!("nothing fails, 1 of 1 steps warns: {blanks}"),
        ),
        (
            vec![warned.clone(), warned.clone()],
            format!("nothing fails, 2 of 2 steps warn: first, {blanks}"),
        ),
        (
            vec![warned.clone(), failed.clone(), other.clone()],
            format!("2 of 3 steps fail, 1 warns: first, {throttled}"),
        ),
        (
            vec![failed, other],
            format!("2 of 2 steps fail: first, {throttled}"),
        ),
    ] {
        assert_eq!(text(&entries, PLAIN).lines().next(), Some(&*expected));
    }
}

#[test]
fn colour_is_on_marks_only_and_only_where_it_is_wanted() {
    let coloured = Style {
        colour: true,
        ..PLAIN
    };
    let entries = ill();
    let plain = text(&entries, PLAIN);
    assert!(!plain.contains('\u{1b}'));
    let said = text(&entries, coloured);
    assert!(
        said.contains("\u{1b}[1;31mFAIL\u{1b}[0m  exchange"),
        "{said}"
    );
    let mut without = said;
    for code in ["\u{1b}[32m", "\u{1b}[1;31m", "\u{1b}[2m", "\u{1b}[0m"] {
        without = without.replace(code, "");
    }
    assert_eq!(without, plain);
}

#[test]
fn nothing_from_outside_can_draw_on_the_terminal() {
    let hostile = "a\u{1b}[31m\r\u{7}\u{9b}2J\u{202e}\tb\0 \"quoted\" 'c' \\ é";
    let mut diagnosis = trouble(findings::STS_REFUSED);
    diagnosis.found = hostile.to_owned();
    diagnosis.expected = hostile.to_owned();
    diagnosis.fix = hostile.to_owned();
    let entries = [
        Entry::failed(steps::EXCHANGE, diagnosis),
        Entry::fine(steps::CREDENTIALS, hostile),
        Entry::skipped(steps::EKS_LOGIN, hostile),
    ];
    for said in [
        text(&entries, PLAIN),
        text(&entries, VERBOSE),
        json(&entries),
    ] {
        let drawn = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(drawn), "{said:?}");
    }
    let said = text(&entries, PLAIN);
    assert!(said.contains("\"quoted\" 'c' \\ é"), "{said}");
}

#[test]
fn json_has_the_names_in_their_order_and_ends_its_line() {
    let entries = [
        Entry::warned(steps::TOKEN_TEXT, trouble(findings::TOKEN_BLANKS)),
        Entry::skipped(steps::EKS_LOGIN, "no cluster"),
    ];
    assert_eq!(
        json(&entries),
        r##"{
  "ok": true,
  "findings": [
    {
      "id": "token-blanks",
      "status": "warn",
      "title": "blanks or line breaks stand around the web identity token",
      "found": "this\nand that",
      "expected": "something else",
      "fix": "change it to:\n{\n  \"a\": 1\n}\n",
      "docs": "docs/troubleshooting.md#token-blanks"
    },
    {
      "id": "eks-login",
      "status": "skipped",
      "title": "the cluster, asked who comes in",
      "found": "no cluster",
      "expected": "",
      "fix": "",
      "docs": "docs/troubleshooting.md#eks-login"
    }
  ]
}
"##
    );
}

#[test]
fn json_is_not_ok_where_something_fails_and_only_there() {
    let ok = |entries: &[Entry]| -> Value {
        let report: Value = serde_json::from_str(&json(entries)).expect("JSON");
        report["ok"].clone()
    };
    assert_eq!(ok(&well()), true);
    assert_eq!(ok(&ill()), false);
    let warned = Entry::warned(steps::TOKEN_TEXT, trouble(findings::TOKEN_BLANKS));
    assert_eq!(ok(&[warned]), true);
}
