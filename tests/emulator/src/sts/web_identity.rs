//! AssumeRoleWithWebIdentity: a service account token in, credentials out.

use serde_json::{Value, json};

use super::State;
use super::error::StsError;
use super::fault::Fault;
use super::id_token::{self, IdToken, Provider};
use super::oidc_provider::OidcProvider;
use super::parameters::Parameters;
use super::request::AwsRequest;
use super::role::{RegisteredRole, provider_arn, provider_name};
use super::trust::{self, WebIdentity};
use crate::issuer::Issuer;

/// Checks everything and issues credentials.
pub(super) fn assume_role(
    state: &mut State,
    issuer: &Issuer,
    request: &AwsRequest,
    fault: Option<&Fault>,
) -> Result<Value, StsError> {
    if request.is_signed() {
        // The API takes no signature; a client that signs has credentials where it should not.
        return Err(StsError::usual("InvalidClientTokenId"));
    }
    match fault {
        Some(Fault::VerificationKey) => return Err(StsError::no_verification_key()),
        Some(Fault::IdpCommunication) => return Err(StsError::usual("IDPCommunicationError")),
        _ => {}
    }
    let parameters = Parameters::of_web_identity(&request.parameters)?;
    let registered = state.role(&parameters.role_arn).cloned();
    let maximum = registered
        .as_ref()
        .map(|registered| registered.role.max_session_duration);
    if maximum.is_some_and(|maximum| parameters.duration > maximum) {
        return Err(StsError::usual("ValidationError"));
    }

    let registered_provider = state.oidc_provider(&parameters.token);
    let client_ids: Vec<&str> = registered_provider
        .client_ids
        .iter()
        .map(String::as_str)
        .collect();
    let provider = Provider {
        issuer: &registered_provider.url,
        client_ids: &client_ids,
        jwks: issuer.jwks(),
    };
    let token = id_token::verify(&parameters.token, &provider, state.now())?;
    // Nobody may find out which roles exist: no role and no trust are the same answer.
    let registered = registered
        .filter(|registered| trusts(registered, &registered_provider, &token))
        .ok_or_else(|| StsError::usual("AccessDenied"))?;

    let opened = state.open_session(
        &registered,
        &parameters.session_name,
        parameters.duration,
        fault,
    );
    Ok(json!({
        "Credentials": opened.credentials,
        "SubjectFromWebIdentityToken": token.subject,
        "AssumedRoleUser": opened.assumed_role_user,
        "Provider": provider.issuer,
        "Audience": token.audience,
        "PackedPolicySize": "0",
    }))
}

fn trusts(registered: &RegisteredRole, provider: &OidcProvider, token: &IdToken) -> bool {
    let identity = WebIdentity {
        provider_arn: provider_arn(&registered.role.arn, &provider.url),
        provider_name: provider_name(&provider.url).to_owned(),
        subject: token.subject.clone(),
        audience: token.audience.clone(),
    };
    trust::allows(&registered.role.trust, &identity)
}
