//! `link-local`: which addresses, and nothing else.

use clap::ArgMatches;

use super::flag;
use crate::link_local::Wanted;

pub(in crate::config::cli) const NAME: &str = "link-local";

const IMDS: &str = "imds";
const POD_IDENTITY: &str = "pod-identity";

pub(in crate::config::cli) fn command() -> clap::Command {
    clap::Command::new(NAME)
        .about("Adds the link-local addresses that old SDKs know to lo in the pod's network; an init step with NET_ADMIN")
        .long_about(
            "Adds 169.254.170.2/32 to lo in the pod's own network namespace, where SDKs take \
             AWS_CONTAINER_CREDENTIALS_RELATIVE_URI to be, and with a flag the other addresses that SDKs know. Run once, in an \
             init container with NET_ADMIN; again it changes nothing. Links, routes and other addresses are left alone, and the \
             node's own network (hostNetwork: true) is refused. The sidecar itself never needs the capability.",
        )
        .arg(flag(
            IMDS,
            "169.254.169.254/32 too, for --imds-listen: the pod no longer reaches the node's instance metadata",
        ))
        .arg(flag(
            POD_IDENTITY,
            "169.254.170.23/32 and fd00:ec2::23/128 too, where the EKS Pod Identity agent would be; the latter where the pod has IPv6",
        ))
        .next_line_help(true)
        .after_help(
            "Examples:\n  \
             irsa-sidecar link-local\n  \
             irsa-sidecar link-local --imds --pod-identity\n\n\
             In the pod's spec, the first of its initContainers:\n  \
             - name: link-local\n    \
             image: # the sidecar's\n    \
             args: [link-local]\n    \
             securityContext:\n      \
             runAsUser: 0\n      \
             runAsNonRoot: false\n      \
             allowPrivilegeEscalation: false\n      \
             capabilities: {drop: [ALL], add: [NET_ADMIN]}\n\n\
             and in the sidecar's arguments --link-local-listen 169.254.170.2:80. Port 80 is root's unless the pod's\n\
             securityContext.sysctls has net.ipv4.ip_unprivileged_port_start with the value \"0\".\n\n\
             Pod Security \"baseline\" and \"restricted\" forbid NET_ADMIN. Do without link-local there: every SDK that knows\n\
             AWS_CONTAINER_CREDENTIALS_FULL_URI takes http://127.0.0.1:9910/v2/credentials/$(POD_UID), which needs no capability.\n\n\
             Exit codes: 0 the addresses are there, 1 they are not.",
        )
}

pub(in crate::config::cli) fn wanted(matches: &ArgMatches) -> Wanted {
    Wanted {
        imds: matches.get_flag(IMDS),
        pod_identity: matches.get_flag(POD_IDENTITY),
    }
}
