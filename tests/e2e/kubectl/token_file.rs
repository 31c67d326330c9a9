//! kubectl with the token file and the kubeconfig that the sidecar writes: an image that holds nothing else.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::client::{Kubectl, with_every_kubectl};
use super::{POD, USERNAME, fails, replaced, sidecar_with_files, succeeds, take_all_rights, unmap};
use crate::sidecar::{Finished, Launch, Pod, read};

/// The job's container knows of nothing.
fn run(kubectl: &Kubectl, kubeconfig: &Path, arguments: &[&str]) -> Finished {
    let nothing = Launch::new([""; 0]);
    kubectl.run(kubeconfig, &nothing, arguments)
}

#[test]
fn every_kubectl_is_the_pods_role_and_may_what_that_may() {
    let pod = Pod::new();
    let (_sidecar, kubeconfig) = sidecar_with_files(&pod);
    with_every_kubectl(|kubectl| {
        let who = run(kubectl, &kubeconfig, &["auth", "whoami", "-o", "json"]);
        assert!(who.status.success(), "{kubectl}: {who:?}");
        let who: Value = serde_json::from_str(&who.stdout).expect("JSON");
        let user = &who["status"]["userInfo"];
        assert_eq!(user["username"], USERNAME, "{kubectl}: {who}");
        assert_eq!(user["extra"]["canonicalArn"][0], emulator::ROLE_ARN);
        let groups = user["groups"].as_array().expect("a list");
        assert!(groups.contains(&"jobs".into()), "{who}");
        let can = |verb| run(kubectl, &kubeconfig, &["auth", "can-i", verb, "pods"]);
        succeeds(&can("get"), "yes");
        fails(&can("delete"), &["no"]);
        let pods = run(kubectl, &kubeconfig, &["get", "pods", "-o", "name"]);
        succeeds(&pods, POD);
    });
    let token = read(&pod.path("eks/demo.eks-token"));
    for request in pod.emulator.cluster().requests() {
        assert_eq!(request.token.as_ref(), Some(&token), "{}", request.path);
    }
}

/// Authenticated and not authorized: what is missing is RBAC, and nothing of ours.
#[test]
fn who_is_known_and_has_no_rights_is_told_no_and_forbidden() {
    let pod = Pod::new();
    let (_sidecar, kubeconfig) = sidecar_with_files(&pod);
    take_all_rights(&pod);
    with_every_kubectl(|kubectl| {
        let can = run(kubectl, &kubeconfig, &["auth", "can-i", "get", "pods"]);
        fails(&can, &["no"]);
        let pods = run(kubectl, &kubeconfig, &["get", "pods"]);
        fails(
            &pods,
            &["(Forbidden)", "cannot list resource \"pods\"", USERNAME],
        );
    });
}

#[test]
fn who_is_not_mapped_is_unauthorized() {
    let pod = Pod::new();
    let (_sidecar, kubeconfig) = sidecar_with_files(&pod);
    unmap(&pod);
    with_every_kubectl(|kubectl| {
        let can = run(kubectl, &kubeconfig, &["auth", "can-i", "get", "pods"]);
        fails(
            &can,
            &["You must be logged in to the server (Unauthorized)"],
        );
    });
    let requests = pod.emulator.cluster().requests();
    assert!(requests.iter().all(|request| request.status == 401));
    // Nothing is kept of a refusal: once the role is mapped the same token is good.
    let sent = requests.iter().find_map(|request| request.token.clone());
    let roles = format!("- rolearn: {}\n  username: job\n", emulator::ROLE_ARN);
    pod.emulator.cluster().set_aws_auth(&roles, "");
    let reviewed = pod.emulator.cluster().review(&sent.expect("a token"));
    assert!(reviewed.is_ok(), "{reviewed:?}");
}

#[test]
fn a_token_of_a_quarter_of_an_hour_ago_is_unauthorized_and_the_file_holds_a_newer_one() {
    let pod = Pod::new();
    let (_sidecar, kubeconfig) = sidecar_with_files(&pod);
    let file = pod.path("eks/demo.eks-token").display().to_string();
    let kept = pod.path("kept").display().to_string();
    fs::copy(&file, &kept).expect("a copy");
    let with_kept = replaced(&kubeconfig, &file, &kept);
    let can = ["auth", "can-i", "get", "pods"];
    succeeds(&run(&Kubectl::one(), &with_kept, &can), "yes");
    pod.emulator.sts().set_clock_skew(16 * 60);
    fails(&run(&Kubectl::one(), &with_kept, &can), &["(Unauthorized)"]);
    let refusal = pod.emulator.cluster().review(&read(Path::new(&kept)));
    let refusal = refusal.expect_err("16 minutes old");
    assert!(refusal.contains("15 minute expiration"), "{refusal}");
}
