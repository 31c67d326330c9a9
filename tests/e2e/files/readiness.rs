//! Ready means that the files are there: in a pod, `kubectl` with a missing kubeconfig takes another identity.

use std::fs;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use emulator::Fault;
use serde_json::{Value, json};

use super::{add_cluster, assert_taken, kubeconfig, mode_of, names_in, serve, token_file};
use crate::kubeconfig::describe::{Case, cases};
use crate::sidecar::{Pod, Sidecar, eventually, eventually_within, read};

/// DescribeCluster gives up after 10 s, and is tried again soon after.
const A_TIMEOUT_AND_MORE: Duration = Duration::from_secs(40);

/// Says 503 in the same words on both, and no more than anybody may know.
#[track_caller]
pub fn assert_not_ready(sidecar: &Sidecar, finding: &str) {
    for path in ["/readyz", "/startupz"] {
        let answer = sidecar.ops_get(path);
        assert_eq!(answer.status, 503, "{answer:?}");
        let body = answer.json();
        let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(
            keys,
            ["finding", "next_attempt", "ready", "reason", "since"]
        );
        assert_eq!(
            (&body["ready"], &body["finding"]),
            (&json!(false), &json!(finding))
        );
        for secret in ["arn:", "111122223333", "demo", "localhost", "out/"] {
            assert!(!answer.body.contains(secret), "{}", answer.body);
        }
    }
}

#[test]
fn first_the_tokens_then_the_kubeconfig_then_ready() {
    let pod = Pod::new();
    pod.emulator.cluster().fail_next_describe(1, Fault::Hang);
    let sidecar = serve(&pod, &["demo"]).arg("--kubeconfig").start();
    let asked = eventually(|| pod.emulator.cluster().describes() == 1);
    assert!(asked, "{}", sidecar.log());
    // EKS is asked when the token is there already.
    assert_taken(pod.emulator.cluster(), &token_file(&pod, "demo"));
    assert_eq!(names_in(&pod.path("out")), ["demo.eks-token"]);
    assert_not_ready(&sidecar, "files-pending");
    // Who needs no file need not wait for one.
    assert_eq!(sidecar.get_credentials(&pod).status, 200);

    let ready = eventually_within(A_TIMEOUT_AND_MORE, || {
        let answer = sidecar.ops_get("/startupz");
        assert!(
            answer.status != 200 || kubeconfig(&pod).exists(),
            "ready without its file"
        );
        answer.status == 200
    });
    assert!(ready, "{}", sidecar.log());
    sidecar.wait_message("the files in output-dir are fresh");
}

#[test]
fn without_credentials_the_reason_is_theirs() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::error("AccessDenied"));
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_finding("sts-access-denied");
    assert_not_ready(&sidecar, "sts-access-denied");
    assert!(!token_file(&pod, "demo").exists());
    let events = sidecar.events();
    let said = events
        .iter()
        .filter(|event| event["level"] == "ERROR" && event["finding"] == "sts-access-denied");
    assert_eq!(
        said.count(),
        1,
        "said once, by who exchanges: {}",
        sidecar.log()
    );
}

#[test]
fn a_token_that_no_cluster_would_take_is_not_written() {
    let pod = Pod::new();
    pod.emulator.sts().set_session_token_length(3463);
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_finding("eks-token-too-large");
    assert_not_ready(&sidecar, "eks-token-too-large");
    assert!(!token_file(&pod, "demo").exists());
    let event = sidecar.wait_event("too large", |event| {
        event["finding"] == "eks-token-too-large"
    });
    let sentence = event["error"].as_str().unwrap_or_default();
    for part in ["4096", "3463"] {
        assert!(sentence.contains(part), "{part} is not in {sentence:?}");
    }
    assert!(sidecar.metric("eks_token_bytes") > 4096.0);
}

#[test]
fn credentials_that_die_within_a_minute_sign_no_file_and_their_successors_do_at_once() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(50)));
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_finding("eks-credentials-dying");
    assert_not_ready(&sidecar, "eks-credentials-dying");
    assert!(!token_file(&pod, "demo").exists());
    // They are refreshed at half their life, and the wait for a change ends with them.
    sts.set_session_lifetime(None);
    let ready = eventually_within(A_TIMEOUT_AND_MORE, || {
        sidecar.ops_get("/readyz").status == 200
    });
    assert!(ready, "{}", sidecar.log());
    assert_taken(pod.emulator.cluster(), &token_file(&pod, "demo"));
}

#[test]
fn the_kubeconfig_has_every_cluster_and_reads_its_token_file() {
    let pod = Pod::new();
    let other = add_cluster(&pod, "other", "us-west-2");
    let sidecar = serve(&pod, &["demo", "other=us-west-2"])
        .arg("--kubeconfig")
        .start();
    sidecar.wait_ready();
    let text = read(&kubeconfig(&pod));
    let found: Value = serde_saphyr::from_str(&text).expect("YAML");
    let clusters = [pod.emulator.cluster(), &other];
    let authority = BASE64_STANDARD.encode(pod.emulator.ca_pem());
    let entries = |entry: &dyn Fn(&emulator::Cluster) -> Value| -> Value {
        clusters.iter().map(|cluster| entry(cluster)).collect()
    };
    let expected = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": clusters[0].arn(),
        "clusters": entries(&|cluster| json!({
            "name": cluster.arn(),
            "cluster": { "server": cluster.url(), "certificate-authority-data": authority },
        })),
        "contexts": entries(&|cluster| json!({
            "name": cluster.arn(),
            "context": { "cluster": cluster.arn(), "user": cluster.arn() },
        })),
        "users": entries(&|cluster| json!({
            "name": cluster.arn(),
            "user": { "tokenFile": token_file(&pod, cluster.name()) },
        })),
    });
    assert_eq!(found, expected, "{text}");
    assert_eq!(mode_of(&kubeconfig(&pod)), 0o640);
}

#[test]
fn eks_is_asked_once_and_tokens_are_replaced_without_it() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(70)));
    let sidecar = serve(&pod, &["demo"]).arg("--kubeconfig").start();
    sidecar.wait_ready();
    let before = read(&token_file(&pod, "demo"));
    pod.emulator
        .cluster()
        .fail_describe(Fault::ServerError(503));
    let replaced = eventually(|| read(&token_file(&pod, "demo")) != before);
    assert!(replaced, "{}", sidecar.log());
    assert_eq!(pod.emulator.cluster().describes(), 1);
    assert_eq!(sidecar.ops_get("/readyz").status, 200);
}

#[test]
fn whatever_keeps_eks_from_telling_is_named_and_what_can_pass_passes() {
    thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || try_one(&case));
        }
    });
}

fn try_one(case: &Case) {
    let pod = Pod::new();
    (case.arrange)(&pod);
    let cluster = format!("{}={}", case.cluster, case.region);
    let launch = serve(&pod, &[&cluster]).arg("--kubeconfig");
    let launch = match case.endpoint {
        Some(endpoint) => launch.env("AWS_ENDPOINT_URL_EKS", endpoint(&pod)),
        None => launch,
    };
    let sidecar = launch.start();
    sidecar.wait_finding(case.finding);
    assert_not_ready(&sidecar, case.finding);
    let event = sidecar.wait_event(case.finding, |event| event["finding"] == case.finding);
    assert_eq!(event["level"], "ERROR", "{event}");
    let sentence = event["error"].as_str().unwrap_or_default();
    case.assert_said(sentence);
    // The token needs no permission, and there is no half of a kubeconfig.
    let token = token_file(&pod, case.cluster);
    assert!(token.exists(), "{}", sidecar.log());
    assert!(!kubeconfig(&pod).exists());
    if case.passes {
        pod.emulator.cluster().clear_describe_faults();
        pod.emulator.cluster().set_status("ACTIVE");
        let ready = eventually_within(A_TIMEOUT_AND_MORE, || {
            sidecar.ops_get("/readyz").status == 200
        });
        assert!(ready, "{}: {}", case.finding, sidecar.log());
        let written = fs::read_to_string(kubeconfig(&pod)).expect("a kubeconfig");
        assert!(written.contains(pod.emulator.cluster().url()), "{written}");
    }
}
