//! Whether a trust policy lets a web identity assume its role.
//!
//! Of the IAM policy language this knows what trust policies for service accounts use: Allow and
//! Deny, `Principal.Federated`, `StringEquals` and `StringLike`. What it does not know matches
//! nothing, so an Allow that leans on it allows nothing.

use serde_json::Value;

/// Who asks: what the conditions are compared with.
pub(super) struct WebIdentity {
    /// ARN of the IAM OIDC provider that vouches for the token.
    pub(super) provider_arn: String,
    /// The provider's name, the prefix of the condition keys.
    pub(super) provider_name: String,
    pub(super) subject: String,
    pub(super) audience: String,
}

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// Whether IAM would store this trust policy.
pub(super) fn check(policy: &Value) -> Result<(), String> {
    /// Of its characters, blanks not counted.
    const LONGEST: usize = 2048;
    let length = policy.to_string().len();
    if length > LONGEST {
        return Err(format!(
            "LimitExceeded: the trust policy has {length} characters, and {LONGEST} are allowed"
        ));
    }
    let malformed = |what: &str| Err(format!("MalformedPolicyDocument: {what}"));
    if policy["Version"] != "2012-10-17" {
        return malformed("the Version is not 2012-10-17");
    }
    let statements = one_or_many(&policy["Statement"]);
    let is_whole = |statement: &Value| {
        let effect = &statement["Effect"];
        (effect == "Allow" || effect == "Deny")
            && statement["Principal"].is_object()
            && !statement["Action"].is_null()
            && statement.get("Resource").is_none()
    };
    match !statements.is_empty() && statements.iter().all(is_whole) {
        true => Ok(()),
        false => malformed("a statement needs Effect, Principal and Action, and no Resource"),
    }
}

/// Evaluates the policy: one Allow must match, and no Deny.
pub(super) fn allows(policy: &Value, identity: &WebIdentity) -> bool {
    let matching = |effect: &str| {
        one_or_many(&policy["Statement"])
            .iter()
            .any(|statement| statement["Effect"] == effect && matches(statement, identity))
    };
    matching("Allow") && !matching("Deny")
}

fn matches(statement: &Value, identity: &WebIdentity) -> bool {
    let principal = |value: &str| value == "*" || value == identity.provider_arn;
    let action = |value: &str| like(&value.to_lowercase(), &ACTION.to_lowercase());
    any(&statement["Principal"]["Federated"], principal)
        && any(&statement["Action"], action)
        && conditions_hold(&statement["Condition"], identity)
}

/// All operators and all keys must hold; of the values of one key, any.
fn conditions_hold(condition: &Value, identity: &WebIdentity) -> bool {
    let Some(operators) = condition.as_object() else {
        return condition.is_null();
    };
    operators.iter().all(|(operator, keys)| {
        let compare: fn(&str, &str) -> bool = match operator.as_str() {
            "StringEquals" => |value, actual| value == actual,
            "StringLike" => like,
            _ => return false,
        };
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, values)| {
                identity
                    .context(key)
                    .is_some_and(|actual| any(values, |value| compare(value, actual)))
            })
        })
    })
}

impl WebIdentity {
    /// The value of a condition key. Keys, unlike values, are compared without case.
    fn context(&self, key: &str) -> Option<&str> {
        let is = |claim: &str| key.eq_ignore_ascii_case(&format!("{}:{claim}", self.provider_name));
        if is("sub") {
            Some(&self.subject)
        } else if is("aud") {
            Some(&self.audience)
        } else {
            None
        }
    }
}

/// IAM allows a lone value wherever it allows a list.
fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        value => std::slice::from_ref(value),
    }
}

fn any(values: &Value, holds: impl Fn(&str) -> bool) -> bool {
    one_or_many(values)
        .iter()
        .filter_map(Value::as_str)
        .any(holds)
}

/// `*` stands for any characters, `?` for one.
fn like(pattern: &str, text: &str) -> bool {
    let mut rest = text.chars();
    let mut pattern = pattern.chars();
    match pattern.next() {
        None => text.is_empty(),
        Some('*') => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter()
                .any(|at| like(pattern.as_str(), &text[at..]))
        }
        Some('?') => rest.next().is_some() && like(pattern.as_str(), rest.as_str()),
        Some(letter) => rest.next() == Some(letter) && like(pattern.as_str(), rest.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sts::role::{ROLE_ARN, Role, provider_arn, provider_name};

    const ISSUER: &str = "https://issuer.example/id/1";
    const SUBJECT: &str = "system:serviceaccount:team:app";

    fn identity() -> WebIdentity {
        WebIdentity {
            provider_arn: provider_arn(ROLE_ARN, ISSUER),
            provider_name: provider_name(ISSUER).to_owned(),
            subject: SUBJECT.to_owned(),
            audience: "sts.amazonaws.com".to_owned(),
        }
    }

    /// The usual policy with one part of its statement replaced.
    fn allowed_with(part: &str, value: Value) -> bool {
        let mut trust = Role::trusting(ROLE_ARN, ISSUER, SUBJECT).trust;
        trust["Statement"][0][part] = value;
        allows(&trust, &identity())
    }

    #[test]
    fn the_usual_policy_allows_its_subject_and_no_other() {
        assert!(allows(
            &Role::trusting(ROLE_ARN, ISSUER, SUBJECT).trust,
            &identity()
        ));
        let other = "system:serviceaccount:team:app2";
        assert!(!allows(
            &Role::trusting(ROLE_ARN, ISSUER, other).trust,
            &identity()
        ));
    }

    #[test]
    fn what_iam_would_not_store_is_refused() {
        let good = Role::trusting(ROLE_ARN, ISSUER, SUBJECT).trust;
        assert_eq!(check(&good), Ok(()));
        let with = |part: &str, value: Value| {
            let mut trust = good.clone();
            trust["Statement"][0][part] = value;
            check(&trust)
        };
        let long = json!({ "StringEquals": { "a:sub": "x".repeat(2048) } });
        assert!(
            with("Condition", long)
                .unwrap_err()
                .starts_with("LimitExceeded")
        );
        for refused in [
            with("Principal", Value::Null),
            with("Action", Value::Null),
            with("Resource", json!("*")),
            with("Effect", json!("allow")),
            check(&json!({ "Statement": good["Statement"] })),
            check(&json!({ "Version": "2012-10-17", "Statement": [] })),
            check(&json!("{}")),
        ] {
            assert!(refused.unwrap_err().starts_with("MalformedPolicyDocument"));
        }
    }

    #[test]
    fn a_star_means_something_in_string_like_only() {
        let on_sub = |operator: &str, value: Value| {
            allowed_with(
                "Condition",
                json!({ operator: { "issuer.example/id/1:sub": value } }),
            )
        };
        assert!(on_sub("StringLike", json!("system:serviceaccount:team:*")));
        assert!(on_sub("StringLike", json!(["nobody", "*:a?p"])));
        assert!(!on_sub(
            "StringLike",
            json!("system:serviceaccount:other:*")
        ));
        assert!(!on_sub(
            "StringEquals",
            json!("system:serviceaccount:team:*")
        ));
    }

    #[test]
    fn an_operator_or_a_key_that_is_not_known_matches_nothing() {
        let key = "issuer.example/id/1:sub";
        assert!(!allowed_with(
            "Condition",
            json!({ "ArnLike": { key: SUBJECT } })
        ));
        assert!(!allowed_with(
            "Condition",
            json!({ "StringEquals": { "other:sub": SUBJECT } })
        ));
        assert!(!allowed_with(
            "Condition",
            json!({ "StringEquals": {}, "Bool": {} })
        ));
    }

    #[test]
    fn another_principal_or_another_action_is_not_this_one() {
        let arn = provider_arn("arn:aws:iam::999999999999:role/app", ISSUER);
        assert!(!allowed_with("Principal", json!({ "Federated": arn })));
        assert!(!allowed_with(
            "Principal",
            json!({ "Service": "ec2.amazonaws.com" })
        ));
        assert!(!allowed_with("Action", json!("sts:AssumeRole")));
        assert!(allowed_with(
            "Action",
            json!(["sts:TagSession", "sts:assumerolewith*"])
        ));
    }

    #[test]
    fn a_deny_wins() {
        let mut trust = Role::trusting(ROLE_ARN, ISSUER, SUBJECT).trust;
        let mut deny = trust["Statement"][0].clone();
        deny["Effect"] = json!("Deny");
        trust["Statement"].as_array_mut().unwrap().push(deny);
        assert!(!allows(&trust, &identity()));
    }

    #[test]
    fn a_statement_may_stand_alone_and_without_a_condition() {
        let mut trust = Role::trusting(ROLE_ARN, ISSUER, SUBJECT).trust;
        trust["Statement"] = trust["Statement"][0].clone();
        assert!(allows(&trust, &identity()));
        assert!(allowed_with("Condition", Value::Null));
        assert!(!allows(&Value::Null, &identity()));
    }
}
