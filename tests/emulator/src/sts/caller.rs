//! Who signed a request: the session behind its access key id, if all of the signature holds.

use super::error::StsError;
use super::request::AwsRequest;
use super::session::Session;
use super::sigv4::Signature;
use super::{State, Sts};

/// Who asks a service, as IAM tells the service.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) account: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    pub(crate) arn: String,
    /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
    pub(crate) role_arn: String,
    /// The region that the request was signed for.
    pub(crate) region: String,
}

/// The access key id that a request's signature names, be it good or not.
pub(super) fn claimed_access_key_id(request: &AwsRequest) -> Option<String> {
    Some(Signature::find(request).ok()?.access_key_id)
}

impl Sts {
    /// Who signed this request to a service.
    pub(crate) fn caller(&self, request: &AwsRequest, service: &str) -> Result<Caller, StsError> {
        let region = Signature::find(request)?.region().to_owned();
        let state = self.state();
        let session = state.signer(request, service)?;
        Ok(Caller {
            account: session.account.clone(),
            arn: session.arn.clone(),
            role_arn: session.role_arn.clone(),
            region,
        })
    }
}

impl State {
    /// The session that signed this request to a service.
    pub(super) fn signer(&self, request: &AwsRequest, service: &str) -> Result<&Session, StsError> {
        let signature = Signature::find(request)?;
        let session = self
            .sessions
            .iter()
            // Credentials that a test chose may have been issued before.
            .rfind(|session| session.issued.access_key_id == signature.access_key_id)
            .ok_or_else(|| StsError::usual("InvalidClientTokenId"))?;
        let now = self.now();
        if now >= session.expires_at {
            return Err(StsError::usual("ExpiredToken"));
        }
        signature.verify(request, service, &session.issued.secret_access_key, now)?;
        // A wrong session token is told apart from an unknown key by nothing, as at AWS.
        if signature.session_token.unwrap_or_default() != session.issued.session_token {
            return Err(StsError::usual("InvalidClientTokenId"));
        }
        Ok(session)
    }
}
