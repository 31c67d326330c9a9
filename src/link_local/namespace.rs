//! Whose network namespace is this: a pod's, or the node's?
//!
//! On the node's `lo` the address of instance metadata would be taken from everything that runs there. Whatever speaks
//! for the node is enough to refuse; what cannot be read speaks for nobody.

use std::fs;
use std::io;
use std::path::Path;

use super::WITHOUT;
use crate::diagnosis::{Diagnosis, findings};

/// A setting of the whole machine: the kernel shows it in the initial network namespace and in no other.
const OF_THE_MACHINE: &str = "/proc/sys/net/core/dev_weight";
/// Settings that every namespace has are beside it.
const OF_EVERY_NAMESPACE: &str = "/proc/sys/net/core";
const SOCKETS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Where the kubelet answers `/healthz`, by default on loopback. It shows the node where that is a container itself, as
/// with kind and k3d, and so has no initial namespace.
const KUBELET_HEALTHZ: u16 = 10248;

/// What was seen; the errors say why it could not be.
#[derive(Debug)]
pub(super) struct Sights {
    is_initial: io::Result<bool>,
    /// The files of [`SOCKETS`].
    sockets: [io::Result<String>; 2],
}

impl Sights {
    pub(super) fn here() -> Self {
        Sights {
            is_initial: is_initial(),
            sockets: SOCKETS.map(sockets),
        }
    }
}

fn is_initial() -> io::Result<bool> {
    match fs::metadata(OF_THE_MACHINE) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::metadata(OF_EVERY_NAMESPACE).map(|_| false)
        }
        Err(error) => Err(error),
    }
}

/// Without IPv6 there is no file, and nobody who listens there.
fn sockets(file: &str) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && Path::new("/proc/net").exists() =>
        {
            Ok(String::new())
        }
        read => read,
    }
}

/// Refuses the node's; what could not be told is returned as warnings.
pub(super) fn judge(sights: &Sights) -> Result<Vec<String>, Diagnosis> {
    let mut warnings = Vec::new();
    match &sights.is_initial {
        Ok(true) => {
            return Err(node(format!(
                "{OF_THE_MACHINE} is there, which only the machine's initial network namespace has"
            )));
        }
        Ok(false) => {}
        Err(error) => warnings.push(untold(OF_EVERY_NAMESPACE, error)),
    }
    for (file, sockets) in SOCKETS.iter().zip(&sights.sockets) {
        match sockets {
            Ok(sockets) if listens(sockets, KUBELET_HEALTHZ) => {
                return Err(node(format!(
                    "port {KUBELET_HEALTHZ} is being listened on, where a kubelet answers /healthz"
                )));
            }
            Ok(_) => {}
            Err(error) => warnings.push(untold(file, error)),
        }
    }
    Ok(warnings)
}

/// Whether somebody listens on the port, in a file of the format of `/proc/net/tcp`.
fn listens(sockets: &str, port: u16) -> bool {
    const LISTEN: &str = "0A";
    sockets.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (local, state) = (fields.nth(1), fields.nth(1));
        let found = local.and_then(|local| local.rsplit_once(':'));
        let found = found.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        state == Some(LISTEN) && found == Some(port)
    })
}

fn untold(file: &str, error: &io::Error) -> String {
    format!(
        "warning: {file} cannot be read ({error}), and so does not tell whether this is the node's own network namespace; see that the pod has no hostNetwork: true"
    )
}

fn node(sign: String) -> Diagnosis {
    Diagnosis {
        finding: findings::LINK_LOCAL_NODE_NAMESPACE,
        found: format!("this is the node's own network namespace, not a pod's: {sign}"),
        expected: "the network namespace of one pod; with hostNetwork: true these addresses would be taken from everything on the node, its instance metadata among them".to_owned(),
        fix: format!("nothing was changed; set hostNetwork: false in the pod's spec, or {WITHOUT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn line(local: &str, state: &str) -> String {
        format!(
            "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
        )
    }

    fn pod() -> Sights {
        Sights {
            is_initial: Ok(false),
            sockets: [Ok(HEADING.to_owned()), Ok(HEADING.to_owned())],
        }
    }

    fn refusal(sights: &Sights) -> String {
        let diagnosis = judge(sights).unwrap_err();
        assert_eq!(diagnosis.finding, findings::LINK_LOCAL_NODE_NAMESPACE);
        diagnosis.to_string()
    }

    #[test]
    fn a_pods_own_namespace_is_taken_without_a_word() {
        assert_eq!(judge(&pod()).unwrap(), [""; 0]);
    }

    #[test]
    fn the_initial_namespace_is_refused_with_what_to_do() {
        let words = refusal(&Sights {
            is_initial: Ok(true),
            ..pod()
        });
        for part in [
            "dev_weight",
            "hostNetwork: false",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ] {
            assert!(words.contains(part), "{words}");
        }
    }

    #[test]
    fn a_kubelet_betrays_a_node_that_is_a_container() {
        let mut sights = pod();
        sights.sockets[0] = Ok(HEADING.to_owned() + &line("0100007F:2808", "0A"));
        assert!(refusal(&sights).contains("10248"));
        let mut sights = pod();
        sights.sockets[1] =
            Ok(HEADING.to_owned() + &line("00000000000000000000000001000000:2808", "0A"));
        assert!(refusal(&sights).contains("10248"));
    }

    #[test]
    fn who_talks_to_such_a_port_or_listens_on_another_is_no_kubelet() {
        for (local, state) in [("0100007F:2808", "01"), ("0100007F:2807", "0A")] {
            let mut sights = pod();
            sights.sockets[0] = Ok(HEADING.to_owned() + &line(local, state));
            assert!(judge(&sights).is_ok(), "{local} {state}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_proof_and_is_said() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let warnings = judge(&Sights {
            is_initial: Err(denied()),
            sockets: [Err(denied()), Err(denied())],
        });
        let warnings = warnings.unwrap();
        assert_eq!(warnings.len(), 3);
        for (warning, file) in warnings.iter().zip(["/proc/sys/net/core", "tcp", "tcp6"]) {
            assert!(warning.contains(file) && warning.contains("hostNetwork"));
        }
    }

    #[test]
    fn one_sign_is_enough_though_another_cannot_be_read() {
        let mut sights = pod();
        sights.is_initial = Err(io::ErrorKind::PermissionDenied.into());
        sights.sockets[0] = Ok(HEADING.to_owned() + &line("0100007F:2808", "0A"));
        refusal(&sights);
    }
}
