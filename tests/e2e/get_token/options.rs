//! What can be asked for, of a running sidecar and where none runs: the same.

use emulator::{ROLE_ARN, Role};

use super::{DEMO, Printed, USERNAME, refused};
use crate::sidecar::{Finished, Pod, Sidecar};

const DEPLOY: &str = "arn:aws:iam::111122223333:role/team/deploy";
const SESSION: &str = "app-7d9f8b6c5-x2x4q";

/// Both ways to a token.
fn both_ways(pod: &Pod, sidecar: &Sidecar, arguments: &[&str]) -> [Finished; 2] {
    let arguments = || arguments.iter().copied();
    [
        pod.beside(sidecar, arguments()).ends(),
        pod.alone(arguments()).ends(),
    ]
}

fn demo_and<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&DEMO[..], more].concat()
}

#[test]
fn a_role_to_assume_is_assumed_from_the_pods_role_first() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .add_role(Role::assumable_by(DEPLOY, &[ROLE_ARN]));
    pod.emulator.cluster().set_aws_auth(
        "- rolearn: arn:aws:iam::111122223333:role/deploy\n  username: deploy:{{SessionName}}\n",
        "",
    );
    let sidecar = pod.ready_sidecar();
    for option in ["--role-arn", "--role"] {
        for finished in both_ways(&pod, &sidecar, &demo_and(&[option, DEPLOY])) {
            let reviewed = Printed::of(&finished).reviewed(&pod);
            assert_eq!(reviewed.username, format!("deploy:{SESSION}"));
            assert_eq!(
                reviewed.arn,
                format!("arn:aws:sts::111122223333:assumed-role/deploy/{SESSION}")
            );
        }
    }
}

#[test]
fn a_role_that_does_not_let_itself_be_assumed_gets_a_sentence_that_says_what_to_change() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    let service_role = "arn:aws:iam::111122223333:role/eks-cluster";
    let unknown = "arn:aws:iam::111122223333:role/unknown";
    sts.add_role(Role::assumable_by(DEPLOY, &[]));
    sts.add_role(Role::of_service(service_role, "eks.amazonaws.com"));
    let sidecar = pod.ready_sidecar();
    for role in [DEPLOY, service_role, unknown] {
        let session = format!("arn:aws:sts::111122223333:assumed-role/app/{SESSION}");
        let words = [
            // What people search for, as STS says it.
            "AccessDenied",
            "is not authorized to perform: sts:AssumeRole",
            &session,
            role,
            // What the option is for, and who has to be let in where.
            "--role-arn",
            "leave it out",
            "trust policy",
            ROLE_ARN,
        ];
        for finished in both_ways(&pod, &sidecar, &demo_and(&["--role-arn", role])) {
            refused(&finished, 1, &words);
        }
    }
}

#[test]
fn a_region_is_that_of_the_cluster_and_needs_no_credentials_of_its_own() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for (region, host) in [
        ("us-west-2", "sts.us-west-2.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
    ] {
        let cluster = pod.emulator.add_cluster("there", region);
        cluster.set_aws_auth(&format!("- rolearn: {ROLE_ARN}\n  username: job\n"), "");
        let arguments = ["get-token", "--cluster-name", "there", "--region", region];
        for finished in both_ways(&pod, &sidecar, &arguments) {
            let printed = Printed::of(&finished);
            assert_eq!(printed.host(), host);
            let reviewed = cluster.review(&printed.token);
            assert!(reviewed.is_ok(), "{region}: {reviewed:?}");
        }
    }
}

#[test]
fn without_a_region_it_is_the_containers_and_then_the_sidecars() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let ireland = "sts.eu-west-1.amazonaws.com";
    let oregon = "sts.us-west-2.amazonaws.com";
    let beside = |variables: &[(&str, &str)]| {
        let mut launch = pod.beside(&sidecar, DEMO);
        for (name, value) in variables {
            launch = launch.env(*name, *value);
        }
        Printed::of(&launch.output()).host().to_owned()
    };
    assert_eq!(beside(&[]), ireland);
    assert_eq!(beside(&[("AWS_REGION", "us-west-2")]), oregon);
    assert_eq!(beside(&[("AWS_DEFAULT_REGION", "us-west-2")]), oregon);
    let both = [
        ("AWS_REGION", "us-west-2"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    assert_eq!(beside(&both), oregon);
    assert_eq!(beside(&[("IRSA_SIDECAR_REGION", "us-west-2")]), oregon);
    // Alone, an EKS cluster's issuer tells it.
    let launch = pod.alone(DEMO).without("AWS_REGION");
    assert_eq!(Printed::of(&launch.output()).host(), ireland);
}

#[test]
fn a_local_cluster_on_an_outpost_is_asked_for_by_its_id() {
    let pod = Pod::new();
    let id = "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111";
    pod.emulator.cluster().set_outpost(id);
    let sidecar = pod.ready_sidecar();
    for finished in both_ways(&pod, &sidecar, &["get-token", "--cluster-id", id]) {
        assert_eq!(Printed::of(&finished).reviewed(&pod).username, USERNAME);
    }
}

/// What `aws eks update-kubeconfig` writes: only `command` has to be changed.
#[test]
fn the_arguments_of_the_aws_cli_are_taken_in_its_order() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.add_role(Role::assumable_by(DEPLOY, &[ROLE_ARN]));
    let sidecar = pod.ready_sidecar();
    let demo = ["--cluster-name", "demo", "--output", "json"];
    for (before, after) in [
        (&["--region", "us-west-2"][..], &demo[..]),
        (
            &["--region", "us-west-2"],
            &[&demo[..], &["--role", DEPLOY]].concat(),
        ),
        (
            &["--region=us-west-2", "--output=json"],
            &["--cluster-name=demo"],
        ),
        (&[], &[&demo[..], &["--region", "us-west-2"]].concat()),
    ] {
        let arguments = [before, &["eks", "get-token"], after].concat();
        for finished in both_ways(&pod, &sidecar, &arguments) {
            let printed = Printed::of(&finished);
            assert_eq!(printed.host(), "sts.us-west-2.amazonaws.com");
        }
    }
}
