//! The table of STS's errors: what passes by itself, what needs a new token, what somebody has to change, each with the
//! sentence that tells them what. Pure.

use crate::diagnosis::{Diagnosis, Finding, Remedy, findings};
use crate::transport::{PROXY_REFUSES, PROXY_UNREACHABLE, PROXY_WANTS_A_PASSWORD};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) finding: Finding,
    pub(super) remedy: Remedy,
    pub(super) expected: &'static str,
    pub(super) fix: &'static str,
}

impl Row {
    pub(super) fn diagnosis(self, found: String) -> Diagnosis {
        Diagnosis {
            finding: self.finding,
            found,
            expected: self.expected.to_owned(),
            fix: self.fix.to_owned(),
        }
    }
}

const fn row(finding: Finding, remedy: Remedy, expected: &'static str, fix: &'static str) -> Row {
    Row {
        finding,
        remedy,
        expected,
        fix,
    }
}

const CREDENTIALS: &str = "credentials";
const NOTHING_TO_DO: &str =
    "it is tried again by itself; if it lasts, see the AWS Health Dashboard for STS in this region";

pub(super) const TIMED_OUT: Row = row(
    findings::STS_TIMEOUT,
    Remedy::Wait,
    "an answer",
    "let the pod's security group, network policy and NAT or VPC endpoint pass HTTPS to STS; it is tried again by itself",
);
pub(super) const GARBLED: Row = row(
    findings::STS_GARBLED,
    Remedy::Wait,
    "an answer in STS's XML",
    "see what stands between the pod and STS: a captive proxy, or --sts-endpoint-url naming something else",
);
pub(super) const USELESS: Row = row(
    findings::STS_USELESS_CREDENTIALS,
    Remedy::Wait,
    "whole credentials that are alive",
    "see whether --sts-endpoint-url names STS, and whether the node's clock is right",
);

/// Names, certificates and everything else that keeps a connection from being made.
pub(super) fn unreachable(cause: &str) -> Row {
    let cause = cause.to_ascii_lowercase();
    if let Some(row) = proxy(&cause) {
        row
    } else if cause.contains("certificate") {
        certificate(&cause)
    } else if cause.contains("lookup") || cause.contains("dns") || cause.contains("resolve") {
        row(
            findings::STS_DNS,
            Remedy::Wait,
            "a name that resolves",
            "check --region and the cluster's DNS; without a route to the internet make a VPC endpoint for STS with private DNS",
        )
    } else {
        row(
            findings::STS_CONNECT,
            Remedy::Wait,
            "a connection over HTTPS",
            "let the pod's security group, network policy and NAT or VPC endpoint pass HTTPS to STS, or set HTTPS_PROXY; it is tried again by itself",
        )
    }
}

/// Where the cause is about the proxy, which everything else hides behind.
fn proxy(cause: &str) -> Option<Row> {
    let row = if cause.starts_with(PROXY_UNREACHABLE) {
        row(
            findings::PROXY_UNREACHABLE,
            Remedy::Wait,
            "a proxy that takes connections and keeps them",
            "see whether HTTPS_PROXY (https_proxy) names the proxy's host and port, whether it runs, and whether the pod's security group and network policy let it through; where STS has a VPC endpoint, add its host to NO_PROXY",
        )
    } else if cause.starts_with(PROXY_WANTS_A_PASSWORD) {
        row(
            findings::PROXY_REFUSED,
            Remedy::Change,
            "a proxy that lets the pod through to STS",
            "put the right user name and password into the proxy's address, percent-encoded: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT; where STS has a VPC endpoint, add its host to NO_PROXY",
        )
    } else if cause.starts_with(PROXY_REFUSES) {
        row(
            findings::PROXY_REFUSED,
            Remedy::Wait,
            "a proxy that lets the pod through to STS",
            "let the proxy's access rules pass CONNECT to STS on port 443, and see in its log whether it reaches STS itself; where STS has a VPC endpoint, add its host to NO_PROXY",
        )
    } else {
        return None;
    };
    Some(row)
}

/// By far the most often it is a root that is missing; a clock or a name that is wrong wants another cure.
fn certificate(cause: &str) -> Row {
    if cause.contains("expired") || cause.contains("not valid yet") {
        row(
            findings::STS_TLS,
            Remedy::Change,
            "a certificate that is valid at the time of the node's clock",
            "see whether the node's clock is right (on the node: chronyc tracking, or timedatectl) and set it by NTP; if it is right, whoever runs the endpoint or the TLS-inspecting proxy has to renew the certificate",
        )
    } else if cause.contains("not valid for name") {
        row(
            findings::STS_TLS,
            Remedy::Change,
            "a certificate for the name of the endpoint",
            "see whether the name resolves to STS or to something else, and whether --sts-endpoint-url has a host that is in the certificate",
        )
    } else {
        row(
            findings::STS_TLS,
            Remedy::Change,
            "a certificate that one of the trusted roots has signed",
            "set --ca-bundle (AWS_CA_BUNDLE) to the CA of your TLS-inspecting proxy or endpoint, or update the system's roots",
        )
    }
}

/// What the codes mean where one role assumes another; the others mean what they always mean.
pub(super) fn assume_role(code: &str) -> Option<Row> {
    let row = match code {
        "AccessDenied" | "AccessDeniedException" => row(
            findings::ASSUME_ROLE_DENIED,
            Remedy::Change,
            "a role that the pod's role may assume",
            "",
        ),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch" => row(
            findings::ASSUME_ROLE_CREDENTIALS,
            Remedy::Wait,
            "credentials of the pod's role that STS takes",
            "it is tried again with the pod's next credentials; if it lasts, see whether the pod's sessions were revoked",
        ),
        _ => return None,
    };
    Some(row)
}

/// What a refusal means where credentials that STS has just given ask who they are.
pub(super) fn credentials_refused(code: &str) -> Row {
    let fix = match code {
        "AccessDenied" | "AccessDeniedException" => {
            "no policy of the role can forbid this: let the policy of the VPC endpoint for STS allow sts:GetCallerIdentity"
        }
        "SignatureDoesNotMatch" => {
            "see what changes requests on the way to STS: a proxy that takes TLS apart, or --sts-endpoint-url with another host than the one that is asked in the end"
        }
        _ => {
            "see whether the role was deleted or made again just now, whether --sts-endpoint-url names STS, and whether the node's clock is right"
        }
    };
    row(
        findings::CREDENTIALS_REFUSED,
        Remedy::Change,
        "an answer to sts:GetCallerIdentity, which needs no permission",
        fix,
    )
}

/// The table: STS's status, code and words on one side, what they mean on the other. Unknown words are never a reason
/// to give up.
pub(super) fn classify(status: u16, code: &str, message: &str) -> Row {
    use Remedy::{Change, NewToken, Wait};
    let says = |part: &str| {
        message
            .to_ascii_lowercase()
            .contains(&part.to_ascii_lowercase())
    };
    match code {
        "AccessDenied" | "AccessDeniedException" => row(
            findings::STS_ACCESS_DENIED,
            Change,
            "a role that exists and whose trust policy names this token's iss, sub and aud",
            "compare the trust policy's Federated principal and its :sub and :aud conditions with the token's claims (StringLike where there is a *), and look for an SCP or a VPC endpoint policy; a role made a minute ago may only need that minute",
        ),
        "InvalidIdentityToken" | "InvalidIdentityTokenException" => invalid_identity_token(&says),
        "ExpiredTokenException" | "ExpiredToken" => row(
            findings::STS_TOKEN_EXPIRED,
            NewToken,
            "a token that the kubelet has rotated in time",
            "see why the kubelet does not rotate the token: a subPath mount, a copied file, or a clock that is wrong",
        ),
        "IDPCommunicationError" | "IDPCommunicationErrorException" => row(
            findings::STS_VERIFICATION_KEY,
            Wait,
            "an issuer whose keys STS can fetch",
            "it is tried again by itself; on a self-managed cluster make sure that the issuer's /.well-known/openid-configuration and JWKS answer the internet within seconds",
        ),
        "IDPRejectedClaim" | "IDPRejectedClaimException" => row(
            findings::STS_CLAIM_REJECTED,
            Change,
            "claims that the identity provider stands by",
            "check the IAM OIDC provider and the cluster's service account issuer",
        ),
        "RegionDisabledException" => row(
            findings::STS_REGION_DISABLED,
            Change,
            "a region in which the role's account has STS activated",
            "activate the region in the account's settings, or set --region to one that is active",
        ),
        "MalformedPolicyDocument"
        | "MalformedPolicyDocumentException"
        | "PackedPolicyTooLarge"
        | "PackedPolicyTooLargeException" => row(
            findings::STS_SESSION_POLICY,
            Change,
            "a session without a policy",
            "this program sends no session policy: check what --sts-endpoint-url names",
        ),
        "ValidationError" | "ValidationException" if says("MaxSessionDuration") => row(
            findings::STS_DURATION,
            Change,
            "a duration that the role allows",
            "raise the role's maximum session duration, or set --duration to at most that",
        ),
        "ValidationError" | "ValidationException" => row(
            findings::STS_INVALID_REQUEST,
            Change,
            "a role ARN, role session name and duration that STS takes",
            "correct the setting that the message names",
        ),
        "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown" => row(
            findings::STS_THROTTLED,
            Wait,
            CREDENTIALS,
            "it is tried again by itself; if it lasts, look for what else assumes roles in this account and region so often",
        ),
        _ if status == 429 => row(findings::STS_THROTTLED, Wait, CREDENTIALS, NOTHING_TO_DO),
        "InternalFailure" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" => {
            row(findings::STS_UNAVAILABLE, Wait, CREDENTIALS, NOTHING_TO_DO)
        }
        _ if status >= 500 => row(findings::STS_UNAVAILABLE, Wait, CREDENTIALS, NOTHING_TO_DO),
        "" => GARBLED,
        _ => row(
            findings::STS_REFUSED,
            Change,
            CREDENTIALS,
            "look the code up in the reference of AssumeRoleWithWebIdentity",
        ),
    }
}

/// One code for many causes: only the words tell them apart.
fn invalid_identity_token(says: &impl Fn(&str) -> bool) -> Row {
    use Remedy::{Change, NewToken, Wait};
    if says("retrieve verification key") {
        row(
            findings::STS_VERIFICATION_KEY,
            Wait,
            "an issuer whose keys STS can fetch",
            "it is tried again by itself; on a self-managed cluster make sure that the issuer's /.well-known/openid-configuration and JWKS answer the internet within seconds",
        )
    } else if says("No OpenIDConnect provider") {
        row(
            findings::STS_NO_PROVIDER,
            Change,
            "an IAM OIDC provider for the token's iss in the account of the role",
            "see whether the role's ARN is of the right account, and make the provider in that account, with exactly the token's iss as URL: eksctl utils associate-iam-oidc-provider --cluster NAME --approve where the cluster is of that account too, otherwise aws iam create-open-id-connect-provider",
        )
    } else if says("Incorrect token audience") {
        row(
            findings::STS_AUDIENCE,
            Change,
            "an audience that is among the provider's client ids",
            "add the token's aud to the client ids of the IAM OIDC provider, or set audience on the projected volume to one that it lists",
        )
    } else if says("claim: aud") {
        row(
            findings::STS_AUDIENCE_MISSING,
            NewToken,
            "a token with aud",
            "mount a projected serviceAccountToken; a legacy secret has no aud",
        )
    } else if says("thumbprint") {
        row(
            findings::STS_THUMBPRINT,
            Change,
            "the thumbprint of the CA that signed the issuer's certificate",
            "have the issuer serve a certificate of a public CA with its whole chain, which needs no thumbprint, or update the thumbprints of the IAM OIDC provider",
        )
    } else if says("not a valid JWT") {
        row(
            findings::STS_NOT_A_JWT,
            NewToken,
            "a JSON Web Token",
            "see what writes the token file besides the kubelet",
        )
    } else {
        row(
            findings::STS_TOKEN_REJECTED,
            NewToken,
            "a token signed with a key in the issuer's published JWKS",
            "see whether the token is of this cluster, and whether the issuer's JWKS was published again after its signing key changed",
        )
    }
}

#[cfg(test)]
mod tests;
