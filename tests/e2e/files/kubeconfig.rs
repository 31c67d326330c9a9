//! The kubeconfig that `serve` writes: kept without EKS, and never one that cannot work.

use std::fs;

use emulator::{Fault, ROLE_ARN};
use serde_json::Value;

use super::readiness::assert_not_ready;
use super::{add_cluster, assert_taken, kubeconfig, mode_of, names_in, serve, token_file};
use crate::sidecar::{Launch, Pod, eventually, read};

const ID: &str = "3b0e4d6a-6e0b-4f8e-9d0c-2f6f1d6c5a11";

/// What a sidecar left behind that has ended; EKS is down since.
fn left_behind(pod: &Pod, launch: &Launch) -> String {
    let mut sidecar = launch.start();
    sidecar.wait_ready();
    sidecar.signal("TERM");
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    eks_is_down(pod);
    read(&kubeconfig(pod))
}

fn eks_is_down(pod: &Pod) {
    let down = Fault::ServerError(503);
    pod.emulator.cluster().fail_describe(down);
}

#[test]
fn a_kubeconfig_that_was_taken_away_while_eks_is_down_comes_back() {
    let pod = Pod::new();
    let sidecar = serve(&pod, &["demo"]).arg("--kubeconfig").start();
    sidecar.wait_ready();
    let before = read(&kubeconfig(&pod));
    eks_is_down(&pod);
    fs::remove_file(kubeconfig(&pod)).expect("a file");
    let is_back = eventually(|| kubeconfig(&pod).exists());
    assert!(is_back, "{}", sidecar.log());
    assert_eq!(read(&kubeconfig(&pod)), before);
    assert_eq!(sidecar.ops_get("/readyz").status, 200);
    assert_eq!(pod.emulator.cluster().describes(), 1);
}

#[test]
fn after_a_restart_while_eks_is_down_the_kubeconfig_of_before_counts_and_eks_is_asked_on() {
    let pod = Pod::new();
    let launch = serve(&pod, &["demo"]).arg("--kubeconfig");
    let before = left_behind(&pod, &launch);
    let again = launch.arg("--output-mode=0600").start();
    again.wait_ready();
    assert_eq!(read(&kubeconfig(&pod)), before);
    assert_eq!(mode_of(&kubeconfig(&pod)), 0o600);
    again.wait_event("the reason", |event| event["finding"] == "eks-unavailable");
    fs::remove_file(kubeconfig(&pod)).expect("a file");
    let is_back = eventually(|| kubeconfig(&pod).exists());
    assert!(is_back, "{}", again.log());

    // Where the cluster is now, only EKS knows.
    let elsewhere = before.replace("server: https://", "server: https://elsewhere.");
    fs::write(kubeconfig(&pod), &elsewhere).expect("a file");
    pod.emulator.cluster().clear_describe_faults();
    again.wait_message("the files in output-dir are fresh");
    assert_eq!(again.ops_get("/readyz").status, 200);
}

#[test]
fn a_server_that_has_moved_is_corrected_when_eks_tells() {
    let pod = Pod::new();
    let launch = serve(&pod, &["demo"]).arg("--kubeconfig");
    let before = left_behind(&pod, &launch);
    let elsewhere = before.replace("server: https://", "server: https://elsewhere.");
    fs::write(kubeconfig(&pod), &elsewhere).expect("a file");
    let again = launch.start();
    again.wait_ready();
    assert_eq!(read(&kubeconfig(&pod)), elsewhere);
    pod.emulator.cluster().clear_describe_faults();
    again.wait_message("the files in output-dir are fresh");
    assert_eq!(read(&kubeconfig(&pod)), before);
}

#[test]
fn a_kubeconfig_that_this_sidecar_would_not_write_counts_for_nothing() {
    let pod = Pod::new();
    add_cluster(&pod, "other", "eu-west-1");
    let launch = serve(&pod, &["demo"]).arg("--kubeconfig");
    let before = left_behind(&pod, &launch);
    for planted in [
        before.replace("demo.eks-token", "another.eks-token"),
        before.replace("https://", "http://"),
        format!("{before}# and more\n"),
        String::new(),
    ] {
        fs::write(kubeconfig(&pod), planted).expect("a file");
        let sidecar = launch.start();
        sidecar.wait_finding("eks-unavailable");
        assert_not_ready(&sidecar, "eks-unavailable");
    }
    fs::write(kubeconfig(&pod), &before).expect("a file");
    let more = serve(&pod, &["demo", "other"]).arg("--kubeconfig").start();
    more.wait_finding("eks-unavailable");
    assert_not_ready(&more, "eks-unavailable");
    // What EKS says is not waited out.
    pod.emulator.cluster().clear_describe_faults();
    pod.emulator.cluster().deny_describe(ROLE_ARN);
    let denied = launch.start();
    denied.wait_finding("eks-access-denied");
    assert_not_ready(&denied, "eks-access-denied");
}

#[test]
fn one_cluster_that_cannot_be_described_keeps_the_kubeconfig_away_and_no_token() {
    let pod = Pod::new();
    let sidecar = serve(&pod, &["demo", "missing"])
        .arg("--kubeconfig")
        .start();
    sidecar.wait_finding("eks-cluster-not-found");
    assert_eq!(
        names_in(&pod.path("out")),
        ["demo.eks-token", "missing.eks-token"]
    );
}

#[test]
fn a_local_cluster_on_an_outpost_is_refused_and_the_way_out_that_is_named_works() {
    let pod = Pod::new();
    let cluster = pod.emulator.cluster();
    cluster.set_outpost(ID);
    let sidecar = serve(&pod, &["demo"]).arg("--kubeconfig").start();
    sidecar.wait_finding("eks-outpost");
    assert_not_ready(&sidecar, "eks-outpost");
    let event = sidecar.wait_event("the reason", |event| event["finding"] == "eks-outpost");
    let sentence = event["error"].as_str().unwrap_or_default();
    for part in [
        "demo is a local cluster on an Outpost",
        &format!("--eks-cluster {ID} and without --kubeconfig"),
        "irsa-sidecar kubeconfig --cluster-name demo and the same --output-dir",
        "--exec",
    ] {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
    assert!(!kubeconfig(&pod).exists());
    drop(sidecar);

    let sidecar = serve(&pod, &[ID]).start();
    sidecar.wait_ready();
    let ended = pod
        .beside(&sidecar, ["kubeconfig", "--cluster-name", "demo"])
        .arg("--output-dir")
        .arg(pod.path("out"))
        .arg("--kubeconfig")
        .arg(kubeconfig(&pod))
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL", pod.emulator.url())
        .output();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "");
    let found: Value = serde_saphyr::from_str(&read(&kubeconfig(&pod))).expect("YAML");
    let path = token_file(&pod, ID);
    assert_eq!(
        found["users"][0]["user"]["tokenFile"],
        path.to_str().expect("a path")
    );
    assert_taken(cluster, &path);
}
