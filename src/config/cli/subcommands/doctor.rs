//! `doctor`: what to look at, and how to say it.

use std::path::PathBuf;

use clap::{Arg, ArgGroup, ArgMatches, value_parser};

use super::{CLUSTER_ID, CLUSTER_NAME, cluster, cluster_of, flag, one};
use crate::config::cli::{argument, flags};
use crate::config::settings::SETTINGS;
use crate::config::sources::Flags;
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::role::{RoleArn, role_to_assume};

pub(in crate::config::cli) const NAME: &str = "doctor";

const ASSUME_ROLE_ARN: &str = "assume-role-arn";
const CLUSTER_REGION: &str = "cluster-region";
const IN_CLUSTER: &str = "in-cluster";
const POD: &str = "pod";
const OFFLINE: &str = "offline";
const JSON: &str = "json";
const VERBOSE: &str = "verbose";
const EXPLAIN: &str = "explain";

/// What to look at, and how to say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doctor {
    /// Settings: all that `serve` takes.
    pub flags: Flags,
    /// Look at the way into this cluster too.
    pub cluster: Option<ClusterName>,
    /// It was given as an id, which DescribeCluster does not know.
    pub by_id: bool,
    /// The cluster's region.
    pub region: Option<Region>,
    /// A role to assume from the pod's role, for the cluster.
    pub role: Option<RoleArn>,
    /// The cluster is the pod's own, and its API server is asked where every pod finds it.
    pub in_cluster: bool,
    /// A file that holds the pod as JSON; `-` is stdin.
    pub pod: Option<PathBuf>,
    /// Nothing leaves the pod.
    pub offline: bool,
    /// For machines.
    pub json: bool,
    /// Details of what is right, too.
    pub verbose: bool,
    /// Print what is known about this id, and look at nothing.
    pub explain: Option<String>,
}

pub(in crate::config::cli) fn command() -> clap::Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    clap::Command::new(NAME)
        .about("Walks the whole way from token file to cluster and says what is wrong and what to do")
        .long_about(
            "Walks the way from the token file to the credentials as the sidecar itself would, and with --cluster-name on to the \
             cluster, and says at each step what was found, whether that is right, and what to change. Asks the running \
             sidecar too, if there is one. Takes all settings of `serve`: give it the same. Changes nothing, shows no secret, and ends within 10 s.",
        )
        .args(cluster())
        .group(ArgGroup::new("cluster").args([CLUSTER_NAME, CLUSTER_ID]))
        .arg(
            value(CLUSTER_REGION, "REGION", "The cluster's region; without it the pod's")
                .value_parser(|text: &str| text.parse::<Region>())
                .requires("cluster"),
        )
        .arg(
            value(ASSUME_ROLE_ARN, "ARN", "A role to assume from the pod's role first, for the cluster: what get-token has as --role-arn")
                .value_parser(role_to_assume)
                .requires("cluster"),
        )
        .arg(flag(IN_CLUSTER, "The cluster is the pod's own: ask its API server where every pod finds it, without DescribeCluster").requires("cluster"))
        .arg(
            value(POD, "FILE", "The pod, as `kubectl get pod NAME -o json` prints it, to look at all of its containers; - is stdin")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(flag(OFFLINE, "Look only at what is in the pod; nothing is sent out of it"))
        .arg(flag(JSON, "Print the findings as JSON"))
        .arg(flag(VERBOSE, "Print details of what is right, too").short('v'))
        .arg(value(EXPLAIN, "ID", "Print what is known about a finding or a step, and look at nothing").exclusive(true))
        .args(SETTINGS.iter().map(|setting| argument(setting).help_heading("Settings")))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             kubectl exec POD -c irsa-sidecar -- /irsa-sidecar doctor\n  \
             kubectl exec POD -c irsa-sidecar -- /irsa-sidecar doctor --cluster-name demo -v\n  \
             kubectl get pod POD -o json | kubectl exec -i POD -c irsa-sidecar -- /irsa-sidecar doctor --pod -\n  \
             irsa-sidecar doctor --explain sts-access-denied\n\n\
             Exit codes: 0 nothing fails (there may be warnings), 1 something does, 64 bad usage.",
        )
}

impl Doctor {
    pub(in crate::config::cli) fn from_matches(matches: &ArgMatches) -> Self {
        Doctor {
            flags: flags(matches),
            cluster: cluster_of(matches),
            by_id: matches.contains_id(CLUSTER_ID),
            region: one(matches, CLUSTER_REGION),
            role: one(matches, ASSUME_ROLE_ARN),
            in_cluster: matches.get_flag(IN_CLUSTER),
            pod: one(matches, POD),
            offline: matches.get_flag(OFFLINE),
            json: matches.get_flag(JSON),
            verbose: matches.get_flag(VERBOSE),
            explain: one(matches, EXPLAIN),
        }
    }
}
