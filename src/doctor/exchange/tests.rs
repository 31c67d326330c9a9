use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::*;
use crate::credentials::Session;
use crate::secret::Secret;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const HOUR: Duration = Duration::from_secs(3600);

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn now() -> Moment {
    Moment {
        wall: time(1_000_000),
        tick: Instant::now(),
    }
}

fn obtained() -> Credentials {
    let session = Session {
        access_key_id: "ASIAEXAMPLEKEYID0000".into(),
        secret_access_key: Secret::new("hunter2".into()),
        session_token: Secret::new("swordfish".into()),
        expiration: time(1_003_600),
        account_id: "111122223333".into(),
        role_arn: ROLE.into(),
        session_name: "pod-1".into(),
    };
    Credentials::new(session, now(), HOUR).unwrap()
}

fn refused(status: u16, code: &str, message: &str) -> StsError {
    StsError::of(StsErrorKind::Answered {
        status,
        code: code.into(),
        message: message.into(),
        request_id: None,
    })
}

/// Region, exchange and duration.
fn judged(outcome: Result<Credentials, StsError>, too_long: Option<StsError>) -> [Verdict; 3] {
    let asked = Asked {
        role: &ROLE.parse().unwrap(),
        session_name: &"pod-1".parse().unwrap(),
        duration: HOUR,
        region: "eu-west-1",
    };
    let entries = judge(&asked, &Answered { outcome, too_long });
    let steps: Vec<Step> = entries.iter().map(|entry| entry.step).collect();
    assert_eq!(
        steps,
        [steps::STS_REGION, steps::EXCHANGE, steps::SESSION_DURATION]
    );
    let verdicts: Vec<Verdict> = entries.into_iter().map(|entry| entry.verdict).collect();
    verdicts.try_into().unwrap()
}

fn id(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Failed(diagnosis) | Verdict::Warned(diagnosis) => diagnosis.finding.id,
        Verdict::Fine(_) => "fine",
        Verdict::Skipped(_) => "skipped",
    }
}

#[test]
fn credentials_make_all_three_fine() {
    let [region, exchange, duration] = judged(Ok(obtained()), None);
    assert_eq!(
        region,
        Verdict::Fine("STS in eu-west-1 serves the account 111122223333".into())
    );
    assert_eq!(
        exchange,
        Verdict::Fine(format!("{ROLE}, as the role session pod-1"))
    );
    assert_eq!(duration, Verdict::Fine("1h, where 1h was asked for".into()));
}

#[test]
fn one_trouble_is_one_failure() {
    for (error, region, exchange) in [
        (
            refused(403, "RegionDisabledException", ""),
            "sts-region-disabled",
            "skipped",
        ),
        (
            refused(403, "AccessDenied", ""),
            "fine",
            "sts-access-denied",
        ),
        (
            refused(
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key",
            ),
            "fine",
            "sts-verification-key",
        ),
        (refused(400, "Throttling", ""), "skipped", "sts-throttled"),
        (refused(503, "", ""), "skipped", "sts-unavailable"),
        (refused(404, "", ""), "skipped", "sts-garbled"),
        (
            StsError::of(StsErrorKind::TimedOut),
            "skipped",
            "sts-timeout",
        ),
        (
            StsError::of(StsErrorKind::Useless("nothing".into())),
            "skipped",
            "sts-useless-credentials",
        ),
    ] {
        let verdicts = judged(Err(error), None);
        assert_eq!(verdicts.each_ref().map(id), [region, exchange, "skipped"]);
    }
}

#[test]
fn a_role_that_allows_an_hour_only_is_a_warning_as_the_sidecar_goes_on_with_that() {
    let too_long = refused(400, "ValidationError", "exceeds the MaxSessionDuration");
    let verdicts = judged(Ok(obtained()), Some(too_long.clone()));
    assert_eq!(
        verdicts.each_ref().map(id),
        ["fine", "fine", "sts-duration"]
    );
    assert!(matches!(verdicts[2], Verdict::Warned(_)));
    let verdicts = judged(Err(too_long), None);
    assert_eq!(
        verdicts.each_ref().map(id),
        ["fine", "sts-duration", "skipped"]
    );
}

#[test]
fn what_the_credentials_are_is_said_without_what_they_sign_with() {
    let caller = Caller {
        arn: "arn:aws:sts::111122223333:assumed-role/app/pod-1".into(),
        account: "111122223333".into(),
    };
    let obtained = obtained();
    let entry = credentials(Ok(caller), &obtained, obtained.obtained());
    assert_eq!(
        entry.verdict,
        Verdict::Fine(
            "arn:aws:sts::111122223333:assumed-role/app/pod-1 in account 111122223333, access key ASIAEXAMPLEKEYID0000, until 1970-01-12T14:46:40Z, 1h from now".into()
        )
    );
}

#[test]
fn credentials_of_which_sts_says_nothing_are_warned_about_and_not_refused() {
    let silent = [
        StsError::of(StsErrorKind::TimedOut),
        refused(400, "Throttling", ""),
        refused(500, "", ""),
    ];
    for error in silent {
        let diagnosis = error.diagnosis();
        let entry = credentials(Err(error), &obtained(), now());
        assert_eq!(entry.verdict, Verdict::Warned(diagnosis));
    }
}

mod ready {
    use super::*;
    use crate::claims;
    use crate::token;

    struct Pod {
        token: WebIdentityToken,
        claims: Result<Claims, ClaimsError>,
        role: RoleArn,
        stand_in: RoleArn,
    }

    fn pod() -> Pod {
        use base64::Engine;
        let claims = r#"{"aud":["sts.amazonaws.com"],"iss":"https://i","sub":"s","exp":1003600}"#;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, format!("eyJhbGciOiJub25lIn0.{claims}.c2ln")).unwrap();
        let token = token::read_once(&path).unwrap();
        Pod {
            claims: claims::decode(&token),
            token,
            role: ROLE.parse().unwrap(),
            stand_in: "arn:aws:iam::111122223333:role/stand-in".parse().unwrap(),
        }
    }

    impl Pod {
        fn facts<'a>(&'a self, before: &'a [Entry]) -> Facts<'a> {
            Facts {
                before,
                token: Some(&self.token),
                claims: Some(&self.claims),
                audience: Some("sts.amazonaws.com"),
                role: Some(&self.role),
                annotated: None,
                stand_in: None,
                region: "eu-west-1",
                now: now(),
            }
        }
    }

    fn why(facts: Facts<'_>) -> String {
        facts.ready().map(|ready| ready.role.clone()).unwrap_err()
    }

    #[test]
    fn a_healthy_pod_is() {
        let pod = pod();
        assert_eq!(pod.facts(&[]).ready().unwrap().role, &pod.role);
    }

    #[test]
    fn what_is_missing_says_where_to_look() {
        let pod = pod();
        let all = || pod.facts(&[]);
        let malformed = Err(ClaimsError::Missing("sub"));
        let late = Moment {
            wall: time(2_000_000),
            ..now()
        };
        let far = "arn:aws-cn:iam::111122223333:role/app".parse().unwrap();
        for (facts, step) in [
            (
                Facts {
                    token: None,
                    ..all()
                },
                "token-file",
            ),
            (
                Facts {
                    claims: None,
                    ..all()
                },
                "claims",
            ),
            (
                Facts {
                    claims: Some(&malformed),
                    ..all()
                },
                "claims",
            ),
            (
                Facts {
                    audience: Some("another"),
                    ..all()
                },
                "claims",
            ),
            (Facts { now: late, ..all() }, "claims"),
            (
                Facts {
                    audience: None,
                    ..all()
                },
                "configuration",
            ),
            (
                Facts {
                    role: None,
                    ..all()
                },
                "role",
            ),
            (
                Facts {
                    role: Some(&far),
                    ..all()
                },
                "role",
            ),
        ] {
            let why = why(facts);
            assert!(why.ends_with(&format!("see {step}")), "{why}");
        }
    }

    #[test]
    fn nothing_is_sent_where_the_way_is_broken() {
        let pod = pod();
        for step in [steps::STS_ADDRESS, steps::STS_CONNECTION, steps::STS_ANSWER] {
            let failed = [Entry::failed(step, refused(403, "", "").diagnosis())];
            let why = why(pod.facts(&failed));
            assert!(why.ends_with(&format!("see {}", step.id)), "{why}");
            let unknown = [Entry::skipped(step, "")];
            assert!(pod.facts(&unknown).ready().is_ok());
        }
        let skewed = [Entry::warned(
            steps::STS_CLOCK,
            refused(403, "", "").diagnosis(),
        )];
        assert!(pod.facts(&skewed).ready().is_ok());
    }

    #[test]
    fn a_stand_in_counts_only_where_the_annotation_was_not_read_and_that_is_no_failure() {
        let pod = pod();
        let diagnosis = refused(403, "", "").diagnosis();
        let annotated = Annotated {
            role: pod.role.clone(),
            audience: Some("another".into()),
            token_expiration: None,
            sts_regional_endpoints: None,
        };
        let facts = |before| Facts {
            role: None,
            stand_in: Some(&pod.stand_in),
            ..pod.facts(before)
        };
        let unread = [Entry::warned(steps::ANNOTATION, diagnosis.clone())];
        assert_eq!(facts(&unread).ready().unwrap().role, &pod.stand_in);
        let failed = [Entry::failed(steps::ANNOTATION, diagnosis)];
        assert!(why(facts(&failed)).ends_with("see annotation"));
        let read = Facts {
            annotated: Some(&annotated),
            ..facts(&unread)
        };
        assert!(why(read).ends_with("see claims"), "its audience counts");
    }
}
