//! The kubeconfig of the container: what kubectl would make of it, and what kubectl says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use irsa_sidecar::diagnosis::findings;
use serde_json::Value;
use tempfile::TempDir;

use super::{Row, finding_of, words};
use crate::kubectl::client::Kubectl;
use crate::sidecar::{Finished, Launch, NOBODY, Pod};

const EXEC: &str =
    "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: no-such-plugin}}";
const SERVER: &str = "https://127.0.0.1:1";

pub fn rows() -> Vec<Row> {
    let row = |finding, run| Row {
        finding,
        status: "fail",
        run,
    };
    vec![
        row(findings::KUBECONFIG_UNREADABLE, || {
            doctor(Path::new("/nonexistent/kubeconfig")).ends()
        }),
        row(findings::KUBECONFIG_COMMAND_MISSING, || {
            Kubeconfig::new(SERVER, EXEC).judged()
        }),
        row(findings::KUBECONFIG_API_VERSION, || {
            Kubeconfig::new(SERVER, &EXEC.replace("v1beta1", "v1alpha1")).judged()
        }),
        row(findings::KUBECONFIG_TOKEN_FILE, || {
            Kubeconfig::new(SERVER, "{tokenFile: demo.eks-token}").judged()
        }),
        row(findings::KUBECONFIG_PLAIN_HTTP, || {
            Kubeconfig::new("http://demo.eks.amazonaws.com", EXEC).judged()
        }),
    ]
}

fn doctor(kubeconfig: &Path) -> Launch {
    Launch::new(["doctor", "--json", "--offline"])
        .env("IRSA_SIDECAR_LISTEN", NOBODY)
        .env("KUBECONFIG", kubeconfig)
}

/// A kubeconfig for the one cluster `demo`.
struct Kubeconfig(TempDir);

impl Kubeconfig {
    fn new(server: &str, user: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: demo\n\
             clusters: [{{name: demo, cluster: {{server: '{server}'}}}}]\n\
             contexts: [{{name: demo, context: {{cluster: demo, user: me}}}}]\n\
             users:\n- name: me\n  user: {user}\n"
        );
        let kubeconfig = Kubeconfig(dir);
        fs::write(kubeconfig.path("config"), text).expect("a file");
        kubeconfig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn judged(&self) -> Finished {
        doctor(&self.path("config")).ends()
    }
}

/// The entry with this id, and its words.
fn found(finished: &Finished, id: &str) -> (Value, String) {
    let found = finding_of(finished, id);
    let said = words(&found);
    (found, said)
}

#[test]
fn what_the_sidecar_writes_is_a_kubeconfig_that_works() {
    let pod = Pod::new();
    let sidecar = pod
        .serve()
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .arg("--eks-cluster=demo")
        .arg("--output-dir")
        .arg(pod.path("eks"))
        .arg("--kubeconfig")
        .start();
    sidecar.wait_ready();
    let finished = doctor(&pod.path("eks/kubeconfig"))
        .arg("--cluster-name=demo")
        .ends();
    let (found_here, said) = found(&finished, "kubeconfig");
    assert_eq!(found_here["status"], "ok", "{found_here}");
    assert!(said.contains("shows an EKS token, in"), "{said}");

    let plugin = pod.path("with-plugin");
    let written = pod
        .beside(&sidecar, ["kubeconfig", "--cluster-name=demo", "--exec"])
        .arg("--region=eu-west-1")
        .arg("--kubeconfig")
        .arg(&plugin)
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .output();
    assert!(written.status.success(), "{written:?}");
    let (found_here, said) = found(&doctor(&plugin).ends(), "kubeconfig");
    assert_eq!(found_here["status"], "ok", "{found_here}");
    assert!(
        said.contains("irsa-sidecar for client.authentication.k8s.io/v1"),
        "{said}"
    );
}

#[test]
fn a_program_that_is_not_there_is_named_as_kubectl_names_it() {
    let kubeconfig = Kubeconfig::new(SERVER, EXEC);
    let (_, said) = found(&kubeconfig.judged(), "kubeconfig-command-missing");
    let words = "exec: executable no-such-plugin not found";
    assert!(said.contains(words), "{said}");
    assert!(said.contains("command: /DIR/irsa-sidecar"), "{said}");
    let kubectl = Kubectl::one();
    let asked = ["get", "--raw", "/version"];
    let of_kubectl = kubectl.run(&kubeconfig.path("config"), &Launch::new(asked), &asked);
    assert!(of_kubectl.stderr.contains(words), "{of_kubectl:?}");

    let program = kubeconfig.path("no-such-plugin");
    fs::write(&program, "#!/bin/sh\n").expect("a file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    let there = doctor(&kubeconfig.path("config")).env("PATH", kubeconfig.0.path());
    let (found_here, said) = found(&there.ends(), "kubeconfig");
    assert_eq!(found_here["status"], "ok", "{said}");
}

#[test]
fn a_version_that_kubectl_takes_no_longer_is_named_as_kubectl_names_it() {
    let kubeconfig = Kubeconfig::new(SERVER, &EXEC.replace("v1beta1", "v1alpha1"));
    let (_, said) = found(&kubeconfig.judged(), "kubeconfig-api-version");
    assert!(
        said.contains("client.authentication.k8s.io/v1alpha1"),
        "{said}"
    );
    let words = "exec plugin: invalid apiVersion";
    assert!(said.contains(words), "{said}");
    let asked = ["get", "--raw", "/version"];
    let of_kubectl = Kubectl::one().run(&kubeconfig.path("config"), &Launch::new(asked), &asked);
    assert!(of_kubectl.stderr.contains(words), "{of_kubectl:?}");
}

#[test]
fn a_token_that_no_cluster_takes_is_named_and_not_shown() {
    let kubeconfig = Kubeconfig::new(SERVER, "{tokenFile: demo.eks-token}");
    let vectors: Value =
        serde_json::from_str(include_str!("../../data/eks-token-vectors.json")).expect("JSON");
    let expired = vectors["vectors"][0]["output"]["token"]
        .as_str()
        .expect("a token");
    let pod = Pod::new();
    let web_identity = crate::sidecar::read(&pod.volume.token_path());
    for (token, words) in [
        (expired, "X-Amz-Date parameter is expired"),
        (&web_identity, "a web identity token for sts.amazonaws.com"),
        ("some-other-token", "it does not begin with k8s-aws-v1."),
    ] {
        fs::write(kubeconfig.path("demo.eks-token"), token).expect("a file");
        let finished = kubeconfig.judged();
        let (_, said) = found(&finished, "kubeconfig-token-file");
        assert!(said.contains(words), "{said}");
        assert!(
            said.contains("--eks-cluster NAME --output-dir DIR"),
            "{said}"
        );
        assert!(!finished.stdout.contains(token) && !finished.stderr.contains(token));
    }
}

#[test]
fn a_kubeconfig_that_hangs_ends_nothing_but_its_own_step() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is missing").success());
    let (_, said) = found(&doctor(&pipe).ends(), "kubeconfig-unreadable");
    assert!(
        said.contains("is a directory, a pipe or a device"),
        "{said}"
    );
    let by_token = Kubeconfig::new(SERVER, "{tokenFile: pipe}");
    fs::rename(&pipe, by_token.path("pipe")).expect("it moves");
    let (_, said) = found(&by_token.judged(), "kubeconfig-token-file");
    assert!(
        said.contains("which is a directory, a pipe or a device"),
        "{said}"
    );
}

#[test]
fn where_there_is_no_kubeconfig_there_is_nothing_to_judge() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let launch = Launch::new(["doctor", "--json", "--offline"]).env("HOME", home.path());
    let (found_here, said) = found(&launch.ends(), "kubeconfig");
    assert_eq!(found_here["status"], "skipped", "{said}");
}
