//! GetCallerIdentity: who signed this?

use serde_json::{Value, json};

use super::error::StsError;
use super::request::AwsRequest;
use super::{SERVICE, State};

/// Verifies the signature and names its session.
pub(super) fn get_caller_identity(state: &State, request: &AwsRequest) -> Result<Value, StsError> {
    let session = state.signer(request, SERVICE)?;
    Ok(json!({
        "Account": session.account,
        "Arn": session.arn,
        "UserId": session.user_id,
    }))
}
