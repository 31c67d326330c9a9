//! What doctor prints for whom the cluster does not let in does let in: by the ConfigMap and by an access entry.

use std::path::PathBuf;

use emulator::{Cluster, Mode, ROLE_ARN, Role};

use super::super::finding_of;
use super::{below, doctor, ends, only, text};
use crate::kubectl::client::Kubectl;
use crate::sidecar::{Launch, Pod};

const ROLE_WITH_PATH: &str = "arn:aws:iam::111122223333:role/team/app";
const MAP_ROLES: &str = "add this to mapRoles in the ConfigMap aws-auth";
const ENTRY: &str = "make an access entry";

/// A role with a path, and a cluster that does not know it, where `jobs` may see pods.
fn stranger() -> (Pod, Cluster, Launch) {
    let pod = Pod::new();
    let issuer = pod.emulator.issuer().iss();
    let role = Role::trusting(ROLE_WITH_PATH, issuer, "system:serviceaccount:team:app");
    pod.emulator.sts().add_role(role);
    let cluster = pod.emulator.add_cluster("closed", "eu-west-1");
    cluster.allow("jobs", &["get", "list"], "pods", Some("default"));
    let launch = doctor(&pod)
        .env("AWS_ROLE_ARN", ROLE_WITH_PATH)
        .arg("--cluster-name=closed");
    (pod, cluster, launch)
}

/// By which kubectl runs our plugin, as that role.
fn kubeconfig(pod: &Pod) -> (PathBuf, Launch) {
    let path = pod.path("kubeconfig");
    let plugin = pod
        .alone(["kubeconfig", "--cluster-name=closed", "--exec"])
        .env("AWS_ROLE_ARN", ROLE_WITH_PATH)
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url());
    let written = plugin.command().arg("--kubeconfig").arg(&path).output();
    let written = written.expect("the binary runs");
    assert!(written.status.success(), "{written:?}");
    (path, plugin)
}

#[track_caller]
fn can_see_pods(pod: &Pod, expected: &str) {
    let (path, plugin) = kubeconfig(pod);
    let asked = ["auth", "can-i", "list", "pods"];
    let said = Kubectl::one().run(&path, &plugin, &asked);
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains(expected), "{said:?}");
    assert_eq!(said.status.success(), expected == "yes", "{said:?}");
}

#[track_caller]
fn is_let_in(pod: &Pod, launch: &Launch, words: &[&str]) {
    let finished = ends(pod, launch);
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let login = finding_of(&finished, "eks-login");
    assert_eq!(login["status"], "ok", "{login}");
    for part in words {
        assert!(text(&login, "found").contains(part), "{part:?}: {login}");
    }
}

#[test]
fn the_printed_entry_for_aws_auth_makes_kubectl_answer_yes() {
    let (pod, cluster, launch) = stranger();
    can_see_pods(&pod, "You must be logged in to the server");
    let finished = ends(&pod, &launch);
    let refused = only(&finished, "eks-unauthorized");
    let found = text(&refused, "found");
    assert!(
        found.contains("You must be logged in to the server (Unauthorized)"),
        "{found}"
    );
    assert!(
        found.contains("arn:aws:sts::111122223333:assumed-role/app/app-7d9f8b6c5-x2x4q"),
        "{found}"
    );
    let fix = text(&refused, "fix");
    let entry = below(fix, MAP_ROLES);
    assert!(fix.contains("kubectl edit -n kube-system configmap aws-auth"));
    cluster.set_aws_auth(&entry.replace("RBAC_GROUP", "jobs"), "");
    can_see_pods(&pod, "yes");
    let name = "let in as \"app:app-7d9f8b6c5-x2x4q\", in the groups \"jobs\"";
    is_let_in(&pod, &launch, &[name]);
}

#[test]
fn where_only_access_entries_count_that_is_said_and_the_printed_one_makes_kubectl_answer_yes() {
    let (pod, cluster, launch) = stranger();
    cluster.set_authentication_mode(Mode::Api);
    // All that people know to do, and of no use here.
    cluster.set_aws_auth(
        "- rolearn: arn:aws:iam::111122223333:role/app\n  username: app\n",
        "",
    );
    let refused = only(&ends(&pod, &launch), "eks-unauthorized");
    let expected = text(&refused, "expected");
    assert!(
        expected
            .contains("the authentication mode is API, and what stands in aws-auth does not count"),
        "{expected}"
    );
    let fix = text(&refused, "fix");
    assert!(!fix.contains("mapRoles"), "{fix}");
    assert!(fix.contains("deleted and made again"), "{fix}");
    let commands = below(fix, ENTRY);
    let first = commands.lines().next().expect("a command");
    assert!(
        first.starts_with("aws eks create-access-entry --region eu-west-1 --cluster-name closed "),
        "{first}"
    );
    let (_, rest) = first.split_once("--principal-arn ").expect("a principal");
    let (principal, _) = rest.split_once(' ').expect("a group behind it");
    assert_eq!(principal, ROLE_WITH_PATH);
    cluster.add_access_entry(principal, None, &["jobs"]);
    can_see_pods(&pod, "yes");
    is_let_in(&pod, &launch, &["assumed-role/app/", "\"jobs\""]);
    // A role of the same name is another one, and its entry has to be made anew.
    let issuer = pod.emulator.issuer().iss();
    let again = Role::trusting(ROLE_WITH_PATH, issuer, "system:serviceaccount:team:app");
    pod.emulator.sts().add_role(again);
    only(&ends(&pod, &launch), "eks-unauthorized");
}

#[test]
fn where_only_aws_auth_counts_no_access_entry_is_asked_for() {
    let (pod, cluster, launch) = stranger();
    cluster.set_authentication_mode(Mode::ConfigMap);
    cluster.add_access_entry(ROLE_WITH_PATH, None, &["jobs"]);
    let refused = only(&ends(&pod, &launch), "eks-unauthorized");
    let (expected, fix) = (text(&refused, "expected"), text(&refused, "fix"));
    assert!(
        expected.contains("CONFIG_MAP, and access entries do not count"),
        "{expected}"
    );
    assert!(!fix.contains("create-access-entry"), "{fix}");
    // What stands in most entries that do not work.
    for wrong in [
        ROLE_WITH_PATH,
        "arn:aws:sts::111122223333:assumed-role/app/app-7d9f8b6c5-x2x4q",
        "arn:aws:iam::111122223333:instance-profile/app",
    ] {
        cluster.set_aws_auth(&format!("- rolearn: {wrong}\n  username: app\n"), "");
        only(&ends(&pod, &launch), "eks-unauthorized");
    }
    assert!(fix.contains("without the role's path"), "{fix}");
    assert!(fix.contains("assumed-role") && fix.contains("instance profile"));
    let entry = below(fix, MAP_ROLES);
    cluster.set_aws_auth(entry, "");
    is_let_in(&pod, &launch, &["\"RBAC_GROUP\""]);
}

#[test]
fn where_the_cluster_cannot_be_asked_what_lets_in_is_said_all_the_same() {
    let (pod, cluster, launch) = stranger();
    cluster.deny_describe(ROLE_WITH_PATH);
    let finished = ends(&pod, &launch);
    only(&finished, "eks-access-denied");
    let login = finding_of(&finished, "eks-login");
    let found = text(&login, "found");
    assert!(
        found.starts_with("where the cluster is is not known: see eks-access-denied\n"),
        "{found}"
    );
    assert!(below(found, ENTRY).contains(ROLE_WITH_PATH));
    let entry = below(found, MAP_ROLES);
    cluster.set_aws_auth(&entry.replace("RBAC_GROUP", "jobs"), "");
    let (path, ca) = (pod.path("kubeconfig"), pod.path("ca.pem"));
    std::fs::write(&ca, pod.emulator.ca_pem()).expect("a file");
    let plugin = pod
        .alone(["kubeconfig", "--cluster-name=closed", "--exec"])
        .env("AWS_ROLE_ARN", ROLE_WITH_PATH)
        .arg("--server")
        .arg(cluster.url())
        .arg("--certificate-authority")
        .arg(&ca)
        .arg("--kubeconfig")
        .arg(&path);
    let ended = plugin.ends();
    assert!(ended.status.success(), "{ended:?}");
    let said = Kubectl::one().run(&path, &plugin, &["auth", "can-i", "list", "pods"]);
    assert_eq!(said.stdout.trim(), "yes", "{said:?}");
}

/// `role-arn` of get-token; the pod's own role is known to the cluster, and that does not matter.
#[test]
fn whoever_is_assumed_is_whom_the_entry_is_for() {
    let pod = Pod::new();
    let deploy = "arn:aws:iam::111122223333:role/ci/deploy";
    let role = Role::assumable_by(deploy, &[ROLE_ARN]);
    pod.emulator.sts().add_role(role);
    let launch = doctor(&pod)
        .arg("--cluster-name=demo")
        .arg("--assume-role-arn")
        .arg(deploy);
    let refused = only(&ends(&pod, &launch), "eks-unauthorized");
    let fix = text(&refused, "fix");
    assert!(below(fix, MAP_ROLES).contains("rolearn: arn:aws:iam::111122223333:role/deploy\n"));
    assert!(below(fix, ENTRY).contains(deploy));
    let cluster = pod.emulator.cluster();
    cluster.set_aws_auth(below(fix, MAP_ROLES), "");
    is_let_in(&pod, &launch, &["\"deploy:app-7d9f8b6c5-x2x4q\""]);
}
