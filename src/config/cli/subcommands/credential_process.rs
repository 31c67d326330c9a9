//! `credential-process`: nothing but settings.

use clap::ArgMatches;

use super::{WALK, settings};
use crate::config::OF_THE_POD;
use crate::config::cli::flags;
use crate::config::sources::Flags;

pub(in crate::config::cli) const NAME: &str = "credential-process";

/// Credentials for a profile.
#[derive(Debug, PartialEq, Eq)]
pub struct CredentialProcess {
    /// Settings.
    pub flags: Flags,
}

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Prints credentials for credential_process in an AWS config file")
        .long_about(
            "Prints the credentials of the pod's role as JSON, for credential_process in a profile of an AWS config file.\n\n\
             Asks the running sidecar (AWS_CONTAINER_CREDENTIALS_FULL_URI, otherwise --listen). Where none runs, it does by \
             itself what the sidecar does. With --role-arn, credentials of another role are refused. For SDKs that know credential_process and no container credentials endpoint, or \
             where profiles are in use anyway; SDKs ask again when the credentials are about to expire.",
        )
        .args(settings(OF_THE_POD))
        .args(settings(WALK))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar credential-process\n  \
             irsa-sidecar credential-process --listen 127.0.0.1:9910 --authorization-token-file /var/run/irsa-sidecar/authorization-token\n\n\
             In ~/.aws/config, with the whole path; older SDKs read it only with AWS_SDK_LOAD_CONFIG=1:\n  \
             [default]\n  \
             credential_process = /usr/local/bin/irsa-sidecar credential-process",
        )
}

impl CredentialProcess {
    pub(in crate::config::cli) fn from_matches(matches: &ArgMatches) -> Self {
        CredentialProcess {
            flags: flags(matches),
        }
    }
}
