//! IAM roles, and the usual trust policy of one that a service account may assume.

use std::time::Duration;

use serde_json::{Value, json};

use super::session::Session;
use crate::random;

/// The role that every emulator starts with.
pub const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/app";

const TWELVE_HOURS: Duration = Duration::from_secs(12 * 3600);

/// An IAM role.
#[derive(Clone, Debug)]
pub struct Role {
    /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
    pub arn: String,
    /// The trust policy, an IAM policy document: for web identities and services of AWS.
    pub trust: Value,
    /// The AWS principals of the trust policy: who may assume the role with credentials. The ARN of
    /// a role, with its path, or of a session, or `arn:aws:iam::ACCOUNT:root` for all in the account.
    pub principals: Vec<String>,
    /// The longest session that may be asked for; more is an error.
    pub max_session_duration: Duration,
}

impl Role {
    /// A role that `subject` may assume with tokens of the issuer for `sts.amazonaws.com`, for up
    /// to 12 hours: what `eksctl create iamserviceaccount` makes.
    pub fn trusting(arn: &str, issuer: &str, subject: &str) -> Self {
        let provider = provider_name(issuer);
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Federated": provider_arn(arn, issuer) },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        format!("{provider}:aud"): "sts.amazonaws.com",
                        format!("{provider}:sub"): subject,
                    },
                },
            }],
        });
        Self {
            arn: arn.to_owned(),
            trust,
            principals: Vec::new(),
            max_session_duration: TWELVE_HOURS,
        }
    }

    /// A role that these AWS principals may assume, and no token opens.
    pub fn assumable_by(arn: &str, principals: &[&str]) -> Self {
        Self {
            arn: arn.to_owned(),
            trust: Value::Null,
            principals: principals.iter().map(|&arn| arn.to_owned()).collect(),
            max_session_duration: TWELVE_HOURS,
        }
    }

    /// A role that only a service of AWS may assume, as `eks.amazonaws.com` that of a cluster.
    pub fn of_service(arn: &str, service: &str) -> Self {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": service },
                "Action": "sts:AssumeRole",
            }],
        });
        Self {
            trust,
            ..Self::assumable_by(arn, &[])
        }
    }

    /// Whether a session is among the AWS principals.
    pub(super) fn trusts(&self, caller: &Session) -> bool {
        let partition = field(&caller.role_arn, 1);
        let root = format!("arn:{partition}:iam::{}:root", caller.account);
        let is_caller = |principal: &String| {
            ["*", &caller.role_arn, &caller.arn, &caller.account, &root]
                .contains(&principal.as_str())
        };
        self.principals.iter().any(is_caller)
    }

    /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`: without the role's path.
    pub(super) fn session_arn(&self, session_name: &str) -> String {
        let (partition, account) = (field(&self.arn, 1), field(&self.arn, 4));
        let name = self.arn.rsplit('/').next().unwrap_or_default();
        format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session_name}")
    }

    /// The 12 digits.
    pub(super) fn account(&self) -> &str {
        field(&self.arn, 4)
    }
}

/// A role in force: IAM gave it an id that tells it from an earlier role of the same name.
#[derive(Clone, Debug)]
pub(super) struct RegisteredRole {
    pub(super) role: Role,
    pub(super) id: String,
}

impl RegisteredRole {
    pub(super) fn new(role: Role) -> Self {
        let id = format!(
            "AROA{}",
            random::characters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17)
        );
        Self { role, id }
    }
}

/// The issuer as it stands in ARNs and condition keys: the URL without its scheme.
pub(super) fn provider_name(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

/// The issuer as an IAM OIDC provider in the account of the role.
pub(super) fn provider_arn(role_arn: &str, issuer: &str) -> String {
    let (partition, account) = (field(role_arn, 1), field(role_arn, 4));
    format!(
        "arn:{partition}:iam::{account}:oidc-provider/{}",
        provider_name(issuer)
    )
}

fn field(arn: &str, index: usize) -> &str {
    arn.split(':').nth(index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sts::session::Issued;

    #[test]
    fn a_session_arn_names_the_role_without_its_path() {
        let role = Role::trusting("arn:aws-cn:iam::123456789012:role/eks/team/app", "", "");
        assert_eq!(
            role.session_arn("pod-1"),
            "arn:aws-cn:sts::123456789012:assumed-role/app/pod-1"
        );
        assert_eq!(role.account(), "123456789012");
    }

    #[test]
    fn the_account_root_is_that_of_the_callers_partition() {
        let issued = Issued::generate(0, 20);
        let caller = Session {
            issued,
            expires_at: 0,
            account: "123456789012".to_owned(),
            role_arn: "arn:aws-cn:iam::123456789012:role/eks/app".to_owned(),
            arn: "arn:aws-cn:sts::123456789012:assumed-role/app/pod-1".to_owned(),
            user_id: "AROA1:pod-1".to_owned(),
        };
        let trusts = |principal: &str| Role::assumable_by("", &[principal]).trusts(&caller);
        assert!(trusts("arn:aws-cn:iam::123456789012:root"));
        assert!(trusts("arn:aws-cn:iam::123456789012:role/eks/app"));
        assert!(!trusts("arn:aws:iam::123456789012:root"));
        assert!(!trusts("arn:aws-cn:iam::123456789012:role/app"));
    }
}
