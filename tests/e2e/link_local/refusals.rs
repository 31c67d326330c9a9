//! Whatever is missing or wrong is said exactly, and nothing is changed.

use std::net::TcpListener;
use std::path::Path;

use irsa_sidecar::diagnosis::findings;

use super::{Network, assert_done, assert_refused, behind, link_local};
use crate::namespace::{in_private_network, ip};

/// What every message about the capability ends with.
const OTHERWISE: [&str; 3] = [
    "where Pod Security \"baseline\" or \"restricted\" forbids NET_ADMIN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9910/v2/credentials/$(POD_UID)",
    "needs no capability",
];

/// A case of `link-local-capability`: behind this program it says these words, and not those.
fn assert_lacking(program: &str, before: &[&str], words: &[&str], not: &[&str]) {
    assert_eq!(findings::LINK_LOCAL_CAPABILITY.id, "link-local-capability");
    let network = Network::here();
    let finished = behind(program, before, &["--imds"]);
    assert_refused(&finished, words);
    assert_refused(&finished, &OTHERWISE);
    // Each address was tried, and each has its line.
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{finished:?}");
    for (line, address) in lines.iter().zip(["169.254.170.2/32", "169.254.169.254/32"]) {
        let said = format!("{address} not added to lo: Operation not permitted");
        assert!(line.starts_with(&said), "{line}");
    }
    for part in not {
        assert!(!finished.stderr.contains(part), "{part}: {finished:?}");
    }
    assert_eq!(Network::here(), network);
}

const ADD: &str = "add NET_ADMIN to securityContext.capabilities.add of this init container";
const ROOT: &str = "set runAsUser: 0 and runAsNonRoot: false";

#[test]
fn root_without_the_capability_is_told_to_add_it() {
    in_private_network(|| {
        assert_lacking(
            "setpriv",
            &["--bounding-set=-all", "--inh-caps=-all"],
            &["it is not in this container's bounding set", ADD],
            &[ROOT],
        );
    });
}

#[test]
fn another_user_who_was_given_the_capability_is_told_to_be_root() {
    in_private_network(|| {
        // The only way to another user's number without root.
        assert_lacking(
            "unshare",
            &["--user", "--map-user=1000"],
            &["bounding set but not effective", "user 1000", ROOT],
            &[ADD],
        );
    });
}

#[test]
fn another_user_without_the_capability_is_told_both() {
    in_private_network(|| {
        assert_lacking(
            "unshare",
            &[
                "--user",
                "--map-user=1000",
                "--keep-caps",
                "setpriv",
                "--ambient-caps=-all",
                "--inh-caps=-all",
                "--bounding-set=-all",
            ],
            &[ADD, ROOT, "user 1000"],
            &["effective (CapEff)"],
        );
    });
}

#[test]
fn who_has_the_capability_of_another_namespace_is_told_so() {
    in_private_network(|| {
        assert_lacking(
            "unshare",
            &["--user", "--map-root-user"],
            &[
                "NET_ADMIN is effective (CapEff), and the kernel refuses all the same",
                "seccompProfile",
            ],
            &[ADD, ROOT],
        );
    });
}

#[test]
fn a_namespace_with_a_kubelet_is_the_nodes_and_is_refused() {
    in_private_network(|| {
        assert_eq!(
            findings::LINK_LOCAL_NODE_NAMESPACE.id,
            "link-local-node-namespace"
        );
        let before = Network::here();
        for address in ["127.0.0.1:10248", "[::1]:10248", "0.0.0.0:10248"] {
            let kubelet = TcpListener::bind(address).expect(address);
            for flags in [&[][..], &["--imds", "--pod-identity"]] {
                assert_refused(
                    &link_local(flags),
                    &[
                        "this is the node's own network namespace, not a pod's",
                        "port 10248 is being listened on",
                        "nothing was changed; set hostNetwork: false",
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    ],
                );
            }
            assert_eq!(Network::here(), before);
            drop(kubelet);
        }
        assert_done(&link_local(&[]), &["169.254.170.2/32 added to lo"]);
    });
}

/// In a user namespace of its own it has no power over the network that it is in, whatever it decides.
#[test]
fn the_network_namespace_of_this_machine_is_not_changed() {
    let finished = behind("unshare", &["--user", "--map-root-user"], &["--imds"]);
    // Where the tests run in a container it is no initial one, and the kernel refuses.
    let words = match Path::new("/proc/sys/net/core/dev_weight").exists() {
        true => &[
            "this is the node's own network namespace, not a pod's",
            "dev_weight is there, which only the machine's initial network namespace has",
            "with hostNetwork: true",
            "set hostNetwork: false",
        ][..],
        false => &["169.254.170.2/32"][..],
    };
    assert_refused(&finished, words);
    assert!(!finished.stderr.contains("/32 added to lo"), "{finished:?}");
}

#[test]
fn a_namespace_without_lo_is_said_to_have_none() {
    in_private_network(|| {
        assert_eq!(findings::LINK_LOCAL_ADDRESS.id, "link-local-address");
        ip("link set lo down");
        ip("link set lo name other");
        let before = Network::here();
        assert_refused(
            &link_local(&[]),
            &[
                "this network namespace has no interface lo",
                "init container",
            ],
        );
        assert_eq!(Network::here(), before);
    });
}

#[test]
fn arguments_that_it_does_not_know_are_bad_usage() {
    for arguments in [&["169.254.170.2"][..], &["--imds=true"], &["--region", "x"]] {
        // Refused before anything is looked at; powerless, should it ever not be.
        let finished = behind("unshare", &["--user", "--map-root-user"], arguments);
        assert_eq!(finished.status.code(), Some(64), "{finished:?}");
    }
}
