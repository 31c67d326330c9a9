//! `irsa-sidecar inspect-token`: what a token holds and whether its cluster would take it, without showing what is secret.

pub(crate) mod answers;
mod cases;
mod entries;
mod hostile;
mod presigned;
mod replay;
mod warnings;

use std::time::Duration;

use self::presigned::{
    ACCESS_KEY_ID, Presigned, SESSION_TOKEN, assert_nothing_shown, open_session,
};
use crate::sidecar::{Finished, Launch, Pod, eventually, now};

/// What the verifier's words begin with.
const FORMAT: &str = "input token was not properly formatted: ";

/// The subcommand where the emulator is STS, and nothing else is known.
fn inspect(pod: &Pod, arguments: &[&str]) -> Launch {
    let arguments = ["inspect-token"].iter().chain(arguments).copied();
    Launch::new(arguments).env("AWS_ENDPOINT_URL_STS", pod.emulator.url())
}

/// What stands behind a name in the report.
#[track_caller]
fn line<'a>(ended: &'a Finished, name: &str) -> &'a str {
    let mut lines = ended.stdout.lines();
    let found = lines.find_map(|line| line.strip_prefix(&format!("{name:<15} ")));
    found.unwrap_or_else(|| panic!("no {name} in\n{}\n{}", ended.stdout, ended.stderr))
}

fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_good_token_is_told_in_its_parts() {
    let pod = Pod::new();
    let signed_at = now() - Duration::from_secs(125);
    let token = Presigned::at(signed_at, "us-west-2").token();
    let ended = inspect(&pod, &[&token]).output();
    assert_eq!(
        (ended.status.code(), ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    for (name, value) in [
        ("size", "631 of 4096 bytes"),
        ("host", "\"sts.us-west-2.amazonaws.com\""),
        ("signed for", "\"us-west-2\""),
        (
            "cluster",
            "x-k8s-aws-id is signed: good for one cluster only",
        ),
        ("access key id", "\"ASIAIOSFODNN7EXAMPLE\""),
        ("session token", "64 characters"),
        ("rules", "all hold"),
    ] {
        assert_eq!(line(&ended, name), value);
    }
    let (date, age) = line(&ended, "signed at").split_once(", ").expect("an age");
    assert_eq!(
        date,
        humantime::format_rfc3339_seconds(signed_at).to_string()
    );
    let age = duration(
        age.strip_suffix(" ago by this machine's clock")
            .expect("an age"),
    );
    assert!(age >= Duration::from_secs(125), "{ended:?}");
    // Both are cut to whole seconds.
    let whole_life = age + duration(line(&ended, "life left"));
    assert!((899..=900).contains(&whole_life.as_secs()), "{ended:?}");
    assert!(!ended.stdout.contains("warning"), "{ended:?}");
    assert_nothing_shown(&ended, &token);
}

#[test]
fn an_exec_credential_and_the_newlines_of_a_shell_are_taken_for_the_token_in_them() {
    let pod = Pod::new();
    let credential = pod.alone(["get-token", "--cluster-name", "demo"]).output();
    assert_eq!(credential.status.code(), Some(0), "{credential:?}");
    let token = Presigned::now().token();
    for given in [
        credential.stdout.clone(),
        token.clone(),
        format!("{token}\n"),
        format!("{token}\r\n\n"),
    ] {
        for ended in [
            inspect(&pod, &[]).given(given.as_bytes()),
            inspect(&pod, &["-"]).given(given.as_bytes()),
            inspect(&pod, &[&given]).output(),
        ] {
            assert_eq!(ended.status.code(), Some(0), "{ended:?}");
            assert_eq!(line(&ended, "rules"), "all hold");
            let is_token = given.starts_with("k8s-aws-v1.");
            let size = format!("{} of 4096 bytes", token.len());
            assert!(!is_token || line(&ended, "size") == size, "{ended:?}");
            assert_nothing_shown(&ended, &given);
        }
    }
    // As the documentation has it: one program's stdout is the other's stdin.
    let ended = inspect(&pod, &["--cluster-name", "demo"]).given(credential.stdout.as_bytes());
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(line(&ended, "replay"), "STS accepted it");
}

#[test]
fn a_replay_tells_who_it_is_and_asks_as_the_cluster_asks() {
    let pod = Pod::new();
    open_session(&pod, ACCESS_KEY_ID, SESSION_TOKEN);
    let before = pod.emulator.sts().calls().len();
    let token = Presigned::now().token();
    let ended = inspect(&pod, &[&token, "--cluster-name", "demo"]).output();
    assert_eq!(
        (ended.status.code(), ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    for (name, value) in [
        ("replay", "STS accepted it"),
        (
            "arn",
            "arn:aws:sts::111122223333:assumed-role/app/app-7d9f8b6c5-x2x4q",
        ),
        ("canonical arn", "arn:aws:iam::111122223333:role/app"),
        ("account", "111122223333"),
        ("session name", "app-7d9f8b6c5-x2x4q"),
    ] {
        assert_eq!(line(&ended, name), value);
    }
    let reviewed = pod
        .emulator
        .cluster()
        .review(&token)
        .expect("a mapped role");
    assert_eq!(line(&ended, "user id"), reviewed.principal_id);
    assert_eq!(line(&ended, "arn"), reviewed.arn);
    assert_eq!(line(&ended, "canonical arn"), reviewed.canonical_arn);
    let calls = pod.emulator.sts().calls();
    let actions: Vec<&str> = calls[before..]
        .iter()
        .map(|call| call.action.as_str())
        .collect();
    // First STS's time, for which nothing is shown; the review is not a call.
    assert_eq!(actions[..2], ["", "GetCallerIdentity"]);
    // An Outpost's cluster goes by its id, which is signed in the same place.
    let outpost = Presigned {
        cluster: "3b0e4d6a-6e0b".into(),
        ..Presigned::now()
    }
    .token();
    let ended = inspect(&pod, &[&outpost, "--cluster-id", "3b0e4d6a-6e0b"]).output();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn arguments_that_do_not_go_together_are_bad_usage() {
    let pod = Pod::new();
    let token = Presigned::now().token();
    for (arguments, words) in [
        (
            &["--cluster-name", "a", "--cluster-id", "b"] as &[&str],
            "cannot be used with",
        ),
        (&["--cluster-name", ""], "the cluster name is empty"),
        (&["--cluster-name", "a\nb"], "control character"),
        (&["--cluster", "a"], "--cluster"),
        (&["another"], "another"),
        (&["--role-arn", "x"], "--role-arn"),
        (
            &["--region", "mars-1"],
            "\"mars-1\" is not the name of an AWS region",
        ),
    ] {
        let ended = inspect(&pod, &[&[token.as_str()], arguments].concat()).output();
        assert_eq!(
            (ended.status.code(), ended.stdout.as_str()),
            (Some(64), ""),
            "{ended:?}"
        );
        assert!(
            ended.stderr.contains(words),
            "{words:?} is not in {}",
            ended.stderr
        );
        assert_nothing_shown(&ended, &token);
    }
}

/// Somebody types a token by hand, and would have to do it again.
#[test]
fn a_bad_configuration_is_said_before_a_token_is_waited_for() {
    let pod = Pod::new();
    let launch = inspect(&pod, &["--cluster-name", "demo"])
        .env("AWS_ENDPOINT_URL_STS", "http://sts.example.com");
    let mut command = launch.command();
    command
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let held = child.stdin.take();
    let ended = eventually(|| child.try_wait().expect("a child").is_some());
    if !ended {
        child.kill().expect("a child that still runs");
    }
    let output = child.wait_with_output().expect("its output");
    assert!(ended, "it waits for a token");
    drop(held);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{words}");
    for part in [
        "sts-endpoint-url is \"http://sts.example.com\"",
        "AWS_ENDPOINT_URL_STS",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}
