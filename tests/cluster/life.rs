//! Starts, restarts and ends, as the kubelet orders them.

use crate::eventually::eventually;
use crate::namespace::Namespace;
use crate::pod::{Pod, SIDECAR};
use crate::rendered::Rendered;

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn the_app_starts_once_credentials_are_there_and_not_before() {
    let namespace = Namespace::new("order-of-start");
    // A region where nobody listens until the test wants it.
    namespace.apply_rendered(&Rendered::example("credentials-uri").setting("AWS_REGION=us-west-2"));
    let pod = Pod::labelled(&namespace, "app=app");
    eventually("the sidecar has tried and failed", || {
        let log = pod
            .namespace
            .try_kubectl(&["logs", &pod.name, "--container", SIDECAR])?;
        if log.contains("us-west-2.amazonaws.com") {
            Ok(())
        } else {
            Err(log)
        }
    });
    let waiting = pod.status("app");
    assert_eq!(
        waiting["state"]["waiting"]["reason"], "PodInitializing",
        "{waiting}"
    );
    assert_eq!(pod.status(SIDECAR)["started"], false);

    namespace.cluster.open_us_west_2();
    let pod = namespace.ready_app();
    assert_eq!(pod.status("app")["restartCount"], 0);
    // The kubelet did not lose patience with it either.
    assert_eq!(pod.status(SIDECAR)["restartCount"], 0);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_sidecar_killed_under_a_running_app_does_not_harm_it() {
    let namespace = Namespace::new("killed");
    namespace.apply_example("token-file");
    let pod = namespace.ready_app();
    let secret = || {
        pod.exec(
            "app",
            &["/bin/cat", "/var/run/irsa-sidecar/authorization-token"],
        )
    };
    let before = secret().expect("the authorization token");
    let mut app = pod.app("aws-sdk-go-1.55.6");
    app.call().expect("credentials");

    pod.signal(SIDECAR, "KILL");
    eventually("the sidecar is there again", || {
        app.call().expect("an app that has credentials goes on");
        let status = pod.status(SIDECAR);
        let back = status["restartCount"] == 1 && status["started"] == true;
        if back {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    assert_eq!(secret().as_deref(), Ok(&*before));
    pod.app("aws-sdk-go-1.55.6")
        .call()
        .expect("credentials for one that starts now");
    assert_eq!(pod.status("app")["restartCount"], 0);
}

/// The app makes its only call three seconds after it was told to stop, with a client that is started just then.
#[track_caller]
fn assert_last_call(name: &'static str, example: &str) {
    let namespace = Namespace::new(name);
    namespace.apply_rendered(&Rendered::example(example).tells_app("LAST_CALL"));
    let pod = namespace.ready_app();
    let session = format!("arn:aws:sts::111122223333:assumed-role/app/{}", pod.name);
    let calls = || {
        namespace
            .callers()
            .iter()
            .filter(|caller| **caller == session)
            .count()
    };
    assert_eq!(calls(), 0);
    namespace.kubectl(&["delete", "pod", &pod.name, "--timeout=60s"]);
    assert_eq!(calls(), 1);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn the_sidecar_outlives_an_app_that_is_told_to_stop() {
    assert_last_call("termination", "credentials-uri");
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_plain_sidecar_answers_while_the_app_stops() {
    assert_last_call("plain-termination", "plain-sidecar");
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn wait_and_probes_work_in_an_image_without_a_shell() {
    let namespace = Namespace::new("no-shell");
    let probes = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    spec:
      initContainers:
      - name: irsa-sidecar
        startupProbe:
          httpGet: null
          exec: {command: [/irsa-sidecar, wait, --timeout=1s]}
          timeoutSeconds: 5
";
    namespace.apply_rendered(&Rendered::example("credentials-uri").patch(probes));
    let pod = namespace.ready_app();
    assert!(pod.exec(SIDECAR, &["/bin/sh", "-c", "true"]).is_err());
    // It has passed its probe, or the app would not have started.
    assert_eq!(pod.status(SIDECAR)["started"], true);
    assert_eq!(pod.status(SIDECAR)["restartCount"], 0);
}
