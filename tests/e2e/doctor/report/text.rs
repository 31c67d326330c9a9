//! The checklist, as it comes out of a pipe and out of a terminal.

use std::process::{Command, Stdio};

use emulator::{Fault, ROLE_ARN};
use irsa_sidecar::diagnosis::{findings, steps};

use crate::sidecar::{Finished, Launch, Pod};

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[1;31m";

/// On a terminal, which util-linux makes.
fn on_terminal(launch: &Launch) -> Finished {
    // `script` has a shell run it, which takes one word.
    const ALL: &str = "exec \"$BINARY\" $ARGUMENTS";
    let command = launch.command();
    let arguments: Vec<&str> = command.get_args().filter_map(|it| it.to_str()).collect();
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", ALL, "/dev/null"])
        .env_clear()
        .envs(environment)
        .env("BINARY", command.get_program())
        .env("ARGUMENTS", arguments.join(" "))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("script, of util-linux, is missing: {error}"));
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn one_line_is_all_where_all_is_well() {
    let pod = Pod::new();
    let finished = pod.alone(["doctor"]).output();
    assert_eq!(
        (finished.status.code(), &*finished.stderr),
        (Some(0), ""),
        "{finished:?}"
    );
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{finished:?}");
    let name = ROLE_ARN.rsplit_once('/').expect("a name").1;
    let identity = format!("well: arn:aws:sts::111122223333:assumed-role/{name}/");
    assert!(lines[0].starts_with(&identity), "{finished:?}");
    assert!(lines[0].contains(" until "), "{finished:?}");
    let of = format!(" of {} steps fine, ", steps::ALL.len());
    assert!(lines[0].contains(&of), "{finished:?}");
    // Nothing points to a sidecar here, and none runs.
    let (_, behind) = lines[0].split_once(" skipped)").expect("a count");
    assert!(
        behind.starts_with("; no sidecar runs at 127.0.0.1:"),
        "{finished:?}"
    );
}

#[test]
fn a_sidecar_that_was_seen_needs_no_word() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let doctor = pod
        .alone(["doctor"])
        .env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string())
        .env("IRSA_SIDECAR_OPS_LISTEN", sidecar.ops.to_string());
    let finished = doctor.output();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert!(finished.stdout.starts_with("well: "), "{finished:?}");
    assert!(finished.stdout.ends_with(" skipped)\n"), "{finished:?}");
}

#[test]
fn details_of_what_is_right_are_a_line_for_each_step() {
    let pod = Pod::new();
    let finished = pod.alone(["doctor", "-v"]).output();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    for step in steps::ALL {
        let is_its = |line: &str| {
            let mut words = line.split_whitespace();
            let is_marked = ["ok", "skip"].contains(&words.next().unwrap_or_default());
            is_marked && words.next() == Some(step.id)
        };
        let count = finished.stdout.lines().filter(|line| is_its(line)).count();
        assert_eq!(count, 1, "{}: {finished:?}", step.id);
    }
}

#[test]
fn a_failure_comes_with_its_fix_and_where_more_is_written() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Throttle);
    let finished = pod.alone(["doctor"]).output();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let title = findings::STS_THROTTLED.title;
    let first = finished.stdout.lines().next().expect("a line");
    assert_eq!(
        first,
        format!("1 of {} steps fails: {title}", steps::ALL.len())
    );
    let (_, told) = finished
        .stdout
        .split_once(&format!("FAIL  exchange             {title}\n"))
        .expect("the step");
    let details: Vec<&str> = told.lines().take(4).collect();
    for (line, name) in details.iter().zip(["found", "expected", "fix", "docs"]) {
        let words = line
            .strip_prefix(&format!("      {name:<8}  "))
            .unwrap_or_else(|| panic!("no {name}: {finished:?}"));
        assert!(words.len() > 10, "{line}");
    }
    assert!(
        details[3].ends_with(", or: irsa-sidecar doctor --explain sts-throttled"),
        "{details:?}"
    );
}

#[test]
fn colour_is_for_a_terminal_and_for_nobody_who_does_not_want_it() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Throttle);
    let doctor = || pod.alone(["doctor"]);
    let shown = on_terminal(&doctor().env("TERM", "xterm")).stdout;
    assert!(shown.contains(RED) && shown.contains(GREEN), "{shown}");
    for (plain, how) in [
        (doctor().env("TERM", "xterm").output(), "a pipe"),
        (
            on_terminal(&doctor().env("TERM", "xterm").env("NO_COLOR", "1")),
            "NO_COLOR",
        ),
        (on_terminal(&doctor().env("TERM", "dumb")), "dumb"),
    ] {
        assert!(plain.stdout.contains("FAIL  exchange"), "{how}: {plain:?}");
        assert!(
            !plain.stdout.contains(GREEN) && !plain.stdout.contains(RED),
            "{how}: {plain:?}"
        );
    }
    // Machines read it wherever it goes.
    let json = on_terminal(&pod.alone(["doctor", "--json"]).env("TERM", "xterm")).stdout;
    assert!(
        json.contains("\"findings\"") && !json.contains(RED),
        "{json}"
    );
}
