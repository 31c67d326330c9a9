//! `KUBERNETES_EXEC_INFO`: the version of the answer, and warnings in the AWS CLI's words.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::{DEMO, Printed};
use crate::sidecar::Pod;

const VARIABLE: &str = "KUBERNETES_EXEC_INFO";
const GROUP: &str = "client.authentication.k8s.io";

/// As client-go sets it.
fn asks_for(version: &str) -> OsString {
    let info = format!(
        "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{GROUP}/{version}\",\"spec\":{{\"interactive\":false}}}}\n"
    );
    info.into()
}

#[test]
fn the_version_of_the_answer_is_the_one_that_the_client_asks_for() {
    let parse_error = "Error parsing KUBERNETES_EXEC_INFO, defaulting to client.authentication.k8s.io/v1beta1. This is likely a bug in your Kubernetes client. Please update your Kubernetes client.";
    let deprecated = "Kubeconfig user entry is using deprecated API version client.authentication.k8s.io/v1alpha1.";
    let unrecognized = "Unrecognized API version in KUBERNETES_EXEC_INFO, defaulting to client.authentication.k8s.io/v1beta1.";
    let with_cluster = format!(
        "{{\"apiVersion\":\"{GROUP}/v1\",\"kind\":\"ExecCredential\",\"spec\":{{\"cluster\":{{\"server\":\"https://10.0.0.1\",\"certificate-authority-data\":\"{}\",\"config\":null}},\"interactive\":true}}}}",
        "QQ".repeat(50_000)
    );
    let cases: Vec<(Option<OsString>, &str, &str)> = vec![
        (None, "v1beta1", ""),
        (Some("".into()), "v1beta1", ""),
        (Some(asks_for("v1")), "v1", ""),
        (Some(asks_for("v1beta1")), "v1beta1", ""),
        (Some(with_cluster.into()), "v1", ""),
        (Some(asks_for("v1alpha1")), "v1alpha1", deprecated),
        (Some(asks_for("v2")), "v1beta1", unrecognized),
        (Some(asks_for("")), "v1beta1", unrecognized),
        (
            Some("{\"apiVersion\":\"v1\"}".into()),
            "v1beta1",
            unrecognized,
        ),
        (
            Some("{\"apiVersion\":null}".into()),
            "v1beta1",
            unrecognized,
        ),
        (Some("{}".into()), "v1beta1", unrecognized),
        (Some("{".into()), "v1beta1", parse_error),
        (Some("v1".into()), "v1beta1", parse_error),
        (
            Some(OsString::from_vec(b"\xff{}".to_vec())),
            "v1beta1",
            parse_error,
        ),
        (Some("[".repeat(100_000).into()), "v1beta1", parse_error),
    ];
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for (info, version, warning) in cases {
        for launch in [pod.beside(&sidecar, DEMO), pod.alone(DEMO)] {
            let launch = match &info {
                Some(info) => launch.env(VARIABLE, info.clone()),
                None => launch,
            };
            let finished = launch.output();
            assert!(finished.status.success(), "{finished:?}");
            let printed = Printed::read(&finished.stdout);
            assert_eq!(
                printed.api_version,
                format!("{GROUP}/{version}"),
                "{info:?}"
            );
            printed.reviewed(&pod);
            // One line, or none: kubectl passes it on to its user.
            let (said, lines) = (&finished.stderr, finished.stderr.lines().count());
            assert!(said.starts_with(warning), "{info:?}: {said}");
            assert_eq!(lines, usize::from(!warning.is_empty()), "{said}");
            assert!(!said.contains("aws eks"), "advice for another tool: {said}");
        }
    }
}
