//! The ConfigMap `aws-auth` of `kube-system`: lists of roles and users that are YAML inside of YAML, which is where
//! most of what goes wrong with it comes from.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::Mapped;
use crate::cluster::verifier::Identity;

/// What the authenticator has read of it. ARNs count without case.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct AwsAuth {
    roles: HashMap<String, Mapped>,
    users: HashMap<String, Mapped>,
    accounts: HashSet<String>,
}

impl AwsAuth {
    /// The three keys as they stand in `data`. What cannot be read is as if it were not there: one malformed key takes
    /// all of its entries with it, an entry without an ARN only itself.
    pub(in crate::cluster) fn parse(roles: &str, users: &str, accounts: &str) -> Self {
        Self {
            roles: entries(roles, "rolearn"),
            users: entries(users, "userarn"),
            accounts: list(accounts, |account| account.as_str().map(str::to_owned))
                .into_iter()
                .collect(),
        }
    }

    /// A whole ConfigMap; None when it is another one, which changes nothing. An error is what `kubectl apply` would
    /// say.
    pub(in crate::cluster) fn parse_config_map(text: &str) -> Result<Option<Self>, String> {
        let object: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        if object["kind"] != "ConfigMap" {
            return Err("it is no ConfigMap".to_owned());
        }
        let data = match &object["data"] {
            Value::Null => Map::new(),
            Value::Object(data) => data.clone(),
            _ => return Err("data is no map".to_owned()),
        };
        if let Some((key, _)) = data.iter().find(|(_, value)| !value.is_string()) {
            return Err(format!("data.{key} is no string"));
        }
        let metadata = &object["metadata"];
        if metadata["name"] != "aws-auth" || metadata["namespace"] != "kube-system" {
            return Ok(None);
        }
        let key = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
        let parsed = Self::parse(key("mapRoles"), key("mapUsers"), key("mapAccounts"));
        Ok(Some(parsed))
    }

    /// Roles are looked up before users.
    pub(super) fn find(&self, identity: &Identity) -> Option<Mapped> {
        let arn = identity.canonical_arn.to_lowercase();
        self.roles
            .get(&arn)
            .or_else(|| self.users.get(&arn))
            .cloned()
    }

    pub(super) fn has_account(&self, account: &str) -> bool {
        self.accounts.contains(account)
    }
}

fn entries(yaml: &str, arn_key: &str) -> HashMap<String, Mapped> {
    let entry = |value: &Value| Entry::read(value, arn_key);
    let with_arn = |entry: Entry| Some((entry.arn?.to_lowercase(), entry.mapped));
    list(yaml, entry).into_iter().filter_map(with_arn).collect()
}

/// A list of which every element can be read; empty if it is no such list.
fn list<T>(yaml: &str, element: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    // As templates leave them behind.
    if matches!(yaml.trim(), "" | "\"\"" | "''" | "``") {
        return Vec::new();
    }
    match serde_saphyr::from_str::<Value>(yaml) {
        Ok(Value::Array(values)) => {
            let all: Option<Vec<T>> = values.iter().map(element).collect();
            all.unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

struct Entry {
    arn: Option<String>,
    mapped: Mapped,
}

impl Entry {
    /// As Go decodes JSON: keys count without case, unknown ones not at all, null is nothing; a value of another type
    /// is an error.
    fn read(value: &Value, arn_key: &str) -> Option<Self> {
        let empty = Map::new();
        let fields = match value {
            Value::Object(fields) => fields,
            Value::Null => &empty,
            _ => return None,
        };
        let field = |name: &str| {
            let found = fields
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map_or(&Value::Null, |(_, value)| value)
        };
        let text = |value: &Value| match value {
            Value::Null => Some(String::new()),
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        let groups = match field("groups") {
            Value::Null => Vec::new(),
            Value::Array(groups) => groups.iter().map(text).collect::<Option<_>>()?,
            _ => return None,
        };
        Some(Self {
            arn: Some(text(field(arn_key))?).filter(|arn| !arn.is_empty()),
            mapped: Mapped {
                username: text(field("username"))?,
                groups,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";

    fn find(aws_auth: &AwsAuth, canonical_arn: &str) -> Option<String> {
        let identity = Identity {
            arn: String::new(),
            canonical_arn: canonical_arn.to_owned(),
            account: String::new(),
            user_id: String::new(),
            session_name: String::new(),
            access_key_id: String::new(),
        };
        let mapped = aws_auth.find(&identity)?;
        Some(format!("{}:{}", mapped.username, mapped.groups.join(",")))
    }

    fn of_roles(yaml: &str) -> Option<String> {
        find(&AwsAuth::parse(yaml, "", ""), ROLE)
    }

    #[test]
    fn an_entry_maps_its_role_in_whatever_case() {
        let yaml = "- RoleARN: arn:aws:iam::111122223333:role/APP\n  UserName: u\n  GROUPS: [g, h]\n  note: x\n";
        assert_eq!(of_roles(yaml).unwrap(), "u:g,h");
        let parsed = AwsAuth::parse(yaml, "", "");
        let upper = ROLE.replace("/app", "/App");
        assert_eq!(find(&parsed, &upper).unwrap(), "u:g,h");
        let json = format!(r#"[{{"rolearn": "{ROLE}", "username": "u"}}]"#);
        assert_eq!(of_roles(&json).unwrap(), "u:");
    }

    #[test]
    fn a_path_or_a_session_matches_nothing() {
        for arn in [
            "arn:aws:iam::111122223333:role/team/app",
            "arn:aws:sts::111122223333:assumed-role/app/pod-1",
            "arn:aws:iam::999999999999:role/app",
        ] {
            assert_eq!(
                of_roles(&format!("- {{rolearn: '{arn}', username: u}}")),
                None
            );
        }
    }

    #[test]
    fn an_entry_without_an_arn_is_dropped_alone() {
        let yaml = format!("- username: nobody\n-\n- {{rolearn: '{ROLE}', username: u}}\n");
        assert_eq!(of_roles(&yaml).unwrap(), "u:");
    }

    #[test]
    fn a_malformed_key_is_dropped_as_a_whole() {
        let good = format!("- {{rolearn: '{ROLE}', username: u}}");
        for bad in [
            "- rolearn: [",
            "- {rolearn: x, groups: g}",
            "- {rolearn: x, username: 5}",
            "- just text",
        ] {
            assert_eq!(of_roles(&format!("{good}\n{bad}\n")), None, "{bad}");
        }
        assert_eq!(of_roles("rolearn: x"), None);
        let yaml = format!("- {{userarn: '{ROLE}', username: v}}");
        let other_key = AwsAuth::parse("- rolearn: [", &yaml, "");
        assert_eq!(find(&other_key, ROLE).unwrap(), "v:");
    }

    #[test]
    fn what_a_template_left_empty_is_no_error() {
        for empty in ["", " \n", "\"\"", "''", "``", "[]"] {
            assert_eq!(of_roles(empty), None);
        }
    }

    #[test]
    fn a_role_is_looked_up_before_a_user_and_the_last_of_two_entries_counts() {
        let roles =
            format!("- {{rolearn: '{ROLE}', username: a}}\n- {{rolearn: '{ROLE}', username: b}}");
        let users = format!("- {{userarn: '{ROLE}', username: c}}");
        assert_eq!(
            find(&AwsAuth::parse(&roles, &users, ""), ROLE).unwrap(),
            "b:"
        );
    }

    #[test]
    fn account_numbers_want_quotes() {
        assert!(AwsAuth::parse("", "", "- '111122223333'").has_account("111122223333"));
        assert!(!AwsAuth::parse("", "", "- 111122223333").has_account("111122223333"));
    }

    #[test]
    fn the_keys_of_a_config_map_count_with_case_and_hold_strings() {
        let config_map = |data: &str| {
            let text = format!(
                "kind: ConfigMap\nmetadata: {{name: aws-auth, namespace: kube-system}}\ndata:\n{data}"
            );
            AwsAuth::parse_config_map(&text)
        };
        let list = format!("|\n    - rolearn: {ROLE}\n      username: u\n");
        let parsed = config_map(&format!("  mapRoles: {list}")).unwrap().unwrap();
        assert_eq!(find(&parsed, ROLE).unwrap(), "u:");
        let parsed = config_map(&format!("  maproles: {list}")).unwrap().unwrap();
        assert_eq!(find(&parsed, ROLE), None);
        assert_eq!(
            config_map("  mapRoles:\n  - rolearn: x\n").unwrap_err(),
            "data.mapRoles is no string"
        );
    }

    #[test]
    fn another_config_map_changes_nothing() {
        let other = "kind: ConfigMap\nmetadata: {name: aws-auth, namespace: default}\n";
        assert!(AwsAuth::parse_config_map(other).unwrap().is_none());
        assert!(AwsAuth::parse_config_map("kind: Secret").is_err());
        assert!(AwsAuth::parse_config_map("{").is_err());
    }
}
