//! The one node: containerd with runc, the kubelet, and a bridge for the pods.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::network::{NODE, PODS};
use super::process::Process;
use super::{home, written};
use crate::eventually::eventually;
use crate::images::SANDBOX;
use crate::kubectl::Kubectl;

const SOCKET: &str = "/run/containerd/containerd.sock";

/// Starts both; returns the kubelet when containerd answers.
pub(super) fn start(program: &Path, cgroup: &OsStr) -> Process {
    let config = written("containerd.toml", &containerd_config());
    let mut containerd = Process::start(
        "containerd",
        Path::new("containerd"),
        &["--config", &config],
    );
    written("cni/10-bridge.conflist", &bridge_config());
    eventually("containerd answers", || {
        containerd.check();
        ctr(&["version"])
    });
    let config = written("kubelet.yaml", &kubelet_config(cgroup));
    Process::start(
        "kubelet",
        program,
        &[
            "kubelet",
            &format!("--config={config}"),
            &format!("--kubeconfig={}", home("kubeconfig").display()),
            &format!("--root-dir={}", home("kubelet").display()),
            &format!("--cert-dir={}", home("kubelet-pki").display()),
            "--hostname-override=node",
            &format!("--node-ip={NODE}"),
        ],
    )
}

pub(super) fn wait_ready(kubelet: &mut Process, kubectl: &Kubectl) {
    eventually("the node is ready", || {
        kubelet.check();
        let ready = [
            "wait",
            "node/node",
            "--for=condition=Ready",
            "--timeout=10s",
        ];
        kubectl.run(ready)
    });
}

/// containerd's own client, in the kubelet's namespace.
pub fn ctr(arguments: &[&str]) -> Result<String, String> {
    let run = Command::new("ctr")
        .args(["--address", SOCKET, "--namespace", "k8s.io"])
        .args(arguments)
        .output();
    let output = run.expect("ctr (of containerd) cannot be run, and the cluster needs it");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Without what needs CAP_SYS_RESOURCE, which not every machine gives: a negative oom_score_adj.
fn containerd_config() -> String {
    let (root, cni) = (home("containerd"), home("cni"));
    format!(
        r#"version = 2
root = "{root}"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"#,
        root = root.display(),
        cni = cni.display(),
    )
}

fn bridge_config() -> String {
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "pods", "plugins": [{{
  "type": "bridge", "bridge": "cni0", "isGateway": true,
  "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "{PODS}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}
}}]}}"#
    )
}

/// The defaults, but for what a machine of tests is not: it has a cgroup for the pods and not its own, may be low on
/// disk, and nobody else comes to the kubelet.
fn kubelet_config(cgroup: &OsStr) -> String {
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{SOCKET}
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [{NODE}]
clusterDomain: cluster.local
resolvConf: {resolv_conf}
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
evictionHard: {{}}
imageGCHighThresholdPercent: 100
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
podLogsDir: {pod_logs}
",
        cgroup = cgroup.display(),
        resolv_conf = written("resolv.conf", ""),
        pod_logs = home("logs/pods").display(),
    )
}
