//! The subcommands that end by themselves: their arguments, and help that teaches.
//!
//! Where a subcommand works without a running sidecar it takes the settings of the walk as flags. `--role-arn` and
//! `--region` are the cluster's there: the pod's own come from variables or the file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, value_parser};

use super::{argument, flags};
use crate::config::settings::SETTINGS;
use crate::config::sources::Flags;
use crate::eks::is_api_server;
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::role::{RoleArn, role_to_assume};
use crate::secret::Secret;

pub(super) const GET_TOKEN: &str = "get-token";
pub(super) const INSPECT_TOKEN: &str = "inspect-token";
pub(super) const KUBECONFIG: &str = "kubeconfig";

/// All of them.
pub(super) const NAMES: [&str; 3] = [GET_TOKEN, INSPECT_TOKEN, KUBECONFIG];

const CLUSTER_NAME: &str = "cluster-name";
const CLUSTER_ID: &str = "cluster-id";
const ROLE_ARN: &str = "role-arn";
const REGION: &str = "region";

/// The settings by which a running sidecar is found, and which the walk from token to credentials needs.
const WALK: &[&str] = &[
    "config",
    "token-file",
    "audience",
    "role-session-name",
    "duration",
    "sts-endpoint-url",
    "use-fips-endpoint",
    "use-dualstack-endpoint",
    "ca-bundle",
    "listen",
    "authorization-token-file",
    "log-format",
    "log-level",
];

/// The settings by which a token is sent to STS.
const REPLAY: &[&str] = &["config", "sts-endpoint-url", "ca-bundle"];

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

/// `aws --region R eks get-token …` becomes `get-token --region R …`: a kubeconfig's `command` can be changed and its
/// `args` kept.
pub(super) fn as_the_aws_cli(arguments: Vec<OsString>) -> Vec<OsString> {
    let place = arguments
        .windows(2)
        .position(|pair| pair[0] == "eks" && pair[1] == GET_TOKEN);
    match place {
        Some(place) if place > 0 => {
            let (program, before) = (&arguments[..1], &arguments[1..place]);
            let after = &arguments[place + 2..];
            [program, &[GET_TOKEN.into()], before, after].concat()
        }
        _ => arguments,
    }
}

pub(super) fn all() -> [clap::Command; 3] {
    [get_token(), inspect_token(), kubeconfig()]
}

fn get_token() -> clap::Command {
    clap::Command::new(GET_TOKEN)
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

fn inspect_token() -> clap::Command {
    clap::Command::new(INSPECT_TOKEN)
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

fn kubeconfig() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    clap::Command::new(KUBECONFIG)
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

fn cluster() -> [Arg; 2] {
    let argument = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .value_parser(|text: &str| text.parse::<ClusterName>())
            .help(help)
    };
    [
        argument(CLUSTER_NAME, "NAME", "The cluster's name"),
        argument(
            CLUSTER_ID,
            "ID",
            "The id of a local cluster on Outposts, instead of a name",
        ),
    ]
}

fn region() -> Arg {
    Arg::new(REGION)
        .long(REGION)
        .value_name("REGION")
        .value_parser(|text: &str| text.parse::<Region>())
        .help("The cluster's region; without it the pod's")
}

fn role() -> Arg {
    Arg::new(ROLE_ARN)
        .long(ROLE_ARN)
        .alias("role")
        .value_name("ARN")
        .value_parser(role_to_assume)
        .help("A role to assume from the pod's role first; --role is the same; without it the pod's role itself")
}

fn settings(names: &'static [&'static str]) -> impl Iterator<Item = Arg> {
    let named = |setting: &&'static _| {
        let setting: &crate::config::Setting = setting;
        names.contains(&setting.name)
    };
    SETTINGS
        .iter()
        .filter(named)
        .map(|setting| argument(setting).help_heading("Settings"))
}

fn api_server(text: &str) -> Result<String, String> {
    match is_api_server(text) {
        true => Ok(text.to_owned()),
        false => Err(
            "expected https://HOST[:PORT][/PATH] and nothing else: kubectl sends no token over plain http".to_owned(),
        ),
    }
}

impl GetToken {
    pub(super) fn from_matches(matches: &ArgMatches) -> Self {
        GetToken {
            flags: flags(matches),
            cluster: cluster_of(matches).expect("the parser requires one of the two"),
            role: one(matches, ROLE_ARN),
            region: one(matches, REGION),
        }
    }
}

impl InspectToken {
    pub(super) fn from_matches(matches: &ArgMatches) -> Self {
        let token: Option<String> = one(matches, "token");
        InspectToken {
            flags: flags(matches),
            token: token.filter(|token| token != "-").map(Secret::new),
            cluster: cluster_of(matches),
            region: one(matches, REGION),
        }
    }
}

impl Kubeconfig {
    pub(super) fn from_matches(matches: &ArgMatches) -> Self {
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

fn one<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Option<T> {
    matches.get_one::<T>(name).cloned()
}

/// What the parser has proved to be there.
fn cluster_of(matches: &ArgMatches) -> Option<ClusterName> {
    let by_id = matches.try_get_one(CLUSTER_ID).ok().flatten().cloned();
    one(matches, CLUSTER_NAME).or(by_id)
}
