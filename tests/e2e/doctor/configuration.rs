//! Settings: what is wrong with them, in the words of `serve`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use emulator::ROLE_ARN;
use irsa_sidecar::diagnosis::{findings, steps};
use serde_json::Value;
use tokio::time::Instant;

use super::{Row, finding_of, findings_of, words};
use crate::sidecar::{Finished, Launch, NOBODY, Pod};

const OTHER: &str = "arn:aws:iam::111122223333:role/other";

pub fn rows() -> Vec<Row> {
    vec![
        Row {
            finding: findings::CONFIGURATION_INVALID,
            status: "fail",
            run: || wrong(&Pod::new(), "doctor").ends(),
        },
        Row {
            finding: findings::CONFIGURATION_DOUBTFUL,
            status: "warn",
            run: || doubtful(&Pod::new(), "doctor").ends(),
        },
        Row {
            finding: findings::CONFIGURATION_CONFLICT,
            status: "warn",
            run: || contradictory(&Pod::new(), "doctor").ends(),
        },
        Row {
            finding: findings::FILE_HANGS,
            status: "fail",
            run: || {
                let pod = Pod::new();
                let pipe = pipe(&pod);
                started(&pod, "doctor").arg("--config").arg(pipe).ends()
            },
        },
    ]
}

fn started(pod: &Pod, subcommand: &str) -> Launch {
    match subcommand {
        "serve" => pod.serve(),
        _ => pod.alone([subcommand, "--json", "--offline"]),
    }
}

fn wrong(pod: &Pod, subcommand: &str) -> Launch {
    started(pod, subcommand)
        .without("AWS_ROLE_ARN")
        .env("IRSA_SIDECAR_DURATION", "90")
        .env("AWS_CA_BUNDLE", "/nonexistent/ca.pem")
}

fn doubtful(pod: &Pod, subcommand: &str) -> Launch {
    started(pod, subcommand)
        .env("IRSA_SIDECAR_ROLEARN", "x")
        .env("IRSA_SIDECAR_DURATION", "30m")
}

fn contradictory(pod: &Pod, subcommand: &str) -> Launch {
    started(pod, subcommand)
        .env("IRSA_SIDECAR_ROLE_ARN", ROLE_ARN)
        .env("AWS_ROLE_ARN", OTHER)
}

/// A pipe where a file should be.
fn pipe(pod: &Pod) -> PathBuf {
    let pipe = pod.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo, of coreutils, is needed").success());
    pipe
}

fn found(finished: &Finished, id: &str) -> String {
    let finding = finding_of(finished, id);
    finding["found"].as_str().expect("a text").to_owned()
}

fn status(finished: &Finished, id: &str) -> Value {
    finding_of(finished, id)["status"].clone()
}

#[test]
fn all_errors_are_said_at_once_and_in_the_words_of_serve() {
    let pod = Pod::new();
    let serve = wrong(&pod, "serve").ends();
    let found = found(&wrong(&pod, "doctor").ends(), "configuration-invalid");
    assert_eq!(found.lines().count(), 3, "{found}");
    for line in found.lines() {
        assert!(serve.stderr.contains(line), "{line} is not in {serve:?}");
    }
}

/// What can be judged is: the token needs none of what is wrong there.
#[test]
fn what_does_not_hang_on_a_wrong_setting_is_judged_all_the_same() {
    let finished = wrong(&Pod::new(), "doctor").ends();
    for step in [
        steps::TOKEN_FILE,
        steps::TOKEN_MOUNT,
        steps::TOKEN_TEXT,
        steps::CLAIMS,
        steps::TOKEN_ROTATION,
        steps::PRECEDENCE,
    ] {
        assert_eq!(status(&finished, step.id), "ok", "{}", step.id);
    }
    assert_eq!(status(&finished, "role"), "skipped");
    assert!(found(&finished, "role").contains("see configuration"));
}

#[test]
fn doubts_and_conflicts_are_warned_about_by_serve_with_the_same_finding_and_sentence() {
    let pod = Pod::new();
    for (launch, id, lines) in [
        (
            doubtful as fn(&Pod, &str) -> Launch,
            "configuration-doubtful",
            2,
        ),
        (contradictory, "configuration-conflict", 1),
    ] {
        let found = found(&launch(&pod, "doctor").ends(), id);
        assert_eq!(found.lines().count(), lines, "{found}");
        let sidecar = launch(&pod, "serve").start();
        for line in found.lines() {
            sidecar.wait_event(line, |event| {
                let message = event["message"].as_str().unwrap_or_default();
                event["finding"] == id && event["level"] == "WARN" && message.contains(line)
            });
        }
    }
}

#[test]
fn of_two_values_the_one_that_counts_is_named_first_and_each_with_its_place() {
    let finding = finding_of(
        &contradictory(&Pod::new(), "doctor").ends(),
        "configuration-conflict",
    );
    let words = words(&finding);
    for part in [
        format!("role-arn is \"{ROLE_ARN}\" (variable IRSA_SIDECAR_ROLE_ARN), and "),
        format!("\"{OTHER}\" (variable AWS_ROLE_ARN) is not used"),
        "a flag beats the variable IRSA_SIDECAR_".to_owned(),
    ] {
        assert!(words.contains(&part), "{part:?} is not in {words}");
    }
}

#[test]
fn a_healthy_configuration_says_what_was_set_and_where_and_nothing_is_warned_about() {
    let pod = Pod::new();
    let launch = pod
        .alone(["doctor", "--json", "--offline"])
        // With the webhook's token there beside it, as in manifests.
        .env("IRSA_SIDECAR_TOKEN_FILE", pod.volume.token_path())
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token")
        .env("HTTPS_PROXY", "http://squid:open-sesame@127.0.0.1:1");
    let finished = launch.ends();
    let configuration = found(&finished, "configuration");
    for part in [
        format!("role-arn \"{ROLE_ARN}\" (variable AWS_ROLE_ARN)"),
        "region \"eu-west-1\" (variable AWS_REGION)".to_owned(),
        "proxy \"http://".to_owned(),
    ] {
        assert!(configuration.contains(&part), "{part:?}: {configuration}");
    }
    assert!(!configuration.contains("drain-delay"), "{configuration}");
    assert!(!finished.stdout.contains("open-sesame"));
    assert!(!finished.stderr.contains("open-sesame"));
    for step in [
        steps::CONFIGURATION,
        steps::PRECEDENCE,
        steps::TOKEN_FILE,
        steps::TOKEN_MOUNT,
        steps::TOKEN_TEXT,
        steps::CLAIMS,
        steps::TOKEN_ROTATION,
        steps::ROLE,
    ] {
        assert_eq!(status(&finished, step.id), "ok", "{}", step.id);
    }
}

#[test]
fn a_file_that_hangs_keeps_nobody_waiting_and_is_named() {
    for place in [
        "--config",
        "--ca-bundle",
        "IRSA_SIDECAR_CONFIG",
        "SSL_CERT_FILE",
    ] {
        let pod = Pod::new();
        let (pipe, launch) = (pipe(&pod), started(&pod, "doctor"));
        let launch = match place.starts_with("--") {
            true => launch.arg(place).arg(pipe),
            false => launch.env(place, pipe),
        };
        let begun = Instant::now();
        let finished = launch.ends();
        assert!(begun.elapsed() <= Duration::from_secs(10), "{finished:?}");
        let words = words(&finding_of(&finished, "file-hangs"));
        assert!(words.contains(&format!("/pipe\" ({place})")), "{words}");
        let all = findings_of(&finished);
        for entry in all.iter().filter(|entry| entry["id"] != "file-hangs") {
            assert_eq!(entry["status"], "skipped", "{entry}");
        }
    }
}

/// The webhook mounts its token there too, and the component keeps the role away.
#[test]
fn in_an_apps_container_only_the_missing_sidecar_is_a_failure() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let asks = |sidecar_is_there: bool| {
        let launch = pod
            .beside(&sidecar, ["doctor", "--json"])
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", pod.volume.token_path())
            .env("IRSA_SIDECAR_OPS_LISTEN", sidecar.ops.to_string());
        match sidecar_is_there {
            true => launch,
            false => launch.env("IRSA_SIDECAR_OPS_LISTEN", NOBODY).env(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("http://{NOBODY}/v2/credentials/x"),
            ),
        }
    };
    let failures = |finished: &Finished| -> Vec<Value> {
        let all = findings_of(finished);
        let fails = all.iter().filter(|entry| entry["status"] == "fail");
        fails.map(|entry| entry["id"].clone()).collect()
    };
    let finished = asks(true).ends();
    assert_eq!(failures(&finished), [""; 0], "{}", finished.stdout);
    assert_eq!(status(&finished, "configuration"), "skipped");
    assert_eq!(status(&finished, "role"), "skipped");
    let finished = asks(false).ends();
    assert_eq!(failures(&finished), ["sidecar-not-running"]);
}
