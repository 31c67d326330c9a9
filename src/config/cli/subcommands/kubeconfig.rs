//! `kubeconfig`: the arguments of `aws eks update-kubeconfig`, and where else a server may come from.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgGroup, ArgMatches, value_parser};

use super::{CLUSTER_NAME, REGION, ROLE_ARN, WALK, flag, one, region, role, settings};
use crate::config::cli::flags;
use crate::config::sources::Flags;
use crate::eks::is_api_server;
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::role::RoleArn;

pub(in crate::config::cli) const NAME: &str = "kubeconfig";

/// A kubeconfig to write.
#[derive(Debug, PartialEq, Eq)]
pub struct Kubeconfig {
    /// Settings.
    pub flags: Flags,
    /// `--cluster-name`.
    pub cluster: ClusterName,
    /// The cluster's region.
    pub region: Option<Region>,
    /// A role to assume from the pod's role, for the token.
    pub role: Option<RoleArn>,
    /// The file; `None`: as `aws eks update-kubeconfig` finds it.
    pub path: Option<PathBuf>,
    /// Where the API server is.
    pub server: Server,
    /// The exec form instead of `tokenFile`.
    pub exec: bool,
    /// The context's name.
    pub alias: Option<String>,
    /// The user's name.
    pub user_alias: Option<String>,
    /// Print instead of write.
    pub dry_run: bool,
}

/// Where a kubeconfig's server and CA come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// From `eks:DescribeCluster`.
    Describe,
    /// From the pod's own cluster.
    InCluster {
        /// A file of PEM; `None`: the one that is mounted with the service account's token.
        certificate_authority: Option<PathBuf>,
    },
    /// From flags.
    Named {
        /// `https://…`.
        server: String,
        /// A file of PEM; `None`: the client's own roots.
        certificate_authority: Option<PathBuf>,
    },
}

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Writes a kubeconfig for a cluster, or merges it into one")
        .long_about(
            "Writes a kubeconfig for a cluster, or merges it into one by the rules of `aws eks update-kubeconfig`. The user \
             in it reads the token file that the sidecar keeps fresh (--eks-cluster, --output-dir), or with --exec runs \
             this program. Server and CA come from eks:DescribeCluster, from --server, or with --in-cluster from this pod.",
        )
        .arg(
            Arg::new(CLUSTER_NAME)
                .long(CLUSTER_NAME)
                .alias("name")
                .value_name("NAME")
                .required(true)
                .value_parser(|text: &str| text.parse::<ClusterName>())
                .help("The cluster's name; --name is the same"),
        )
        .arg(region())
        .arg(role())
        .arg(
            Arg::new("path")
                .long("kubeconfig")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("The file; without it the one of $KUBECONFIG that has the cluster, its first, or ~/.kube/config"),
        )
        .arg(
            Arg::new("server")
                .long("server")
                .value_name("URL")
                .value_parser(api_server)
                .help("The API server, https://…; nothing is asked of AWS then"),
        )
        .arg(
            Arg::new("certificate-authority")
                .long("certificate-authority")
                .value_name("FILE")
                .requires("address")
                .value_parser(value_parser!(PathBuf))
                .help("The PEM file of the API server's CA; with --in-cluster instead of the service account's"),
        )
        .arg(flag(
            "in-cluster",
            "The API server of this pod's own cluster; nothing is asked of AWS then",
        ))
        .group(ArgGroup::new("address").args(["server", "in-cluster"]))
        .arg(flag(
            "exec",
            "Have kubectl run this program for a token, instead of reading a token file",
        ))
        .arg(
            Arg::new("alias")
                .long("alias")
                .value_name("NAME")
                .value_parser(NonEmptyStringValueParser::new())
                .help("The context's name; without it the user's"),
        )
        .arg(
            Arg::new("user-alias")
                .long("user-alias")
                .value_name("NAME")
                .value_parser(NonEmptyStringValueParser::new())
                .help("The user's name; without it the cluster's ARN"),
        )
        .arg(flag("dry-run", "Print the merged file, write nothing"))
        .args(settings(WALK))
        .args(settings(&["eks-endpoint-url", "output-dir"]))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar kubeconfig --cluster-name demo --output-dir /var/run/eks\n  \
             irsa-sidecar kubeconfig --cluster-name demo --exec --in-cluster --kubeconfig /home/app/.kube/config\n\n\
             Needs eks:DescribeCluster on the cluster, unless --server or --in-cluster is given.",
        )
}

fn api_server(text: &str) -> Result<String, String> {
    match is_api_server(text) {
        true => Ok(text.to_owned()),
        false => Err(
            "expected https://HOST[:PORT][/PATH] and nothing else: kubectl sends no token over plain http".to_owned(),
        ),
    }
}

impl Kubeconfig {
    pub(in crate::config::cli) fn from_matches(matches: &ArgMatches) -> Self {
        let certificate_authority = one(matches, "certificate-authority");
        let server = match one(matches, "server") {
            Some(server) => Server::Named {
                server,
                certificate_authority,
            },
            None if matches.get_flag("in-cluster") => Server::InCluster {
                certificate_authority,
            },
            None => Server::Describe,
        };
        Kubeconfig {
            flags: flags(matches),
            cluster: one(matches, CLUSTER_NAME).expect("the parser requires it"),
            region: one(matches, REGION),
            role: one(matches, ROLE_ARN),
            path: one(matches, "path"),
            server,
            exec: matches.get_flag("exec"),
            alias: one(matches, "alias"),
            user_alias: one(matches, "user-alias"),
            dry_run: matches.get_flag("dry-run"),
        }
    }
}
