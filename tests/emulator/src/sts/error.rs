//! The errors of STS, with the status and the words that clients meet in the wild.

/// An error answer of STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StsError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Code, HTTP status and usual message, where a message belongs to the code at all.
const USUAL: [(&str, u16, &str); 16] = [
    (
        "AccessDenied",
        403,
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ),
    (
        "ExpiredToken",
        403,
        "The security token included in the request is expired",
    ),
    (
        "ExpiredTokenException",
        400,
        "Token expired: current date/time must be before the expiration date/time",
    ),
    ("IDPCommunicationError", 400, "Error communicating with IdP"),
    (
        "IDPRejectedClaim",
        403,
        "The identity provider rejected the claim",
    ),
    (
        "InternalFailure",
        500,
        "The request processing has failed because of an unknown error",
    ),
    (
        "InvalidClientTokenId",
        403,
        "The security token included in the request is invalid",
    ),
    ("InvalidIdentityToken", 400, NOT_A_JWT),
    (
        "MalformedPolicyDocument",
        400,
        "The policy is not in the valid JSON format",
    ),
    (
        "MissingAuthenticationToken",
        403,
        "Request is missing Authentication Token",
    ),
    (
        "PackedPolicyTooLarge",
        400,
        "Packed size of the session policy exceeds the limit",
    ),
    (
        "RegionDisabledException",
        403,
        "STS is not activated in this region for account:111122223333",
    ),
    (
        "ServiceUnavailable",
        503,
        "The request has failed due to a temporary failure of the server",
    ),
    (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details.",
    ),
    ("Throttling", 400, "Rate exceeded"),
    (
        "ValidationError",
        400,
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    ),
];

const NOT_A_JWT: &str = "The ID Token provided is not a valid JWT. (You may see this error if you \
                         sent an Access Token)";
// Two spaces before "please": as STS writes it.
const NO_VERIFICATION_KEY: &str = "Couldn't retrieve verification key from your identity provider,  \
                                   please reference AssumeRoleWithWebIdentity documentation for \
                                   requirements";

impl StsError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The code's own status and message; a code that is not in the table is a 400.
    pub(crate) fn usual(code: &str) -> Self {
        let found = USUAL.iter().find(|(usual, ..)| *usual == code);
        let (status, message) =
            found.map_or((400, code), |(_, status, message)| (*status, *message));
        Self::new(status, code, message)
    }

    pub(crate) fn invalid_identity_token(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidIdentityToken", message)
    }

    pub(crate) fn not_a_jwt() -> Self {
        Self::invalid_identity_token(NOT_A_JWT)
    }

    pub(crate) fn no_verification_key() -> Self {
        Self::invalid_identity_token(NO_VERIFICATION_KEY)
    }

    pub(crate) fn expired_token_exception(message: impl Into<String>) -> Self {
        Self::new(400, "ExpiredTokenException", message)
    }

    pub(crate) fn signature_does_not_match(message: impl Into<String>) -> Self {
        Self::new(403, "SignatureDoesNotMatch", message)
    }

    pub(crate) fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new(400, "IncompleteSignature", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// Who is to blame, in the words of the Query protocol.
    pub(crate) fn fault_of(&self) -> &'static str {
        if self.status < 500 {
            "Sender"
        } else {
            "Receiver"
        }
    }
}
