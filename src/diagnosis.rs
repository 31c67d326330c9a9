//! Diagnoses: what was found, what was expected and what to do, under a stable id.
//!
//! Every error that an operator can meet turns into a [`Diagnosis`]. Its [`Finding`] is public: the id stands in
//! `/readyz` and heads the entry in `docs/troubleshooting.md`; the title never names a secret, an ARN, an account or
//! an issuer, so the unauthenticated ops door may say it. The details go to logs and to authorized clients only.

use std::fmt;

/// One kind of trouble: an id that never changes and a sentence that is safe to show to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Kebab-case, stable, the heading of its entry in `docs/troubleshooting.md`.
    pub id: &'static str,
    /// One sentence without any value in it.
    pub title: &'static str,
}

/// Who can end the trouble; it decides how soon an exchange is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// It can pass by itself: network, throttling, an outage.
    Wait,
    /// The kubelet has to bring another token.
    NewToken,
    /// Somebody has to change a role, a policy, a provider or the pod spec.
    Change,
}

/// A finding with its details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What kind of trouble this is.
    pub finding: Finding,
    /// What was found, with names and numbers.
    pub found: String,
    /// What should have been there.
    pub expected: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; expected {}; {}",
            self.found, self.expected, self.fix
        )
    }
}

/// Text from outside, made safe for one line of a log: quoted, control characters escaped, cut at 200 characters.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!(
            "{:?} and {} more characters",
            &text[..end],
            text[end..].chars().count()
        ),
    }
}

/// A code or a status from outside: a word. Whatever else stands there is not worth repeating.
pub fn word(text: &str) -> String {
    const LONGEST: usize = 64;
    let wordy = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    text.chars().filter(wordy).take(LONGEST).collect()
}

macro_rules! findings {
    ($($name:ident = $id:literal: $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Finding = Finding { id: $id, title: $title };
        )*
        /// Every finding, in the order of the pipeline.
        pub const ALL: &[Finding] = &[$($name),*];
    };
}

/// The list of findings: the one home of their ids and titles.
pub mod findings {
    use super::Finding;

    findings! {
        STARTING = "starting": "the first exchange is under way";
        DRAINING = "draining": "the sidecar was asked to stop and is draining";
        TOKEN_MISSING = "token-missing": "the web identity token file is not there";
        TOKEN_UNREADABLE = "token-unreadable": "the web identity token file cannot be read";
        TOKEN_NOT_A_FILE = "token-not-a-file": "the web identity token path is not a file";
        TOKEN_EMPTY = "token-empty": "the web identity token file is empty";
        TOKEN_TOO_LARGE = "token-too-large": "the web identity token file is larger than any token that STS takes";
        TOKEN_NOT_UTF8 = "token-not-utf8": "the web identity token file is not text";
        TOKEN_NOT_ROTATING = "token-not-rotating": "the web identity token is mounted so that it will never rotate";
        TOKEN_NOT_A_JWT = "token-not-a-jwt": "the web identity token is not a JSON Web Token";
        CLAIM_MISSING = "claim-missing": "the web identity token lacks a claim";
        CLAIM_MALFORMED = "claim-malformed": "a claim of the web identity token has the wrong type";
        TOKEN_IS_API_TOKEN = "token-is-api-token": "the token is the default Kubernetes API token";
        TOKEN_IS_LEGACY_SECRET = "token-is-legacy-secret": "the token is a legacy service account secret without an audience";
        TOKEN_IS_POD_IDENTITY = "token-is-pod-identity": "the token is the one for EKS Pod Identity";
        TOKEN_AUDIENCE = "token-audience": "the web identity token is for another audience";
        TOKEN_EXPIRED = "token-expired": "the web identity token has expired";
        TOKEN_NOT_YET_VALID = "token-not-yet-valid": "the web identity token is not valid yet";
        NOT_IN_CLUSTER = "not-in-cluster": "the environment does not say where the Kubernetes API is";
        API_TOKEN_MISSING = "api-token-missing": "the token for the Kubernetes API or the cluster's CA is not there or cannot be used";
        API_UNREACHABLE = "api-unreachable": "no usable answer from the Kubernetes API";
        SERVICE_ACCOUNT_UNAUTHORIZED = "service-account-unauthorized": "the Kubernetes API does not accept the pod's token";
        SERVICE_ACCOUNT_FORBIDDEN = "service-account-forbidden": "the Kubernetes API does not let the pod read its service account";
        SERVICE_ACCOUNT_NOT_FOUND = "service-account-not-found": "the Kubernetes API knows no service account of the token's name";
        ROLE_ANNOTATION_MISSING = "role-annotation-missing": "the service account has no annotation that names a role";
        ROLE_ANNOTATION_INVALID = "role-annotation-invalid": "an annotation of the service account cannot be used";
        STS_DNS = "sts-dns": "the name of the STS endpoint cannot be resolved";
        STS_CONNECT = "sts-connect": "no connection to the STS endpoint";
        STS_TLS = "sts-tls": "the certificate of the STS endpoint is not trusted";
        STS_TIMEOUT = "sts-timeout": "the STS endpoint did not answer in time";
        STS_UNAVAILABLE = "sts-unavailable": "STS answered that it cannot serve the request now";
        STS_THROTTLED = "sts-throttled": "STS throttled the request";
        STS_GARBLED = "sts-garbled": "the answer of the STS endpoint was no answer of STS";
        STS_USELESS_CREDENTIALS = "sts-useless-credentials": "STS answered with credentials that are empty or expired";
        STS_ACCESS_DENIED = "sts-access-denied": "STS does not let this service account assume the role";
        STS_NO_PROVIDER = "sts-no-provider": "the role's account has no IAM OIDC provider for the token's issuer";
        STS_AUDIENCE = "sts-audience": "the IAM OIDC provider does not list the token's audience";
        STS_AUDIENCE_MISSING = "sts-audience-missing": "STS found no audience in the token";
        STS_VERIFICATION_KEY = "sts-verification-key": "STS could not fetch the issuer's signing keys";
        STS_THUMBPRINT = "sts-thumbprint": "the issuer's certificate does not match the IAM OIDC provider's thumbprint";
        STS_NOT_A_JWT = "sts-not-a-jwt": "STS could not read the token";
        STS_TOKEN_REJECTED = "sts-token-rejected": "STS rejected the token";
        STS_TOKEN_EXPIRED = "sts-token-expired": "STS says that the token has expired";
        STS_CLAIM_REJECTED = "sts-claim-rejected": "the identity provider rejected the token's claims";
        STS_REGION_DISABLED = "sts-region-disabled": "STS is not activated in the region for the role's account";
        STS_SESSION_POLICY = "sts-session-policy": "STS refused the session policy or its size";
        STS_DURATION = "sts-duration": "the role's maximum session duration is shorter than the duration asked for";
        STS_INVALID_REQUEST = "sts-invalid-request": "STS found a parameter of the request invalid";
        STS_REFUSED = "sts-refused": "STS refused the request with a code that is not in the table";
        ASSUME_ROLE_DENIED = "assume-role-denied": "STS does not let the pod's role assume the other role";
        ASSUME_ROLE_CREDENTIALS = "assume-role-credentials": "STS rejected the credentials of the pod's role";
        TOO_MANY_ROLES = "too-many-roles": "too many roles are assumed from the pod's role";
        EKS_TOKEN_TOO_LARGE = "eks-token-too-large": "the EKS token is longer than what EKS accepts";
        EKS_CREDENTIALS_DYING = "eks-credentials-dying": "the credentials expire too soon to sign an EKS token";
        EKS_TOKEN_UNSIGNABLE = "eks-token-unsignable": "the EKS token could not be signed";
        EKS_TOKEN_MALFORMED = "eks-token-malformed": "the EKS token breaks a rule of the cluster's verifier";
        EKS_TOKEN_SIGNATURE = "eks-token-signature": "STS finds the signature of the EKS token wrong";
        EKS_TOKEN_CLOCK = "eks-token-clock": "the EKS token was signed at a time that STS does not accept";
        EKS_TOKEN_CREDENTIALS_EXPIRED = "eks-token-credentials-expired": "the credentials that signed the EKS token have expired";
        EKS_TOKEN_UNKNOWN_KEY = "eks-token-unknown-key": "STS does not know the access key of the EKS token";
        EKS_TOKEN_REFUSED = "eks-token-refused": "STS refused the EKS token with a code that is not in the table";
        EKS_REPLAY_UNREACHABLE = "eks-replay-unreachable": "the EKS token could not be sent to STS from here";
        EKS_IDENTITY = "eks-identity": "the EKS token stands for nobody that a cluster lets in";
        EKS_ACCESS_DENIED = "eks-access-denied": "the role may not call eks:DescribeCluster";
        EKS_CLUSTER_NOT_FOUND = "eks-cluster-not-found": "EKS knows no cluster of this name";
        EKS_CLUSTER_NOT_ACTIVE = "eks-cluster-not-active": "the EKS cluster is being made or deleted, or has failed";
        EKS_OUTPOST = "eks-outpost": "the EKS cluster is on an Outpost and goes by its id";
        EKS_SESSION_REFUSED = "eks-session-refused": "EKS does not accept the session's credentials";
        EKS_UNREACHABLE = "eks-unreachable": "no answer from the EKS endpoint";
        EKS_THROTTLED = "eks-throttled": "EKS throttled the request";
        EKS_UNAVAILABLE = "eks-unavailable": "EKS answered that it cannot serve the request now";
        EKS_GARBLED = "eks-garbled": "the answer of the EKS endpoint was no answer of EKS";
        EKS_REFUSED = "eks-refused": "EKS refused the request with a code that is not in the table";
        FILE_NOT_WRITTEN = "file-not-written": "a file that was asked for cannot be written";
        FILES_PENDING = "files-pending": "the files that were asked for are not written yet";
        LINK_LOCAL_NODE_NAMESPACE = "link-local-node-namespace": "the network namespace is the node's own, not a pod's";
        LINK_LOCAL_CAPABILITY = "link-local-capability": "the capability to add addresses is missing";
        LINK_LOCAL_ADDRESS = "link-local-address": "a link-local address cannot be added to lo";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_ids_are_unique_and_kebab_case() {
        let mut seen = std::collections::BTreeSet::new();
        for finding in findings::ALL {
            assert!(seen.insert(finding.id), "{} stands twice", finding.id);
            assert!(
                finding
                    .id
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
        }
    }

    #[test]
    fn quoted_text_cannot_break_a_line_or_fill_a_log() {
        assert_eq!(quote("a\nb\u{1b}[31m"), r#""a\nb\u{1b}[31m""#);
        let long = "é".repeat(5_000);
        assert!(quote(&long).ends_with("and 4800 more characters"));
    }

    #[test]
    fn a_word_is_one() {
        assert_eq!(word("Access\nDenied <b>"), "AccessDeniedb");
        assert_eq!(word(&"a".repeat(500)).len(), 64);
    }
}
