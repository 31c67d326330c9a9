//! `doctor`, as whoever is paged runs it: by `kubectl exec`, in an image with nothing else in it.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::namespace::Namespace;
use crate::pod::{Pod, SIDECAR};

/// The report on a pod whose own description goes to stdin, which is how all of its containers are looked at.
#[track_caller]
fn report(pod: &Pod<'_>) -> Value {
    let mut command = pod.namespace.cluster.kubectl.command();
    let mut child = command
        .args(["--namespace", pod.namespace.name, "exec", "--stdin"])
        .args([&pod.name, "--container", SIDECAR, "--"])
        .args(["/irsa-sidecar", "doctor", "--json", "--pod", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    let described = serde_json::to_vec(&pod.get()).expect("JSON");
    stdin.write_all(&described).expect("it is read");
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    serde_json::from_slice(&output.stdout).expect("a report")
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn doctor_finds_nothing_wrong_with_a_pod_of_an_example_and_says_so_in_one_line() {
    let namespace = Namespace::new("doctor");
    namespace.apply_example("credentials-uri");
    let pod = namespace.ready_app();
    let words = pod
        .exec(SIDECAR, &["/irsa-sidecar", "doctor"])
        .expect("nothing fails");
    let session = format!("arn:aws:sts::111122223333:assumed-role/app/{}", pod.name);
    assert!(words.contains(&session), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");

    let report = report(&pod);
    assert_eq!(report["ok"], true, "{report:#}");
    let findings = report["findings"].as_array().expect("a list");
    let judged = |status: &str| {
        let of = findings
            .iter()
            .filter(|finding| finding["status"] == status);
        of.filter_map(|finding| finding["id"].as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(judged("warn"), [""; 0], "{report:#}");
    for id in [
        "token-file",
        "token-mount",
        "token-rotation",
        "claims",
        "app-sdk",
        "sts-answer",
        "credentials",
        "sidecar",
        "sidecar-credentials",
        "sidecar-expiry",
    ] {
        assert!(judged("ok").contains(&id), "{id}: {report:#}");
    }
}
