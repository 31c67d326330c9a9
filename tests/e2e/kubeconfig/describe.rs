//! Everything that keeps EKS from telling where a cluster is, for those who ask: the files' task and the subcommand.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::thread;

use emulator::{Fault, ROLE_ARN};
use irsa_sidecar::diagnosis::findings;

use super::{FAILED, alone, assert_failed, default_path};
use crate::sidecar::Pod;

/// How it comes about, what it is called, and parts of the sentence: found, expected, fix.
pub(crate) struct Case {
    pub(crate) arrange: fn(&Pod),
    pub(crate) cluster: &'static str,
    pub(crate) region: &'static str,
    /// Another address of EKS than the emulator's.
    pub(crate) endpoint: Option<fn(&Pod) -> String>,
    pub(crate) finding: &'static str,
    pub(crate) sentence: &'static [&'static str],
    /// It is tried again soon, and works once the fault is gone.
    pub(crate) passes: bool,
}

impl Case {
    #[track_caller]
    pub(crate) fn assert_said(&self, sentence: &str) {
        for part in self.sentence {
            assert!(
                sentence.contains(part),
                "{}: {part:?} is not in {sentence:?}",
                self.finding
            );
        }
    }
}

/// Somebody has to change something.
fn lasting(finding: &'static str, arrange: fn(&Pod), sentence: &'static [&'static str]) -> Case {
    Case {
        arrange,
        cluster: "demo",
        region: "eu-west-1",
        endpoint: None,
        finding,
        sentence,
        passes: false,
    }
}

/// Ends by itself.
fn passing(finding: &'static str, arrange: fn(&Pod), sentence: &'static [&'static str]) -> Case {
    Case {
        passes: true,
        ..lasting(finding, arrange, sentence)
    }
}

fn says(pod: &Pod, status: u16, code: &str, message: &str) {
    pod.emulator.cluster().fail_describe(Fault::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    });
}

fn is(pod: &Pod, status: &str) {
    pod.emulator.cluster().set_status(status);
}

/// Bound once, and closed again.
fn nobodys_address(_: &Pod) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    format!("http://{address}")
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        lasting(
            "eks-access-denied",
            |pod| pod.emulator.cluster().deny_describe(ROLE_ARN),
            &[
                "EKS answered 403 AccessDeniedException",
                "is not authorized to perform: eks:DescribeCluster on resource: arn:aws:eks:eu-west-1:111122223333:cluster/demo",
                r#"add {"Effect":"Allow","Action":"eks:DescribeCluster","Resource":"arn:aws:eks:eu-west-1:111122223333:cluster/demo"} to a policy of arn:aws:iam::111122223333:role/app"#,
                "--in-cluster",
                "--server",
            ],
        ),
        Case {
            cluster: "missing",
            ..lasting(
                "eks-cluster-not-found",
                |_| {},
                &[
                    "404 ResourceNotFoundException",
                    "No cluster found for name: missing.",
                    "aws eks list-clusters --region eu-west-1",
                ],
            )
        },
        Case {
            region: "us-west-2",
            ..lasting(
                "eks-cluster-not-found",
                |_| {},
                &[
                    "No cluster found for name: demo.",
                    "in region us-west-2 of account 111122223333",
                ],
            )
        },
        passing(
            "eks-cluster-not-active",
            |pod| is(pod, "CREATING"),
            &[
                "Cluster status is CREATING",
                "expected status ACTIVE or UPDATING",
                "aws eks wait cluster-active --name demo --region eu-west-1",
            ],
        ),
        passing(
            "eks-cluster-not-active",
            |pod| is(pod, "PENDING"),
            &["Cluster status is PENDING", "aws eks wait cluster-active"],
        ),
        lasting(
            "eks-cluster-not-active",
            |pod| is(pod, "DELETING"),
            &["Cluster status is DELETING", "name another cluster"],
        ),
        lasting(
            "eks-cluster-not-active",
            |pod| is(pod, "FAILED"),
            &["Cluster status is FAILED", "--query cluster.health"],
        ),
        lasting(
            "eks-session-refused",
            |pod| {
                says(
                    pod,
                    403,
                    "UnrecognizedClientException",
                    "The security token included in the request is invalid.",
                );
            },
            &[
                "403 UnrecognizedClientException",
                "whether region eu-west-1 is enabled in account 111122223333",
            ],
        ),
        passing(
            "eks-unreachable",
            |pod| pod.emulator.cluster().fail_describe(Fault::Reset),
            &["no connection to http://127.0.0.1:", "an answer over HTTPS"],
        ),
        Case {
            endpoint: Some(nobodys_address),
            ..lasting(
                "eks-unreachable",
                |_| {},
                &[
                    "Connection refused",
                    "HTTPS_PROXY",
                    "--in-cluster or --server",
                ],
            )
        },
        passing(
            "eks-unreachable",
            |pod| pod.emulator.cluster().fail_describe(Fault::Hang),
            &["no answer from http://127.0.0.1:", "in time"],
        ),
        passing(
            "eks-throttled",
            |pod| pod.emulator.cluster().fail_describe(Fault::Throttle),
            &[
                "400 ThrottlingException",
                "try again in a minute",
                "CloudTrail",
            ],
        ),
        passing(
            "eks-unavailable",
            |pod| {
                pod.emulator
                    .cluster()
                    .fail_describe(Fault::ServerError(503))
            },
            &["EKS answered 503", "AWS Health Dashboard"],
        ),
        passing(
            "eks-unavailable",
            |pod| says(pod, 500, "ServerException", "An error occurred."),
            &["500 ServerException"],
        ),
        passing(
            "eks-garbled",
            |pod| pod.emulator.cluster().fail_describe(Fault::Garbage),
            &["answered with what is no answer of EKS", "a captive proxy"],
        ),
        lasting(
            "eks-refused",
            |pod| says(pod, 400, "ClientException", "Something else."),
            &[
                "400 ClientException \"Something else.\"",
                "the reference of DescribeCluster",
            ],
        ),
    ]
}

#[test]
fn whatever_keeps_eks_from_telling_is_said_and_nothing_is_written() {
    thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || try_one(&case));
        }
    });
}

fn try_one(case: &Case) {
    let pod = Pod::new();
    (case.arrange)(&pod);
    let launch = alone(
        &pod,
        &[
            "--cluster-name",
            case.cluster,
            "--region",
            case.region,
            "--exec",
        ],
    );
    let launch = match case.endpoint {
        Some(endpoint) => launch.env("AWS_ENDPOINT_URL_EKS", endpoint(&pod)),
        None => launch,
    };
    let ended = launch.output();
    assert_failed(&ended, FAILED, &[]);
    case.assert_said(&ended.stderr);
    assert!(!default_path(&pod).exists());
}

#[test]
fn every_finding_about_describing_a_cluster_is_tried_here() {
    let cases = cases();
    let tried: BTreeSet<&str> = cases.iter().map(|case| case.finding).collect();
    let known = findings::ALL.iter().map(|finding| finding.id);
    // Those of the token are `inspect_token`'s and `eks_token`'s.
    let others = [
        "eks-token-",
        "eks-replay-",
        "eks-identity",
        "eks-credentials-",
        // `serve` refuses it, and doctor.
        "eks-outpost",
        // Of doctor, which asks the cluster itself.
        "eks-unauthorized",
        "eks-api-unreachable",
    ];
    let about_clusters = known
        .filter(|id| id.starts_with("eks-"))
        .filter(|id| !others.iter().any(|other| id.starts_with(other)));
    assert_eq!(tried, about_clusters.collect());
}
