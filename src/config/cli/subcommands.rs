//! The subcommands that end by themselves: their arguments, and help that teaches.
//!
//! Where a subcommand works without a running sidecar it takes the settings of the walk as flags. `--role-arn` and
//! `--region` are the cluster's where there is one: the pod's own come from variables or the file there.

pub(super) mod credential_process;
pub(super) mod doctor;
pub(super) mod get_token;
pub(super) mod inspect_token;
pub(super) mod install;
pub(super) mod kubeconfig;
pub(super) mod link_local;
pub(super) mod shutdown;
pub(super) mod wait;

use clap::{Arg, ArgAction, ArgMatches};

use super::argument;
use crate::config::settings::SETTINGS;
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::role::role_to_assume;

/// All of them.
pub(super) const NAMES: [&str; 9] = [
    credential_process::NAME,
    doctor::NAME,
    get_token::NAME,
    inspect_token::NAME,
    install::NAME,
    kubeconfig::NAME,
    link_local::NAME,
    shutdown::NAME,
    wait::NAME,
];

pub(super) fn all() -> [clap::Command; 9] {
    [
        doctor::command(),
        wait::command(),
        shutdown::command(),
        get_token::command(),
        inspect_token::command(),
        kubeconfig::command(),
        credential_process::command(),
        install::command(),
        link_local::command(),
    ]
}

const CLUSTER_NAME: &str = "cluster-name";
const CLUSTER_ID: &str = "cluster-id";
const ROLE_ARN: &str = "role-arn";
const REGION: &str = "region";

/// The settings by which a running sidecar is found, and which the walk from token to credentials needs.
const WALK: &[&str] = &[
    "config",
    "role-from-annotation",
    "annotation-prefix",
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

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
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

fn one<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Option<T> {
    matches.get_one::<T>(name).cloned()
}

/// What the parser has proved to be there.
fn cluster_of(matches: &ArgMatches) -> Option<ClusterName> {
    let by_id = matches.try_get_one(CLUSTER_ID).ok().flatten().cloned();
    one(matches, CLUSTER_NAME).or(by_id)
}
