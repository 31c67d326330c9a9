//! Every way in which STS refuses a token.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::clock::unix_now;
use crate::issuer::Issuer;
use crate::token_request::TokenRequest;

fn verify_at(issuer: &Issuer, token: &str, now: i64) -> Result<IdToken, StsError> {
    let (iss, jwks) = (issuer.iss(), issuer.jwks());
    let provider = Provider {
        issuer: iss,
        client_ids: &["sts.amazonaws.com"],
        jwks,
    };
    verify(token, &provider, now)
}

/// The refusal of a token whose claims were patched.
fn refusal(claims_patch: Value) -> (String, String) {
    let issuer = Issuer::new();
    let token = issuer.token(&TokenRequest {
        claims_patch,
        ..TokenRequest::default()
    });
    let error = verify_at(&issuer, &token, unix_now()).unwrap_err();
    assert_eq!(error.status, 400);
    (error.code, error.message)
}

fn invalid(message: &str) -> (String, String) {
    ("InvalidIdentityToken".to_owned(), message.to_owned())
}

#[test]
fn a_healthy_token_names_its_subject_and_audience() {
    let issuer = Issuer::new();
    let request = TokenRequest {
        audiences: vec!["other".to_owned(), "sts.amazonaws.com".to_owned()],
        ..TokenRequest::default()
    };
    let token = verify_at(&issuer, &issuer.token(&request), unix_now()).unwrap();
    assert_eq!(token.subject, "system:serviceaccount:team:app");
    assert_eq!(token.audience, "sts.amazonaws.com");
}

#[test]
fn an_audience_may_be_a_lone_string() {
    let issuer = Issuer::new();
    let claims_patch = json!({ "aud": "sts.amazonaws.com" });
    let token = issuer.token(&TokenRequest {
        claims_patch,
        ..TokenRequest::default()
    });
    assert!(verify_at(&issuer, &token, unix_now()).is_ok());
}

#[test]
fn what_is_not_a_jwt_is_refused() {
    let issuer = Issuer::new();
    let good = issuer.token(&TokenRequest::default());
    let cut = &good[..good.len() / 2];
    for token in [
        "",
        "opaque",
        "a.b.c",
        "e30.e30",
        cut,
        &format!("{good}\n"),
        &format!("{good}.x"),
    ] {
        let error = verify_at(&issuer, token, unix_now()).unwrap_err();
        assert_eq!(error, StsError::not_a_jwt(), "{token:?}");
    }
}

#[test]
fn a_missing_claim_is_named() {
    for name in ["aud", "iss", "sub", "exp", "iat"] {
        let expected = invalid(&format!("Missing a required claim: {name}"));
        assert_eq!(refusal(json!({ name: null })), expected);
    }
}

#[test]
fn an_issuer_that_iam_does_not_know_is_refused() {
    let text = "No OpenIDConnect provider found in your account for https://elsewhere";
    assert_eq!(
        refusal(json!({ "iss": "https://elsewhere" })),
        invalid(text)
    );
}

#[test]
fn an_audience_that_is_no_client_id_is_refused() {
    let expected = invalid("Incorrect token audience");
    assert_eq!(
        refusal(json!({ "aud": ["https://kubernetes.default.svc"] })),
        expected
    );
    assert_eq!(refusal(json!({ "aud": [] })), expected);
}

#[test]
fn a_token_signed_by_another_key_is_refused() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let token = other.token(&TokenRequest::default());
    let error = verify_at(&issuer, &token, unix_now()).unwrap_err();
    assert!(
        error.message.contains("could not be validated"),
        "{error:?}"
    );
}

#[test]
fn a_token_whose_claims_were_changed_after_signing_is_refused() {
    let issuer = Issuer::new();
    let (good, other) = (
        issuer.token(&TokenRequest::default()),
        issuer.token(&TokenRequest {
            service_account: "admin".to_owned(),
            ..TokenRequest::default()
        }),
    );
    let (head, signature) = (
        other.rsplit_once('.').unwrap().0,
        good.rsplit_once('.').unwrap().1,
    );
    let error = verify_at(&issuer, &format!("{head}.{signature}"), unix_now()).unwrap_err();
    assert!(
        error.message.contains("could not be validated"),
        "{error:?}"
    );
}

#[test]
fn a_rotated_key_is_good_once_it_is_published_and_old_tokens_stay_good() {
    let issuer = Issuer::new();
    let old = issuer.token(&TokenRequest::default());
    issuer.rotate_keys(true);
    let new = issuer.token(&TokenRequest::default());
    issuer.rotate_keys(false);
    let unpublished = issuer.token(&TokenRequest::default());
    assert!(verify_at(&issuer, &old, unix_now()).is_ok());
    assert!(verify_at(&issuer, &new, unix_now()).is_ok());
    assert!(verify_at(&issuer, &unpublished, unix_now()).is_err());
}

#[test]
fn an_expired_token_is_refused_with_both_times() {
    let issuer = Issuer::new();
    let request = TokenRequest {
        lifetime: Duration::from_secs(60),
        ..TokenRequest::default()
    };
    let token = issuer.token(&request);
    let expires_at = unix_now() + 61;
    let error = verify_at(&issuer, &token, expires_at).unwrap_err();
    assert_eq!(error.code, "ExpiredTokenException");
    let text = format!(
        "Token expired: current date/time {expires_at} must be before the expiration date/time ",
    );
    assert!(error.message.starts_with(&text), "{}", error.message);
}

#[test]
fn a_token_from_the_future_is_refused() {
    let issuer = Issuer::new();
    let token = issuer.token(&TokenRequest::default());
    let error = verify_at(&issuer, &token, unix_now() - 120).unwrap_err();
    assert_eq!(error.code, "ExpiredTokenException");
    assert!(
        error.message.starts_with("Token not yet valid"),
        "{}",
        error.message
    );
}

#[test]
fn times_that_are_not_whole_seconds_are_refused() {
    let issuer = Issuer::new();
    let claims_patch = json!({ "exp": 4_000_000_000.5 });
    let token = issuer.token(&TokenRequest {
        claims_patch,
        ..TokenRequest::default()
    });
    assert_eq!(
        verify_at(&issuer, &token, unix_now()).unwrap_err(),
        StsError::not_a_jwt()
    );
}
