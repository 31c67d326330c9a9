//! Access entries: principals of IAM that EKS itself lets into a cluster.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html>

use super::Mapped;
use crate::cluster::verifier::Identity;

const RESERVED: [&str; 5] = ["system:", "eks:", "aws:", "amazon:", "iam:"];

/// One principal and whom it is in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct AccessEntry {
    /// A role, with its path, or a user.
    pub(in crate::cluster) principal_arn: String,
    /// None: a name made of the principal's.
    pub(in crate::cluster) username: Option<String>,
    pub(in crate::cluster) groups: Vec<String>,
}

/// One entry for each principal, with the id that its principal had when the entry was made.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct AccessEntries(Vec<(String, AccessEntry)>);

impl AccessEntries {
    /// Adds an entry, or replaces the one of the same principal; `id_of` asks IAM. An error is EKS's.
    pub(in crate::cluster) fn add(
        &mut self,
        entry: AccessEntry,
        id_of: impl FnOnce(&str) -> Option<String>,
    ) -> Result<(), String> {
        let principal = &entry.principal_arn;
        let id = if is(principal, "role/") {
            // A role that is made again under the same name has another id, and is somebody else.
            id_of(principal)
        } else if is(principal, "user/") {
            Some(principal.clone())
        } else {
            return Err(format!(
                "The principalArn {principal} is neither a role nor a user"
            ));
        };
        let id = id.ok_or("The specified principalArn is invalid: invalid principal.")?;
        check_username(entry.username.as_deref().unwrap_or_default())?;
        if let Some(group) = entry
            .groups
            .iter()
            .find(|group| group.starts_with("system:"))
        {
            return Err(format!(
                "The kubernetes group name {group} is invalid, it cannot start with system:"
            ));
        }
        self.0
            .retain(|(_, other)| other.principal_arn != *principal);
        self.0.push((id, entry));
        Ok(())
    }

    /// The user and groups of an identity, templates as they stand.
    pub(super) fn find(&self, identity: &Identity) -> Option<Mapped> {
        let (_, entry) = self.0.iter().find(|(id, _)| *id == identity.user_id)?;
        let session_arn = || {
            let (head, _session) = identity.arn.rsplit_once('/').unwrap_or_default();
            format!("{head}/{{{{SessionName}}}}")
        };
        Some(Mapped {
            username: entry.username.clone().unwrap_or_else(session_arn),
            groups: entry.groups.clone(),
        })
    }
}

fn is(arn: &str, resource: &str) -> bool {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(fields[..], ["arn", _, "iam", "", _, found] if found.starts_with(resource))
}

fn check_username(username: &str) -> Result<(), String> {
    if let Some(prefix) = RESERVED
        .iter()
        .find(|prefix| username.starts_with(**prefix))
    {
        return Err(format!(
            "The username {username} is invalid, it cannot start with {prefix}"
        ));
    }
    match username.find("{{SessionName}}") {
        Some(at) if !username[..at].contains(':') => Err(format!(
            "The username {username} is invalid, it wants a colon before {{{{SessionName}}}}"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/team/app";

    fn add(principal_arn: &str, username: Option<&str>, groups: &[&str]) -> Result<Mapped, String> {
        let mut entries = AccessEntries::default();
        let entry = AccessEntry {
            principal_arn: principal_arn.to_owned(),
            username: username.map(str::to_owned),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
        };
        entries.add(entry, |arn| (arn == ROLE).then(|| "AROA1".to_owned()))?;
        let identity = Identity {
            arn: "arn:aws:sts::111122223333:assumed-role/app/pod-1".to_owned(),
            canonical_arn: "arn:aws:iam::111122223333:role/app".to_owned(),
            account: "111122223333".to_owned(),
            user_id: "AROA1".to_owned(),
            session_name: "pod-1".to_owned(),
            access_key_id: String::new(),
        };
        entries
            .find(&identity)
            .ok_or_else(|| "not found".to_owned())
    }

    #[test]
    fn an_entry_names_a_role_with_its_path_and_knows_it_by_its_id() {
        let mapped = add(ROLE, None, &["jobs"]).unwrap();
        let name = "arn:aws:sts::111122223333:assumed-role/app/{{SessionName}}";
        assert_eq!(
            (mapped.username.as_str(), mapped.groups),
            (name, vec!["jobs".to_owned()])
        );
        let without_path = add("arn:aws:iam::111122223333:role/app", None, &[]);
        assert!(without_path.unwrap_err().contains("invalid principal"));
    }

    #[test]
    fn a_session_is_no_principal() {
        let arn = "arn:aws:sts::111122223333:assumed-role/app/pod-1";
        assert!(
            add(arn, None, &[])
                .unwrap_err()
                .contains("neither a role nor a user")
        );
    }

    #[test]
    fn names_and_groups_that_are_reserved_are_refused() {
        assert_eq!(
            add(ROLE, Some("job:{{SessionName}}"), &[])
                .unwrap()
                .username,
            "job:{{SessionName}}"
        );
        for username in [
            "system:x",
            "eks:x",
            "aws:x",
            "amazon:x",
            "iam:x",
            "{{SessionName}}",
        ] {
            assert!(add(ROLE, Some(username), &[]).is_err(), "{username}");
        }
        assert!(add(ROLE, None, &["system:masters"]).is_err());
    }
}
