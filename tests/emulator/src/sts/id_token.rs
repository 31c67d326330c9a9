//! Verifies a web identity token as STS does: against the issuer's published keys, by STS's clock.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

use super::error::StsError;

/// An IAM OIDC provider: an issuer that IAM trusts.
pub(crate) struct Provider<'a> {
    pub(crate) issuer: &'a str,
    /// Audiences that a token may have.
    pub(crate) client_ids: &'a [&'a str],
    /// What STS finds at the issuer's `jwks_uri` right now.
    pub(crate) jwks: Value,
}

/// What a verified token says.
#[derive(Debug)]
pub(crate) struct IdToken {
    pub(super) subject: String,
    /// The one of its audiences that the provider knows.
    pub(super) audience: String,
}

/// Verifies everything, in the order in which STS complains.
pub(crate) fn verify(token: &str, provider: &Provider<'_>, now: i64) -> Result<IdToken, StsError> {
    let token = Parts::split(token).ok_or_else(StsError::not_a_jwt)?;
    let claims = &token.claims;
    for name in ["aud", "iss", "sub", "exp", "iat"] {
        if claims.get(name).is_none_or(Value::is_null) {
            let message = format!("Missing a required claim: {name}");
            return Err(StsError::invalid_identity_token(message));
        }
    }
    if claims["iss"] != provider.issuer {
        let issuer = claims["iss"].as_str().unwrap_or_default();
        let message = format!("No OpenIDConnect provider found in your account for {issuer}");
        return Err(StsError::invalid_identity_token(message));
    }
    let known = |audience: &&str| provider.client_ids.contains(audience);
    let Some(audience) = audiences(claims).into_iter().find(known) else {
        return Err(StsError::invalid_identity_token("Incorrect token audience"));
    };
    if !token.is_signed_by_one_of(&provider.jwks) {
        let message = "The signature of the ID Token could not be validated";
        return Err(StsError::invalid_identity_token(message));
    }
    check_time(claims, now)?;
    let subject = claims["sub"].as_str().ok_or_else(StsError::not_a_jwt)?;
    Ok(IdToken {
        subject: subject.to_owned(),
        audience: audience.to_owned(),
    })
}

/// The subject of a token that may well be forged, for the record of calls.
pub(super) fn claimed_subject(token: &str) -> Option<String> {
    let claims = Parts::split(token)?.claims;
    claims["sub"].as_str().map(str::to_owned)
}

/// The claims of a token that was verified.
pub(crate) fn claims_of(token: &str) -> Option<Value> {
    Some(Parts::split(token)?.claims)
}

/// Either one string or a list of them (RFC 7519, 4.1.3).
fn audiences(claims: &Value) -> Vec<&str> {
    match &claims["aud"] {
        Value::Array(audiences) => audiences.iter().filter_map(Value::as_str).collect(),
        audience => audience.as_str().into_iter().collect(),
    }
}

/// STS wants whole seconds, and grants no leeway here: a client must not count on any.
fn check_time(claims: &Value, now: i64) -> Result<(), StsError> {
    let expires_at = claims["exp"].as_i64().ok_or_else(StsError::not_a_jwt)?;
    if now >= expires_at {
        return Err(StsError::expired_token_exception(format!(
            "Token expired: current date/time {now} must be before the expiration date/time {expires_at}",
        )));
    }
    if claims["nbf"].is_null() {
        return Ok(());
    }
    let not_before = claims["nbf"].as_i64().ok_or_else(StsError::not_a_jwt)?;
    if now < not_before {
        return Err(StsError::expired_token_exception(format!(
            "Token not yet valid: current date/time {now} must not be before {not_before}",
        )));
    }
    Ok(())
}

/// A decoded, unverified JWS in compact form.
struct Parts<'a> {
    header: Value,
    claims: Value,
    /// Header and payload as they were sent.
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| {
            let value: Value = serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed,
            signature: BASE64URL.decode(signature).ok()?,
        })
    }

    fn is_signed_by_one_of(&self, jwks: &Value) -> bool {
        let keys = jwks["keys"].as_array().map_or(&[][..], Vec::as_slice);
        let named = keys.iter().find(|key| key["kid"] == self.header["kid"]);
        named.and_then(public_key).is_some_and(|key| {
            self.header["alg"] == "ES256"
                && key.verify(self.signed.as_bytes(), &self.signature).is_ok()
        })
    }
}

fn public_key(jwk: &Value) -> Option<UnparsedPublicKey<Vec<u8>>> {
    let coordinate = |name: &str| BASE64URL.decode(jwk[name].as_str()?).ok();
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    Some(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
}

#[cfg(test)]
mod tests;
