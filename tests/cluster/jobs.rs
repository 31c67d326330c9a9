//! Jobs do their work and end, and the sidecar with them.

use serde_json::Value;

use crate::eventually::eventually;
use crate::namespace::Namespace;
use crate::pod::{Pod, SIDECAR};
use crate::rendered::Rendered;

/// The image's kubectl, which has no shell, says who the cluster takes it for.
#[track_caller]
fn assert_kubectl(namespace: &Namespace) {
    let said = namespace.completed("kubectl", "kubectl");
    let pod = Pod::labelled(namespace, "job-name=kubectl");
    assert!(said.contains(&format!("job:{}", pod.name)), "{said}");
    assert!(
        said.contains("jobs") && said.contains("aws-iam-authenticator:111122223333:"),
        "{said}"
    );
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_job_with_nothing_but_kubectl_enters_the_cluster_by_the_token_file_and_completes() {
    let namespace = Namespace::new("kubectl-token-file");
    namespace.apply_example("kubectl-token-file");
    assert_kubectl(&namespace);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_job_with_nothing_but_kubectl_enters_the_cluster_by_the_exec_plugin_and_completes() {
    let namespace = Namespace::new("kubectl-exec");
    namespace.apply_example("kubectl-exec");
    assert_kubectl(&namespace);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_cron_job_with_the_native_sidecar_completes() {
    let namespace = Namespace::new("cron-job");
    namespace.apply_example("cron-job");
    namespace.kubectl(&["create", "job", "now", "--from=cronjob/nightly"]);
    namespace.completed("now", "app");
    assert_eq!(namespace.callers().len(), 1);
    let pod = Pod::labelled(&namespace, "job-name=now");
    let ended = eventually("the sidecar has ended", || {
        let status = pod.status(SIDECAR);
        let ended = status["state"]["terminated"].clone();
        if ended.is_null() {
            Err(status.to_string())
        } else {
            Ok(ended)
        }
    });
    // By the kubelet, with SIGTERM, which it takes for a good end.
    assert_eq!(ended["exitCode"], 0, "{ended}");
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_job_with_a_plain_sidecar_completes_through_shutdown() {
    let namespace = Namespace::new("plain-sidecar");
    namespace.apply_example("plain-sidecar");
    namespace.completed("once", "app");
    let pod = Pod::labelled(&namespace, "job-name=once");
    assert_eq!(pod.get()["status"]["phase"], "Succeeded");
    // Not by the kubelet, which has no reason to.
    let ended = pod.status(SIDECAR)["state"]["terminated"].take();
    assert_eq!(ended["exitCode"], 0, "{ended}");
    assert_eq!(pod.status(SIDECAR)["restartCount"], 0);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_job_that_fails_beside_a_plain_sidecar_fails() {
    let namespace = Namespace::new("plain-sidecar-failing");
    // The Job would try it again.
    let once = "{apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {backoffLimit: 0}}";
    let failing = Rendered::example("plain-sidecar")
        .patch(once)
        .tells_app("FAILS");
    namespace.apply_rendered(&failing);
    let job: Value = eventually("the job fails", || {
        let job = namespace.get(&["job/once"]);
        if job["status"]["failed"] == 1 {
            Ok(job)
        } else {
            Err(job.to_string())
        }
    });
    assert!(job["status"]["succeeded"].is_null(), "{job}");
    let pod = Pod::labelled(&namespace, "job-name=once");
    assert_eq!(pod.status(SIDECAR)["state"]["terminated"]["exitCode"], 0);
}
