//! etcd, the API server, the controllers and the scheduler of a real Kubernetes.

use std::path::{Path, PathBuf};

use emulator::Emulator;

use super::network::{API_SERVER, SERVICES};
use super::process::Process;
use super::{home, written};
use crate::eventually::eventually;
use crate::kubectl::Kubectl;

/// Of whoever set the cluster up. Good in a network of its own only.
const ADMIN_TOKEN: &str = "admin";
const ETCD: &str = "http://127.0.0.1:2379";

/// Starts it all; returns when the API answers.
pub(super) fn start(program: &Path, emulator: &Emulator) -> Kubectl {
    let mut etcd = Process::start(
        "etcd",
        program,
        &[
            "etcd",
            &format!("--data-dir={}", home("etcd").display()),
            &format!("--listen-client-urls={ETCD}"),
            &format!("--advertise-client-urls={ETCD}"),
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
    );
    let mut api_server = api_server(program, emulator);
    let ca_file = ca_file();
    let kubeconfig = written(
        "kubeconfig",
        &format!(
            "apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: 'https://{API_SERVER}', certificate-authority: '{}'}}}}]
users: [{{name: admin, user: {{token: {ADMIN_TOKEN}}}}}]
contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]
current-context: test
",
            ca_file.display()
        ),
    );
    let kubectl = Kubectl::new(Path::new(&kubeconfig));
    eventually("the API server is ready", || {
        etcd.check();
        api_server.check();
        kubectl.run(["get", "--raw", "/readyz"])
    });
    Process::start(
        "kube-controller-manager",
        program,
        &[
            "kube-controller-manager",
            &format!("--kubeconfig={kubeconfig}"),
            "--leader-elect=false",
            &format!(
                "--service-account-private-key-file={}",
                signing_key(emulator)
            ),
            &format!("--root-ca-file={}", ca_file.display()),
        ],
    );
    Process::start(
        "kube-scheduler",
        program,
        &[
            "kube-scheduler",
            &format!("--kubeconfig={kubeconfig}"),
            "--leader-elect=false",
        ],
    );
    kubectl
}

/// The API server's own, which it makes when it starts.
pub(super) fn ca_file() -> PathBuf {
    home("pki/apiserver.crt")
}

/// As in EKS: service accounts have tokens that IAM's OIDC provider trusts, and AWS identities come in through the
/// authenticator's webhook.
fn api_server(program: &Path, emulator: &Emulator) -> Process {
    let key = signing_key(emulator);
    let tokens = written(
        "tokens.csv",
        &format!("{ADMIN_TOKEN},admin,admin,system:masters\n"),
    );
    let authenticator = written(
        "authenticator.kubeconfig",
        &format!(
            "apiVersion: v1
kind: Config
clusters: [{{name: authenticator, cluster: {{server: '{}/clusters/demo/authenticate'}}}}]
users: [{{name: api-server}}]
contexts: [{{name: webhook, context: {{cluster: authenticator, user: api-server}}}}]
current-context: webhook
",
            emulator.control_url()
        ),
    );
    Process::start(
        "kube-apiserver",
        program,
        &[
            "kube-apiserver",
            &format!("--etcd-servers={ETCD}"),
            &format!("--bind-address={API_SERVER}"),
            &format!("--advertise-address={API_SERVER}"),
            "--secure-port=443",
            &format!("--cert-dir={}", home("pki").display()),
            &format!("--service-cluster-ip-range={SERVICES}"),
            &format!("--service-account-issuer={}", emulator.issuer().iss()),
            &format!("--service-account-signing-key-file={key}"),
            &format!("--service-account-key-file={key}"),
            "--api-audiences=https://kubernetes.default.svc",
            &format!("--token-auth-file={tokens}"),
            &format!("--authentication-token-webhook-config-file={authenticator}"),
            "--authentication-token-webhook-version=v1",
            "--authorization-mode=RBAC",
            "--kubelet-preferred-address-types=InternalIP",
        ],
    )
}

/// The emulator's, so that its STS can verify what this API server issues.
fn signing_key(emulator: &Emulator) -> String {
    written("service-account.key", &emulator.issuer().signing_key_pem())
}
