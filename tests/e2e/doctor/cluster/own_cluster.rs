//! `--in-cluster`: the API server that every pod finds in its environment, by the CA that every pod has, without
//! DescribeCluster.

use emulator::ROLE_ARN;

use super::super::finding_of;
use super::{only, text, without_secrets};
use crate::annotation::Annotated;
use crate::sidecar::{Finished, Launch};

/// With a setting for the role; `cluster` as it is named.
fn doctor(annotated: &Annotated, cluster: &str) -> Launch {
    annotated
        .serve()
        .without("IRSA_SIDECAR_ROLE_FROM_ANNOTATION")
        .env("AWS_ROLE_ARN", ROLE_ARN)
        .env("IRSA_SIDECAR_LISTEN", crate::sidecar::NOBODY)
        .with_arguments(["doctor", "--json", "--in-cluster"])
        .arg(cluster)
}

fn ends(annotated: &Annotated, launch: &Launch) -> Finished {
    without_secrets(&annotated.pod, annotated.output(launch))
}

#[test]
fn the_pods_own_api_server_is_asked_without_a_word_to_eks() {
    let annotated = Annotated::new();
    annotated.cluster().deny_describe(ROLE_ARN);
    let finished = ends(&annotated, &doctor(&annotated, "--cluster-name=demo"));
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let describe = finding_of(&finished, "eks-cluster");
    assert_eq!(describe["status"], "skipped");
    assert_eq!(text(&describe, "found"), "not needed with --in-cluster");
    let login = finding_of(&finished, "eks-login");
    assert!(
        text(&login, "found").starts_with("let in as \"job:app-7d9f8b6c5-x2x4q\""),
        "{login}"
    );
    assert_eq!(annotated.cluster().describes(), 0);
}

#[test]
fn a_name_that_is_not_the_clusters_is_what_nobody_else_can_tell() {
    let annotated = Annotated::new();
    let finished = ends(&annotated, &doctor(&annotated, "--cluster-name=dem"));
    let refused = only(&finished, "eks-unauthorized");
    let fix = text(&refused, "fix");
    assert!(
        fix.contains("good for a cluster that is called exactly dem"),
        "{fix}"
    );
}

#[test]
fn a_cluster_on_an_outpost_is_entered_by_its_id() {
    let annotated = Annotated::new();
    annotated.cluster().set_outpost("1-2-3-4");
    let finished = ends(&annotated, &doctor(&annotated, "--cluster-id=1-2-3-4"));
    let login = finding_of(&finished, "eks-login");
    assert_eq!(login["status"], "ok", "{login}");
}

#[test]
fn without_address_or_ca_it_is_said_which_is_missing() {
    for (id, word) in [
        ("not-in-cluster", "KUBERNETES_SERVICE_HOST"),
        ("api-token-missing", "ca.crt"),
    ] {
        let annotated = Annotated::new();
        let launch = doctor(&annotated, "--cluster-name=demo");
        let launch = match id {
            "not-in-cluster" => launch.without("KUBERNETES_SERVICE_HOST"),
            _ => {
                annotated.unmount("ca.crt");
                launch
            }
        };
        let refused = only(&ends(&annotated, &launch), id);
        assert!(text(&refused, "found").contains(word), "{refused}");
        assert!(text(&refused, "fix").contains("leave --in-cluster out"));
    }
}

#[test]
fn a_server_that_the_clusters_ca_did_not_sign_for_is_shown_no_token() {
    let annotated = Annotated::new();
    let stranger = emulator::Emulator::start();
    annotated.mount("ca.crt", stranger.ca_pem());
    let finished = ends(&annotated, &doctor(&annotated, "--cluster-name=demo"));
    let refused = only(&finished, "eks-api-unreachable");
    assert!(text(&refused, "found").contains("certificate"), "{refused}");
    assert!(text(&refused, "fix").contains("NetworkPolicy"), "{refused}");
    assert_eq!(annotated.readings(), 0);
}
