//! Diagnoses: what was found, what was expected and what to do, under a stable id.
//!
//! Every error that an operator can meet turns into a [`Diagnosis`]. Its [`Finding`] is public: the id stands in
//! `/readyz` and heads the entry in `docs/troubleshooting.md`; the title never names a secret, an ARN, an account or
//! an issuer, so the unauthenticated ops door may say it. The details go to logs and to authorized clients only.

mod text;

use std::fmt;

pub use self::text::{has_token, plain_url, quote, refused, shell_word, without_tokens, word};

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

/// One thing that `doctor` looks at. Its id stands where there is nothing to find fault with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Kebab-case, stable, and no finding's.
    pub id: &'static str,
    /// What it looks at.
    pub title: &'static str,
}

macro_rules! steps {
    ($($name:ident = $id:literal: $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Step = Step { id: $id, title: $title };
        )*
        /// Every step, in the order in which they are shown.
        pub const ALL: &[Step] = &[$($name),*];
    };
}

/// The list of doctor's steps: the one home of their ids and titles.
pub mod steps {
    use super::Step;

    steps! {
        CONFIGURATION = "configuration": "settings and where they come from";
        PRECEDENCE = "precedence": "settings that are in two places";
        WEBHOOK = "webhook": "what the EKS webhook put into the pod";
        SKIP_CONTAINERS = "skip-containers": "the containers that the EKS webhook shall skip";
        APP_SDK = "app-sdk": "what an AWS SDK in the app's container asks";
        KUBECONFIG = "kubeconfig": "the kubeconfig and what it runs";
        TOKEN_FILE = "token-file": "the web identity token file";
        TOKEN_MOUNT = "token-mount": "how the token is mounted";
        TOKEN_TEXT = "token-text": "what stands around the token";
        CLAIMS = "claims": "the token's claims";
        TOKEN_ROTATION = "token-rotation": "the token's age";
        ROLE = "role": "the role's ARN";
        ANNOTATION = "annotation": "the service account's annotation";
        STS_ADDRESS = "sts-address": "the name of the STS endpoint";
        STS_CONNECTION = "sts-connection": "the connection to STS";
        STS_ANSWER = "sts-answer": "an answer of STS, over TLS";
        STS_CLOCK = "sts-clock": "the node's clock beside that of STS";
        STS_REGION = "sts-region": "STS in the region for the role's account";
        EXCHANGE = "exchange": "AssumeRoleWithWebIdentity";
        SESSION_DURATION = "session-duration": "the duration beside the role's maximum";
        CREDENTIALS = "credentials": "who the credentials are, and until when";
        SIDECAR = "sidecar": "the running sidecar";
        SIDECAR_DOOR = "sidecar-door": "the running sidecar's credentials door";
        SIDECAR_CREDENTIALS = "sidecar-credentials": "what its doors give";
        SIDECAR_EXPIRY = "sidecar-expiry": "how long that lives";
        ASSUMED_ROLE = "assumed-role": "the role that is assumed from the pod's role";
        EKS_TOKEN = "eks-token": "the EKS token by the rules of the cluster";
        EKS_REPLAY = "eks-replay": "the EKS token, asked of STS as the cluster asks";
        EKS_CLUSTER = "eks-cluster": "eks:DescribeCluster";
        EKS_LOGIN = "eks-login": "the cluster, asked who comes in";
    }
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
        CONFIGURATION_INVALID = "configuration-invalid": "the configuration has errors";
        CONFIGURATION_DOUBTFUL = "configuration-doubtful": "something in the configuration will not do what it seems to";
        CONFIGURATION_CONFLICT = "configuration-conflict": "two places give one setting different values";
        FILE_HANGS = "file-hangs": "a file or its file system does not answer";
        OUT_OF_TIME = "out-of-time": "the time was up before this could be judged";
        WEBHOOK_NOT_RUN = "webhook-not-run": "the EKS webhook has not changed this pod, and nothing else names a role";
        WEBHOOK_INCOMPLETE = "webhook-incomplete": "only one of AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE is set";
        APP_SDK_BYPASS = "app-sdk-bypass": "an AWS SDK in the app's container would not ask the sidecar";
        APP_SDK_UNPOINTED = "app-sdk-unpointed": "nothing in the app's container points an AWS SDK to the sidecar";
        APP_URI_UNRESOLVED = "app-uri-unresolved": "the address of the sidecar in the app's container has a variable in it that was never filled in";
        APP_PROXY = "app-proxy": "the app's proxy would get the requests for the sidecar";
        SKIP_CONTAINERS_BLANKS = "skip-containers-blanks": "the annotation skip-containers has blanks, which belong to the names for the EKS webhook";
        SKIP_CONTAINERS_UNKNOWN = "skip-containers-unknown": "the annotation skip-containers names a container that the pod does not have";
        TOKEN_MISSING = "token-missing": "the web identity token file is not there";
        TOKEN_UNREADABLE = "token-unreadable": "the web identity token file cannot be read";
        TOKEN_NOT_A_FILE = "token-not-a-file": "the web identity token path is not a file";
        TOKEN_EMPTY = "token-empty": "the web identity token file is empty";
        TOKEN_TOO_LARGE = "token-too-large": "the web identity token file is larger than any token that STS takes";
        TOKEN_NOT_UTF8 = "token-not-utf8": "the web identity token file is not text";
        TOKEN_NOT_ROTATING = "token-not-rotating": "the web identity token is mounted so that it will never rotate";
        TOKEN_BLANKS = "token-blanks": "blanks or line breaks stand around the web identity token";
        TOKEN_NOT_A_JWT = "token-not-a-jwt": "the web identity token is not a JSON Web Token";
        CLAIM_MISSING = "claim-missing": "the web identity token lacks a claim";
        CLAIM_MALFORMED = "claim-malformed": "a claim of the web identity token has the wrong type";
        TOKEN_IS_API_TOKEN = "token-is-api-token": "the token is the default Kubernetes API token";
        TOKEN_IS_LEGACY_SECRET = "token-is-legacy-secret": "the token is a legacy service account secret without an audience";
        TOKEN_IS_POD_IDENTITY = "token-is-pod-identity": "the token is the one for EKS Pod Identity";
        TOKEN_AUDIENCE = "token-audience": "the web identity token is for another audience";
        TOKEN_EXPIRED = "token-expired": "the web identity token has expired";
        TOKEN_NOT_YET_VALID = "token-not-yet-valid": "the web identity token is not valid yet";
        TOKEN_ROTATION_LATE = "token-rotation-late": "the kubelet has not rotated the web identity token in time";
        ROLE_OUT_OF_REACH = "role-out-of-reach": "the role is in another partition than the region";
        ROLE_SERVICE_LINKED = "role-service-linked": "the role is a service-linked role, which only its service can assume";
        NOT_IN_CLUSTER = "not-in-cluster": "the environment does not say where the Kubernetes API is";
        API_TOKEN_MISSING = "api-token-missing": "the token for the Kubernetes API or the cluster's CA is not there or cannot be used";
        API_UNREACHABLE = "api-unreachable": "no usable answer from the Kubernetes API";
        SERVICE_ACCOUNT_UNAUTHORIZED = "service-account-unauthorized": "the Kubernetes API does not accept the pod's token";
        SERVICE_ACCOUNT_FORBIDDEN = "service-account-forbidden": "the Kubernetes API does not let the pod read its service account";
        SERVICE_ACCOUNT_NOT_FOUND = "service-account-not-found": "the Kubernetes API knows no service account of the token's name";
        ROLE_ANNOTATION_MISSING = "role-annotation-missing": "the service account has no annotation that names a role";
        ROLE_ANNOTATION_INVALID = "role-annotation-invalid": "an annotation of the service account cannot be used";
        ROLE_ANNOTATION_STALE = "role-annotation-stale": "AWS_ROLE_ARN names another role than the service account's annotation";
        PROXY_UNREACHABLE = "proxy-unreachable": "the proxy on the way to STS cannot be reached";
        PROXY_REFUSED = "proxy-refused": "the proxy does not let the pod through to STS";
        STS_DNS = "sts-dns": "the name of the STS endpoint cannot be resolved";
        STS_CONNECT = "sts-connect": "no connection to the STS endpoint";
        STS_TLS = "sts-tls": "the certificate of the STS endpoint is not trusted";
        STS_TIMEOUT = "sts-timeout": "the STS endpoint did not answer in time";
        STS_UNAVAILABLE = "sts-unavailable": "STS answered that it cannot serve the request now";
        STS_THROTTLED = "sts-throttled": "STS throttled the request";
        STS_GARBLED = "sts-garbled": "the answer of the STS endpoint was no answer of STS";
        STS_USELESS_CREDENTIALS = "sts-useless-credentials": "STS answered with credentials that are empty or expired";
        CLOCK_WRONG = "clock-wrong": "the node's clock is not that of STS";
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
        CREDENTIALS_REFUSED = "credentials-refused": "STS does not accept the credentials that it has given";
        SIDECAR_NOT_RUNNING = "sidecar-not-running": "no sidecar answers where this container is told to ask";
        SIDECAR_STRANGER = "sidecar-stranger": "what answers at the sidecar's address is no irsa-sidecar";
        SIDECAR_HANGS = "sidecar-hangs": "the running sidecar does not answer in time";
        SIDECAR_REFUSED = "sidecar-refused": "the running sidecar does not accept what this container shows it";
        SIDECAR_UNAVAILABLE = "sidecar-unavailable": "the running sidecar has no credentials to give";
        SIDECAR_DIFFERS = "sidecar-differs": "the running sidecar's doors do not give the same credentials";
        SIDECAR_OTHER_ROLE = "sidecar-other-role": "the running sidecar serves another role than the one that is configured here";
        SIDECAR_EXPIRING = "sidecar-expiring": "the credentials that the sidecar serves expire so soon that SDKs ask for them again and again";
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
        EKS_UNAUTHORIZED = "eks-unauthorized": "the cluster does not let this identity in";
        EKS_API_UNREACHABLE = "eks-api-unreachable": "no usable answer from the cluster's API server";
        KUBECONFIG_UNREADABLE = "kubeconfig-unreadable": "kubectl cannot read or use the kubeconfig";
        KUBECONFIG_COMMAND_MISSING = "kubeconfig-command-missing": "the command that the kubeconfig runs is not in PATH";
        KUBECONFIG_API_VERSION = "kubeconfig-api-version": "the kubeconfig asks its command for a version that kubectl no longer takes";
        KUBECONFIG_TOKEN_FILE = "kubeconfig-token-file": "the token that the kubeconfig names is not there, or none that a cluster takes";
        KUBECONFIG_PLAIN_HTTP = "kubeconfig-plain-http": "the kubeconfig's server is plain http, over which no token is sent";
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
        let findings = findings::ALL.iter().map(|finding| finding.id);
        for id in findings.chain(steps::ALL.iter().map(|step| step.id)) {
            assert!(seen.insert(id), "{id} stands twice");
            assert!(
                id.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
        }
    }
}
