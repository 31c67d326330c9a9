//! The service account's annotation, beside the role that the webhook wrote into the pod when it was made.

use super::Entry;
use crate::claims::Claims;
use crate::diagnosis::{Diagnosis, steps};
use crate::service_account::{
    Annotated, AnnotationsConfig, ServiceAccountError, ServiceAccountName,
};

/// What was read of this service account, by what is configured.
pub fn judge(
    read: &Result<Annotated, ServiceAccountError>,
    account: &ServiceAccountName,
    claims: &Claims,
    config: &AnnotationsConfig,
) -> Entry {
    let prefix = &config.prefix;
    match (read, &config.stand_in) {
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
        (Ok(found), _) => {
            if let Some(stale) = config.stale(found, account, claims) {
                return Entry::warned(steps::ANNOTATION, stale);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Kubernetes, Pod};
    use crate::diagnosis::{Finding, findings};
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
        let config = AnnotationsConfig {
            prefix: "eks.amazonaws.com".into(),
            reads_audience: true,
            stand_in: frozen.map(|role| role.parse().unwrap()),
            region: "eu-west-1".into(),
        };
        judge(&read, &account, &claims, &config).verdict
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
