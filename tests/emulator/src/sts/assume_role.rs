//! AssumeRole: a session of one role in, a session of another out.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::StsError;
use super::fault::Fault;
use super::parameters::Parameters;
use super::request::AwsRequest;
use super::{SERVICE, State};

/// Whatever the role's own maximum: a session cannot give itself a longer life by way of another.
const LONGEST_BY_CHAINING: Duration = Duration::from_secs(3600);
const TOO_LONG: &str = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";

/// Checks everything and issues credentials.
pub(super) fn assume_role(
    state: &mut State,
    request: &AwsRequest,
    fault: Option<&Fault>,
) -> Result<Value, StsError> {
    let caller = state.signer(request, SERVICE)?.clone();
    let parameters = Parameters::of_role(&request.parameters)?;
    if parameters.duration > LONGEST_BY_CHAINING {
        return Err(StsError::validation(TOO_LONG));
    }
    let role = state
        .role(&parameters.role_arn)
        .filter(|registered| registered.role.trusts(&caller))
        .cloned()
        // Nobody may find out which roles exist: no role, no role at all and no trust are the same answer.
        .ok_or_else(|| {
            let (caller, role) = (&caller.arn, &parameters.role_arn);
            StsError::new(
                403,
                "AccessDenied",
                format!(
                    "User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
                ),
            )
        })?;
    if parameters.duration > role.role.max_session_duration {
        return Err(StsError::usual("ValidationError"));
    }
    let opened = state.open_session(&role, &parameters.session_name, parameters.duration, fault);
    Ok(json!({
        "Credentials": opened.credentials,
        "AssumedRoleUser": opened.assumed_role_user,
    }))
}
