//! `wait`: for how long, and where.

use std::time::Duration;

use clap::{Arg, ArgMatches};

use super::{one, settings};
use crate::config::cli::flags;
use crate::config::sources::Flags;
use crate::config::values::duration_text;

pub(in crate::config::cli) const NAME: &str = "wait";

const TIMEOUT: &str = "timeout";
const DEFAULT_TIMEOUT: &str = "30s";

/// The settings by which the ops port of a running sidecar is found.
const OPS: &[&str] = &["config", "ops-listen"];

/// Until the sidecar is ready.
#[derive(Debug, PartialEq, Eq)]
pub struct Wait {
    /// Settings.
    pub flags: Flags,
    /// Not longer than this; zero asks once.
    pub timeout: Duration,
}

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Returns as soon as a running sidecar is ready, or says why it is not when the time is up")
        .long_about(
            "Asks the ops port of a running sidecar in this pod for /readyz until it is ready, and returns at once then. A sidecar that \
             does not answer yet may be starting: it is asked again. What there is to wait for is said on stderr, and again when \
             it changes.",
        )
        .arg(
            Arg::new(TIMEOUT)
                .long(TIMEOUT)
                .value_name("DURATION")
                .value_parser(duration_text)
                .default_value(DEFAULT_TIMEOUT)
                .help("How long to wait, such as 90s or 2m; 0s asks once"),
        )
        .args(settings(OPS))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar wait\n  \
             irsa-sidecar wait --timeout 2m\n  \
             irsa-sidecar wait --timeout 0s && echo ready\n\n\
             A native sidecar (an init container with restartPolicy: Always) needs none of it: its startup probe holds the app's\n\
             containers back. Before Kubernetes 1.29 the sidecar is a container like the app's, and the first of the list; the\n\
             kubelet starts the next one when the postStart hook of this one has ended:\n  \
             containers:\n  \
             - name: irsa-sidecar\n    \
             image: # the sidecar's\n    \
             lifecycle: {postStart: {exec: {command: [/irsa-sidecar, wait]}}}\n  \
             - name: app\n\n\
             The hook has the variables of its container and not its arguments: an ops port that is not the default has to stand in\n\
             IRSA_SIDECAR_OPS_LISTEN, or here too. No shell is needed. When a hook fails the kubelet starts the container anew.\n\n\
             Exit codes: 0 ready, 1 not ready in time.",
        )
}

impl Wait {
    pub(in crate::config::cli) fn from_matches(matches: &ArgMatches) -> Self {
        Wait {
            flags: flags(matches),
            timeout: one(matches, TIMEOUT).expect("it has a default"),
        }
    }
}
