//! The AWS CLI itself as the oracle: for equal keys at the same second its token is ours, byte for byte. Its clock is
//! stopped at the second of ours.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use emulator::TokenRequest;
use serde_json::{Value, json};

use super::{DEMO, Printed, refused};
use crate::clients::Client;
use crate::sidecar::{Finished, Pod, Sidecar};
use crate::tls;

/// The AWS CLI's own plugin.
const AWS_GET_TOKEN: Client = Client::Aws(&["eks", "get-token", "--cluster-name", "demo"]);

/// A region of every partition, and the two kinds that FIPS tells apart.
const REGIONS: [&str; 10] = [
    "us-east-1",
    "eu-west-1",
    "mx-central-1",
    "cn-northwest-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "us-isof-south-1",
    "eusc-de-east-1",
];

/// Keys, as STS could have made them.
#[derive(Debug, Clone)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

impl Keys {
    /// Random, with the characters that have to be encoded in plenty.
    fn random() -> Self {
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/+/";
        const TOKEN: &[u8] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=+/=";
        let random = |alphabet: &[u8], length: usize| -> String {
            let choice = |_| alphabet[fastrand::usize(..alphabet.len())];
            (0..length).map(choice).map(char::from).collect()
        };
        Keys {
            access_key_id: format!("ASIA{}", random(UPPER, 16)),
            secret_access_key: random(SECRET, 40),
            session_token: random(TOKEN, fastrand::usize(16..2000)),
        }
    }

    fn of(pod: &Pod, access_key_id: &str) -> Self {
        let issued = pod.emulator.sts().issued();
        let mut signed = issued
            .iter()
            .filter(|one| one.access_key_id == access_key_id);
        let issued = signed.next().expect("credentials of this STS");
        Keys {
            access_key_id: issued.access_key_id.clone(),
            secret_access_key: issued.secret_access_key.clone(),
            session_token: issued.session_token.clone(),
        }
    }
}

/// One command line, what it printed, and with which keys.
struct Case {
    keys: Keys,
    arguments: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
    ours: Finished,
}

impl Case {
    fn printed(&self) -> Printed {
        assert!(
            self.ours.status.success(),
            "{:?}: {:?}",
            self.arguments,
            self.ours
        );
        Printed::read(&self.ours.stdout)
    }

    /// For the driver of the AWS CLI.
    fn for_the_aws_cli(&self) -> Value {
        let mut environment = json!({
            "AWS_ACCESS_KEY_ID": self.keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.keys.secret_access_key,
            "AWS_SESSION_TOKEN": self.keys.session_token,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": "/nonexistent",
        });
        for (name, value) in &self.variables {
            environment[name] = json!(value);
        }
        json!({
            "time": unix(self.printed().signed_at()),
            "environment": environment,
            "arguments": self.arguments,
        })
    }
}

/// Runs the AWS CLI on all of them, and compares.
fn are_the_aws_clis(pod: &Pod, cases: &[Case]) {
    let input: Vec<Value> = cases.iter().map(Case::for_the_aws_cli).collect();
    let mut child = Client::Python("aws_cli_at.py")
        .command(pod)
        // It signs for the host that it would ask.
        .env_remove("AWS_ENDPOINT_URL_STS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs, and this test needs it");
    let mut stdin = child.stdin.take().expect("a pipe");
    let written = stdin.write_all(json!(input).to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{written:?} {complained}");
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(theirs.len(), cases.len());
    for (case, theirs) in cases.iter().zip(theirs) {
        assert_eq!(theirs["code"], 0, "{theirs}");
        let text = theirs["stdout"].as_str().expect("text");
        let (ours, theirs) = (case.printed(), Printed::read(text));
        assert_eq!(
            ours.token, theirs.token,
            "{:?} {:?}",
            case.arguments, case.keys
        );
        // All of stdout is the same but for the time, which ours gives in the clock of this node.
        let time =
            |printed: &Printed| humantime::format_rfc3339_seconds(printed.expiration).to_string();
        let expected = text.replace(&time(&theirs), &time(&ours));
        assert_eq!(case.ours.stdout, expected, "{:?}", case.arguments);
    }
}

fn unix(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
    since.as_secs()
}

/// Names at their limits, the ids of Outposts, and what self-hosted authenticators are called.
fn clusters() -> Vec<(&'static str, String)> {
    vec![
        ("--cluster-name", "d".to_owned()),
        ("--cluster-name", "0".to_owned()),
        ("--cluster-name", "Demo_-9".to_owned()),
        ("--cluster-name", format!("n{}", "-".repeat(99))),
        ("--cluster-name", "demo.example.com".to_owned()),
        ("--cluster-name", "a/b:c+d=e&f;g%20~h".to_owned()),
        (
            "--cluster-id",
            "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111".to_owned(),
        ),
    ]
}

/// The whole walk, at a time of its own each: leap days, the turn of a year, a day far off.
#[test]
fn a_token_of_the_walk_is_the_aws_clis_for_random_keys_at_any_time() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    let clusters = clusters();
    let times = [
        "2024-02-29T23:59:50Z",
        "2025-12-31T23:59:59Z",
        "2038-01-19T03:14:07Z",
    ];
    let mut cases = Vec::new();
    for index in 0..40 {
        let random = UNIX_EPOCH + Duration::from_secs(fastrand::u64(1_600_000_000..4_000_000_000));
        let time = match times.get(index) {
            Some(time) => humantime::parse_rfc3339(time).expect("a time"),
            None => random,
        };
        let (option, cluster) = &clusters[index % clusters.len()];
        let region = REGIONS[index % REGIONS.len()];
        let keys = Keys::random();
        sts.stop_clock_at(time);
        sts.issue_next(
            &keys.access_key_id,
            &keys.secret_access_key,
            &keys.session_token,
        );
        let there = unix(time);
        let token = pod.emulator.issuer().token(&TokenRequest {
            claims_patch: json!({ "iat": there, "nbf": there, "exp": there + 3600 }),
            ..TokenRequest::default()
        });
        pod.volume.rotate(&token).expect("a rotation");
        let arguments = [
            "--region",
            region,
            "eks",
            "get-token",
            option,
            cluster,
            "--output",
            "json",
        ];
        let arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        let ours = pod.alone(arguments.clone()).output();
        let case = Case {
            keys,
            arguments,
            variables: Vec::new(),
            ours,
        };
        let late = case.printed().signed_at().duration_since(time);
        let late = late.expect("not before the time of STS");
        assert!(late < Duration::from_secs(60), "{late:?}: another clock");
        cases.push(case);
    }
    are_the_aws_clis(&pod, &cases);
}

#[test]
fn a_token_of_the_sidecar_is_the_aws_clis_in_every_region_for_names_of_every_kind() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let mut cases = Vec::new();
    for region in REGIONS {
        for (option, cluster) in clusters() {
            let arguments = ["--region", region, "eks", "get-token", option, &cluster];
            cases.push(case_beside(&pod, &sidecar, &arguments, &[]));
        }
    }
    are_the_aws_clis(&pod, &cases);
}

/// Where there is such a host: elsewhere the AWS CLI signs for one that does not exist.
#[test]
fn a_token_with_fips_is_the_aws_clis() {
    let pod = Pod::new();
    let proxy = tls::proxy_to(&pod).url(None);
    let launch = tls::serve_through(&pod, &proxy)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_USE_FIPS_ENDPOINT", "true");
    let sidecar = launch.start();
    sidecar.wait_ready();
    let cases: Vec<Case> = ["us-east-1", "us-west-2", "us-gov-west-1"]
        .into_iter()
        .map(|region| {
            let arguments = [
                "--region",
                region,
                "eks",
                "get-token",
                "--cluster-name",
                "demo",
            ];
            let fips = [("AWS_USE_FIPS_ENDPOINT", "true")];
            case_beside(&pod, &sidecar, &arguments, &fips)
        })
        .collect();
    are_the_aws_clis(&pod, &cases);
}

fn case_beside(
    pod: &Pod,
    sidecar: &Sidecar,
    arguments: &[&str],
    variables: &[(&'static str, &'static str)],
) -> Case {
    let ours = pod.beside(sidecar, arguments.iter().copied()).output();
    Case {
        keys: Keys::of(pod, Printed::read(&ours.stdout).access_key_id()),
        arguments: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        variables: variables.to_vec(),
        ours,
    }
}

/// Its own plugin, with the pod's credentials: what jobs do that keep it.
#[test]
fn the_aws_clis_own_plugin_fed_by_the_sidecar_prints_a_token_that_the_cluster_takes() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for mut command in [
        AWS_GET_TOKEN.with_pod_uid(&pod, &sidecar),
        AWS_GET_TOKEN.with_token_file(&pod, &sidecar),
    ] {
        // Its token would be signed for the emulator's address.
        command.env_remove("AWS_ENDPOINT_URL_STS");
        let output = command
            .output()
            .expect("the AWS CLI runs, and this test needs it");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complained}");
        let theirs = Printed::read(&String::from_utf8_lossy(&output.stdout));
        let reviewed = theirs.reviewed(&pod);
        let ours = Printed::of(&pod.beside(&sidecar, DEMO).output());
        assert_eq!(reviewed, ours.reviewed(&pod));
    }
}

/// Longer than what clusters take: the AWS CLI prints it all the same, and the cluster says no more than 401.
#[test]
fn a_token_that_is_too_long_is_refused_here_and_by_the_cluster_if_the_aws_cli_made_it() {
    let pod = Pod::new();
    pod.emulator.sts().set_session_token_length(3000);
    let sidecar = pod.ready_sidecar();
    let words = ["422 EksTokenTooLarge", "3000 characters", "4096"];
    refused(&pod.beside(&sidecar, DEMO).output(), 1, &words);
    let mut command = AWS_GET_TOKEN.with_pod_uid(&pod, &sidecar);
    command.env_remove("AWS_ENDPOINT_URL_STS");
    let output = command
        .output()
        .expect("the AWS CLI runs, and this test needs it");
    let theirs = Printed::read(&String::from_utf8_lossy(&output.stdout));
    let refusal = pod.emulator.cluster().review(&theirs.token);
    let refusal = refusal.expect_err("more than 4096 bytes");
    assert!(refusal.contains("token is too large"), "{refusal}");
}
