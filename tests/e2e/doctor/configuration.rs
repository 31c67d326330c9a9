//! Settings: what is wrong with them, in the words of `serve`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use emulator::ROLE_ARN;
use irsa_sidecar::diagnosis::{findings, steps};
use serde_json::Value;
use tokio::time::Instant;

use super::{Row, finding_of, findings_of, words};
use crate::sidecar::{Finished, Launch, NOBODY, Pod, read};

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

/// The token where its path belongs, the authorization itself where its kinds do: nobody may find them in a ticket or in
/// a log.
#[test]
fn a_secret_in_the_wrong_setting_is_shown_by_nobody() {
    let pod = Pod::new();
    let token = read(&pod.volume.token_path());
    let signature = token.rsplit('.').next().expect("a signature").to_owned();
    let word = "0f8fad5bd9cb469fa16570867728950e";
    let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let url = "https://sts.example.com/?x=open-sesame";
    for (variable, value, secret) in [
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            token.as_str(),
            &signature[..8],
        ),
        ("IRSA_SIDECAR_TOKEN_FILE", &token, &signature[..8]),
        ("IRSA_SIDECAR_AUDIENCE", &token, &signature[..8]),
        ("IRSA_SIDECAR_CONFIG", &token, &signature[..8]),
        ("AWS_ROLE_ARN", &token, &signature[..8]),
        ("AWS_CA_BUNDLE", &token, &signature[..8]),
        ("AWS_REGION", &token, &signature[..8]),
        ("AWS_ROLE_ARN", key, "XUtn"),
        ("IRSA_SIDECAR_AUTHORIZATION", word, "bd9c"),
        ("IRSA_SIDECAR_LOG_FORMAT", word, "bd9c"),
        ("AWS_ENDPOINT_URL_STS", url, "open-sesame"),
    ] {
        for arguments in [
            &["serve"] as &[&str],
            &["doctor", "--offline", "--json"],
            &["doctor", "--offline", "-v"],
        ] {
            let launch = match arguments {
                ["serve"] => pod.serve(),
                doctor => pod.alone(doctor.iter().copied()),
            };
            let finished = launch.env(variable, value).ends();
            let shown = format!("{}{}", finished.stdout, finished.stderr);
            assert!(
                !shown.contains(secret),
                "{variable}, {arguments:?}: {shown}"
            );
            assert!(shown.contains(variable), "{arguments:?}: {shown}");
            assert_ne!(finished.status.code(), Some(0), "{variable}: {shown}");
        }
    }
    let ended = pod.serve().arg(&token).ends();
    assert!(!ended.stderr.contains(&signature), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("[JSON Web Token of"),
        "{}",
        ended.stderr
    );
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
    let unused = format!(
        "token-file is {:?} (variable IRSA_SIDECAR_TOKEN_FILE), and \"/nonexistent/token\" (variable AWS_WEB_IDENTITY_TOKEN_FILE) is not used",
        pod.volume.token_path()
    );
    let precedence = found(&finished, "precedence");
    assert!(precedence.contains(&unused), "{precedence}");
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
    for place in ["--config", "IRSA_SIDECAR_CONFIG"] {
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
        let part = format!("/pipe\" ({place}) is a pipe into which nobody writes");
        assert!(words.contains(&part), "{words}");
        let all = findings_of(&finished);
        assert_eq!(all.len(), steps::ALL.len(), "{all:?}");
        let fails = all.iter().filter(|entry| entry["status"] == "fail");
        assert_eq!(fails.count(), 1, "{all:?}");
    }
}

/// What needs no setting is judged beside it.
#[test]
fn a_file_that_hangs_keeps_the_kubeconfig_and_the_pod_from_nothing() {
    let pod = Pod::new();
    let (pipe, kubeconfig) = (pipe(&pod), pod.path("kubeconfig"));
    std::fs::write(&kubeconfig, "clusters: 1\n").expect("a file");
    let document = pod.path("pod.json");
    let annotations = serde_json::json!({"eks.amazonaws.com/skip-containers": "a, b"});
    let text = serde_json::json!({
        "kind": "Pod",
        "metadata": {"name": "app-1", "namespace": "team", "annotations": annotations},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
    });
    std::fs::write(&document, text.to_string()).expect("a file");
    let launch = started(&pod, "doctor").arg("--config").arg(pipe);
    let finished = launch
        .arg("--pod")
        .arg(document)
        .env("KUBECONFIG", kubeconfig)
        .ends();
    assert_eq!(status(&finished, "file-hangs"), "fail");
    assert_eq!(status(&finished, "kubeconfig-unreadable"), "fail");
    assert_eq!(status(&finished, "skip-containers-blanks"), "warn");
}

/// No pipe is a bundle, for no other program either.
#[test]
fn a_pipe_in_place_of_the_ca_bundle_is_an_ordinary_error_of_doctor_and_of_serve() {
    for variable in ["IRSA_SIDECAR_CA_BUNDLE", "SSL_CERT_FILE"] {
        let pod = Pod::new();
        let pipe = pipe(&pod);
        let finished = started(&pod, "doctor").env(variable, &pipe).ends();
        let found = found(&finished, "configuration-invalid");
        let part = format!("{} is not a regular file", pipe.display());
        assert!(found.contains(&part), "{found}");
        assert_eq!(status(&finished, "claims"), "ok");
        let serve = started(&pod, "serve").env(variable, &pipe).ends();
        assert_eq!(serve.status.code(), Some(78), "{serve:?}");
        assert!(serve.stderr.contains(&part), "{serve:?}");
    }
}

/// As a shell makes it of `--config <(envsubst < template)`.
#[test]
fn settings_may_come_through_a_pipe_into_which_somebody_writes() {
    let pod = Pod::new();
    let pipe = pipe(&pod);
    let target = pipe.clone();
    let writing = std::thread::spawn(move || std::fs::write(target, "drainDelay: 3s\n"));
    let finished = started(&pod, "doctor").arg("--config").arg(pipe).ends();
    writing.join().expect("a thread").expect("a pipe");
    let found = found(&finished, "configuration");
    assert!(found.contains("drain-delay \"3s\" (file "), "{found}");
}

#[test]
fn a_setting_that_is_overridden_as_is_usual_is_said_and_not_warned_about() {
    let pod = Pod::new();
    let settings = pod.path("settings.yaml");
    std::fs::write(&settings, "drainDelay: 3s\nlogLevel: info\n").expect("a file");
    let finished = started(&pod, "doctor")
        .arg("--config")
        .arg(&settings)
        .env("IRSA_SIDECAR_DRAIN_DELAY", "5s")
        .env("IRSA_SIDECAR_LOG_LEVEL", "info")
        .ends();
    let found = found(&finished, "precedence");
    let line = format!(
        "values that are not used, as is usual:\ndrain-delay is \"5s\" (variable IRSA_SIDECAR_DRAIN_DELAY), and \"3s\" (file {}) is not used",
        settings.display()
    );
    assert!(
        found.ends_with(&line),
        "the same value twice is none: {found}"
    );
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
