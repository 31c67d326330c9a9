//! Clients of a cluster, with nothing but what the sidecar gives them: kubectl of every version that the machine offers,
//! the Python client, and Terraform where it is there.

pub mod client;
mod exec;
mod long_lived;
mod other_clients;
mod token_file;

use std::fs;
use std::path::{Path, PathBuf};

use emulator::ROLE_ARN;

use crate::sidecar::{Finished, Pod, Sidecar};

/// What a pod of the harness is called in the cluster.
const USERNAME: &str = "job:app-7d9f8b6c5-x2x4q";
/// The one pod that the emulator's cluster has in its namespace `default`.
const POD: &str = "pod/app-7d9f8b6c5-x2x4q";

/// A sidecar that keeps a token file, and the kubeconfig that it wrote for it.
fn sidecar_with_files(pod: &Pod) -> (Sidecar, PathBuf) {
    let launch = pod
        .serve()
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .arg("--eks-cluster=demo")
        .arg("--output-dir")
        .arg(pod.path("eks"))
        .arg("--kubeconfig");
    let sidecar = launch.start();
    sidecar.wait_ready();
    (sidecar, pod.path("eks/kubeconfig"))
}

/// A kubeconfig by which a client runs our plugin, written as a user would.
fn kubeconfig_with_plugin(pod: &Pod, sidecar: &Sidecar, more: &[&str]) -> PathBuf {
    let path = pod.path("kubeconfig");
    let arguments = ["kubeconfig", "--cluster-name", "demo", "--exec"];
    let launch = pod
        .beside(sidecar, arguments)
        .arg("--region=eu-west-1")
        .arg("--kubeconfig")
        .arg(&path)
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url());
    let launch = more.iter().fold(launch, |launch, more| launch.arg(*more));
    let finished = launch.output();
    assert!(finished.status.success(), "{finished:?}");
    path
}

/// The same kubeconfig with some text in it replaced, beside it.
fn replaced(kubeconfig: &Path, from: &str, to: &str) -> PathBuf {
    let text = crate::sidecar::read(kubeconfig);
    assert!(text.contains(from), "no {from:?} in {text}");
    let path = kubeconfig.with_extension("replaced");
    fs::write(&path, text.replace(from, to)).expect("a file");
    path
}

/// Known to the cluster, and in no group that may anything.
fn take_all_rights(pod: &Pod) {
    let without_groups = format!("- rolearn: {ROLE_ARN}\n  username: job:{{{{SessionName}}}}\n");
    pod.emulator.cluster().set_aws_auth(&without_groups, "");
}

/// Not known to the cluster any more.
fn unmap(pod: &Pod) {
    pod.emulator.cluster().set_aws_auth("", "");
}

#[track_caller]
fn succeeds(finished: &Finished, stdout: &str) {
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.stdout.trim_end(), stdout, "{finished:?}");
}

#[track_caller]
fn fails(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    for part in words {
        let said = [&finished.stdout, &finished.stderr];
        let found = said.iter().any(|said| said.contains(part));
        assert!(found, "no {part:?} in {finished:?}");
    }
}
