//! What the sidecar needs of the node.

use std::process::Command;

use crate::cluster::progress;
use crate::namespace::Namespace;
use crate::pod::SIDECAR;
use crate::rendered::Rendered;

const SIXTEEN_MEBIBYTES: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    spec:
      initContainers:
      - name: irsa-sidecar
        resources: {requests: {memory: 16Mi}, limits: {memory: 16Mi}}
";

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_limit_of_16_mib_holds_under_load() {
    let namespace = Namespace::new("memory");
    namespace.apply_rendered(&Rendered::example("credentials-uri").patch(SIXTEEN_MEBIBYTES));
    let pod = namespace.ready_app();
    assert_eq!(
        pod.cgroup(SIDECAR, "memory", "memory.limit_in_bytes")
            .trim(),
        "16777216"
    );

    // Not as many as it takes (512): for those the component has twice the limit.
    let network = format!("--net=/proc/{}/ns/net", pod.process(SIDECAR));
    let door = format!("http://127.0.0.1:9910/v2/credentials/{}", pod.uid);
    let load = Command::new("nsenter")
        .args([
            &network,
            "wrk",
            "--threads=2",
            "--connections=400",
            "--duration=6s",
            // Of one request, on a machine that has other things to do as well.
            "--timeout=30s",
            &door,
        ])
        .output();
    let load = load.expect("nsenter (of util-linux) cannot be run, and this test needs it");
    let said = String::from_utf8_lossy(&load.stdout);
    let complaint = String::from_utf8_lossy(&load.stderr);
    assert!(
        load.status.success() && said.contains("requests in"),
        "{said}{complaint}"
    );
    // It lists what went wrong, and nothing where nothing did.
    assert!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );

    let events = pod.cgroup(SIDECAR, "memory", "memory.oom_control");
    assert!(events.lines().any(|line| line == "oom_kill 0"), "{events}");
    assert_eq!(pod.status(SIDECAR)["restartCount"], 0);
    let peak = pod.cgroup(SIDECAR, "memory", "memory.max_usage_in_bytes");
    let now = pod.cgroup(SIDECAR, "memory", "memory.stat");
    let now = now.lines().find_map(|line| line.strip_prefix("rss "));
    let kib = |bytes: &str| bytes.trim().parse::<u64>().expect("a number") / 1024;
    let mut lines = said.lines().map(str::trim);
    let requests = lines.find(|line| line.contains("requests in"));
    // The kernel drops cached pages of files at the limit, so the first number may well come up to it.
    progress(&format!(
        "{} with 400 connections: at most {} KiB with what is cached of files, {} KiB of its own afterwards",
        requests.unwrap_or_default(),
        kib(&peak),
        kib(now.expect("its own memory")),
    ));
}
