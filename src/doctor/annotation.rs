//! The service account's annotation, beside the role that the webhook wrote into the pod when it was made.

use super::Entry;
use crate::claims::{Claims, Kubernetes};
use crate::diagnosis::{Diagnosis, findings, steps};
use crate::role::RoleArn;
use crate::service_account::{
    Annotated, ServiceAccountError, ServiceAccountName, is_dns_subdomain,
};

/// `stand_in` is what `AWS_ROLE_ARN` holds; `prefix` is what stands before the annotation's name.
pub fn judge(
    read: &Result<Annotated, ServiceAccountError>,
    account: &ServiceAccountName,
    claims: &Claims,
    prefix: &str,
    stand_in: Option<&RoleArn>,
) -> Entry {
    match (read, stand_in) {
        (Err(error), Some(role)) if error.is_silence() => {
            let diagnosis = error.diagnosis();
            Entry::warned(
                steps::ANNOTATION,
                Diagnosis {
                    found: format!(
                        "{}; {role} in AWS_ROLE_ARN stands in for the annotation",
                        diagnosis.found
                    ),
                    ..diagnosis
                },
            )
        }
        (Err(error), _) => Entry::failed(steps::ANNOTATION, error.diagnosis()),
        (Ok(found), Some(other)) if *other != found.role => Entry::warned(
            steps::ANNOTATION,
            stale(&found.role, other, account, claims, prefix),
        ),
        (Ok(found), _) => {
            let audience = found.audience.as_deref();
            let audience = audience.map_or(String::new(), |audience| {
                format!(", and the audience {audience:?}")
            });
            Entry::fine(
                steps::ANNOTATION,
                format!(
                    "{prefix}/role-arn of service account {account} names {}{audience}",
                    found.role
                ),
            )
        }
    }
}

/// The webhook writes the annotation into pods as they are made, and never again.
fn stale(
    role: &RoleArn,
    other: &RoleArn,
    account: &ServiceAccountName,
    claims: &Claims,
    prefix: &str,
) -> Diagnosis {
    let pod = match &claims.kubernetes {
        Some(Kubernetes { pod: Some(pod), .. }) if is_dns_subdomain(&pod.name) => &pod.name,
        _ => "POD",
    };
    Diagnosis {
        finding: findings::ROLE_ANNOTATION_STALE,
        found: format!(
            "{prefix}/role-arn of service account {account} names {role}, which the sidecar uses, and AWS_ROLE_ARN names {other}: the pod was made before the annotation was changed"
        ),
        expected: "one role in both, since SDKs that exchange the token by themselves use that of AWS_ROLE_ARN".into(),
        fix: format!(
            "kubectl delete pod -n {} {pod}\nso that what made it makes it anew; where the annotation is the wrong one: kubectl annotate --overwrite serviceaccount -n {} {} {prefix}/role-arn={other}",
            account.namespace, account.namespace, account.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Pod;
    use crate::diagnosis::Finding;
    use crate::doctor::Verdict;
    use crate::service_account::ServiceAccountErrorKind;

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";
    const OTHER: &str = "arn:aws:iam::111122223333:role/frozen";

    fn account() -> ServiceAccountName {
        ServiceAccountName {
            namespace: "team".into(),
            name: "app".into(),
        }
    }

    fn verdict(
        read: Result<Option<&str>, ServiceAccountErrorKind>,
        frozen: Option<&str>,
    ) -> Verdict {
        let claims = Claims {
            audiences: Vec::new(),
            issuer: String::new(),
            subject: String::new(),
            expires_at: None,
            not_before: None,
            issued_at: None,
            kubernetes: Some(Kubernetes {
                namespace: Some("team".into()),
                service_account: Some("app".into()),
                pod: Some(Pod {
                    name: "app-1".into(),
                    uid: "the-uid".into(),
                }),
            }),
        };
        let account = account();
        let read = match read {
            Ok(audience) => Ok(Annotated {
                role: ROLE.parse().unwrap(),
                audience: audience.map(str::to_owned),
                token_expiration: None,
                sts_regional_endpoints: None,
            }),
            Err(kind) => Err(ServiceAccountError {
                account: account.clone(),
                kind,
            }),
        };
        let frozen: Option<RoleArn> = frozen.map(|role| role.parse().unwrap());
        judge(
            &read,
            &account,
            &claims,
            "eks.amazonaws.com",
            frozen.as_ref(),
        )
        .verdict
    }

    fn unreachable() -> ServiceAccountErrorKind {
        ServiceAccountErrorKind::Unreachable {
            server: "https://10.0.0.1:443".into(),
            cause: "no".into(),
        }
    }

    #[test]
    fn the_same_role_in_both_places_is_fine_and_another_one_is_stale() {
        let Verdict::Fine(found) = verdict(Ok(Some("a\nb")), Some(ROLE)) else {
            panic!("it is fine");
        };
        assert_eq!(
            found,
            format!(
                r#"eks.amazonaws.com/role-arn of service account team/app names {ROLE}, and the audience "a\nb""#
            )
        );
        assert!(matches!(verdict(Ok(None), None), Verdict::Fine(_)));
        let Verdict::Warned(stale) = verdict(Ok(None), Some(OTHER)) else {
            panic!("it is stale");
        };
        assert_eq!(stale.finding, findings::ROLE_ANNOTATION_STALE);
        assert!(stale.found.contains(ROLE) && stale.found.contains(OTHER));
        assert!(
            stale.fix.starts_with("kubectl delete pod -n team app-1\n"),
            "{}",
            stale.fix
        );
    }

    #[test]
    fn silence_is_a_failure_only_where_nothing_stands_in_and_an_answer_always_counts() {
        let silent = |frozen| match verdict(Err(unreachable()), frozen) {
            Verdict::Warned(diagnosis) => (true, diagnosis),
            Verdict::Failed(diagnosis) => (false, diagnosis),
            other => panic!("{other:?}"),
        };
        let (warned, diagnosis) = silent(Some(OTHER));
        assert!(warned);
        assert_eq!(diagnosis.finding, findings::API_UNREACHABLE);
        assert!(
            diagnosis
                .found
                .ends_with("frozen in AWS_ROLE_ARN stands in for the annotation"),
            "{}",
            diagnosis.found
        );
        assert!(!silent(None).0);
        for frozen in [None, Some(OTHER)] {
            let failed: Option<Finding> =
                match verdict(Err(ServiceAccountErrorKind::NotFound), frozen) {
                    Verdict::Failed(diagnosis) => Some(diagnosis.finding),
                    _ => None,
                };
            assert_eq!(failed, Some(findings::SERVICE_ACCOUNT_NOT_FOUND));
        }
    }
}
