//! kubectl with our plugin.

use std::path::Path;

use emulator::{ROLE_ARN, Role, TokenRequest};

use super::client::{Kubectl, with_every_kubectl};
use super::{POD, USERNAME, fails, kubeconfig_with_plugin, replaced, succeeds, unmap};
use crate::clients::Client;
use crate::sidecar::{Launch, Pod, Sidecar};

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// What the job's container is told.
fn told(pod: &Pod, sidecar: &Sidecar) -> Launch {
    pod.beside(sidecar, [""; 0])
}

#[test]
fn every_kubectl_takes_what_the_plugin_prints_in_the_version_that_its_kubeconfig_names() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let v1 = kubeconfig_with_plugin(&pod, &sidecar, &[]);
    let v1beta1 = replaced(&v1, V1, V1BETA1);
    let told = told(&pod, &sidecar);
    with_every_kubectl(|kubectl| {
        for kubeconfig in [&v1, &v1beta1] {
            let who = [
                "auth",
                "whoami",
                "-o",
                "jsonpath={.status.userInfo.username}",
            ];
            let who = kubectl.run(kubeconfig, &told, &who);
            succeeds(&who, USERNAME);
            assert_eq!(who.stderr, "", "{kubectl}");
        }
        succeeds(
            &kubectl.run(&v1, &told, &["get", "pods", "-o", "name"]),
            POD,
        );
    });
    // All of them together: one token, one exchange.
    let requests = pod.emulator.cluster().requests();
    let first = &requests[0].token;
    assert!(requests.iter().all(|request| &request.token == first));
    assert_eq!(pod.exchange_calls().len(), 1);
}

#[test]
fn one_run_of_kubectl_is_one_run_of_the_plugin() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let kubeconfig = kubeconfig_with_plugin(&pod, &sidecar, &[]);
    let asked = || sidecar.metric("requests_total{door=\"credentials\",code=\"200\"}");
    let before = asked();
    let pods = ["get", "pods", "-o", "name"];
    succeeds(
        &Kubectl::one().run(&kubeconfig, &told(&pod, &sidecar), &pods),
        POD,
    );
    assert!(pod.emulator.cluster().requests().len() > 1);
    assert_eq!(asked() - before, 1.0);
}

/// A job in one container: it has the projected token and no sidecar.
#[test]
fn without_a_sidecar_the_plugin_gets_its_credentials_by_itself() {
    let pod = Pod::new();
    let kubeconfig = {
        let sidecar = pod.ready_sidecar();
        kubeconfig_with_plugin(&pod, &sidecar, &[])
    };
    let alone = pod.alone([""; 0]);
    let who = [
        "auth",
        "whoami",
        "-o",
        "jsonpath={.status.userInfo.username}",
    ];
    succeeds(&Kubectl::one().run(&kubeconfig, &alone, &who), USERNAME);
}

#[test]
fn a_role_in_the_kubeconfig_is_assumed_from_the_pods_role() {
    let pod = Pod::new();
    let deploy = "arn:aws:iam::111122223333:role/deploy";
    pod.emulator
        .sts()
        .add_role(Role::assumable_by(deploy, &[ROLE_ARN]));
    let roles = format!("- rolearn: {deploy}\n  username: deploy\n");
    pod.emulator.cluster().set_aws_auth(&roles, "");
    let sidecar = pod.ready_sidecar();
    let kubeconfig = kubeconfig_with_plugin(&pod, &sidecar, &["--role-arn", deploy]);
    let who = [
        "auth",
        "whoami",
        "-o",
        "jsonpath={.status.userInfo.username}",
    ];
    let who = Kubectl::one().run(&kubeconfig, &told(&pod, &sidecar), &who);
    succeeds(&who, "deploy");
}

/// The drop-in: nothing but `command` is changed in what the AWS CLI wrote.
#[test]
fn a_kubeconfig_of_the_aws_cli_works_with_our_program_as_its_command() {
    const UPDATE: Client = Client::Aws(&["eks", "update-kubeconfig", "--name", "demo"]);
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let kubeconfig = pod.path("kubeconfig");
    let output = UPDATE
        .with_pod_uid(&pod, &sidecar)
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .expect("the AWS CLI runs, and this test needs it");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    let command = format!("command: {}", env!("CARGO_BIN_EXE_irsa-sidecar"));
    let kubeconfig = replaced(&kubeconfig, "command: aws", &command);
    let told = told(&pod, &sidecar);
    with_every_kubectl(|kubectl| {
        let pods = kubectl.run(&kubeconfig, &told, &["get", "pods", "-o", "name"]);
        succeeds(&pods, POD);
        assert_eq!(pods.stderr, "", "{kubectl}");
    });
}

#[test]
fn who_is_not_mapped_is_unauthorized_and_is_asked_for_no_password() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let kubeconfig = kubeconfig_with_plugin(&pod, &sidecar, &[]);
    unmap(&pod);
    let told = told(&pod, &sidecar);
    with_every_kubectl(|kubectl| {
        let can = ["auth", "can-i", "get", "pods"];
        let can = kubectl.run(&kubeconfig, &told, &can);
        fails(&can, &["You must be logged in to the server"]);
    });
}

/// The user of kubectl sees our words, and not only that some executable failed.
#[test]
fn what_keeps_the_plugin_from_a_token_is_said_by_kubectl() {
    let pod = Pod::with(TokenRequest {
        audiences: vec!["sts.amazon.com".to_owned()],
        ..TokenRequest::default()
    });
    let kubeconfig = kubeconfig_by_hand(&pod);
    let sidecar = pod.sidecar();
    sidecar.wait_finding("token-audience");
    let words = [
        "503 CredentialsUnavailable",
        "sts.amazon.com",
        "on the projected volume",
        "failed with exit code 1",
    ];
    let version = ["get", "--raw", "/version"];
    let finished = Kubectl::one().run(&kubeconfig, &told(&pod, &sidecar), &version);
    fails(&finished, &words);
    // No token, no request.
    assert_eq!(pod.emulator.cluster().requests(), []);
}

/// By a program that has no credentials to describe the cluster with.
fn kubeconfig_by_hand(pod: &Pod) -> std::path::PathBuf {
    let (path, ca) = (pod.path("kubeconfig"), pod.path("ca.pem"));
    std::fs::write(&ca, pod.emulator.ca_pem()).expect("a file");
    let text = by_hand(pod.emulator.cluster().url(), &ca);
    std::fs::write(&path, text).expect("a file");
    path
}

fn by_hand(server: &str, ca: &Path) -> String {
    let (ca, program) = (ca.display(), env!("CARGO_BIN_EXE_irsa-sidecar"));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: demo
  cluster: {{server: {server}, certificate-authority: {ca}}}
contexts:
- name: demo
  context: {{cluster: demo, user: demo}}
current-context: demo
users:
- name: demo
  user:
    exec:
      apiVersion: {V1}
      command: {program}
      args: [get-token, --cluster-name, demo]
      interactiveMode: Never
"
    )
}
