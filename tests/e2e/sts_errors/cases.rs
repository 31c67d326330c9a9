//! The errors: how each comes about, its finding, who can end it, and what its sentence has to say.

use std::time::Duration;

use emulator::{Fault, ROLE_ARN, TokenRequest};
use serde_json::{Value, json};

use crate::sidecar::{Launch, Pod};

/// What brings the error about, what it is called, who can end it, and parts of the sentence.
pub struct Case {
    pub pod: Box<dyn Fn() -> Pod + Send>,
    pub launch: fn(&Pod) -> Launch,
    pub finding: &'static str,
    pub result: &'static str,
    pub sentence: &'static [&'static str],
}

/// The emulated STS comes to this error by itself.
fn real(
    pod: impl Fn() -> Pod + Send + 'static,
    finding: &'static str,
    result: &'static str,
    sentence: &'static [&'static str],
) -> Case {
    Case {
        pod: Box::new(pod),
        launch: Pod::serve,
        finding,
        result,
        sentence,
    }
}

/// The emulated STS is told to answer so.
fn told(
    fault: Fault,
    finding: &'static str,
    result: &'static str,
    sentence: &'static [&'static str],
) -> Case {
    let pod = move || {
        let pod = Pod::new();
        pod.emulator.sts().fail(fault.clone());
        pod
    };
    real(pod, finding, result, sentence)
}

fn says(status: u16, code: &str, message: &str) -> Fault {
    Fault::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

pub const WAIT: &str = "wait";
pub const NEW_TOKEN: &str = "new_token";
pub const CHANGE: &str = "change_needed";
const INVALID: &str = "InvalidIdentityToken";

/// What happens in the wild, brought about as in the wild.
pub fn real_conditions() -> Vec<Case> {
    let patched = |claims_patch: Value| {
        move || {
            Pod::with(TokenRequest {
                claims_patch: claims_patch.clone(),
                ..TokenRequest::default()
            })
        }
    };
    vec![
        real(
            || Pod::with(service_account("somebody-else")),
            "sts-access-denied",
            CHANGE,
            &[
                "STS answered 403 AccessDenied \"Not authorized",
                ROLE_ARN,
                "request id",
                ":sub and :aud conditions",
                "VPC endpoint policy",
                "with credentials of account 111122223333:\ncat > trust.json <<'EOF'\n{\n",
                "\n}\nEOF\naws iam update-assume-role-policy --role-name app",
                "\"system:serviceaccount:team:somebody-else\"",
            ],
        ),
        Case {
            launch: |pod| {
                pod.serve().env(
                    "AWS_ROLE_ARN",
                    "arn:aws:iam::111122223333:role/no-such-role",
                )
            },
            ..real(
                Pod::new,
                "sts-access-denied",
                CHANGE,
                &[
                    "role/no-such-role",
                    "expected a role that exists",
                    "--role-name no-such-role",
                ],
            )
        },
        real(
            patched(json!({ "iss": "https://issuer.example.com" })),
            "sts-no-provider",
            CHANGE,
            &[
                "No OpenIDConnect provider found",
                "in the account of the role",
                "associate-iam-oidc-provider",
                "what is missing is arn:aws:iam::111122223333:oidc-provider/issuer.example.com",
                "--url https://issuer.example.com --client-id-list sts.amazonaws.com",
            ],
        ),
        Case {
            launch: |pod| pod.serve().env("IRSA_SIDECAR_AUDIENCE", "another"),
            ..real(
                patched(json!({ "aud": ["another"] })),
                "sts-audience",
                CHANGE,
                &[
                    "Incorrect token audience",
                    "client ids of the IAM OIDC provider",
                    "of account 111122223333:\naws iam add-client-id-to-open-id-connect-provider",
                    "--client-id another",
                ],
            )
        },
        real(
            || {
                let pod = Pod::new();
                pod.emulator.issuer().rotate_keys(false);
                pod.rotate();
                pod
            },
            "sts-token-rejected",
            NEW_TOKEN,
            &[
                "could not be validated",
                "the issuer's JWKS was published again",
            ],
        ),
        // Twenty seconds over: within the leeway that clocks are given here, and no leeway at STS.
        real(
            || {
                Pod::with(TokenRequest {
                    issued_ago: Duration::from_secs(3620),
                    ..TokenRequest::default()
                })
            },
            "sts-token-expired",
            NEW_TOKEN,
            &[
                "ExpiredTokenException",
                "why the kubelet does not rotate the token",
            ],
        ),
    ]
}

pub fn told_by_sts() -> Vec<Case> {
    vec![
        told(
            says(400, INVALID, "Missing a required claim: aud"),
            "sts-audience-missing",
            NEW_TOKEN,
            &["claim: aud", "a legacy secret has no aud"],
        ),
        told(
            Fault::VerificationKey,
            "sts-verification-key",
            WAIT,
            &[
                "Couldn't retrieve verification key",
                "/.well-known/openid-configuration",
            ],
        ),
        told(
            Fault::IdpCommunication,
            "sts-verification-key",
            WAIT,
            &["IDPCommunicationError", "tried again by itself"],
        ),
        told(
            says(
                400,
                INVALID,
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
            ),
            "sts-thumbprint",
            CHANGE,
            &[
                "update the thumbprints",
                "$(curl -s https://oidc.eks.eu-west-1",
                "/.well-known/openid-configuration | jq -r .jwks_uri",
                "openssl x509 -noout -fingerprint -sha1",
                "--thumbprint-list \"$thumbprint\"",
                "update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1",
            ],
        ),
        told(
            Fault::error(INVALID),
            "sts-not-a-jwt",
            NEW_TOKEN,
            &[
                "is not a valid JWT",
                "what writes the token file besides the kubelet",
            ],
        ),
        told(
            says(400, INVALID, "words of next year"),
            "sts-token-rejected",
            NEW_TOKEN,
            &["\"words of next year\""],
        ),
        told(
            Fault::error("IDPRejectedClaim"),
            "sts-claim-rejected",
            CHANGE,
            &["403 IDPRejectedClaim"],
        ),
        told(
            Fault::error("MalformedPolicyDocument"),
            "sts-session-policy",
            CHANGE,
            &["this program sends no session policy"],
        ),
        told(
            Fault::error("PackedPolicyTooLarge"),
            "sts-session-policy",
            CHANGE,
            &["PackedPolicyTooLarge"],
        ),
        told(
            Fault::error("RegionDisabledException"),
            "sts-region-disabled",
            CHANGE,
            &[
                "activate the region",
                "--region",
                "the region eu-west-1 for account 111122223333",
            ],
        ),
        // Already at the hour that every role allows: nothing left to fall back to.
        told(
            Fault::error("ValidationError"),
            "sts-duration",
            CHANGE,
            &[
                "MaxSessionDuration",
                "--duration",
                "aws iam update-role --role-name app --max-session-duration 3600",
            ],
        ),
        told(
            says(
                400,
                "ValidationError",
                "1 validation error detected: Value 'x' at 'roleArn'",
            ),
            "sts-invalid-request",
            CHANGE,
            &[
                "Value 'x' at 'roleArn'",
                "correct the setting that the message names",
            ],
        ),
        told(
            Fault::Throttle,
            "sts-throttled",
            WAIT,
            &["400 Throttling", "what else assumes roles"],
        ),
        told(says(429, "", ""), "sts-throttled", WAIT, &["429"]),
        told(
            Fault::error("InternalFailure"),
            "sts-unavailable",
            WAIT,
            &["500 InternalFailure", "AWS Health Dashboard"],
        ),
        told(
            Fault::error("ServiceUnavailable"),
            "sts-unavailable",
            WAIT,
            &["503 ServiceUnavailable"],
        ),
        told(
            Fault::ServerError(502),
            "sts-unavailable",
            WAIT,
            &["STS answered 502 without a code"],
        ),
        told(
            Fault::ServerError(404),
            "sts-garbled",
            WAIT,
            &["404", "a captive proxy"],
        ),
        told(
            says(400, "SomethingNew", "never seen"),
            "sts-refused",
            CHANGE,
            &["SomethingNew \"never seen\"", "AssumeRoleWithWebIdentity"],
        ),
    ]
}

/// The right token but for the service account.
pub fn service_account(name: &str) -> TokenRequest {
    TokenRequest {
        service_account: name.to_owned(),
        ..TokenRequest::default()
    }
}
