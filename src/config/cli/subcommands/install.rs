//! `install`: where to.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, value_parser};

use super::one;

pub(in crate::config::cli) const NAME: &str = "install";

const DIRECTORY: &str = "directory";

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Copies this program into a directory, for containers whose image does not have it")
        .long_about(
            "Copies this program to DIR/irsa-sidecar, with mode 0755 and all at once: whoever runs an older copy goes on with that, and nobody \
             sees half of one. DIR has to be there: mount a volume, and mount it in the container that needs the program too. A \
             copy that is there already is left as it is.",
        )
        .arg(
            Arg::new(DIRECTORY)
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The directory, best an emptyDir volume"),
        )
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar install /shared\n  \
             irsa-sidecar install .\n\n\
             In the pod's spec:\n  \
             initContainers:\n  \
             - name: install\n    \
             image: # the sidecar's\n    \
             args: [install, /shared]\n    \
             volumeMounts: [{name: irsa-sidecar-program, mountPath: /shared}]\n  \
             containers:\n  \
             - name: app\n    \
             volumeMounts: [{name: irsa-sidecar-program, mountPath: /shared, readOnly: true}]\n  \
             volumes:\n  \
             - {name: irsa-sidecar-program, emptyDir: {}}\n\n\
             Not a volume of medium Memory, unless the limit of the container has room for the program.\n\n\
             and in a kubeconfig, for kubectl in the app's container (`/shared/irsa-sidecar kubeconfig --exec` writes one):\n  \
             users:\n  \
             - name: demo\n    \
             user:\n      \
             exec:\n        \
             apiVersion: client.authentication.k8s.io/v1beta1\n        \
             command: /shared/irsa-sidecar\n        \
             args: [get-token, --cluster-name, demo, --region, eu-west-1]\n\n\
             Exit codes: 0 the program is there, 1 it is not.",
        )
}

/// What the parser has proved to be there.
pub(in crate::config::cli) fn directory(matches: &ArgMatches) -> PathBuf {
    one(matches, DIRECTORY).expect("the parser requires it")
}
