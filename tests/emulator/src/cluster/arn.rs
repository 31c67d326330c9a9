//! Canonical ARNs: the session of a role stands for the role, without its path, since STS leaves it out.

use crate::partition;

/// What kind of principal an ARN names, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Principal {
    /// A role, or a session of one: its user id holds the session's name.
    Role,
    /// A user, the root of an account, or a federated user.
    Other,
}

/// The ARN that mappings are looked up by, or why there is none.
pub(super) fn canonicalize(arn: &str) -> Result<(Principal, String), String> {
    let invalid = |why: &str| format!("arn '{arn}' is invalid: '{why}'");
    if !arn.starts_with("arn:") {
        return Err(invalid("arn: invalid prefix"));
    }
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service, _, account, resource] = fields[..] else {
        return Err(invalid("arn: not enough sections"));
    };
    if !partition::is_name(partition) {
        return Err(format!("arn '{arn}' does not have a recognized partition"));
    }
    let parts: Vec<&str> = resource.split('/').collect();
    match (service, parts[0]) {
        ("sts", "federated-user") | ("iam", "user" | "root") => {
            Ok((Principal::Other, arn.to_owned()))
        }
        ("iam", "role") => Ok((Principal::Role, arn.to_owned())),
        ("sts", "assumed-role") if parts.len() < 3 => {
            Err(format!("assumed-role arn '{arn}' does not have a role"))
        }
        ("sts", "assumed-role") => {
            let role = parts[1..parts.len() - 1].join("/");
            let canonical = format!("arn:{partition}:iam::{account}:role/{role}");
            Ok((Principal::Role, canonical))
        }
        ("sts" | "iam", _) => Err(format!(
            "unrecognized resource {resource} for service {service}"
        )),
        _ => Err(format!(
            "service {service} in arn {arn} is not a valid service for identities"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stands_for_its_role() {
        let role = "arn:aws-cn:iam::111122223333:role/app";
        let canonical = canonicalize("arn:aws-cn:sts::111122223333:assumed-role/app/pod-1");
        assert_eq!(canonical, Ok((Principal::Role, role.to_owned())));
    }

    #[test]
    fn everybody_else_stands_for_himself() {
        for (arn, principal) in [
            (
                "arn:aws:iam::111122223333:user/path/alice",
                Principal::Other,
            ),
            ("arn:aws:iam::111122223333:root", Principal::Other),
            ("arn:aws:iam::111122223333:role/path/app", Principal::Role),
            (
                "arn:aws:sts::111122223333:federated-user/bob",
                Principal::Other,
            ),
        ] {
            assert_eq!(canonicalize(arn), Ok((principal, arn.to_owned())));
        }
    }

    #[test]
    fn what_is_no_principal_has_no_canonical_arn() {
        for (arn, reason) in [
            ("", "arn '' is invalid: 'arn: invalid prefix'"),
            (
                "arn:aws:iam",
                "arn 'arn:aws:iam' is invalid: 'arn: not enough sections'",
            ),
            (
                "arn:gcp:iam::1:role/x",
                "arn 'arn:gcp:iam::1:role/x' does not have a recognized partition",
            ),
            (
                "arn:aws:sts::1:assumed-role/x",
                "assumed-role arn 'arn:aws:sts::1:assumed-role/x' does not have a role",
            ),
            (
                "arn:aws:sts::1:self",
                "unrecognized resource self for service sts",
            ),
            (
                "arn:aws:iam::1:group/x",
                "unrecognized resource group/x for service iam",
            ),
            (
                "arn:aws:s3:::x",
                "service s3 in arn arn:aws:s3:::x is not a valid service for identities",
            ),
        ] {
            assert_eq!(canonicalize(arn), Err(reason.to_owned()));
        }
    }
}
