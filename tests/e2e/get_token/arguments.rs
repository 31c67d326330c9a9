//! Bad usage is 64, bad configuration 78, and nobody is asked for anything then; stdout is for the one document.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::pipe;
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};

use super::{DEMO, Printed, refused};
use crate::sidecar::{Launch, NOBODY, Pod};

const BAD_USAGE: i32 = 64;
const BAD_CONFIGURATION: i32 = 78;

/// In a pod that has all that it takes, and a sidecar.
fn is_bad_usage(arguments: &[&str], words: &[&str]) {
    let launch = Launch::new(arguments.iter().copied());
    refused(&launch.output(), BAD_USAGE, words);
}

#[test]
fn what_names_no_cluster_is_bad_usage() {
    let too_long = "c".repeat(257);
    let both = ["--cluster-name", "a", "--cluster-id", "b"];
    let cases: [(&[&str], &[&str]); 12] = [
        (&[], &["--cluster-name", "--cluster-id", "required"]),
        (&["--region", "eu-west-1"], &["--cluster-name", "required"]),
        (
            &["--cluster-name"],
            &["a value is required", "--cluster-name"],
        ),
        (&["--cluster-name", ""], &["--cluster-name"]),
        (&["--cluster-name", "  "], &["--cluster-name", "is empty"]),
        (&["--cluster-id", ""], &["--cluster-id"]),
        (&["--cluster-name", "a\nb"], &["control character"]),
        (&["--cluster-name", "caf\u{e9}"], &["not ASCII"]),
        (&["--cluster-name", &too_long], &["257 characters"]),
        (
            &both,
            &["--cluster-name", "--cluster-id", "cannot be used with"],
        ),
        (
            &["--cluster-name", "a", "--cluster-name", "b"],
            &["multiple times"],
        ),
        (&["demo"], &["demo"]),
    ];
    for (arguments, words) in cases {
        is_bad_usage(&[&["get-token"], arguments].concat(), words);
    }
}

#[test]
fn what_the_aws_cli_takes_and_means_nothing_to_kubectl_is_bad_usage() {
    for output in ["text", "yaml", "table", "JSON", ""] {
        let words = ["--output", "json"];
        is_bad_usage(&[&DEMO[..], &["--output", output]].concat(), &words);
    }
    for unknown in ["--profile", "--no-such-option", "--query"] {
        is_bad_usage(&[&DEMO[..], &[unknown, "x"]].concat(), &[unknown]);
    }
    is_bad_usage(&["eks", "get-tokens", "--cluster-name", "demo"], &["eks"]);
}

#[test]
fn a_region_that_is_none_is_bad_usage() {
    let long = "r".repeat(10_000);
    for region in [
        "mars-1",
        "",
        "EU-WEST-1",
        "us-west-2a",
        "evil.example.com/",
        &long,
    ] {
        let arguments = [&DEMO[..], &["--region", region]].concat();
        is_bad_usage(&arguments, &["--region"]);
        let said = Launch::new(arguments).output().stderr;
        assert!(said.len() < 20_000, "{} bytes", said.len());
    }
}

/// `could not get token: AccessDenied: User … is not authorized to perform: sts:AssumeRole`: what people had from it.
#[test]
fn a_role_that_nobody_can_assume_is_bad_usage_and_says_what_the_option_is_for() {
    let linked = "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS";
    for (role, problem) in [
        (
            "arn:aws:iam::111122223333:user/bob",
            "nobody can assume a user",
        ),
        (linked, "service-linked role"),
        (
            "arn:aws:sts::111122223333:assumed-role/app/x",
            "ARN of a session",
        ),
        (
            "arn:aws:iam::111122223333:instance-profile/app",
            "no role but something else",
        ),
        ("app", "six fields"),
        ("", "role-arn"),
    ] {
        for option in ["--role-arn", "--role"] {
            let words = [
                problem,
                role,
                "expected arn:aws:iam::ACCOUNT:role/NAME",
                "assumed from the pod's role before the EKS token is signed",
                "leave it out",
            ];
            let words = if role.is_empty() { &words[..1] } else { &words };
            is_bad_usage(&[&DEMO[..], &[option, role]].concat(), words);
        }
    }
}

#[test]
fn arguments_that_are_no_text_are_bad_usage() {
    for place in ["--cluster-name", "--region", "--role-arn", "--output"] {
        let launch = Launch::new(DEMO)
            .arg(place)
            .arg(OsString::from_vec(b"\xff\xfe".to_vec()));
        refused(&launch.output(), BAD_USAGE, &[]);
    }
}

#[test]
fn where_no_sidecar_runs_all_that_the_walk_lacks_is_said_at_once() {
    let launch = Launch::new(DEMO).env("IRSA_SIDECAR_LISTEN", NOBODY);
    let words = [
        // Whoever forgot to start the sidecar should know.
        "no sidecar answers at 127.0.0.1:1",
        "to do without one",
        "role-arn: not set",
        "AWS_ROLE_ARN",
        "region: ",
        "AWS_REGION",
    ];
    refused(&launch.output(), BAD_CONFIGURATION, &words);
    let pod = Pod::new();
    let launch = pod
        .alone(DEMO)
        .env("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
        .env("AWS_REGION", "not a region")
        .env("IRSA_SIDECAR_DURATION", "for ever");
    let words = [
        "no sidecar answers at 127.0.0.1:1",
        "sts-endpoint-url",
        "\"not a region\"",
        "duration",
        "for ever",
    ];
    refused(&launch.output(), BAD_CONFIGURATION, &words);
    assert_eq!(pod.emulator.sts().calls(), []);
}

#[test]
fn what_is_wrong_with_where_the_sidecar_is_said_to_be_is_bad_configuration() {
    let pod = Pod::new();
    let cases: [(&str, OsString, &str); 4] = [
        ("IRSA_SIDECAR_LISTEN", "10.0.0.1:9910".into(), "10.0.0.1"),
        ("IRSA_SIDECAR_LISTEN", "nonsense".into(), "nonsense"),
        (
            "IRSA_SIDECAR_LISTEN",
            OsString::from_vec(b"\xff".to_vec()),
            "the variable IRSA_SIDECAR_LISTEN is not UTF-8",
        ),
        (
            "IRSA_SIDECAR_CONFIG",
            pod.path("missing.yaml").into(),
            "missing.yaml cannot be read",
        ),
    ];
    for (name, value, words) in cases {
        let finished = pod.alone(DEMO).env(name, value).output();
        refused(&finished, BAD_CONFIGURATION, &[words]);
        assert!(!finished.stderr.contains("no sidecar answers"));
    }
    assert_eq!(pod.emulator.sts().calls(), []);
}

#[test]
fn values_of_any_size_are_taken_or_refused_in_few_words() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let longest = "n".repeat(256);
    let asked = ["get-token", "--cluster-name", &longest];
    Printed::of(&pod.beside(&sidecar, asked).output());
    let huge = "h".repeat(100_000);
    for (region, by_the_sidecar) in [
        ("mars-1", "400 InvalidParameter: region"),
        (&huge, "too long"),
    ] {
        let beside = pod.beside(&sidecar, DEMO).env("AWS_REGION", region);
        let alone = pod.alone(DEMO).env("AWS_REGION", region);
        let (beside, alone) = (beside.output(), alone.output());
        refused(&beside, 1, &[by_the_sidecar]);
        refused(&alone, BAD_CONFIGURATION, &["region", "AWS_REGION"]);
        for finished in [beside, alone] {
            assert!(finished.stderr.len() < 2048, "{finished:?}");
        }
    }
    // What others put into the environment is theirs.
    let launch = pod
        .beside(&sidecar, DEMO)
        .env(OsString::from_vec(b"\xffOTHER".to_vec()), "x")
        .env("OTHER", OsString::from_vec(b"\xff".to_vec()))
        .env("AWS_PROFILE", "production")
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("HTTPS_PROXY", "http://127.0.0.1:1");
    Printed::of(&launch.output()).reviewed(&pod);
}

#[test]
fn a_token_that_nobody_could_read_is_a_failure() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let launch = pod.beside(&sidecar, DEMO);
    let said = |command: &mut Command| {
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        let output = child.expect("the binary starts").wait_with_output();
        let output = output.expect("its output");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), words)
    };
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let (code, words) = said(launch.command().stdout(writer));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("stdout cannot be written"), "{words}");
    let full = || OpenOptions::new().write(true).open("/dev/full");
    let (code, words) = said(launch.command().stdout(full().expect("a device")));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("stdout cannot be written"), "{words}");
    // Words that nobody can read are no failure.
    let output = launch
        .env("KUBERNETES_EXEC_INFO", "{")
        .command()
        .stderr(full().expect("a device"))
        .output()
        .expect("the binary runs");
    assert!(output.status.success());
    Printed::read(&String::from_utf8_lossy(&output.stdout));
}

#[test]
fn help_teaches_by_examples_and_names_what_is_looked_at() {
    let finished = Launch::new(["get-token", "--help"]).output();
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.stderr, "");
    for words in [
        "aws eks get-token",
        "--cluster-name",
        "--cluster-id",
        "--role-arn",
        "--role is the same",
        "--region",
        "--output",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "KUBERNETES_EXEC_INFO",
        "Examples:",
        "irsa-sidecar get-token --cluster-name demo",
        "`command: aws` to `command: irsa-sidecar`",
        "[IRSA_SIDECAR_LISTEN; default: 127.0.0.1:9910]",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ] {
        assert!(
            finished.stdout.contains(words),
            "{words}:\n{}",
            finished.stdout
        );
    }
    // The settings of `serve` alone are no business of a plugin.
    assert!(!finished.stdout.contains("--ops-listen"));
}
