//! The table of what keeps EKS from telling where a cluster is: what passes by itself, what somebody has to change, each
//! with the sentence that tells them what. Pure.

use super::error::{Asked, EksError, EksErrorKind};
use crate::diagnosis::{Finding, Remedy, findings};

/// What an error means.
pub(super) struct Meaning {
    pub(super) finding: Finding,
    pub(super) remedy: Remedy,
    pub(super) expected: String,
    pub(super) fix: String,
}

impl EksError {
    pub(super) fn meaning(&self) -> Meaning {
        match &self.kind {
            EksErrorKind::Answered {
                status,
                code,
                message,
            } => self.refusal(*status, code, message),
            EksErrorKind::NotActive(status) => self.not_active(status),
            EksErrorKind::TimedOut => self.unreachable(""),
            EksErrorKind::Unreachable(cause) => self.unreachable(&cause.to_ascii_lowercase()),
            EksErrorKind::Garbled(_) => garbled(),
        }
    }

    fn refusal(&self, status: u16, code: &str, message: &str) -> Meaning {
        let Asked {
            cluster, region, ..
        } = &self.asked;
        match code {
            "AccessDeniedException" | "AccessDenied" => self.access_denied(message),
            "ResourceNotFoundException" => Meaning {
                finding: findings::EKS_CLUSTER_NOT_FOUND,
                remedy: Remedy::Change,
                expected: format!(
                    "a cluster of this name in region {region} of account {}",
                    self.account()
                ),
                fix: format!(
                    "name one that aws eks list-clusters --region {region} lists in that account, or the region that {cluster} is in"
                ),
            },
            _ if is_about_the_session(code) => Meaning {
                finding: findings::EKS_SESSION_REFUSED,
                remedy: Remedy::Change,
                expected: format!("a session that EKS in {region} accepts"),
                fix: format!(
                    "see whether region {region} is enabled in account {}, whether the role still exists, and whether the node's clock is right",
                    self.account()
                ),
            },
            "ThrottlingException" | "Throttling" | "TooManyRequestsException"
            | "RequestLimitExceeded" | "SlowDown" => throttled(),
            _ if status == 429 => throttled(),
            "ServerException" | "ServiceUnavailableException" | "InternalFailure" => {
                unavailable()
            }
            _ if status >= 500 => unavailable(),
            "" => garbled(),
            _ => Meaning {
                finding: findings::EKS_REFUSED,
                remedy: Remedy::Change,
                expected: "a cluster".to_owned(),
                fix: "look the code up in the reference of DescribeCluster; cluster names are letters, digits, - and _".to_owned(),
            },
        }
    }

    /// The statement is whole, so that it can be pasted.
    fn access_denied(&self, message: &str) -> Meaning {
        let Asked {
            cluster,
            region,
            role,
            ..
        } = &self.asked;
        let (partition, account) = (region.partition().name, self.account());
        let cure = if message.contains("explicit deny") {
            format!("take {role} out of the policy that denies it")
        } else {
            format!(
                r#"add {{"Effect":"Allow","Action":"eks:DescribeCluster","Resource":"arn:{partition}:eks:{region}:{account}:cluster/{cluster}"}} to a policy of {role}"#
            )
        };
        Meaning {
            finding: findings::EKS_ACCESS_DENIED,
            remedy: Remedy::Change,
            expected: "a role that may call eks:DescribeCluster for this cluster".to_owned(),
            fix: format!(
                "{cure}; or do without: irsa-sidecar kubeconfig with --in-cluster in a pod of this cluster, or with --server"
            ),
        }
    }

    fn not_active(&self, status: &str) -> Meaning {
        let Asked {
            cluster, region, ..
        } = &self.asked;
        let (remedy, fix) = match status {
            "CREATING" | "PENDING" => (
                Remedy::Wait,
                format!(
                    "wait until it is there: aws eks wait cluster-active --name {cluster} --region {region}"
                ),
            ),
            "DELETING" => (
                Remedy::Change,
                "somebody is deleting it: name another cluster".to_owned(),
            ),
            "FAILED" => (
                Remedy::Change,
                format!(
                    "it could not be made: see aws eks describe-cluster --name {cluster} --region {region} --query cluster.health, delete it and make it again"
                ),
            ),
            _ => (
                Remedy::Wait,
                format!("see aws eks describe-cluster --name {cluster} --region {region}"),
            ),
        };
        Meaning {
            finding: findings::EKS_CLUSTER_NOT_ACTIVE,
            remedy,
            expected: "status ACTIVE or UPDATING".to_owned(),
            fix,
        }
    }

    fn unreachable(&self, cause: &str) -> Meaning {
        let (remedy, expected, fix) = if cause.contains("certificate") {
            (
                Remedy::Change,
                "a certificate that one of the trusted roots has signed",
                "set --ca-bundle (AWS_CA_BUNDLE) to the CA of your TLS-inspecting proxy or endpoint, or update the system's roots",
            )
        } else if cause.contains("lookup") || cause.contains("dns") || cause.contains("resolve") {
            (
                Remedy::Wait,
                "a name that resolves",
                "check the cluster's region and the DNS; without a route to the internet make a VPC endpoint for EKS with private DNS, or do without: --in-cluster or --server",
            )
        } else {
            (
                Remedy::Wait,
                "an answer over HTTPS",
                "let the pod's security group, network policy and NAT or VPC endpoint pass HTTPS to EKS, set HTTPS_PROXY, or do without: --in-cluster or --server",
            )
        };
        Meaning {
            finding: findings::EKS_UNREACHABLE,
            remedy,
            expected: expected.to_owned(),
            fix: fix.to_owned(),
        }
    }

    /// Of the role: DescribeCluster looks into no other account.
    fn account(&self) -> &str {
        self.asked.role.split(':').nth(4).unwrap_or_default()
    }
}

pub(super) fn is_about_the_session(code: &str) -> bool {
    matches!(
        code,
        "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "InvalidClientTokenId"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
    )
}

fn throttled() -> Meaning {
    Meaning {
        finding: findings::EKS_THROTTLED,
        remedy: Remedy::Wait,
        expected: "a cluster".to_owned(),
        fix: "try again in a minute; if it lasts, look in CloudTrail for what else calls EKS in this account and region so often".to_owned(),
    }
}

fn unavailable() -> Meaning {
    Meaning {
        finding: findings::EKS_UNAVAILABLE,
        remedy: Remedy::Wait,
        expected: "a cluster".to_owned(),
        fix: "try again in a minute; if it lasts, see the AWS Health Dashboard for EKS in this region".to_owned(),
    }
}

fn garbled() -> Meaning {
    Meaning {
        finding: findings::EKS_GARBLED,
        remedy: Remedy::Wait,
        expected: "a cluster with ARN, https endpoint and certificate authority in EKS's JSON".to_owned(),
        fix: "see what stands between the pod and EKS: a captive proxy, or --eks-endpoint-url naming something else".to_owned(),
    }
}
