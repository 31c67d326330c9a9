//! Who a token turns out to be, and how a cluster is told to let it in.
//!
//! STS's answer to the request in the token, read as aws-iam-authenticator reads it, with its words for what is wrong.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Deserialize;

use crate::diagnosis::shell_word;
use crate::partition::{Partition, Region};
use crate::role::RoleArn;

/// Stands in what is printed where somebody has to choose.
const GROUP: &str = "RBAC_GROUP";

/// What an ARN names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// `iam … root`
    Root,
    /// `iam … user/[PATH/]NAME`
    User,
    /// `iam … role/[PATH/]NAME`
    Role,
    /// `sts … assumed-role/NAME/SESSION`: a session of a role.
    AssumedRole,
    /// `sts … federated-user/NAME`
    FederatedUser,
}

/// Whom STS took the caller for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// As STS gives it: of a session, where it is one.
    pub arn: String,
    /// The unique id of the role or user, without the session's name.
    pub user_id: String,
    /// The role session name.
    pub session_name: Option<String>,
    /// What kind of caller it is.
    pub principal: Principal,
    /// What the cluster looks for in `aws-auth`: of a session, the role's ARN without its path.
    pub canonical_arn: String,
    partition: &'static Partition,
}

/// Why an answer of STS names nobody. `Display` is the verifier's own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// No answer to GetCallerIdentity.
    Garbled(String),
    /// An ARN that may not come in.
    Arn(String),
    /// Of a session, and not `ID:SESSION`.
    UserId(String),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sts getCallerIdentity failed: ")?;
        match self {
            IdentityError::Garbled(text) | IdentityError::Arn(text) => f.write_str(text),
            IdentityError::UserId(found) => write!(f, "malformed UserID {found:?}"),
        }
    }
}

impl std::error::Error for IdentityError {}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    get_caller_identity_response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    get_caller_identity_result: Caller,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Caller {
    account: String,
    arn: String,
    user_id: String,
}

impl Identity {
    /// From the JSON that STS answers to `accept: application/json`.
    pub fn from_json(body: &[u8]) -> Result<Self, IdentityError> {
        let garbled = |reason: &dyn fmt::Display| IdentityError::Garbled(reason.to_string());
        let answer: Answer = serde_json::from_slice(body).map_err(|error| garbled(&error))?;
        let Caller {
            account,
            arn,
            user_id,
        } = answer
            .get_caller_identity_response
            .get_caller_identity_result;
        if [&account, &arn, &user_id]
            .iter()
            .any(|text| text.contains(char::is_control))
        {
            return Err(garbled(&"a control character in the answer"));
        }
        let (principal, canonical_arn, partition) = canonicalize(&arn)?;
        let is_session = matches!(principal, Principal::AssumedRole | Principal::Role);
        let (user_id, session_name) = match user_id.split_once(':') {
            _ if !is_session => (user_id, None),
            Some((id, session)) if !session.contains(':') => {
                (id.to_owned(), Some(session.to_owned()))
            }
            _ => return Err(IdentityError::UserId(user_id)),
        };
        Ok(Identity {
            account,
            arn,
            user_id,
            session_name,
            principal,
            canonical_arn,
            partition,
        })
    }

    /// The one that sessions of this role have, where STS was not asked. Without the session's name its ARN cannot be
    /// told, and that of the role stands for it.
    pub fn of_session(role: &RoleArn, session_name: Option<&str>) -> Result<Self, IdentityError> {
        let (_, with_path, partition) = canonicalize(role.as_str())?;
        let (account, name) = (role.account(), last(&with_path));
        let partition_name = partition.name;
        let arn = match session_name {
            Some(session) => {
                format!("arn:{partition_name}:sts::{account}:assumed-role/{name}/{session}")
            }
            None => role.to_string(),
        };
        Ok(Identity {
            account: account.to_owned(),
            arn,
            user_id: String::new(),
            session_name: session_name.map(str::to_owned),
            principal: Principal::AssumedRole,
            canonical_arn: without_path(&with_path),
            partition,
        })
    }

    /// Role or user, without path.
    pub fn name(&self) -> &str {
        last(&self.canonical_arn)
    }

    /// Whether this is a session of that role: names are unique in an account, whatever their paths.
    pub fn is_session_of(&self, role: &RoleArn) -> bool {
        let same = |canonical: String| {
            let front = |arn: &str| arn.split('/').next().map(str::to_ascii_lowercase);
            front(&canonical) == front(&self.canonical_arn)
                && last(&canonical).eq_ignore_ascii_case(self.name())
        };
        canonicalize(role.as_str()).is_ok_and(|(_, canonical, _)| same(canonical))
    }

    /// The entry for the ConfigMap `aws-auth` in `kube-system` and the key that it belongs under, `mapRoles` or
    /// `mapUsers`. Without the path: an entry with one never matches.
    pub fn aws_auth_entry(&self) -> (&'static str, String) {
        let (key, field, session) = match self.principal {
            Principal::Role | Principal::AssumedRole => ("mapRoles", "rolearn", ":{{SessionName}}"),
            _ => ("mapUsers", "userarn", ""),
        };
        let arn = without_path(&self.canonical_arn);
        let username = format!("{}{session}", self.name());
        let entry = format!("- {field}: {arn}\n  username: {username:?}\n  groups:\n  - {GROUP}\n");
        (key, entry)
    }

    /// The commands that make an access entry, one a line. An entry wants the path that a session's ARN does not show:
    /// `role`, where it is known which one was assumed, brings it. `None` for whom no entry can be made.
    pub fn access_entry_commands(
        &self,
        cluster: &str,
        region: Option<&Region>,
        role: Option<&RoleArn>,
    ) -> Option<String> {
        if matches!(self.principal, Principal::Root | Principal::FederatedUser) {
            return None;
        }
        let role = role.filter(|role| self.is_session_of(role));
        let principal = role.map_or(self.canonical_arn.as_str(), RoleArn::as_str);
        let place = region.map_or(String::new(), |region| format!("--region {region} "));
        let whom = format!(
            "{place}--cluster-name {} --principal-arn {}",
            shell_word(cluster),
            shell_word(principal)
        );
        let partition = self.partition.name;
        let path_unknown = role.is_none() && self.principal == Principal::AssumedRole;
        let mut notes = String::new();
        if path_unknown {
            notes += "# If the role has a path, its ARN needs it here: role/PATH/NAME.\n";
        }
        if region.is_none() {
            notes += "# Without --region they go to the AWS CLI's own: add the cluster's.\n";
        }
        Some(format!(
            "{notes}aws eks create-access-entry {whom} --kubernetes-groups {GROUP}\n\
             aws eks associate-access-policy {whom} --policy-arn arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope type=cluster\n"
        ))
    }
}

/// As the authenticator does it: who may come in, and a session's role in place of the session.
fn canonicalize(arn: &str) -> Result<(Principal, String, &'static Partition), IdentityError> {
    let refuse = |text: String| Err(IdentityError::Arn(text));
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    if fields[0] != "arn" || fields.len() < 2 {
        return refuse(format!("arn '{arn}' is invalid: 'arn: invalid prefix'"));
    }
    let [_, partition, service, _, account, resource] = fields[..] else {
        return refuse(format!(
            "arn '{arn}' is invalid: 'arn: not enough sections'"
        ));
    };
    let Some(partition) = Partition::named(partition) else {
        return refuse(format!("arn '{arn}' does not have a recognized partition"));
    };
    let parts: Vec<&str> = resource.split('/').collect();
    let principal = match (service, parts[0]) {
        ("iam", "root") => Principal::Root,
        ("iam", "user") => Principal::User,
        ("iam", "role") => Principal::Role,
        ("sts", "federated-user") => Principal::FederatedUser,
        ("sts", "assumed-role") if parts.len() < 3 => {
            return refuse(format!("assumed-role arn '{arn}' does not have a role"));
        }
        ("sts", "assumed-role") => {
            let role = parts[1..parts.len() - 1].join("/");
            let canonical = format!("arn:{}:iam::{account}:role/{role}", partition.name);
            return Ok((Principal::AssumedRole, canonical, partition));
        }
        ("iam" | "sts", _) => {
            return refuse(format!(
                "unrecognized resource {resource} for service {service}"
            ));
        }
        _ => {
            return refuse(format!(
                "service {service} in arn {arn} is not a valid service for identities"
            ));
        }
    };
    Ok((principal, arn.to_owned(), partition))
}

fn last(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or_default()
}

/// `role/PATH/NAME` as `role/NAME`; of users the path belongs to the ARN.
fn without_path(arn: &str) -> String {
    match arn.split_once(":role/") {
        Some((front, _)) => format!("{front}:role/{}", last(arn)),
        None => arn.to_owned(),
    }
}
