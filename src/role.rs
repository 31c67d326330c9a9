//! The role to assume: its ARN, and the role session name that CloudTrail shows.

use std::fmt;
use std::str::FromStr;

use crate::claims::{Claims, Kubernetes};
use crate::diagnosis::{Diagnosis, findings, refused};
use crate::partition::Partition;

/// `arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME`; nothing else can be assumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleArn(String);

/// Why a text is no role ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotARoleArn(&'static str);

impl fmt::Display for NotARoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for RoleArn {
    type Err = NotARoleArn;

    /// The EKS webhook's pattern and the API's limits: 20 to 2048 characters.
    fn from_str(text: &str) -> Result<Self, NotARoleArn> {
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = fields[..] else {
            return Err(NotARoleArn("it has not the six fields of an ARN"));
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if arn != "arn" || !partition.starts_with("aws") || !partition.chars().all(plain) {
            return Err(NotARoleArn(
                "it does not begin with arn:aws, arn:aws-cn, arn:aws-us-gov or another partition",
            ));
        }
        if service == "sts" {
            return Err(NotARoleArn(
                "it is the ARN of a session (sts … assumed-role), not of the role itself",
            ));
        }
        if service != "iam" || !region.is_empty() {
            return Err(NotARoleArn("it is not an ARN of IAM"));
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotARoleArn("its account is not twelve digits"));
        }
        let Some(name) = resource.strip_prefix("role/") else {
            return Err(NotARoleArn("it names no role but something else"));
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_/+=,.@-".contains(&b);
        if name.is_empty() || name.ends_with('/') || !name.bytes().all(allowed) {
            return Err(NotARoleArn(
                "the name after role/ is empty or has characters that no role name has",
            ));
        }
        if text.len() > 2048 {
            return Err(NotARoleArn("it is longer than 2048 characters"));
        }
        Ok(RoleArn(text.to_owned()))
    }
}

impl RoleArn {
    /// The account that the role is in, twelve digits.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// The partition that the role is in.
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// What stands after the path: by it IAM's commands know the role.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Why no STS of `region` can know this role; `None` where it can, or where the region is none that we know.
    pub fn out_of_reach(&self, region: &str) -> Option<String> {
        let (ours, theirs) = (self.partition(), Partition::of_region(region)?.name);
        (ours != theirs)
            .then(|| format!("it is in the partition {ours}, and the region {region} in {theirs}"))
    }

    /// Whether only a service of AWS can assume it.
    fn is_service_linked(&self) -> bool {
        self.0.contains(":role/aws-service-role/")
    }

    /// Why no STS of `region` gives anybody in a pod a session of it, whatever its trust policy says.
    pub fn diagnosis(&self, region: &str) -> Option<Diagnosis> {
        if self.is_service_linked() {
            return Some(Diagnosis {
                finding: findings::ROLE_SERVICE_LINKED,
                found: format!("the role is {self}: {SERVICE_LINKED}"),
                expected: "a role whose trust policy can name the service account".into(),
                fix: "make a role of your own, attach the policies that the app needs, and set role-arn, or the service account's annotation role-arn, to its ARN".into(),
            });
        }
        let problem = self.out_of_reach(region)?;
        let (ours, theirs) = (self.partition(), Partition::of_region(region)?.name);
        Some(Diagnosis {
            finding: findings::ROLE_OUT_OF_REACH,
            found: format!("the role is {self}: {problem}"),
            expected: "role and region in one partition: STS there will not know the role".into(),
            fix: format!(
                "set role-arn to a role of an account in {theirs}, arn:{theirs}:iam::ACCOUNT:role/NAME, or region to one in {ours}"
            ),
        })
    }

    /// What stands between `role/` and the name: `team/`, or nothing.
    pub fn path(&self) -> &str {
        let resource = self.0.splitn(6, ':').last().unwrap_or_default();
        let name = resource.strip_prefix("role/").unwrap_or_default();
        name.rsplit_once('/').map_or("", |(path, _)| path)
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SERVICE_LINKED: &str = "it is a service-linked role, which only its service can assume";

/// People give user ARNs and service roles here.
pub const WHAT_ROLE_ARN_IS_FOR: &str = "--role-arn of get-token and kubeconfig (role-arn of /v1/eks-token, --assume-role-arn of doctor) is for another role, which is assumed from the pod's role before the EKS token is signed; leave it out to be the pod's role itself";

/// The role to assume from the pod's role.
pub fn role_to_assume(text: &str) -> Result<RoleArn, String> {
    const EXPECTED: &str = "expected arn:aws:iam::ACCOUNT:role/NAME";
    let problem = match text.parse::<RoleArn>() {
        Ok(role) if role.is_service_linked() => SERVICE_LINKED.to_owned(),
        Ok(role) => return Ok(role),
        Err(_) if text.contains(":user/") => {
            "it is the ARN of a user, and nobody can assume a user".to_owned()
        }
        Err(error) => error.to_string(),
    };
    Err(format!(
        "role-arn is {}: {problem}; {EXPECTED}; {WHAT_ROLE_ARN_IS_FOR}",
        refused(text)
    ))
}

/// A role session name, `[\w+=,.@-]{2,64}`: stands in the session's ARN and in CloudTrail. Stable for the pod's life,
/// since some services end connections when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(String);

const LONGEST_SESSION_NAME: usize = 64;

impl FromStr for SessionName {
    type Err = ();

    /// Takes what STS takes and nothing else.
    fn from_str(text: &str) -> Result<Self, ()> {
        let fits =
            (2..=LONGEST_SESSION_NAME).contains(&text.len()) && text.bytes().all(in_session_name);
        fits.then(|| SessionName(text.to_owned())).ok_or(())
    }
}

impl SessionName {
    /// The pod's name, or where the token has no pod the service account's, made to fit.
    pub fn from_claims(claims: &Claims) -> Self {
        match &claims.kubernetes {
            Some(Kubernetes { pod: Some(pod), .. }) => SessionName::fitted(&pod.name),
            Some(Kubernetes {
                namespace: Some(namespace),
                service_account: Some(name),
                ..
            }) => SessionName::fitted(&format!("{namespace}.{name}")),
            _ => SessionName::fitted(&claims.subject),
        }
    }

    /// The name as STS takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Pod names have up to 253 characters. A cut name ends in a digest of the whole, so that two pods whose names
    /// begin alike do not become one.
    fn fitted(name: &str) -> Self {
        const DIGEST: usize = 9;
        let clean: String = name
            .chars()
            .map(|c| {
                if c.is_ascii() && in_session_name(c as u8) {
                    c
                } else {
                    '.'
                }
            })
            .collect();
        SessionName(match clean.len() {
            0 | 1 => format!("pod-{clean}"),
            length if length > LONGEST_SESSION_NAME => format!(
                "{}-{:08x}",
                &clean[..LONGEST_SESSION_NAME - DIGEST],
                fnv1a(name.as_bytes())
            ),
            _ => clean,
        })
    }
}

fn in_session_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

/// FNV-1a, 32 bits: not a secret, only has to be the same in every build.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn role_arns_of_every_partition_and_path_are_taken() {
        for arn in [
            "arn:aws:iam::111122223333:role/app",
            "arn:aws-cn:iam::111122223333:role/team/sub/app",
            "arn:aws-us-gov:iam::111122223333:role/a+b=c,d.e@f-g_h",
            "arn:aws-iso-b:iam::111122223333:role/app",
        ] {
            assert_eq!(arn.parse::<RoleArn>().unwrap().account(), "111122223333");
        }
    }

    #[test]
    fn the_name_of_a_role_is_without_its_path() {
        for arn in [
            "arn:aws:iam::111122223333:role/app",
            "arn:aws-cn:iam::111122223333:role/team/sub/app",
        ] {
            assert_eq!(arn.parse::<RoleArn>().unwrap().name(), "app");
        }
    }

    #[test]
    fn what_is_no_role_is_refused_with_its_reason() {
        for (text, reason) in [
            ("app", "six fields"),
            ("arn:gcp:iam::111122223333:role/app", "partition"),
            ("arn:aws:iam::111122223333:user/me", "something else"),
            ("arn:aws:iam::1111:role/app", "twelve digits"),
            ("arn:aws:s3:::bucket", "not an ARN of IAM"),
            ("arn:aws:sts::111122223333:assumed-role/app/x", "session"),
            ("arn:aws:iam::111122223333:role/", "empty"),
            ("arn:aws:iam::111122223333:role/a b", "characters"),
        ] {
            let error = text.parse::<RoleArn>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_role_of_another_partition_is_out_of_reach() {
        let role: RoleArn = "arn:aws-cn:iam::111122223333:role/app".parse().unwrap();
        let reason = role.out_of_reach("eu-west-1").unwrap();
        assert!(
            reason.contains("aws-cn") && reason.contains("in aws"),
            "{reason}"
        );
        assert_eq!(role.out_of_reach("cn-north-1"), None);
        assert_eq!(role.out_of_reach("new-region-1"), None, "nobody knows");
    }

    #[test]
    fn a_pod_name_that_fits_is_the_session_name() {
        assert_eq!(
            SessionName::fitted("app-7d9f8b6c5-x2x4q").as_str(),
            "app-7d9f8b6c5-x2x4q"
        );
    }

    #[test]
    fn pods_whose_long_names_begin_alike_keep_apart() {
        let name = |last: char| SessionName::fitted(&format!("{}{last}", "x".repeat(200)));
        assert_ne!(name('a'), name('b'));
    }

    proptest! {
        #[test]
        fn every_name_is_made_to_fit_and_stays_the_same(name in ".{0,300}") {
            let fitted = SessionName::fitted(&name);
            prop_assert_eq!(fitted.as_str().parse::<SessionName>(), Ok(fitted.clone()));
            prop_assert_eq!(SessionName::fitted(&name), fitted);
        }
    }
}
