//! What a service account's annotations say, read as the EKS pod identity webhook reads them.

use std::time::Duration;

use super::{
    Annotations, ServiceAccountError, ServiceAccountErrorKind, ServiceAccountName, is_dns_subdomain,
};
use crate::claims::{Claims, Kubernetes};
use crate::diagnosis::{Diagnosis, findings, quote};
use crate::role::RoleArn;

const ROLE_ARN: &str = "role-arn";
const AUDIENCE: &str = "audience";
const TOKEN_EXPIRATION: &str = "token-expiration";
const STS_REGIONAL_ENDPOINTS: &str = "sts-regional-endpoints";

/// IAM lists no longer audience.
const LONGEST_AUDIENCE: usize = 255;
/// The webhook asks for no token that lives shorter.
const SHORTEST_TOKEN: i64 = 600;
/// Of what stands under other prefixes, so many are shown.
const SHOWN: usize = 3;

/// How annotations are read.
#[derive(Debug, Clone)]
pub struct AnnotationsConfig {
    /// What stands before the slash.
    pub prefix: String,
    /// Whether the audience is taken from there too; otherwise it was set.
    pub reads_audience: bool,
    /// The role in `AWS_ROLE_ARN`: it stands in while the API cannot be asked, and tells the account of a bare name.
    pub stand_in: Option<RoleArn>,
    /// The region whose STS will be asked.
    pub region: String,
}

/// What they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotated {
    /// The role to assume.
    pub role: RoleArn,
    /// What the token's `aud` has to hold; `None`: what it has to hold anyway.
    pub audience: Option<String>,
    /// How long the webhook has tokens live; no business of ours but to be shown.
    pub token_expiration: Option<Duration>,
    /// Whether the webhook asks SDKs to use regional endpoints; likewise.
    pub sts_regional_endpoints: Option<bool>,
}

impl AnnotationsConfig {
    /// Reads the annotations of this service account.
    pub fn read(
        &self,
        account: &ServiceAccountName,
        annotations: &Annotations,
    ) -> Result<Annotated, ServiceAccountError> {
        let fail = |kind| ServiceAccountError::new(account, kind);
        let key = |name: &str| format!("{}/{name}", self.prefix);
        let value = |name: &str| annotations.get(&key(name)).map(String::as_str);
        let invalid = |name: &str, problem: String| {
            fail(ServiceAccountErrorKind::Invalid {
                annotation: key(name),
                value: value(name).unwrap_or_default().to_owned(),
                problem,
            })
        };
        let role = value(ROLE_ARN).ok_or_else(|| {
            fail(ServiceAccountErrorKind::NoAnnotation {
                annotation: key(ROLE_ARN),
                others: under_other_prefixes(annotations),
            })
        })?;
        let role = self
            .role(role)
            .map_err(|problem| invalid(ROLE_ARN, problem))?;
        let audience =
            value(AUDIENCE).filter(|audience| self.reads_audience && !audience.is_empty());
        if let Some(problem) = audience.and_then(problem_of_audience) {
            return Err(invalid(AUDIENCE, problem.to_owned()));
        }
        Ok(Annotated {
            role,
            audience: audience.map(str::to_owned),
            token_expiration: value(TOKEN_EXPIRATION).and_then(token_expiration),
            sts_regional_endpoints: value(STS_REGIONAL_ENDPOINTS).and_then(go_bool),
        })
    }

    /// What to say where `AWS_ROLE_ARN` names another role than was found: the webhook writes the annotation into pods as
    /// they are made, and never again.
    pub fn stale(
        &self,
        found: &Annotated,
        account: &ServiceAccountName,
        claims: &Claims,
    ) -> Option<Diagnosis> {
        let (role, prefix) = (&found.role, &self.prefix);
        let other = self.stand_in.as_ref().filter(|other| *other != role)?;
        let pod = match &claims.kubernetes {
            Some(Kubernetes { pod: Some(pod), .. }) if is_dns_subdomain(&pod.name) => &pod.name,
            _ => "POD",
        };
        Some(Diagnosis {
            finding: findings::ROLE_ANNOTATION_STALE,
            found: format!(
                "{prefix}/role-arn of service account {account} names {role}, which the sidecar uses, and AWS_ROLE_ARN names {other}: the pod was made before the annotation was changed"
            ),
            expected: "one role in both, since SDKs that exchange the token by themselves use that of AWS_ROLE_ARN".into(),
            fix: format!(
                "kubectl delete pod -n {} {pod}\nso that what made it makes it anew; where the annotation is the wrong one: kubectl annotate --overwrite serviceaccount -n {} {} {prefix}/role-arn={other}",
                account.namespace, account.namespace, account.name
            ),
        })
    }

    /// A whole ARN, or what the webhook's `--compose-role-arn` makes one of.
    fn role(&self, text: &str) -> Result<RoleArn, String> {
        const BARE: &str = "without its account";
        let bare = !text.is_empty() && !text.contains(':');
        let role: RoleArn = if bare {
            let known = self.stand_in.as_ref().ok_or_else(|| {
                format!("it is a name {BARE}, and no AWS_ROLE_ARN tells that; write the whole ARN")
            })?;
            let (partition, account) = (known.partition(), known.account());
            let whole = format!("arn:{partition}:iam::{account}:role/{text}").parse();
            let relative = !text.starts_with('/');
            whole
                .ok()
                .filter(|_| relative)
                .ok_or_else(|| format!("it is neither an ARN nor NAME or PATH/NAME {BARE}"))?
        } else {
            text.parse().map_err(|error| format!("{error}"))?
        };
        match role.out_of_reach(&self.region) {
            Some(problem) => Err(problem),
            None => Ok(role),
        }
    }
}

fn problem_of_audience(audience: &str) -> Option<&'static str> {
    if audience.chars().any(char::is_control) {
        Some("it has control characters")
    } else if audience.len() > LONGEST_AUDIENCE {
        Some("it is longer than any audience that IAM lists")
    } else {
        None
    }
}

/// `strconv.ParseInt`, then the webhook's own lower bound; what is no number counts for nothing.
fn token_expiration(text: &str) -> Option<Duration> {
    let seconds: i64 = text.parse().ok()?;
    Some(Duration::from_secs(
        seconds.max(SHORTEST_TOKEN).unsigned_abs(),
    ))
}

/// `strconv.ParseBool`.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn under_other_prefixes(annotations: &Annotations) -> Vec<String> {
    let is_role = |key: &&String| {
        key.rsplit_once('/')
            .is_some_and(|(_, name)| name == ROLE_ARN)
    };
    let others = annotations.keys().filter(is_role);
    others.take(SHOWN).map(|key| quote(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";

    fn config() -> AnnotationsConfig {
        AnnotationsConfig {
            prefix: "eks.amazonaws.com".into(),
            reads_audience: true,
            stand_in: None,
            region: "eu-west-1".into(),
        }
    }

    fn read(
        config: &AnnotationsConfig,
        annotations: &[(&str, &str)],
    ) -> Result<Annotated, ServiceAccountError> {
        let account = ServiceAccountName {
            namespace: "team".into(),
            name: "app".into(),
        };
        let annotations = annotations
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        config.read(&account, &annotations)
    }

    fn role(config: &AnnotationsConfig, text: &str) -> Result<String, String> {
        let read = read(config, &[("eks.amazonaws.com/role-arn", text)]);
        read.map(|found| found.role.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn all_four_are_read_as_the_webhook_reads_them() {
        let found = read(
            &config(),
            &[
                ("eks.amazonaws.com/role-arn", ROLE),
                ("eks.amazonaws.com/audience", "sts.example.com"),
                ("eks.amazonaws.com/token-expiration", "3600"),
                ("eks.amazonaws.com/sts-regional-endpoints", "T"),
                ("example.com/role-arn", "nonsense"),
            ],
        );
        assert_eq!(
            found.unwrap(),
            Annotated {
                role: ROLE.parse().unwrap(),
                audience: Some("sts.example.com".into()),
                token_expiration: Some(Duration::from_secs(3600)),
                sts_regional_endpoints: Some(true),
            }
        );
        for (text, seconds) in [
            ("1", Some(600)),
            ("-5", Some(600)),
            ("1h", None),
            ("", None),
        ] {
            let seconds = seconds.map(Duration::from_secs);
            assert_eq!(token_expiration(text), seconds, "{text}");
        }
        for (text, value) in [("1", Some(true)), ("False", Some(false)), ("yes", None)] {
            assert_eq!(go_bool(text), value, "{text}");
        }
    }

    #[test]
    fn another_prefix_is_looked_at_only_where_it_was_set() {
        let theirs = [("iam.example.com/role-arn", ROLE)];
        let error = read(&config(), &theirs).unwrap_err().to_string();
        for part in [
            "team/app has no annotation eks.amazonaws.com/role-arn, but \"iam.example.com/role-arn\"",
            "kubectl annotate serviceaccount -n team app eks.amazonaws.com/role-arn=",
            "kOps",
        ] {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
        let other = AnnotationsConfig {
            prefix: "iam.example.com".into(),
            ..config()
        };
        assert_eq!(read(&other, &theirs).unwrap().role.as_str(), ROLE);
    }

    #[test]
    fn a_bare_name_is_completed_only_where_the_account_is_known() {
        for bare in ["app", "team/app"] {
            let error = role(&config(), bare).unwrap_err();
            assert!(error.contains("write the whole ARN"), "{error}");
            let known = AnnotationsConfig {
                stand_in: Some("arn:aws:iam::444455556666:role/other".parse().unwrap()),
                ..config()
            };
            let whole = format!("arn:aws:iam::444455556666:role/{bare}");
            assert_eq!(role(&known, bare), Ok(whole));
            for bad in ["/app", "a b", "app/", "a:b", "é", "a\nb"] {
                assert!(role(&known, bad).is_err(), "{bad:?}");
            }
        }
    }

    #[test]
    fn what_names_no_role_is_quoted_and_cut() {
        let long = "x".repeat(2048);
        for (text, part) in [
            ("", "\"\""),
            ("arn:aws:iam::111122223333:role/a\nb", r"a\nb"),
            ("arn:aws:iam::111122223333:role/a\u{1b}[31m", r"\u{1b}"),
            (long.as_str(), "and 1848 more characters"),
            (
                "arn:aws-cn:iam::111122223333:role/app",
                "the region eu-west-1 in aws",
            ),
        ] {
            let error = role(&config(), text).unwrap_err();
            assert!(error.contains(part), "{part:?} is not in {error}");
            assert!(!error.contains(['\n', '\u{1b}']), "{error}");
        }
    }

    #[test]
    fn an_audience_that_was_set_hides_the_annotation() {
        let annotations = [
            ("eks.amazonaws.com/role-arn", ROLE),
            ("eks.amazonaws.com/audience", "a\nb"),
        ];
        let error = read(&config(), &annotations).unwrap_err().to_string();
        assert!(error.contains("eks.amazonaws.com/audience"), "{error}");
        let set = AnnotationsConfig {
            reads_audience: false,
            ..config()
        };
        assert_eq!(read(&set, &annotations).unwrap().audience, None);
        let empty = [annotations[0], ("eks.amazonaws.com/audience", "")];
        assert_eq!(read(&config(), &empty).unwrap().audience, None);
    }
}
