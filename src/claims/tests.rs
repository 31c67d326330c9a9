use serde_json::json;

use super::*;
use crate::diagnosis::{Finding, findings};

const NOW: u64 = 1_800_000_000;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn token(claims: &Value) -> WebIdentityToken {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::io::Write;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let jwt = format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(jwt.as_bytes()).unwrap();
    crate::token::read_once(file.path()).unwrap()
}

fn good() -> Value {
    json!({
        "aud": ["sts.amazonaws.com"], "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        "sub": "system:serviceaccount:team:app", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 3600,
        "kubernetes.io": {"namespace": "team", "serviceaccount": {"name": "app", "uid": "u"},
                          "pod": {"name": "app-1", "uid": "pod-uid"}}
    })
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = good();
    claims[claim] = value;
    claims
}

fn verdict(claims: &Value) -> Result<(), ClaimsError> {
    decode(&token(claims))?.check("sts.amazonaws.com", now())
}

fn finding(claims: &Value) -> Finding {
    verdict(claims)
        .expect_err("must not be sent")
        .diagnosis()
        .finding
}

#[test]
fn the_token_that_the_kubelet_projects_passes() {
    verdict(&good()).unwrap();
    verdict(&with("aud", json!("sts.amazonaws.com"))).unwrap();
    verdict(&with("aud", json!(["other", "sts.amazonaws.com"]))).unwrap();
    verdict(&with("exp", json!(NOW as f64 + 10.5))).unwrap();
    verdict(&with("kubernetes.io", json!(null))).unwrap();
    verdict(&with("kubernetes.io", json!({"pod": {"name": "app-1"}}))).unwrap();
}

#[test]
fn the_three_wrong_tokens_that_people_mount_are_called_by_name() {
    let mut api = with("aud", json!(["https://kubernetes.default.svc"]));
    assert_eq!(finding(&api), findings::TOKEN_IS_API_TOKEN);
    api["aud"] = json!(["https://kubernetes.default.svc.cluster.local"]);
    assert_eq!(finding(&api), findings::TOKEN_IS_API_TOKEN);
    api["aud"] = api["iss"].clone();
    assert_eq!(finding(&api), findings::TOKEN_IS_API_TOKEN);
    let legacy = json!({
        "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:team:app",
        "kubernetes.io/serviceaccount/namespace": "team",
    });
    assert_eq!(finding(&legacy), findings::TOKEN_IS_LEGACY_SECRET);
    assert_eq!(
        finding(&with("aud", json!(["pods.eks.amazonaws.com"]))),
        findings::TOKEN_IS_POD_IDENTITY
    );
}

#[test]
fn every_other_wrong_claim_has_its_own_error() {
    assert_eq!(
        finding(&with("aud", json!(["sts.amazon.com"]))),
        findings::TOKEN_AUDIENCE
    );
    assert_eq!(finding(&with("aud", json!([]))), findings::TOKEN_AUDIENCE);
    assert_eq!(finding(&with("aud", json!(7))), findings::CLAIM_MALFORMED);
    assert_eq!(finding(&with("aud", json!([7]))), findings::CLAIM_MALFORMED);
    assert_eq!(finding(&with("sub", json!(null))), findings::CLAIM_MISSING);
    assert_eq!(finding(&with("sub", json!(""))), findings::CLAIM_MISSING);
    assert_eq!(finding(&with("iss", json!(null))), findings::CLAIM_MISSING);
    assert_eq!(finding(&with("exp", json!(null))), findings::CLAIM_MISSING);
    assert_eq!(
        finding(&with("exp", json!("soon"))),
        findings::CLAIM_MALFORMED
    );
    assert_eq!(
        finding(&with("exp", json!(1e30))),
        findings::CLAIM_MALFORMED
    );
    assert_eq!(
        finding(&with("kubernetes.io", json!([]))),
        findings::CLAIM_MALFORMED
    );
}

#[test]
fn exp_and_nbf_are_judged_with_a_minute_of_leeway() {
    verdict(&with("exp", json!(NOW - 60))).unwrap();
    assert_eq!(
        finding(&with("exp", json!(NOW - 61))),
        findings::TOKEN_EXPIRED
    );
    verdict(&with("nbf", json!(NOW + 60))).unwrap();
    assert_eq!(
        finding(&with("nbf", json!(NOW + 61))),
        findings::TOKEN_NOT_YET_VALID
    );
}

#[test]
fn the_sentence_names_what_was_found_what_was_expected_and_what_to_change() {
    let error = verdict(&with("aud", json!(["sts.amazon.com"]))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the token's aud is \"sts.amazon.com\"; expected aud \"sts.amazonaws.com\"; set audience: sts.amazonaws.com on \
         the projected volume's serviceAccountToken, or --audience to what the IAM OIDC provider lists"
    );
    let error = verdict(&with("exp", json!(NOW - 7200))).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the token expired at 2027-01-15T06:00:00Z, 2h ago; expected")
    );
}

#[test]
fn what_is_no_jwt_is_described_by_its_shape_and_not_repeated() {
    for text in [
        "hunter2",
        "a.b",
        "a.b.c",
        "..",
        "e30.W10.x",
        "e30.e30.x.y",
        "e30.bnVsbA.x",
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let error = decode(&crate::token::read_once(file.path()).unwrap()).unwrap_err();
        assert_eq!(error.diagnosis().finding, findings::TOKEN_NOT_A_JWT);
        assert!(!error.to_string().contains("hunter2"));
    }
}

/// STS would be sent something that it cannot read, and whoever looks would see a good token.
#[test]
fn what_stands_around_a_token_is_named_and_the_token_not_repeated() {
    let good = token(&good()).expose().to_owned();
    let (header, rest) = good.split_once('.').unwrap();
    for (text, odd) in [
        (format!("\"{good}\""), "a quotation mark stands in it"),
        (format!("'{good}'"), "a quotation mark stands in it"),
        (format!("Bearer {good}"), "the word Bearer stands before it"),
        (format!("bearer {good}"), "the word Bearer stands before it"),
        (
            format!("\u{feff}{good}"),
            "a byte order mark stands before it",
        ),
        (format!("{good}\n{good}"), "there is a second line"),
        (format!("{good} x"), "a blank stands in it"),
        (format!("{good}="), "an equals sign stands in it"),
        (
            format!("{header}/.{rest}"),
            "it is in base64, not base64url",
        ),
        (format!("{{\"token\":{good}}}"), "it begins with a brace"),
        (
            format!("{header}!.{rest}"),
            "in 3 dot-separated parts that do not decode;",
        ),
        (
            format!(".{rest}"),
            "in 3 dot-separated parts that do not decode;",
        ),
        (
            format!("{good}."),
            "in 4 dot-separated parts that do not decode;",
        ),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let error = decode(&crate::token::read_once(file.path()).unwrap()).unwrap_err();
        assert_eq!(error.diagnosis().finding, findings::TOKEN_NOT_A_JWT);
        let sentence = error.to_string();
        assert!(sentence.contains(odd), "{odd:?} is not in {sentence:?}");
        assert!(!sentence.contains(header), "{sentence}");
    }
}

#[test]
fn what_a_signature_is_worth_is_the_business_of_sts() {
    let good = token(&good()).expose().to_owned();
    let unsigned = good.strip_suffix("c2ln").unwrap();
    for signature in ["", "signature", "c2ln"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{unsigned}{signature}")).unwrap();
        let token = crate::token::read_once(file.path()).unwrap();
        assert!(decode(&token).is_ok(), "{signature}");
    }
}

#[test]
fn hostile_claims_neither_flood_a_log_nor_overflow_the_stack() {
    let many: Vec<String> = (0..500).map(|n| format!("audience\n{n}")).collect();
    let message = verdict(&with("aud", json!(many))).unwrap_err().to_string();
    assert!(message.len() < 1_000 && !message.contains('\n'));
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!([deep]);
    }
    verdict(&with("extra", deep)).unwrap();
}

#[test]
fn pod_and_region_are_read_from_the_token() {
    let claims = decode(&token(&good())).unwrap();
    assert_eq!(claims.eks_region(), Some("eu-west-1"));
    let pod = claims.kubernetes.unwrap().pod.unwrap();
    assert_eq!((pod.name.as_str(), pod.uid.as_str()), ("app-1", "pod-uid"));
    assert!(!format!("{pod:?}").contains("pod-uid"));
    for (issuer, region) in [
        (
            "https://oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC",
            Some("cn-north-1"),
        ),
        ("https://issuer.example.com", None),
        ("https://oidc.eks.", None),
        ("https://oidc.eks../id/ABC", None),
    ] {
        let claims = decode(&token(&with("iss", json!(issuer)))).unwrap();
        assert_eq!(claims.eks_region(), region, "{issuer}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_that_a_file_can_hold_makes_decoding_panic(
        header in ".{0,20}", payload in ".{0,200}", shape in 0..4,
    ) {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let encoded = URL_SAFE_NO_PAD.encode(&payload);
        let text = match shape {
            0 => payload.clone(),
            1 => format!("{header}.{encoded}.x"),
            2 => format!("{header}.{payload}.x"),
            _ => format!("e30.{}.x", URL_SAFE_NO_PAD.encode(format!(r#"{{"aud":{payload:?},"exp":{}}}"#, payload.len()))),
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        if let Ok(token) = crate::token::read_once(file.path())
            && let Ok(claims) = decode(&token)
        {
            let _ = claims.check("sts.amazonaws.com", now());
        }
    }
}
