//! AssumeRoleWithWebIdentity: a service account token in, credentials out.

use serde_json::{Value, json};

use super::State;
use super::error::StsError;
use super::fault::Fault;
use super::id_token::{self, IdToken, Provider};
use super::parameters::Parameters;
use super::request::StsRequest;
use super::role::{RegisteredRole, provider_arn, provider_name};
use super::session::{Issued, Session};
use super::trust::{self, WebIdentity};
use crate::clock;
use crate::issuer::Issuer;

/// Client ids of the issuer's IAM OIDC provider.
const CLIENT_IDS: [&str; 1] = ["sts.amazonaws.com"];
const AN_HOUR: i64 = 3600;

/// Checks everything and issues credentials.
pub(super) fn assume_role(
    state: &mut State,
    issuer: &Issuer,
    request: &StsRequest,
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
    let parameters = Parameters::parse(&request.parameters)?;
    let registered = state.role(&parameters.role_arn).cloned();
    let maximum = registered
        .as_ref()
        .map(|registered| registered.role.max_session_duration);
    if maximum.is_some_and(|maximum| parameters.duration > maximum) {
        return Err(StsError::usual("ValidationError"));
    }

    let now = state.now();
    let provider = Provider {
        issuer: issuer.iss(),
        client_ids: &CLIENT_IDS,
        jwks: issuer.jwks(),
    };
    let token = id_token::verify(&parameters.token, &provider, now)?;
    // Nobody may find out which roles exist: no role and no trust are the same answer.
    let registered = registered
        .filter(|registered| trusts(registered, issuer, &token))
        .ok_or_else(|| StsError::usual("AccessDenied"))?;

    let lifetime = state.session_lifetime.unwrap_or(parameters.duration);
    let expires_at = match fault {
        Some(Fault::ExpiredCredentials) => now - AN_HOUR,
        _ => now + lifetime.as_secs() as i64,
    };
    let session = Session {
        issued: Issued::generate(expires_at, state.session_token_length),
        expires_at,
        account: registered.role.account().to_owned(),
        arn: registered.role.session_arn(&parameters.session_name),
        user_id: format!("{}:{}", registered.id, parameters.session_name),
    };
    let mut answer = answer(&session, issuer, &token);
    if fault == Some(&Fault::EmptyCredentials) {
        for name in ["AccessKeyId", "SecretAccessKey", "SessionToken"] {
            answer["Credentials"][name] = json!("");
        }
    } else {
        state.sessions.push(session);
    }
    Ok(answer)
}

fn trusts(registered: &RegisteredRole, issuer: &Issuer, token: &IdToken) -> bool {
    let identity = WebIdentity {
        provider_arn: provider_arn(&registered.role.arn, issuer.iss()),
        provider_name: provider_name(issuer.iss()).to_owned(),
        subject: token.subject.clone(),
        audience: token.audience.clone(),
    };
    trust::allows(&registered.role.trust, &identity)
}

fn answer(session: &Session, issuer: &Issuer, token: &IdToken) -> Value {
    json!({
        "Credentials": {
            "AccessKeyId": session.issued.access_key_id,
            "SecretAccessKey": session.issued.secret_access_key,
            "SessionToken": session.issued.session_token,
            "Expiration": clock::iso8601(session.expires_at),
        },
        "SubjectFromWebIdentityToken": token.subject,
        "AssumedRoleUser": { "Arn": session.arn, "AssumedRoleId": session.user_id },
        "Provider": issuer.iss(),
        "Audience": token.audience,
        "PackedPolicySize": "0",
    })
}
