//! `shutdown`: where, and what to show there.

use clap::ArgMatches;

use super::settings;
use crate::config::cli::flags;
use crate::config::sources::Flags;

pub(in crate::config::cli) const NAME: &str = "shutdown";

/// The settings by which the credentials door of a running sidecar is found, and what it wants to be shown.
const DOOR: &[&str] = &["config", "listen", "authorization-token-file"];

/// The end of a running sidecar.
#[derive(Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Settings.
    pub flags: Flags,
}

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Asks a running sidecar to stop; returns when it has accepted")
        .long_about(
            "Asks the running sidecar of this pod to stop (AWS_CONTAINER_CREDENTIALS_FULL_URI, otherwise --listen), and returns when \
             it has accepted. It answers what it was asked before, does not wait for --drain-delay, and ends with exit code 0. What is shown \
             as authorization is the secret in that URI, otherwise the content of the authorization token file; it goes to \
             loopback only.",
        )
        .args(settings(DOOR))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar shutdown\n  \
             irsa-sidecar shutdown --authorization-token-file /var/run/irsa-sidecar/authorization-token\n\n\
             At the end of a Job whose sidecar is a container like the others (before Kubernetes 1.29; a native sidecar is ended by the\n\
             kubelet). `irsa-sidecar install /shared` in an init container has put the program there:\n  \
             containers:\n  \
             - name: job\n    \
             command: [sh, -c, \"trap '/shared/irsa-sidecar shutdown' EXIT; the-work\"]\n    \
             env:\n    \
             - {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}\n    \
             - {name: AWS_CONTAINER_CREDENTIALS_FULL_URI, value: \"http://127.0.0.1:9910/v2/credentials/$(POD_UID)\"}\n\n\
             The sidecar ends with exit code 0, and the restartPolicy of a Job does not start it anew. Work that is killed, by the\n\
             kernel for want of memory for example, runs no trap: give the Job an activeDeadlineSeconds.\n\n\
             Where the sidecar has authorization none it wants the token file's content all the same: name --listen, which beats the\n\
             URI, and --authorization-token-file.\n\n\
             Exit codes: 0 accepted; 1 not accepted, or no sidecar answers. Where one may be gone already: irsa-sidecar shutdown || true.",
        )
}

impl Shutdown {
    pub(in crate::config::cli) fn from_matches(matches: &ArgMatches) -> Self {
        Shutdown {
            flags: flags(matches),
        }
    }
}
