//! Side by side with `aws eks update-kubeconfig`: the same file but for the user, whom this program is to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emulator::Issued;
use serde_json::Value;

use super::{alone, yaml};
use crate::clients::installed;
use crate::sidecar::{Finished, Pod, read};

/// The AWS CLI with a session of the pod's role, and a file of its own.
fn aws_cli(pod: &Pod, session: &Issued, kubeconfig: &str, arguments: &[&str]) -> Finished {
    let python = installed("python/bin");
    let mut command = Command::new(python.join("python"));
    command
        .arg(python.join("aws"))
        .args([
            "eks",
            "update-kubeconfig",
            "--endpoint-url",
            pod.emulator.url(),
        ])
        .args(arguments)
        .env_clear()
        .env("HOME", pod.path("home-of-the-aws-cli"))
        .env("KUBECONFIG", kubeconfig)
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", &session.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &session.secret_access_key)
        .env("AWS_SESSION_TOKEN", &session.session_token)
        .stdin(Stdio::null());
    let output = command.output().expect("the AWS CLI runs");
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const OTHERS: &str = "\
apiVersion: v1
kind: Config
preferences: {}
x-unknown: {kept: [1, two]}
clusters:
- name: other
  cluster: {server: https://other.example, insecure-skip-tls-verify: true}
contexts:
- name: other
  context: {cluster: other, user: other, namespace: ns}
current-context: other
users:
- name: other
  user: {token: secret-of-another}
";

/// Both begin with the same files and are told the same; then they have written the same.
struct Pair<'a> {
    pod: &'a Pod,
    session: Issued,
    /// Names of the files that `$KUBECONFIG` lists, in each one's directory.
    files: &'a [&'a str],
}

impl Pair<'_> {
    fn path(&self, who: &str, name: &str) -> PathBuf {
        self.pod.path(who).join(name)
    }

    fn list(&self, who: &str) -> String {
        let paths = self
            .files
            .iter()
            .map(|name| self.path(who, name).display().to_string());
        paths.collect::<Vec<_>>().join(":")
    }

    fn put(&self, name: &str, content: &str) {
        for who in ["ours", "theirs"] {
            let path = self.path(who, name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
    }

    /// The words of both, each without its own directory.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> (String, String) {
        let theirs = aws_cli(self.pod, &self.session, &self.list("theirs"), arguments);
        assert!(theirs.status.success(), "the AWS CLI: {theirs:?}");
        let ours = alone(self.pod, arguments)
            .arg("--exec")
            .env("KUBECONFIG", self.list("ours"))
            .output();
        assert!(ours.status.success(), "{ours:?}");
        let without = |text: &str, who: &str| text.replace(&format!("/{who}/"), "/");
        (
            without(&ours.stdout, "ours"),
            without(&theirs.stdout, "theirs"),
        )
    }

    #[track_caller]
    fn assert_same(&self, name: &str) -> Value {
        let (ours, theirs) = (self.path("ours", name), self.path("theirs", name));
        assert_eq!(ours.exists(), theirs.exists(), "{name}");
        if !ours.exists() {
            return Value::Null;
        }
        assert_eq!(mode_of(&ours), mode_of(&theirs), "{name}");
        let (ours, theirs) = (yaml(&read(&ours)), yaml(&read(&theirs)));
        assert_eq!(without_plugins(&ours), without_plugins(&theirs), "{name}");
        ours
    }
}

fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).expect("a file").mode() & 0o7777
}

/// Each user's plugin, as far as it has one, is its own program with its own arguments.
fn without_plugins(kubeconfig: &Value) -> Value {
    let mut rest = kubeconfig.clone();
    for user in rest["users"].as_array_mut().expect("users") {
        if let Some(exec) = user["user"].get_mut("exec") {
            *exec = "a plugin".into();
        }
    }
    rest
}

#[test]
fn the_aws_cli_and_this_program_write_the_same_but_for_the_plugin() {
    let pod = Pod::new();
    pod.emulator.add_cluster("second", "eu-west-1");
    // Opens a session that the AWS CLI can use too.
    let ended = alone(&pod, &["--name", "demo", "--exec", "--dry-run"]).output();
    assert!(ended.status.success(), "{ended:?}");
    let session = pod.emulator.sts().issued().remove(0);
    let pair = |files| Pair {
        pod: &pod,
        session: session.clone(),
        files,
    };

    let new = pair(&["new/kubeconfig"]);
    let (ours, theirs) = new.run(&["--name", "demo"]);
    assert_eq!(ours, theirs);
    let written = new.assert_same("new/kubeconfig");
    assert_eq!(written["users"].as_array().map(Vec::len), Some(1));
    // A second cluster beside it, then the first once more.
    for name in ["second", "demo"] {
        let (ours, theirs) = new.run(&["--name", name]);
        assert_eq!(ours, theirs);
        new.assert_same("new/kubeconfig");
    }

    let merged = pair(&["absent", "others", "empty"]);
    merged.put("others", OTHERS);
    merged.put("empty", "");
    let aliases = ["--name", "demo", "--alias", "short", "--user-alias", "me"];
    let (ours, theirs) = merged.run(&aliases);
    assert_eq!(ours, theirs);
    // Into the first of the list; into `others` once that has the cluster.
    assert_eq!(merged.assert_same("absent")["current-context"], "short");
    fs::rename(merged.path("ours", "absent"), merged.path("ours", "empty")).expect("a file");
    fs::rename(
        merged.path("theirs", "absent"),
        merged.path("theirs", "empty"),
    )
    .expect("a file");
    let (ours, theirs) = merged.run(&["--name", "demo"]);
    assert_eq!(ours, theirs);
    for name in merged.files {
        merged.assert_same(name);
    }

    let others = pair(&["others"]);
    let (ours, theirs) = others.run(&["--name", "demo", "--user-alias", "me"]);
    assert_eq!(ours, theirs);
    let written = others.assert_same("others");
    assert_eq!(written["x-unknown"], yaml("{kept: [1, two]}"));
    assert_eq!(written["users"][0]["user"]["token"], "secret-of-another");
}

/// A kubeconfig that the AWS CLI wrote needs one change: its `command`.
#[test]
fn the_plugin_of_a_kubeconfig_of_the_aws_cli_can_be_this_program() {
    let pod = Pod::new();
    let cluster = pod.emulator.cluster();
    let ended = alone(&pod, &["--name", "demo", "--exec", "--dry-run"]).output();
    assert!(ended.status.success(), "{ended:?}");
    let session = pod.emulator.sts().issued().remove(0);
    for id in [None, Some("3b0e4d6a-6e0b-4f8e-9d0c-2f6f1d6c5a11")] {
        if let Some(id) = id {
            cluster.set_outpost(id);
        }
        let path = pod.path("kubeconfig");
        let kubeconfig = path.to_str().expect("a path");
        let written = aws_cli(&pod, &session, kubeconfig, &["--name", "demo"]);
        assert!(written.status.success(), "{written:?}");
        let found = yaml(&read(&path));
        let exec = &found["users"][0]["user"]["exec"];
        let arguments = exec["args"].as_array().expect("arguments");
        let arguments = arguments.iter().map(|it| it.as_str().expect("a text"));
        let ended = pod.serve().with_arguments(arguments).output();
        assert!(ended.status.success(), "{ended:?}");
        let credential: Value = serde_json::from_str(&ended.stdout).expect("an ExecCredential");
        assert_eq!(credential["apiVersion"], exec["apiVersion"]);
        let token = credential["status"]["token"].as_str().expect("a token");
        let reviewed = cluster.review(token);
        assert!(reviewed.is_ok(), "{reviewed:?}");
    }
}
