//! The trust policy that lets one very token in, and the IAM OIDC provider that vouches for it.
//!
//! Claims are whatever somebody wrote into a token, so only what IAM takes, and takes literally, is made into a policy:
//! for anything else there is none.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>

use std::collections::BTreeMap;

use serde::Serialize;

use crate::claims::Claims;
use crate::role::RoleArn;

/// What IAM allows a trust policy to have, blanks not counted.
const LONGEST_POLICY: usize = 2048;
/// Of a provider's URL and of each of its client ids.
const LONGEST_NAME: usize = 255;

/// The IAM OIDC provider for a token's issuer, in the account of the role: nowhere else does STS look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provider<'a> {
    /// Exactly the token's `iss`.
    pub(super) url: &'a str,
    pub(super) arn: String,
    /// The URL without its scheme: so it stands before `:sub` and `:aud`.
    name: &'a str,
}

impl<'a> Provider<'a> {
    /// `None` where IAM can have none for such an issuer. It takes no ports:
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>
    pub(super) fn of(claims: &'a Claims, role: &RoleArn) -> Option<Self> {
        let url = claims.issuer.as_str();
        let name = url.strip_prefix("https://")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/%".contains(&b);
        let taken = !name.is_empty()
            && url.len() <= LONGEST_NAME
            && name.bytes().all(plain)
            && !has_port(claims);
        taken.then(|| Provider {
            url,
            arn: format!(
                "arn:{}:iam::{}:oidc-provider/{name}",
                role.partition(),
                role.account()
            ),
            name,
        })
    }
}

/// Whether the issuer's URL says on which port it is served, even if that is 443.
pub(super) fn has_port(claims: &Claims) -> bool {
    let url = claims.issuer.strip_prefix("https://");
    let authority = url.and_then(|name| name.split('/').next());
    authority.is_some_and(|authority| authority.contains(':'))
}

/// The first audience that IAM can list.
pub(super) fn client_id(claims: &Claims) -> Option<&str> {
    let mut audiences = claims.audiences.iter();
    let is_listed = |audience: &&String| audience.len() <= LONGEST_NAME && is_literal(audience);
    audiences.find(is_listed).map(String::as_str)
}

/// As JSON over several lines. `None` where IAM would not take it, or not take it literally.
pub(super) fn trust_policy(claims: &Claims, role: &RoleArn) -> Option<String> {
    let provider = Provider::of(claims, role)?;
    let (subject, audiences) = (claims.subject.as_str(), claims.audiences.as_slice());
    let literal = !audiences.is_empty()
        && audiences.iter().all(|audience| is_literal(audience))
        && is_literal(subject);
    let audiences = match audiences {
        _ if !literal => return None,
        [one] => OneOrMany::One(one),
        many => OneOrMany::Many(many),
    };
    let policy = Policy {
        version: "2012-10-17",
        statement: [Statement {
            effect: "Allow",
            principal: Principal {
                federated: &provider.arn,
            },
            action: "sts:AssumeRoleWithWebIdentity",
            condition: Condition {
                string_equals: BTreeMap::from([
                    (format!("{}:aud", provider.name), audiences),
                    (format!("{}:sub", provider.name), OneOrMany::One(subject)),
                ]),
            },
        }],
    };
    let length = serde_json::to_string(&policy).ok()?.len();
    let fits = length <= LONGEST_POLICY;
    fits.then(|| serde_json::to_string_pretty(&policy).ok())?
}

/// `StringEquals` takes `*` and `?` as they are, but fills in what stands in `${}`.
fn is_literal(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() || b == b' ';
    !text.is_empty() && text.bytes().all(plain) && !text.contains("${")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a> {
    version: &'a str,
    statement: [Statement<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    effect: &'a str,
    principal: Principal<'a>,
    action: &'a str,
    condition: Condition<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Principal<'a> {
    federated: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    string_equals: BTreeMap<String, OneOrMany<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OneOrMany<'a> {
    One(&'a str),
    Many(&'a [String]),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(issuer: &str, subject: &str, audiences: &[&str]) -> Claims {
        Claims {
            audiences: audiences.iter().map(|&one| one.to_owned()).collect(),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            expires_at: None,
            not_before: None,
            issued_at: None,
            kubernetes: None,
        }
    }

    fn policy(issuer: &str, subject: &str, audiences: &[&str]) -> Option<String> {
        let role = "arn:aws-cn:iam::111122223333:role/team/app"
            .parse()
            .unwrap();
        trust_policy(&claims(issuer, subject, audiences), &role)
    }

    #[test]
    fn it_names_the_provider_in_the_roles_account_and_the_tokens_own_sub_and_aud() {
        assert_eq!(
            policy(
                "https://issuer.example/id/1",
                "system:serviceaccount:team:app",
                &["sts.amazonaws.com"]
            )
            .unwrap(),
            r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws-cn:iam::111122223333:oidc-provider/issuer.example/id/1"
      },
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "issuer.example/id/1:aud": "sts.amazonaws.com",
          "issuer.example/id/1:sub": "system:serviceaccount:team:app"
        }
      }
    }
  ]
}"#
        );
    }

    #[test]
    fn two_audiences_are_a_list() {
        let policy = policy("https://i", "s", &["a", "b"]).unwrap();
        let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
        let condition = &policy["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(condition["i:aud"], serde_json::json!(["a", "b"]));
    }

    #[test]
    fn a_colon_in_a_path_is_no_port() {
        let policy = policy("https://i/a:1", "s", &["a"]).unwrap();
        assert!(policy.contains("\"i/a:1:sub\""), "{policy}");
    }

    #[test]
    fn a_claim_cannot_break_out_of_the_policy() {
        let text = policy("https://i", r#"s","i:aud":"*"}}},{"#, &["a\\"]).unwrap();
        let policy: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
        let condition = &policy["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(condition["i:sub"], r#"s","i:aud":"*"}}},{"#);
        assert_eq!(condition["i:aud"], "a\\");
    }

    #[test]
    fn of_what_iam_does_not_take_literally_no_policy_is_made() {
        const ISSUER: &str = "https://issuer.example";
        let long = "x".repeat(2000);
        for (issuer, subject, audiences) in [
            ("http://issuer.example", "s", &["a"] as &[&str]),
            ("kubernetes/serviceaccount", "s", &["a"]),
            ("https://", "s", &["a"]),
            ("https://issuer.example/*", "s", &["a"]),
            ("https://issuer.example:8443", "s", &["a"]),
            ("https://issuer.example:443/id/1", "s", &["a"]),
            ("https://issuer.example/\n", "s", &["a"]),
            (&format!("{ISSUER}/{long}"), "s", &["a"]),
            (ISSUER, "", &["a"]),
            (ISSUER, "${aws:username}", &["a"]),
            (ISSUER, "line\nbreak", &["a"]),
            (ISSUER, "\u{202e}", &["a"]),
            (ISSUER, &long, &["a"]),
            (ISSUER, "s", &[]),
            (ISSUER, "s", &["a", "${b}"]),
        ] {
            assert_eq!(
                policy(issuer, subject, audiences),
                None,
                "{issuer} {subject} {audiences:?}"
            );
        }
    }
}
