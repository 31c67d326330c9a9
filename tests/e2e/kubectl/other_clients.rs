//! The Python client and Terraform.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{POD, kubeconfig_with_plugin, sidecar_with_files};
use crate::clients::{installed, scripts};
use crate::sidecar::{Launch, Pod};

/// Lists pods three times with one client, and prints their names.
fn python(kubeconfig: &Path, plugin: &Launch) -> Command {
    let mut command = Command::new(installed("kubernetes/bin/python"));
    command
        .arg(scripts().join("kubernetes_pods.py"))
        .env_clear()
        .stdin(Stdio::null());
    let inherited = plugin.command();
    let variables = inherited.get_envs();
    command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    command.env("KUBECONFIG", kubeconfig);
    command
}

fn lists_pods_three_times(mut command: Command) {
    let output = command
        .output()
        .expect("python runs, and this test needs it");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, format!("{POD}\n").repeat(3));
}

#[test]
fn the_python_client_runs_the_plugin_once_for_many_calls() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let kubeconfig = kubeconfig_with_plugin(&pod, &sidecar, &[]);
    let asked = || sidecar.metric("requests_total{door=\"credentials\",code=\"200\"}");
    let before = asked();
    lists_pods_three_times(python(&kubeconfig, &pod.beside(&sidecar, [""; 0])));
    assert_eq!(asked() - before, 1.0);
}

/// It takes what is in the file as it is: a newline at the end would be the end of it.
#[test]
fn the_python_client_takes_the_token_file() {
    let pod = Pod::new();
    let (_sidecar, kubeconfig) = sidecar_with_files(&pod);
    lists_pods_three_times(python(&kubeconfig, &Launch::new([""; 0])));
}

#[test]
#[ignore = "only where terraform and its provider are there: `make test` runs it then"]
fn terraform_fed_by_the_sidecar_signs_a_token_that_the_cluster_takes() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let home = tempfile::tempdir().expect("a temporary directory");
    let configured = installed("terraform");
    let state = home.path().join("terraform.tfstate").display().to_string();
    let uid = pod.request.pod_uid();
    let terraform = |arguments: &[&str]| {
        let mut command = Command::new("terraform");
        command
            .arg(format!("-chdir={}", configured.display()))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("http://{}/v2/credentials/{uid}", sidecar.credentials),
            );
        let output = command.output().expect("terraform runs");
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{complained}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    terraform(&[
        "apply",
        "-auto-approve",
        "-input=false",
        "-no-color",
        "-state",
        &state,
    ]);
    let token = terraform(&["output", "-raw", "-state", &state, "token"]);
    let reviewed = pod.emulator.cluster().review(&token);
    assert_eq!(reviewed.expect("a good token").username, super::USERNAME);
    assert_eq!(pod.exchange_calls().len(), 1);
}
