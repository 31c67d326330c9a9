//! The node's network: one bridge that the pods are on, and the addresses of those outside on `lo`.

use std::process::Command;

/// The node, and its DNS.
pub(super) const NODE: &str = "10.85.0.1";
pub(super) const PODS: &str = "10.85.0.0/16";
/// The service `kubernetes`: the API server itself listens there, so nothing has to translate addresses.
pub(super) const API_SERVER: &str = "10.96.0.1";
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// Where the names of AWS in eu-west-1 lead.
pub(super) const EU_WEST_1: &str = "192.0.2.1";
/// The same for us-west-2, where nobody listens at first.
pub(super) const US_WEST_2: &str = "192.0.2.2";

pub(super) fn prepare() {
    for arguments in [
        "link set lo up",
        &format!("address add {API_SERVER}/32 dev lo"),
        &format!("address add {EU_WEST_1}/32 dev lo"),
        &format!("address add {US_WEST_2}/32 dev lo"),
        // The bridge plugin takes the one that is there.
        "link add name cni0 type bridge",
        &format!("address add {NODE}/16 dev cni0"),
        "link set cni0 up",
        // Leads nowhere: the kubelet takes the interface of the default route for the node's.
        "route add default via 10.85.255.254 dev cni0",
    ] {
        let run = Command::new("ip").args(arguments.split(' ')).output();
        let output = run.expect("ip (of iproute2) cannot be run, and the cluster needs it");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {arguments}: {complaint}");
    }
}
