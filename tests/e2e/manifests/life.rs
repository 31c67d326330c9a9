//! The examples, run: every container of ours with the real program, exactly as its manifest has it, with the pod's volumes at
//! their places, the emulator for STS and EKS, and what the app's container gets tried at the door that it names.

mod sandbox;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use self::sandbox::{App, Sandbox};
use super::eks_webhook;
use super::pods::list;
use super::rendered::manifests;
use crate::kubectl::client::Kubectl;
use crate::namespace::in_private_network_and_files;
use crate::sidecar::{Launch, read, request};

/// The examples with a test below.
const RUN: [&str; 15] = [
    "cron-job",
    "credential-process",
    "credentials-file",
    "credentials-uri",
    "eks-webhook",
    "imds",
    "kubectl-exec",
    "kubectl-token-file",
    "plain-sidecar",
    "pod-identity",
    "relative-uri",
    "role-from-annotation",
    "self-managed",
    "token-file",
    "two-apps",
];

#[test]
fn every_example_is_run() {
    let folders = fs::read_dir(manifests().join("examples")).expect("examples");
    let mut found: Vec<String> = folders
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_str().expect("a name").to_owned())
        .collect();
    found.sort();
    let mut run = RUN.map(str::to_owned).to_vec();
    run.sort();
    assert_eq!(found, run);
    let readme = read(&manifests().join("README.md"));
    for example in RUN {
        let row = format!("| [{example}](examples/{example}) |");
        assert!(readme.contains(&row), "no row {row} in manifests/README.md");
    }
}

/// What an SDK does that knows the variables of container credentials.
#[track_caller]
fn assert_gets_credentials(app: &App) {
    assert_gets_credentials_of(emulator::ROLE_ARN, app);
}

#[track_caller]
fn assert_gets_credentials_of(role: &str, app: &App) {
    let uri = match app.env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) => format!("http://169.254.170.2{path}"),
        None => app.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"].clone(),
    };
    let file = app.env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    let token = file.map(|file| read(file.as_ref()));
    let headers: Vec<(&str, &str)> = token
        .iter()
        .map(|token| ("authorization", token.as_str()))
        .collect();
    let rest = uri.strip_prefix("http://").expect("http");
    let (host, path) = rest.split_once('/').expect("a path");
    let address = match host.contains(':') {
        true => host.to_owned(),
        false => format!("{host}:80"),
    };
    let address = address.parse().expect("an address");
    let answer = request(address, "GET", &format!("/{path}"), &headers);
    assert_eq!(answer.status, 200, "{uri}: {answer:?}");
    assert_eq!(answer.json()["RoleArn"], role);
}

/// Its workload's app gets credentials from the door that it is shown, and `kubectl exec` in the sidecar finds it too.
fn gives_credentials(example: &str) {
    let sandbox = Sandbox::of(example);
    let pod = sandbox.only_pod();
    let running = sandbox.run(&pod);
    assert_gets_credentials(&running.app());
    let exchanges = sandbox.exchanges();
    let output = running.exec(&["credential-process"]);
    assert!(output.status.success(), "{output:?}");
    // It asked the sidecar, and STS nothing.
    assert_eq!(sandbox.exchanges(), exchanges);
    running.ends_in_good_order();
}

#[test]
fn an_app_gets_credentials_by_the_uri_with_its_pods_uid() {
    in_private_network_and_files(|| gives_credentials("credentials-uri"));
}

#[test]
fn an_app_gets_credentials_with_the_token_file() {
    in_private_network_and_files(|| gives_credentials("token-file"));
}

#[test]
fn an_app_gets_credentials_from_169_254_170_2() {
    in_private_network_and_files(|| gives_credentials("relative-uri"));
}

#[test]
fn an_app_for_eks_pod_identity_gets_credentials() {
    in_private_network_and_files(|| gives_credentials("pod-identity"));
}

#[test]
fn a_cron_job_gets_credentials() {
    in_private_network_and_files(|| gives_credentials("cron-job"));
}

#[test]
fn an_app_gets_credentials_without_the_webhook() {
    in_private_network_and_files(|| gives_credentials("self-managed"));
}

/// One of the two, which STS gives the one role and not the other.
fn gets_its_own_role(app: &str) {
    let role = format!("arn:aws:iam::111122223333:role/{app}");
    let sandbox = Sandbox::of("two-apps").with_role(&role, app);
    let running = sandbox.run(&sandbox.pod(&format!("Deployment/{app}")));
    assert_gets_credentials_of(&role, &running.app());
    running.ends_in_good_order();
}

#[test]
fn an_app_beside_another_gets_its_own_role() {
    in_private_network_and_files(|| gets_its_own_role("orders"));
}

#[test]
fn so_does_the_other() {
    in_private_network_and_files(|| gets_its_own_role("invoices"));
}

#[test]
fn an_app_gets_credentials_by_the_webhooks_role() {
    in_private_network_and_files(|| {
        let sandbox = Sandbox::of("eks-webhook");
        let account = &sandbox.objects[0];
        let role = &account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"];
        assert_eq!(role, emulator::ROLE_ARN);
        let pod = eks_webhook::mutated(&sandbox.only_pod());
        let running = sandbox.run(&pod);
        let app = running.app();
        assert_gets_credentials(&app);
        assert!(!app.env.contains_key("AWS_WEB_IDENTITY_TOKEN_FILE"));
        running.ends_in_good_order();
    });
}

#[test]
fn an_app_gets_credentials_from_instance_metadata() {
    in_private_network_and_files(|| {
        let sandbox = Sandbox::of("imds");
        let running = sandbox.run(&sandbox.only_pod());
        assert!(!running.app().env.contains_key("AWS_EC2_METADATA_DISABLED"));
        let address = "169.254.169.254:80".parse().expect("an address");
        let lifetime = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
        let token = request(address, "PUT", "/latest/api/token", &lifetime).body;
        let role = "/latest/meta-data/iam/security-credentials/app";
        let shown = [("x-aws-ec2-metadata-token", token.as_str())];
        let answer = request(address, "GET", role, &shown);
        assert_eq!(answer.status, 200, "{answer:?}");
        running.ends_in_good_order();
    });
}

#[test]
fn a_profile_of_the_app_calls_the_installed_program() {
    in_private_network_and_files(|| {
        let sandbox = Sandbox::of("credential-process");
        let running = sandbox.run(&sandbox.only_pod());
        let app = running.app();
        let config = read(app.env["AWS_CONFIG_FILE"].as_ref());
        let line = config
            .lines()
            .find_map(|line| line.strip_prefix("credential_process = "));
        let mut words = line.expect("a process").split(' ');
        let output = Command::new(words.next().expect("a program"))
            .args(words)
            .env_clear()
            .envs(&app.env)
            .output()
            .expect("it was installed");
        let credentials: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        assert_eq!(credentials["Version"], 1, "{output:?}");
        running.ends_in_good_order();
    });
}

#[test]
fn an_app_finds_the_credentials_file() {
    in_private_network_and_files(|| {
        let sandbox = Sandbox::of("credentials-file");
        let running = sandbox.run(&sandbox.only_pod());
        let file = running.app().env["AWS_SHARED_CREDENTIALS_FILE"].clone();
        assert!(read(file.as_ref()).contains("aws_session_token = "));
        running.ends_in_good_order();
    });
}

/// `kubectl get pods` with what the container has; the cluster lets no one in but the pod's role.
fn kubectl_is_let_in(example: &str) {
    let sandbox = Sandbox::of(example);
    let running = sandbox.run(&sandbox.only_pod());
    let app = running.app();
    let mut plugin = Launch::new([""; 0]);
    for (name, value) in app.env.iter().filter(|(name, _)| *name != "KUBECONFIG") {
        plugin = plugin.env(name, value);
    }
    let kubeconfig = app.env["KUBECONFIG"].clone();
    let pods = Kubectl::one().run(kubeconfig.as_ref(), &plugin, &["get", "pods", "-o", "name"]);
    assert!(pods.status.success(), "{pods:?}\n{}", running.log());
    assert_eq!(pods.stdout.trim_end(), "pod/app-7d9f8b6c5-x2x4q");
    running.ends_in_good_order();
}

#[test]
fn kubectl_reads_the_token_file() {
    in_private_network_and_files(|| kubectl_is_let_in("kubectl-token-file"));
}

#[test]
fn kubectl_runs_the_installed_plugin() {
    in_private_network_and_files(|| kubectl_is_let_in("kubectl-exec"));
}

#[test]
fn before_native_sidecars_the_app_starts_when_credentials_are_there() {
    in_private_network_and_files(|| {
        let sandbox = Sandbox::of("plain-sidecar");
        let running = sandbox.run(&sandbox.pod("Deployment/app"));
        assert_gets_credentials(&running.app());
    });
}

#[test]
fn before_native_sidecars_a_job_ends_the_sidecar_and_keeps_its_own_status() {
    in_private_network_and_files(|| {
        let sandbox = Sandbox::of("plain-sidecar");
        let running = sandbox.run(&sandbox.pod("Job/once"));
        let app = running.app();
        assert_gets_credentials(&app);
        let job = sandbox.place().join("the-job");
        fs::write(&job, "#!/bin/sh\nexit 3\n").expect("a file");
        fs::set_permissions(&job, PermissionsExt::from_mode(0o755)).expect("a mode");
        let command: Vec<&str> = list(&app.container["command"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let path = std::env::var_os("PATH").expect("a PATH");
        let path = [sandbox.place()]
            .into_iter()
            .chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path).expect("a PATH");
        let output = Command::new(command[0])
            .args(&command[1..])
            .env_clear()
            .envs(&app.env)
            .env("PATH", path)
            .output()
            .expect("a shell");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        running.has_ended_by_itself();
    });
}

#[test]
fn the_role_from_the_annotation_is_asked_of_the_api() {
    in_private_network_and_files(|| {
        let sandbox = Sandbox::of("role-from-annotation");
        let running = sandbox.start(&sandbox.only_pod());
        // There is no API here, and it says so: what is configured is taken.
        running.wait_not_ready_for("not-in-cluster");
        running.stops();
    });
}
