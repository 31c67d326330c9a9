//! From an AWS identity to a user of Kubernetes: access entries and `aws-auth`, as the cluster's authentication mode
//! has them.

mod access_entries;
mod aws_auth;
mod template;

use self::access_entries::AccessEntries;
pub(super) use self::access_entries::AccessEntry;
pub(super) use self::aws_auth::AwsAuth;
use super::verifier::Identity;

/// Where a cluster looks up who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `CONFIG_MAP`: `aws-auth` alone.
    ConfigMap,
    /// `API_AND_CONFIG_MAP`: access entries first.
    ApiAndConfigMap,
    /// `API`: access entries alone.
    Api,
}

impl Mode {
    /// As EKS spells it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "CONFIG_MAP",
            Self::ApiAndConfigMap => "API_AND_CONFIG_MAP",
            Self::Api => "API",
        }
    }
}

/// Name and groups in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) username: String,
    pub(super) groups: Vec<String>,
}

/// Who is mapped to whom, in one cluster.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) mode: Mode,
    pub(super) aws_auth: AwsAuth,
    pub(super) access_entries: AccessEntries,
}

impl Mapping {
    /// Nobody may come in.
    pub(super) fn empty() -> Self {
        Self {
            mode: Mode::ApiAndConfigMap,
            aws_auth: AwsAuth::default(),
            access_entries: AccessEntries::default(),
        }
    }

    /// Name and groups of an identity, or why it has none.
    pub(super) fn map(&self, identity: &Identity, region: &str) -> Result<Mapped, String> {
        let by_entry = || self.access_entries.find(identity);
        let by_config_map = || self.aws_auth.find(identity);
        let found = match self.mode {
            Mode::ConfigMap => by_config_map(),
            Mode::ApiAndConfigMap => by_entry().or_else(by_config_map),
            Mode::Api => by_entry(),
        };
        match found {
            Some(mapped) => template::render(mapped, identity, region),
            None if self.mode != Mode::Api && self.aws_auth.has_account(&identity.account) => {
                Ok(Mapped {
                    username: identity.canonical_arn.clone(),
                    groups: Vec::new(),
                })
            }
            None => Err("ARN is not mapped".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            arn: "arn:aws:sts::111122223333:assumed-role/app/pod@1".to_owned(),
            canonical_arn: "arn:aws:iam::111122223333:role/app".to_owned(),
            account: "111122223333".to_owned(),
            user_id: "AROAEXAMPLE".to_owned(),
            session_name: "pod@1".to_owned(),
            access_key_id: "ASIAEXAMPLE".to_owned(),
        }
    }

    /// Both ways in, to different users.
    fn mapping(mode: Mode) -> Mapping {
        let roles = "- rolearn: arn:aws:iam::111122223333:role/app\n  username: from-aws-auth\n";
        let mut mapping = Mapping {
            mode,
            aws_auth: AwsAuth::parse(roles, "", ""),
            ..Mapping::empty()
        };
        let entry = AccessEntry {
            principal_arn: "arn:aws:iam::111122223333:role/team/app".to_owned(),
            username: Some("from-entry".to_owned()),
            groups: vec!["jobs".to_owned()],
        };
        let id = Some("AROAEXAMPLE".to_owned());
        mapping.access_entries.add(entry, |_| id.clone()).unwrap();
        mapping
    }

    fn username(mapping: &Mapping) -> Result<String, String> {
        let mapped = mapping.map(&identity(), "eu-west-1")?;
        Ok(mapped.username)
    }

    #[test]
    fn the_mode_says_who_is_asked_and_access_entries_come_first() {
        assert_eq!(
            username(&mapping(Mode::ConfigMap)).unwrap(),
            "from-aws-auth"
        );
        assert_eq!(
            username(&mapping(Mode::ApiAndConfigMap)).unwrap(),
            "from-entry"
        );
        assert_eq!(username(&mapping(Mode::Api)).unwrap(), "from-entry");
        let without_entry = |mode| Mapping {
            access_entries: AccessEntries::default(),
            ..mapping(mode)
        };
        let unmapped = Err("ARN is not mapped".to_owned());
        assert_eq!(
            username(&without_entry(Mode::ApiAndConfigMap)).unwrap(),
            "from-aws-auth"
        );
        assert_eq!(username(&without_entry(Mode::Api)), unmapped);
    }

    #[test]
    fn an_account_comes_last_and_in_its_own_name() {
        let mut mapping = Mapping {
            aws_auth: AwsAuth::parse("", "", "- \"111122223333\""),
            ..Mapping::empty()
        };
        assert_eq!(
            username(&mapping).unwrap(),
            "arn:aws:iam::111122223333:role/app"
        );
        mapping.mode = Mode::Api;
        assert!(username(&mapping).is_err());
    }
}
