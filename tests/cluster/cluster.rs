//! The cluster that all tests share: started by the first one that asks for it, ended with the namespaces around it.

mod aws;
mod control_plane;
mod dns;
mod network;
mod node;
mod process;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use emulator::{Emulator, ROLE_ARN, Role};
use serde_json::json;
use tokio::time::Instant;

pub use self::dns::Dns;
pub use self::node::ctr;
use crate::images;
use crate::kubectl::Kubectl;

/// Memory, all but its `logs`; see the script `run`.
const HOME: &str = "/run/cluster";

/// A running Kubernetes, and the AWS outside of it.
pub struct Cluster {
    pub kubectl: Kubectl,
    pub emulator: Emulator,
    pub dns: Dns,
}

impl Cluster {
    /// The one that there is.
    pub fn shared() -> &'static Self {
        static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);
        &CLUSTER
    }

    fn start() -> Self {
        let cgroup = std::env::var_os("CLUSTER_CGROUP")
            .expect("a test of this kind runs in namespaces of its own: use `make pod-test`");
        let started = Instant::now();
        let progress =
            |what: &str| progress(&format!("{:5.1} s {what}", started.elapsed().as_secs_f64()));

        network::prepare();
        let emulator = Emulator::start();
        trust_every_app(&emulator);
        aws::serve(network::EU_WEST_1, &emulator);
        let dns = Dns::start();
        let program = folder().join("kubernetes");
        let kubectl = control_plane::start(&program, &emulator);
        let ca_pem =
            std::fs::read_to_string(control_plane::ca_file()).expect("the API server's CA");
        let api_server = format!("https://{}", network::API_SERVER);
        emulator.cluster().set_api_server(&api_server, &ca_pem);
        let mut kubelet = node::start(&program, &cgroup);
        progress("kubelet and control plane run");
        images::import_all(emulator.ca_pem());
        progress("the images are there");
        node::wait_ready(&mut kubelet, &kubectl);
        progress("the node is ready");
        Cluster {
            kubectl,
            emulator,
            dns,
        }
    }

    /// AWS answers in us-west-2 from now on. Once.
    pub fn open_us_west_2(&self) {
        aws::serve(network::US_WEST_2, &self.emulator);
    }
}

/// The role of the examples: for the service account `app` of every namespace.
fn trust_every_app(emulator: &Emulator) {
    let mut role = Role::trusting(ROLE_ARN, emulator.issuer().iss(), "");
    let provider = emulator.issuer().iss().trim_start_matches("https://");
    role.trust["Statement"][0]["Condition"] = json!({
        "StringEquals": { format!("{provider}:aud"): "sts.amazonaws.com" },
        "StringLike": { format!("{provider}:sub"): "system:serviceaccount:*:app" },
    });
    emulator.sts().add_role(role);
}

/// What `make pod-test` built.
fn folder() -> PathBuf {
    let folder = std::env::var_os("IRSA_SIDECAR_TEST_CLUSTER");
    folder.map(PathBuf::from).expect(
        "IRSA_SIDECAR_TEST_CLUSTER names the folder with the kubernetes program: use `make pod-test`",
    )
}

/// Said at once, past the test harness, which would keep it until the test is over.
pub fn progress(line: &str) {
    // Who closed stderr does not want to know.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn home(name: &str) -> PathBuf {
    Path::new(HOME).join(name)
}

/// A file among the cluster's own, and its path as an argument.
fn written(name: &str, text: &str) -> String {
    let path = home(name);
    std::fs::create_dir_all(path.parent().expect("it lies in the home")).expect("a directory");
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}
