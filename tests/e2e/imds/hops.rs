//! One hop: neither the beginning of a connection nor an answer of this door outlives the first router, read off the
//! packets themselves.

use serde_json::Value;

use crate::sidecar::Pod;

/// Of a packet from any other door.
const USUAL_HOPS: u64 = 64;

/// The hops that packets of the sidecar's doors have left on lo, by the door.
fn hops(address: &str) -> Value {
    let pod = Pod::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/imds/hops.py");
    let binary = env!("CARGO_BIN_EXE_irsa-sidecar");
    let launch = pod
        .serve()
        // STS is out of reach from in there, and not needed.
        .env("IRSA_SIDECAR_IMDS_LISTEN", address);
    let isolated = ["-Urn", "python3", script, binary];
    let output = launch
        .wrapped("unshare", &isolated)
        .output()
        .expect("unshare (of util-linux) cannot be run, and this test needs it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "this needs a kernel that lets users make namespaces: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn packets_of_instance_metadata_go_no_further_than_one_hop_over_ipv4() {
    let hops = hops("127.0.0.1:0");
    assert_eq!(hops["imds"], serde_json::json!([1]), "{hops}");
    assert_eq!(
        hops["credentials"],
        serde_json::json!([USUAL_HOPS]),
        "{hops}"
    );
}

#[test]
fn packets_of_instance_metadata_go_no_further_than_one_hop_over_ipv6() {
    // Off on some machines, and then nobody can be asked over it.
    if !std::path::Path::new("/proc/net/if_inet6").exists() {
        return;
    }
    let hops = hops("[::1]:0");
    assert_eq!(hops["imds"], serde_json::json!([1]), "{hops}");
}
