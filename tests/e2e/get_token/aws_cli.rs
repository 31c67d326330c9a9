//! The AWS CLI itself as the oracle: for equal keys at the same second its token is ours, byte for byte. Its clock is
//! stopped at the second of ours.

mod case;

use std::time::{Duration, UNIX_EPOCH};

use emulator::TokenRequest;
use serde_json::json;

use self::case::{Case, Keys, are_the_aws_clis, case_beside, unix};
use super::{DEMO, Printed, refused};
use crate::clients::Client;
use crate::sidecar::Pod;
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
