//! The way into a cluster: another role, the token, STS as the cluster asks it, DescribeCluster, the cluster itself.

mod admission;
mod own_cluster;
mod words;

use emulator::{ApiFault, Fault, ROLE_ARN, Role};
use irsa_sidecar::diagnosis::{Finding, findings};
use serde_json::Value;

use super::{Row, findings_of};
use crate::inspect_token::answers::Answering;
use crate::kubeconfig::describe;
use crate::sidecar::{Finished, Launch, Pod};

const DEPLOY: &str = "arn:aws:iam::111122223333:role/deploy";

pub fn rows() -> Vec<Row> {
    let fails = |finding, run| Row {
        finding,
        status: "fail",
        run,
    };
    let mut rows = vec![
        fails(findings::ASSUME_ROLE_DENIED, || {
            run_assuming(|pod| {
                let role = Role::of_service(DEPLOY, "eks.amazonaws.com");
                pod.emulator.sts().add_role(role);
            })
        }),
        fails(findings::ASSUME_ROLE_CREDENTIALS, || {
            run_assuming(|pod| {
                let expired = Fault::error("ExpiredToken");
                pod.emulator.sts().fail_action("AssumeRole", expired);
            })
        }),
        fails(findings::EKS_TOKEN_TOO_LARGE, || {
            run(|pod| pod.emulator.sts().set_session_token_length(4000))
        }),
        fails(findings::EKS_CREDENTIALS_DYING, || {
            let lifetime = std::time::Duration::from_secs(40);
            run(|pod| pod.emulator.sts().set_session_lifetime(Some(lifetime)))
        }),
        fails(findings::EKS_TOKEN_UNSIGNABLE, before_1970),
        fails(findings::EKS_OUTPOST, || {
            run(|pod| pod.emulator.cluster().set_outpost("1-2-3-4"))
        }),
        fails(findings::EKS_UNAUTHORIZED, || {
            run(|pod| pod.emulator.cluster().set_aws_auth("", ""))
        }),
        fails(findings::EKS_API_UNREACHABLE, || {
            run(|pod| pod.emulator.cluster().set_api_fault(Some(ApiFault::Hang)))
        }),
    ];
    rows.extend(rows_of_the_replay());
    rows.extend(rows_of_describing());
    rows
}

/// What STS says of the token.
fn rows_of_the_replay() -> Vec<Row> {
    let fails = |finding, run| Row {
        finding,
        status: "fail",
        run,
    };
    vec![
        fails(findings::EKS_TOKEN_SIGNATURE, || {
            run(|pod| of_token(pod, 403, "SignatureDoesNotMatch", "It does not match."))
        }),
        fails(findings::EKS_TOKEN_CLOCK, || {
            let early = "Signature not yet current: 1 is still later than 2";
            run(|pod| of_token(pod, 403, "SignatureDoesNotMatch", early))
        }),
        fails(findings::EKS_TOKEN_CREDENTIALS_EXPIRED, || {
            run(|pod| of_token(pod, 403, "ExpiredToken", "It is expired."))
        }),
        fails(findings::EKS_TOKEN_UNKNOWN_KEY, || {
            run(|pod| of_token(pod, 403, "InvalidClientTokenId", "It is invalid."))
        }),
        fails(findings::EKS_TOKEN_REFUSED, || {
            run(|pod| of_token(pod, 400, "SomethingElse", "No."))
        }),
        fails(findings::EKS_REPLAY_UNREACHABLE, || {
            run(|pod| pod.emulator.sts().fail_cluster_tokens(Fault::Hang))
        }),
        fails(findings::EKS_IDENTITY, || {
            run(|pod| pod.emulator.sts().fail_cluster_tokens(Fault::Garbage))
        }),
    ]
}

/// What EKS says of the cluster.
fn rows_of_describing() -> Vec<Row> {
    let fails = |finding, run| Row {
        finding,
        status: "fail",
        run,
    };
    vec![
        fails(findings::EKS_ACCESS_DENIED, || {
            describing(findings::EKS_ACCESS_DENIED)
        }),
        fails(findings::EKS_CLUSTER_NOT_FOUND, || {
            describing(findings::EKS_CLUSTER_NOT_FOUND)
        }),
        fails(findings::EKS_CLUSTER_NOT_ACTIVE, || {
            describing(findings::EKS_CLUSTER_NOT_ACTIVE)
        }),
        fails(findings::EKS_SESSION_REFUSED, || {
            describing(findings::EKS_SESSION_REFUSED)
        }),
        fails(findings::EKS_UNREACHABLE, || {
            describing(findings::EKS_UNREACHABLE)
        }),
        fails(findings::EKS_THROTTLED, || {
            describing(findings::EKS_THROTTLED)
        }),
        fails(findings::EKS_UNAVAILABLE, || {
            describing(findings::EKS_UNAVAILABLE)
        }),
        fails(findings::EKS_GARBLED, || describing(findings::EKS_GARBLED)),
        fails(findings::EKS_REFUSED, || describing(findings::EKS_REFUSED)),
    ]
}

/// Where no sidecar runs and EKS is the emulator; the cluster is to be named.
fn doctor(pod: &Pod) -> Launch {
    pod.alone(["doctor", "--json"])
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
}

fn run(arrange: impl FnOnce(&Pod)) -> Finished {
    let pod = Pod::new();
    arrange(&pod);
    ends(&pod, &doctor(&pod).arg("--cluster-name=demo"))
}

fn run_assuming(arrange: impl FnOnce(&Pod)) -> Finished {
    let pod = Pod::new();
    arrange(&pod);
    let launch = doctor(&pod).arg("--cluster-name=demo");
    ends(&pod, &launch.arg("--assume-role-arn").arg(DEPLOY))
}

/// The first of the cases that lead there.
fn describing(finding: Finding) -> Finished {
    let cases = describe::cases();
    let case = cases.iter().find(|case| case.finding == finding.id);
    try_case(case.expect("a case"))
}

fn try_case(case: &describe::Case) -> Finished {
    let pod = Pod::new();
    (case.arrange)(&pod);
    let launch = doctor(&pod)
        .arg("--cluster-name")
        .arg(case.cluster)
        .arg("--cluster-region")
        .arg(case.region);
    let launch = match case.endpoint {
        Some(endpoint) => launch.env("AWS_ENDPOINT_URL_EKS", endpoint(&pod)),
        None => launch,
    };
    ends(&pod, &launch)
}

/// In the app's container, beside a good sidecar, on a way to an STS that has another time.
fn before_1970() -> Finished {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let date = "date: Wed, 31 Dec 1969 23:00:00 GMT";
    let head = format!("HTTP/1.1 302 Found\r\n{date}\r\ncontent-length: 0\r\nconnection: close");
    let sts = Answering::with(format!("{head}\r\n\r\n"));
    let arguments = ["doctor", "--json", "--cluster-name=demo"];
    let launch = pod
        .beside(&sidecar, arguments)
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL_STS", sts.url())
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url());
    ends(&pod, &launch)
}

/// To everything that a cluster, or doctor, sends to STS as a token; other requests are answered.
fn of_token(pod: &Pod, status: u16, code: &str, message: &str) {
    pod.emulator.sts().fail_cluster_tokens(Fault::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    });
}

/// Runs it, and whatever comes of it, no secret does.
#[track_caller]
fn ends(pod: &Pod, launch: &Launch) -> Finished {
    without_secrets(pod, launch.ends())
}

#[track_caller]
fn without_secrets(pod: &Pod, finished: Finished) -> Finished {
    let said = format!("{}{}", finished.stdout, finished.stderr);
    for issued in pod.emulator.sts().issued() {
        for secret in [&issued.secret_access_key, &issued.session_token] {
            assert!(!said.contains(secret.as_str()), "{finished:?}");
        }
    }
    assert!(!said.contains("k8s-aws-v1.a"), "{finished:?}");
    assert!(!said.contains(pod.request.pod_uid()), "{finished:?}");
    finished
}

/// What was said at a step under whatever id, which has to be `id`, and nothing but that is wrong.
#[track_caller]
fn only(finished: &Finished, id: &str) -> Value {
    let all = findings_of(finished);
    let wrong: Vec<&Value> = all
        .iter()
        .filter(|finding| {
            ["warn", "fail"]
                .iter()
                .any(|wrong| finding["status"] == *wrong)
        })
        .collect();
    assert_eq!(wrong.len(), 1, "{wrong:#?}");
    assert_eq!(wrong[0]["id"], id, "{wrong:#?}");
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    wrong[0].clone()
}

/// A text of a finding.
#[track_caller]
fn text<'a>(finding: &'a Value, field: &str) -> &'a str {
    finding[field].as_str().expect("a text")
}

/// What is between two blank lines, the first of them after a line with these words.
#[track_caller]
fn below<'a>(text: &'a str, words: &str) -> &'a str {
    let (_, rest) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("no {words:?} in {text}"));
    let (_, rest) = rest.split_once("\n\n").expect("a blank line");
    rest.split_once("\n\n").map_or(rest, |(found, _)| found)
}

/// Every case of `kubeconfig`, with the same sentence.
#[test]
fn whatever_keeps_eks_from_telling_is_said_in_the_words_of_the_other_subcommands() {
    std::thread::scope(|scope| {
        for case in describe::cases() {
            scope.spawn(move || {
                let finished = try_case(&case);
                let finding = super::finding_of(&finished, case.finding);
                let sentence = format!(
                    "{}; expected {}; {}",
                    text(&finding, "found"),
                    text(&finding, "expected"),
                    text(&finding, "fix")
                );
                case.assert_said(&sentence);
                only(&finished, case.finding);
                let login = super::finding_of(&finished, "eks-login");
                assert_eq!(login["status"], "skipped", "{login}");
                assert!(text(&login, "found").contains(case.finding), "{login}");
                // What lets into a cluster that does not exist is of no use.
                let has_entry = text(&login, "found").contains(&format!("rolearn: {ROLE_ARN}"));
                assert_eq!(
                    has_entry,
                    case.finding != "eks-cluster-not-found",
                    "{login}"
                );
            });
        }
    });
}

#[test]
fn what_is_said_of_a_cluster_without_naming_one_is_bad_usage() {
    for arguments in [
        ["doctor", "--cluster-region=eu-west-1"],
        [
            "doctor",
            "--assume-role-arn=arn:aws:iam::111122223333:role/deploy",
        ],
        ["doctor", "--in-cluster"],
    ] {
        let finished = Launch::new(arguments).ends();
        assert_eq!(finished.status.code(), Some(64), "{finished:?}");
        assert!(
            finished.stderr.contains("--cluster-name"),
            "{}",
            finished.stderr
        );
    }
}
