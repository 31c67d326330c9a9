//! The role's ARN, by itself: whether an STS of the region can know it, and whether anybody in a pod can assume it.

use super::Entry;
use crate::diagnosis::steps;
use crate::role::RoleArn;

/// The form was checked when it was parsed. `region` is the one whose STS is asked, where that is known.
pub fn judge(role: &RoleArn, region: Option<&str>) -> Entry {
    if let Some(diagnosis) = role.diagnosis(region.unwrap_or_default()) {
        return Entry::failed(steps::ROLE, diagnosis);
    }
    let path = match role.path() {
        "" => String::new(),
        path => format!(
            "; its path {path}/ belongs to the ARN here, and is left out where aws-auth names the role"
        ),
    };
    Entry::fine(
        steps::ROLE,
        format!("{role}, of account {}{path}", role.account()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Finding, findings};
    use crate::doctor::Verdict;

    fn verdict(role: &str, region: Option<&str>) -> Result<String, Finding> {
        match judge(&role.parse().unwrap(), region).verdict {
            Verdict::Fine(found) => Ok(found),
            Verdict::Failed(diagnosis) => Err(diagnosis.finding),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_path_is_noted_where_there_is_one() {
        let found = verdict("arn:aws:iam::111122223333:role/app", Some("eu-west-1"));
        assert_eq!(
            found.unwrap(),
            "arn:aws:iam::111122223333:role/app, of account 111122223333"
        );
        let found = verdict("arn:aws:iam::111122223333:role/team/blue/app", None).unwrap();
        assert!(found.contains("its path team/blue/ "), "{found}");
    }

    #[test]
    fn a_role_that_nobody_in_the_region_or_in_a_pod_can_assume_fails() {
        let chinese = "arn:aws-cn:iam::111122223333:role/app";
        assert_eq!(
            verdict(chinese, Some("eu-west-1")),
            Err(findings::ROLE_OUT_OF_REACH)
        );
        assert!(verdict(chinese, Some("cn-north-1")).is_ok());
        assert!(verdict(chinese, None).is_ok(), "nobody knows the region");
        let linked = "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS";
        for region in [Some("eu-west-1"), None] {
            assert_eq!(verdict(linked, region), Err(findings::ROLE_SERVICE_LINKED));
        }
    }
}
