//! What is on `lo` afterwards: what was asked for, and whatever was there before.

use std::fs;

use super::{Network, assert_done, behind, link_local};
use crate::namespace::{in_private_network, ip};

const DISABLE_IPV6: &str = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

#[test]
fn one_run_adds_the_address_a_second_changes_nothing_and_all_else_is_left_alone() {
    in_private_network(|| {
        ip("address add 10.9.8.7/24 dev lo");
        ip("address add 169.254.170.3/32 dev lo scope global");
        ip("address add fd00::7/64 dev lo");
        ip("route add 192.0.2.0/24 dev lo");
        ip("link set lo mtu 9000");
        let before = Network::here();
        assert_done(&link_local(&[]), &["169.254.170.2/32 added to lo"]);
        let after = Network::here();
        assert_eq!(after, before.with(&["169.254.170.2/32"]));
        assert_done(&link_local(&[]), &["169.254.170.2/32 was already there"]);
        assert_eq!(Network::here(), after);
    });
}

#[test]
fn each_flag_adds_its_addresses_and_no_route() {
    in_private_network(|| {
        const RELATIVE: &str = "169.254.170.2/32";
        const METADATA: &str = "169.254.169.254/32";
        const POD_IDENTITY: [&str; 2] = ["169.254.170.23/32", "fd00:ec2::23/128"];
        let before = Network::here();
        let cases: [(&[&str], Vec<&str>); 3] = [
            (&["--imds"], vec![RELATIVE, METADATA]),
            (
                &["--pod-identity"],
                vec![RELATIVE, POD_IDENTITY[0], POD_IDENTITY[1]],
            ),
            (
                &["--pod-identity", "--imds"],
                vec![RELATIVE, METADATA, POD_IDENTITY[0], POD_IDENTITY[1]],
            ),
        ];
        for (flags, addresses) in cases {
            let line = |address: &&str| format!("{address} added to lo");
            let lines: Vec<_> = addresses.iter().map(line).collect();
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            assert_done(&link_local(flags), &lines);
            assert_eq!(Network::here(), before.clone().with(&addresses));
            for address in addresses {
                ip(&format!("address del {address} dev lo"));
            }
        }
        assert_eq!(Network::here(), before);
    });
}

#[test]
fn what_is_missing_is_added_beside_what_was_already_there() {
    in_private_network(|| {
        ip("address add 169.254.169.254/32 dev lo");
        assert_done(
            &link_local(&["--imds"]),
            &[
                "169.254.170.2/32 added to lo",
                "169.254.169.254/32 was already there",
            ],
        );
        // Where they are all there it is done, even for who could not have added them.
        let powerless = ["--bounding-set=-all", "--inh-caps=-all"];
        assert_done(
            &behind("setpriv", &powerless, &["--imds"]),
            &[
                "169.254.170.2/32 was already there",
                "169.254.169.254/32 was already there",
            ],
        );
    });
}

/// An address never speaks for the pod: on other interfaces nobody is to see it as a sender's.
#[test]
fn the_addresses_are_of_scope_host_and_usable_at_once() {
    in_private_network(|| {
        link_local(&["--imds", "--pod-identity"]);
        for address in ["169.254.170.2", "169.254.169.254", "169.254.170.23"] {
            let shown = ip(&format!("-o address show dev lo to {address}/32"));
            assert!(shown.contains("scope host"), "{shown}");
        }
        let tentative = ip("-6 -o address show dev lo tentative");
        assert!(tentative.is_empty(), "{tentative}");
        for address in [
            "169.254.170.2:80",
            "169.254.169.254:80",
            "[fd00:ec2::23]:80",
        ] {
            let listener = std::net::TcpListener::bind(address).expect(address);
            std::net::TcpStream::connect(address).expect(address);
            let (_, peer) = listener.accept().expect(address);
            assert_eq!(peer.ip(), listener.local_addr().expect("ours").ip());
        }
    });
}

#[test]
fn without_ipv6_its_address_is_left_out_and_that_is_no_failure() {
    in_private_network(|| {
        fs::write(DISABLE_IPV6, "1").expect("a sysctl of this namespace");
        let before = Network::here();
        assert_done(
            &link_local(&["--pod-identity"]),
            &[
                "169.254.170.2/32 added to lo",
                "169.254.170.23/32 added to lo",
                "fd00:ec2::23/128 is left out: IPv6 is switched off in this pod (/proc/sys/net/ipv6/conf/lo/disable_ipv6 is 1)",
            ],
        );
        let added = ["169.254.170.2/32", "169.254.170.23/32"];
        assert_eq!(Network::here(), before.with(&added));
        assert_eq!(fs::read_to_string(DISABLE_IPV6).expect("a sysctl"), "1\n");
    });
}

#[test]
fn lo_that_is_down_is_warned_about_and_stays_down() {
    in_private_network(|| {
        ip("link set lo down");
        let before = Network::here();
        let done = link_local(&[]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let lines: Vec<_> = done.stderr.lines().collect();
        assert!(lines[0].starts_with("warning: lo is down"), "{done:?}");
        assert_eq!(lines[1..], ["169.254.170.2/32 added to lo"]);
        assert_eq!(Network::here(), before.with(&["169.254.170.2/32"]));
    });
}

/// `capabilities: {drop: [ALL], add: [NET_ADMIN]}` and `allowPrivilegeEscalation: false`.
#[test]
fn the_init_container_of_the_help_has_all_that_it_takes() {
    in_private_network(|| {
        let container = [
            "--no-new-privs",
            "--bounding-set=-all,+net_admin",
            "--inh-caps=-all",
        ];
        assert_done(
            &behind("setpriv", &container, &[]),
            &["169.254.170.2/32 added to lo"],
        );
    });
}
