//! `get-token`: what `aws eks get-token` takes.

use std::ffi::OsString;

use clap::{Arg, ArgGroup, ArgMatches};

use super::{
    CLUSTER_ID, CLUSTER_NAME, REGION, ROLE_ARN, WALK, cluster, cluster_of, one, region, role,
    settings,
};
use crate::config::cli::flags;
use crate::config::sources::Flags;
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::role::RoleArn;

pub(in crate::config::cli) const NAME: &str = "get-token";

/// The cluster of a token, as `aws eks get-token` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetToken {
    /// Settings.
    pub flags: Flags,
    /// `--cluster-name` or `--cluster-id`.
    pub cluster: ClusterName,
    /// A role to assume from the pod's role.
    pub role: Option<RoleArn>,
    /// The cluster's region.
    pub region: Option<Region>,
}

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Prints an ExecCredential for kubectl; takes what `aws eks get-token` takes")
        .long_about(
            "Prints an ExecCredential for kubectl; takes what `aws eks get-token` takes.\n\n\
             Asks the running sidecar (AWS_CONTAINER_CREDENTIALS_FULL_URI, otherwise --listen). Where none runs, it does by \
             itself what the sidecar does. The version of the answer is the one that KUBERNETES_EXEC_INFO asks for.",
        )
        .args(cluster())
        .group(
            ArgGroup::new("cluster")
                .args([CLUSTER_NAME, CLUSTER_ID])
                .required(true),
        )
        .arg(region())
        .arg(role())
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("json")
                .value_parser(["json"])
                .help("Taken for the sake of kubeconfigs written for the AWS CLI; kubectl reads nothing else"),
        )
        .args(settings(WALK))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar get-token --cluster-name demo\n  \
             irsa-sidecar get-token --cluster-name demo --region us-west-2 --role-arn arn:aws:iam::111122223333:role/deploy\n\n\
             In a kubeconfig that `aws eks update-kubeconfig` wrote, change only `command: aws` to `command: irsa-sidecar`.",
        )
}

impl GetToken {
    pub(in crate::config::cli) fn from_matches(matches: &ArgMatches) -> Self {
        GetToken {
            flags: flags(matches),
            cluster: cluster_of(matches).expect("the parser requires one of the two"),
            role: one(matches, ROLE_ARN),
            region: one(matches, REGION),
        }
    }
}

/// `aws --region R eks get-token …` becomes `get-token --region R …`: a kubeconfig's `command` can be changed and its
/// `args` kept.
pub(in crate::config::cli) fn as_the_aws_cli(arguments: Vec<OsString>) -> Vec<OsString> {
    let place = arguments
        .windows(2)
        .position(|pair| pair[0] == "eks" && pair[1] == NAME);
    match place {
        Some(place) if place > 0 => {
            let (program, before) = (&arguments[..1], &arguments[1..place]);
            let after = &arguments[place + 2..];
            [program, &[NAME.into()], before, after].concat()
        }
        _ => arguments,
    }
}
