//! `inspect-token`: a token to look into.

use clap::{Arg, ArgGroup, ArgMatches};

use super::{CLUSTER_ID, CLUSTER_NAME, REGION, cluster, cluster_of, one, region, settings};
use crate::config::cli::flags;
use crate::config::sources::Flags;
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::secret::Secret;

pub(in crate::config::cli) const NAME: &str = "inspect-token";

/// The settings by which a token is sent to STS.
const REPLAY: &[&str] = &["config", "sts-endpoint-url", "ca-bundle"];

/// A token to look into.
#[derive(Debug, PartialEq, Eq)]
pub struct InspectToken {
    /// Settings.
    pub flags: Flags,
    /// `None`: from stdin.
    pub token: Option<Secret>,
    /// Send it to STS as this cluster would.
    pub cluster: Option<ClusterName>,
    /// Judge it as a cluster there would.
    pub region: Option<Region>,
}

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Decodes an EKS token and checks it as the cluster would; never prints its signature")
        .long_about(
            "Decodes an EKS token and checks it by every rule of the cluster's verifier, in its order. With --cluster-name \
             STS is asked for the time, and the token is then sent to STS exactly as that cluster would send it, and what has to stand in aws-auth or in an access \
             entry is printed. Neither signature nor session token is ever shown.",
        )
        .arg(
            Arg::new("token")
                .value_name("TOKEN")
                .help("The token, or an ExecCredential; from stdin when it is left out or -, as an argument shows in lists of processes"),
        )
        .args(cluster())
        .group(ArgGroup::new("cluster").args([CLUSTER_NAME, CLUSTER_ID]))
        .arg(region().help("The cluster's region; without it one in the partition that the token is for"))
        .args(settings(REPLAY))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar inspect-token < /var/run/eks/demo.eks-token\n  \
             irsa-sidecar get-token --cluster-name demo | irsa-sidecar inspect-token --cluster-name demo\n\n\
             Exit codes: 0 the cluster would take it, 1 it would not.",
        )
}

impl InspectToken {
    pub(in crate::config::cli) fn from_matches(matches: &ArgMatches) -> Self {
        let token: Option<String> = one(matches, "token");
        InspectToken {
            flags: flags(matches),
            token: token.filter(|token| token != "-").map(Secret::new),
            cluster: cluster_of(matches),
            region: one(matches, REGION),
        }
    }
}
