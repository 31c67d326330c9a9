//! The role's ARN by itself.

use irsa_sidecar::diagnosis::{Finding, findings};

use super::{Row, finding_of, findings_of, words};
use crate::sidecar::{Finished, Pod};

const CHINESE: &str = "arn:aws-cn:iam::111122223333:role/app";
const LINKED: &str =
    "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS";

pub fn rows() -> Vec<Row> {
    let row = |finding, run| Row {
        finding,
        status: "fail",
        run,
    };
    vec![
        row(findings::ROLE_OUT_OF_REACH, || of(CHINESE)),
        row(findings::ROLE_SERVICE_LINKED, || of(LINKED)),
    ]
}

fn of(role: &str) -> Finished {
    let pod = Pod::new();
    let launch = pod.alone(["doctor", "--json", "--offline"]);
    launch.env("AWS_ROLE_ARN", role).ends()
}

/// It is one trouble: the configuration, whose business the region is too, says nothing of it.
#[test]
fn a_role_that_cannot_be_assumed_is_one_failure_with_what_to_set() {
    let cases: [(Finding, &str, &[&str]); 2] = [
        (
            findings::ROLE_OUT_OF_REACH,
            CHINESE,
            &[
                "it is in the partition aws-cn, and the region eu-west-1 in aws",
                "set role-arn to a role of an account in aws, arn:aws:iam::ACCOUNT:role/NAME, or region to one in aws-cn",
            ],
        ),
        (
            findings::ROLE_SERVICE_LINKED,
            LINKED,
            &["only its service can assume", "make a role of your own"],
        ),
    ];
    for (finding, role, parts) in cases {
        let finished = of(role);
        let words = words(&finding_of(&finished, finding.id));
        assert!(
            words.starts_with(&format!("the role is {role}: ")),
            "{words}"
        );
        for part in parts {
            assert!(words.contains(part), "{part:?} is not in {words}");
        }
        let all = findings_of(&finished);
        let fails = all.iter().filter(|entry| entry["status"] == "fail");
        assert_eq!(fails.count(), 1, "{}", finished.stdout);
        assert_eq!(finding_of(&finished, "configuration")["status"], "ok");
    }
}

#[test]
fn serve_warns_of_such_a_role_with_the_same_finding_and_sentence() {
    for (finding, role) in [
        (findings::ROLE_OUT_OF_REACH, CHINESE),
        (findings::ROLE_SERVICE_LINKED, LINKED),
    ] {
        let found = finding_of(&of(role), finding.id)["found"].clone();
        let found = found.as_str().expect("a text");
        let pod = Pod::new();
        let sidecar = pod.serve().env("AWS_ROLE_ARN", role).start();
        sidecar.wait_event(finding.id, |event| {
            let message = event["message"].as_str().unwrap_or_default();
            event["finding"] == finding.id && event["level"] == "WARN" && message.starts_with(found)
        });
    }
}

#[test]
fn a_good_role_is_shown_with_its_account_and_what_its_path_is_not_part_of() {
    let role = "arn:aws:iam::111122223333:role/team/blue/app";
    let finding = finding_of(&of(role), "role");
    assert_eq!(finding["status"], "ok");
    let found = finding["found"].as_str().expect("a text");
    for part in [
        role,
        "account 111122223333",
        "its path team/blue/",
        "aws-auth",
    ] {
        assert!(found.contains(part), "{part:?} is not in {found}");
    }
}
