//! Subcommands that do the walk by themselves read the service account themselves.

use super::{Annotated, OTHER, ROLE};
use crate::sidecar::{Launch, NOBODY};

fn alone(annotated: &Annotated, arguments: &[&str]) -> Launch {
    let launch = annotated.serve().with_arguments(arguments.iter().copied());
    launch.env("IRSA_SIDECAR_LISTEN", NOBODY)
}

#[test]
fn the_role_of_the_annotation_is_taken_where_no_sidecar_runs() {
    let annotated = Annotated::new();
    annotated.annotate(&[("iam.example.com/role-arn", OTHER)]);
    annotated.cluster().add_access_entry(OTHER, None, &[]);
    for arguments in [
        &["credential-process"][..],
        &["get-token", "--cluster-name", "demo"],
    ] {
        let launch = alone(&annotated, arguments)
            .without("IRSA_SIDECAR_ROLE_FROM_ANNOTATION")
            .arg("--role-from-annotation")
            .arg("--annotation-prefix=iam.example.com");
        let ended = annotated.output(&launch);
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let calls = annotated.pod.exchange_calls();
        let role = calls.last().and_then(|call| call.role_arn.as_deref());
        assert_eq!(role, Some(OTHER));
        let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
        if let Some(token) = document["status"]["token"].as_str() {
            let reviewed = annotated.cluster().review(token).expect("a good token");
            assert_eq!(reviewed.canonical_arn, OTHER);
        }
    }
}

#[test]
fn what_is_to_be_applied_is_printed_as_it_is() {
    let annotated = Annotated::new();
    annotated.cluster().forbid_everything();
    for arguments in [
        &["credential-process"][..],
        &["get-token", "--cluster-name", "demo"],
        &[
            "kubeconfig",
            "--cluster-name",
            "demo",
            "--dry-run",
            "--exec",
        ],
    ] {
        let ended = annotated.output(&alone(&annotated, arguments));
        assert_eq!(
            (ended.status.code(), ended.stdout.as_str()),
            (Some(1), ""),
            "{ended:?}"
        );
        let manifest = "\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n";
        assert!(ended.stderr.contains(manifest), "{}", ended.stderr);
    }
    annotated
        .cluster()
        .allow_service_account_to_get_itself("team", "app");
    annotated.annotate(&[(ROLE, "no role")]);
    let ended = annotated.output(&alone(&annotated, &["credential-process"]));
    assert!(ended.stderr.contains("\"no role\""), "{}", ended.stderr);
}
