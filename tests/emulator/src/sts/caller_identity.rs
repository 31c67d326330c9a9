//! GetCallerIdentity: who signed this?

use serde_json::{Value, json};

use super::State;
use super::error::StsError;
use super::request::StsRequest;
use super::sigv4::Signature;

/// Verifies the signature and names its session.
pub(super) fn get_caller_identity(state: &State, request: &StsRequest) -> Result<Value, StsError> {
    let signature = Signature::find(request)?;
    let session = state
        .sessions
        .iter()
        .find(|session| session.issued.access_key_id == signature.access_key_id)
        // A wrong session token is told apart from an unknown key by nothing, as at AWS.
        .filter(|session| signature.session_token.as_deref() == Some(&session.issued.session_token))
        .ok_or_else(|| StsError::usual("InvalidClientTokenId"))?;
    let now = state.now();
    if now >= session.expires_at {
        return Err(StsError::usual("ExpiredToken"));
    }
    signature.verify(request, &session.issued.secret_access_key, now)?;
    Ok(json!({
        "Account": session.account,
        "Arn": session.arn,
        "UserId": session.user_id,
    }))
}
