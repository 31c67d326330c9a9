//! What is printed to let a token in does let it in.

use emulator::{Mode, Role};

use super::presigned::assert_nothing_shown;
use super::{inspect, line};
use crate::sidecar::{Finished, Pod};

const ROLE_WITH_PATH: &str = "arn:aws:iam::111122223333:role/team/app";
const SUBJECT: &str = "system:serviceaccount:team:app";

/// A role with a path, a cluster that does not know it, and a token of it.
fn stranger() -> (Pod, emulator::Cluster, String) {
    let pod = Pod::new();
    let issuer = pod.emulator.issuer().iss();
    let role = Role::trusting(ROLE_WITH_PATH, issuer, SUBJECT);
    pod.emulator.sts().add_role(role);
    let cluster = pod.emulator.add_cluster("closed", "eu-west-1");
    let ended = pod
        .alone(["get-token", "--cluster-name", "closed"])
        .env("AWS_ROLE_ARN", ROLE_WITH_PATH)
        .output();
    let credential: serde_json::Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let token = credential["status"]["token"].as_str().expect("a token");
    (pod, cluster, token.to_owned())
}

/// The report, whoever it is read by.
fn report(pod: &Pod, token: &str, role: Option<&str>) -> Finished {
    let launch = inspect(pod, &["--cluster-name", "closed"]);
    let launch = match role {
        Some(role) => launch.env("AWS_ROLE_ARN", role),
        None => launch,
    };
    let ended = launch.given(token.as_bytes());
    assert_eq!(
        (ended.status.code(), ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    assert_nothing_shown(&ended, token);
    ended
}

/// The lines between a heading and the next blank line.
#[track_caller]
fn below(ended: &Finished, heading: &str) -> String {
    let (_, rest) = ended
        .stdout
        .split_once(&format!("{heading}\n\n"))
        .expect("a heading");
    let (found, _) = rest.split_once("\n\n").unwrap_or((rest, ""));
    format!("{}\n", found.trim_end())
}

#[test]
fn the_printed_aws_auth_entry_lets_the_token_in() {
    let (pod, cluster, token) = stranger();
    let refused = cluster.review(&token).expect_err("nobody knows it");
    assert!(
        !refused.contains("sts getCallerIdentity failed"),
        "{refused}"
    );
    for role in [None, Some(ROLE_WITH_PATH)] {
        let ended = report(&pod, &token, role);
        let entry = below(
            &ended,
            "To let it in, in the ConfigMap aws-auth of kube-system, under mapRoles:",
        );
        assert!(
            entry.contains("rolearn: arn:aws:iam::111122223333:role/app\n"),
            "{entry}"
        );
        cluster.set_aws_auth(&entry, "");
        let reviewed = cluster.review(&token).expect("the entry lets it in");
        assert_eq!(reviewed.username, "app:app-7d9f8b6c5-x2x4q");
        assert_eq!(reviewed.groups, ["RBAC_GROUP"]);
        cluster.set_aws_auth("", "");
        // With the path, as people write it, it would not.
        cluster.set_aws_auth(&entry.replace("role/app", "role/team/app"), "");
        cluster.review(&token).expect_err("a path in aws-auth");
        cluster.set_aws_auth("", "");
    }
}

#[test]
fn the_printed_access_entry_lets_the_token_in() {
    let (pod, cluster, token) = stranger();
    cluster.set_authentication_mode(Mode::Api);
    let ended = report(&pod, &token, Some(ROLE_WITH_PATH));
    let commands = below(&ended, "or with an access entry:");
    let words: Vec<&str> = commands
        .lines()
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let [
        "aws",
        "eks",
        "create-access-entry",
        "--region",
        "eu-west-1",
        "--cluster-name",
        "closed",
        "--principal-arn",
        principal,
        "--kubernetes-groups",
        group,
    ] = words[..]
    else {
        panic!("{commands}");
    };
    assert_eq!(principal, ROLE_WITH_PATH);
    let policy = format!(
        "aws eks associate-access-policy --region eu-west-1 --cluster-name closed --principal-arn {principal} \
         --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope type=cluster"
    );
    assert_eq!(commands.lines().nth(1), Some(policy.as_str()));
    cluster.add_access_entry(principal, None, &[group]);
    let reviewed = cluster.review(&token).expect("the entry lets it in");
    assert_eq!(reviewed.groups, ["RBAC_GROUP"]);
}

/// A session's ARN does not show the path, and STS tells nobody.
#[test]
fn where_the_role_is_not_known_the_missing_path_is_pointed_out() {
    let (pod, _, token) = stranger();
    let another = "arn:aws:iam::111122223333:role/somebody/else";
    for role in [None, Some(another), Some("nonsense")] {
        let ended = report(&pod, &token, role);
        let commands = below(&ended, "or with an access entry:");
        let mut lines = commands.lines();
        assert_eq!(
            lines.next(),
            Some("# If the role has a path, its ARN needs it here: role/PATH/NAME.")
        );
        let command = lines.next().unwrap_or_default();
        assert!(
            command.contains("--principal-arn arn:aws:iam::111122223333:role/app "),
            "{command}"
        );
        assert_eq!(
            line(&ended, "canonical arn"),
            "arn:aws:iam::111122223333:role/app"
        );
    }
}

#[test]
fn the_role_of_the_pod_is_found_wherever_it_is_configured() {
    let (pod, _, token) = stranger();
    let file = pod.path("settings.yaml");
    std::fs::write(&file, format!("roleArn: {ROLE_WITH_PATH}\n")).expect("a file");
    let file = file.to_str().expect("a path");
    for (name, value) in [
        ("IRSA_SIDECAR_ROLE_ARN", ROLE_WITH_PATH),
        ("IRSA_SIDECAR_CONFIG", file),
        ("AWS_ROLE_ARN", ROLE_WITH_PATH),
    ] {
        let ended = inspect(&pod, &["--cluster-name", "closed"])
            .env(name, value)
            .given(token.as_bytes());
        let wanted = format!("--principal-arn {ROLE_WITH_PATH} ");
        assert!(ended.stdout.contains(&wanted), "{name}: {ended:?}");
    }
}
