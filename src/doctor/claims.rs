//! The token's claims, and whether the kubelet rotates it in time.

use std::time::SystemTime;

use super::Entry;
use crate::claims::{Claims, Kubernetes, Rotation};
use crate::clock::{rfc3339, whole};
use crate::diagnosis::{Step, quote, steps};

/// Whether STS can accept the token for this audience at `now`, which is corrected time where STS has told it.
pub fn judge(claims: &Claims, audience: &str, now: SystemTime) -> Entry {
    match claims.check(audience, now) {
        Err(error) => Entry::failed(steps::CLAIMS, error.diagnosis()),
        Ok(()) => Entry::fine(steps::CLAIMS, shown(claims, now)),
    }
}

/// Never with the pod's UID, which is an authorization.
fn shown(claims: &Claims, now: SystemTime) -> String {
    let kind = match &claims.kubernetes {
        Some(Kubernetes { pod: Some(pod), .. }) => {
            format!(" of pod {}, a projected token", plain(&pod.name))
        }
        Some(_) => " of no pod, a requested token".to_owned(),
        None => " of no pod, a token that is none of Kubernetes".to_owned(),
    };
    let audiences: Vec<String> = claims.audiences.iter().map(|one| plain(one)).collect();
    let life = claims.expires_at.map_or(String::new(), |at| {
        let left = at.duration_since(now).unwrap_or_default();
        format!(", {} left, until {}", whole(left), rfc3339(at))
    });
    format!(
        "{}{kind}, aud {}, iss {}{life}",
        plain(&claims.subject),
        audiences.join(" and "),
        plain(&claims.issuer),
    )
}

/// As it stands there, unless something in it could be taken for words of ours.
fn plain(text: &str) -> String {
    match text.len() <= 200 && text.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
        true => text.to_owned(),
        false => quote(text),
    }
}

/// Whether the kubelet has rotated the token when it should have.
pub fn rotation(claims: &Claims, now: SystemTime) -> Entry {
    const STEP: Step = steps::TOKEN_ROTATION;
    match claims.rotation(now) {
        Rotation::Unknown(why) => Entry::skipped(STEP, format!("not judged: {why}")),
        Rotation::Late(diagnosis) => Entry::warned(STEP, diagnosis),
        Rotation::Due { issued, age, ahead } => {
            let due = match ahead {
                Some(ahead) => format!("in about {}", whole(ahead)),
                None => "any moment now".to_owned(),
            };
            Entry::fine(
                STEP,
                format!(
                    "issued {} ago, at {}; the kubelet brings the next one {due}",
                    whole(age),
                    rfc3339(issued)
                ),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::claims::Pod;
    use crate::diagnosis::findings;
    use crate::doctor::Verdict;

    const HOUR: u64 = 3600;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn living(life: u64) -> Claims {
        Claims {
            audiences: vec!["sts.amazonaws.com".into()],
            issuer: "https://oidc.example.com/id/1".into(),
            subject: "system:serviceaccount:team:app".into(),
            expires_at: Some(at(life)),
            not_before: Some(at(0)),
            issued_at: Some(at(0)),
            kubernetes: Some(Kubernetes {
                namespace: Some("team".into()),
                service_account: Some("app".into()),
                pod: Some(Pod {
                    name: "app-1".into(),
                    uid: "the-uid".into(),
                }),
            }),
        }
    }

    fn fine(entry: Entry) -> String {
        match entry.verdict {
            Verdict::Fine(found) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_widest_fact_comes_first_and_the_pods_uid_never() {
        let found = fine(judge(&living(HOUR), "sts.amazonaws.com", at(600)));
        assert_eq!(
            found,
            "system:serviceaccount:team:app of pod app-1, a projected token, aud sts.amazonaws.com, iss https://oidc.example.com/id/1, 50m left, until 2023-11-14T23:13:20Z"
        );
    }

    #[test]
    fn claims_from_outside_cannot_add_words_or_lines() {
        let claims = Claims {
            subject: "a, aud b\nc".into(),
            kubernetes: None,
            ..living(HOUR)
        };
        let found = fine(judge(&claims, "sts.amazonaws.com", at(600)));
        assert!(
            found
                .starts_with(r#""a, aud b\nc" of no pod, a token that is none of Kubernetes, aud"#),
            "{found}"
        );
    }

    #[test]
    fn a_rotation_is_late_when_the_kubelet_has_had_its_time_and_more() {
        let verdict = |life, age| rotation(&living(life), at(age)).verdict;
        let is_late = |life, age| match verdict(life, age) {
            Verdict::Warned(diagnosis) => {
                assert_eq!(diagnosis.finding, findings::TOKEN_ROTATION_LATE);
                true
            }
            Verdict::Fine(_) => false,
            other => panic!("{other:?}"),
        };
        for (life, last_good, late) in [
            // 80 % and a tenth.
            (HOUR, 3_240, 3_250),
            (24 * HOUR, 77_760, 77_800),
            // 24 h and a tenth of that, though a tenth of its life is much more.
            (365 * 24 * HOUR, 95_040, 95_100),
            // 80 % and five minutes.
            (2_000, 1_900, 1_901),
        ] {
            assert!(!is_late(life, last_good), "{life}");
            assert!(is_late(life, late), "{life}");
        }
        // Five minutes after its 80 % such a token is dead.
        assert!(!is_late(600, 599));
        let Verdict::Warned(diagnosis) = verdict(24 * HOUR, 80_000) else {
            panic!("it is late");
        };
        assert!(
            diagnosis
                .found
                .ends_with("its rotation is 3h 1m 20s late; it is good for another 1h 46m 40s"),
            "{}",
            diagnosis.found
        );
    }

    #[test]
    fn a_good_age_says_when_the_next_token_comes() {
        let found = |age| fine(rotation(&living(HOUR), at(age)));
        assert!(found(600).starts_with("issued 10m ago, at 2023-"));
        assert!(found(600).ends_with("the next one in about 38m"));
        assert!(found(2_900).ends_with("the next one any moment now"));
    }

    #[test]
    fn an_age_that_says_nothing_is_not_judged() {
        let without = Claims {
            issued_at: None,
            ..living(HOUR)
        };
        let upside_down = Claims {
            issued_at: Some(at(2 * HOUR)),
            ..living(HOUR)
        };
        for (claims, now) in [
            (without, at(60)),
            (upside_down, at(60)),
            (living(HOUR), at(HOUR + 61)),
            (living(HOUR), at(0) - Duration::from_secs(61)),
        ] {
            let verdict = rotation(&claims, now).verdict;
            assert!(matches!(verdict, Verdict::Skipped(_)), "{verdict:?}");
        }
    }
}
