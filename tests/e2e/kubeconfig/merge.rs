//! What a file already holds: kept in its order and to the letter, with its mode.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};

use super::{FAILED, alone, assert_done, assert_failed, default_path, yaml};
use crate::sidecar::{Pod, read};

/// As people keep them: other clusters, secrets of every kind, keys that nobody here knows, texts that look like more.
const GROWN: &str = r#"# kept by hand
kind: Config
apiVersion: v1
current-context: "on"
x-team: {owner: "no", tags: [1.10, "1.10", 0x1F, ~, yes, 2001-01-01]}
users:
- name: admin
  user:
    token: "eyJhbGciOi.c2VjcmV0.NjY2"
    client-key-data: |
      LS0tLS1CRUdJTiBSU0E=
      c2Vjb25kIGxpbmU=
- name: 'robot: 7'
  user:
    username: robot
    password: "p\u00e4ss: #word\n"
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: other
      args: ["--token", 'it''s', "", "null", "~"]
      env:
preferences: {colors: true}
contexts:
- name: "on"
  context: {user: admin, cluster: other, namespace: "007"}
clusters:
- name: other
  cluster:
    server: https://other.example:6443
    insecure-skip-tls-verify: true
    proxy-url: http://proxy.example:3128
    extensions:
    - name: e
      extension: {last-update: 2026-01-02T03:04:05Z}
"#;

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, content).expect("a file");
}

/// The lists of a kubeconfig, each without its last entry: what was there before one was added.
fn before_the_last(mut found: Value) -> Value {
    for list in ["clusters", "contexts", "users"] {
        let list = found[list].as_array_mut().expect("a list");
        list.pop().expect("an entry");
    }
    found
}

/// The keys of the file in their order, those in column 0.
fn keys(text: &str) -> Vec<&str> {
    let is_key = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let keys = text.lines().filter(is_key);
    keys.filter_map(|line| line.split(':').next()).collect()
}

#[test]
fn everything_else_in_the_file_stays_as_it_is() {
    let pod = Pod::new();
    let path = default_path(&pod);
    write(&path, GROWN);
    let arn = pod.emulator.cluster().arn();
    let ended = alone(&pod, &["--cluster-name", "demo", "--exec"]).output();
    assert_done(
        &ended,
        &format!("Added new context {arn} to {}\n", path.display()),
    );
    let text = read(&path);
    let mut expected = yaml(GROWN);
    expected["current-context"] = json!(arn);
    assert_eq!(before_the_last(yaml(&text)), expected, "{text}");
    assert_eq!(keys(&text), keys(GROWN));
    // What other readers take for numbers, truths and times is for them to say: not a letter may change.
    for kept in [
        "1.10",
        "\"1.10\"",
        "0x1F",
        "- yes\n",
        "2001-01-01",
        "2026-01-02T03:04:05Z",
        "\"007\"",
    ] {
        assert!(text.contains(kept), "{kept:?} is not in {text}");
    }

    // Again: replaced where it stands, and nothing else moves.
    let ended = alone(&pod, &["--cluster-name", "demo", "--exec"]).output();
    assert_done(
        &ended,
        &format!("Updated context {arn} in {}\n", path.display()),
    );
    assert_eq!(read(&path), text);
}

#[test]
fn entries_of_the_same_name_are_replaced_where_they_stand() {
    let pod = Pod::new();
    let path = default_path(&pod);
    let arn = pod.emulator.cluster().arn();
    let old = format!(
        "clusters:\n- cluster: {{server: 'https://old', proxy-url: 'http://old'}}\n  name: {arn}\n- {{name: z}}\n\
         users:\n- {{name: a}}\n- name: {arn}\n  user: {{token: old}}\n- {{name: z}}\n\
         contexts:\n- name: {arn}\n  context: {{cluster: old, user: old, namespace: old}}\n- {{name: z}}\n"
    );
    write(&path, &old);
    alone(&pod, &["--cluster-name", "demo", "--exec"]).output();
    let found = yaml(&read(&path));
    let names = |list: &str| -> Vec<&str> {
        let list = found[list].as_array().expect("a list");
        list.iter()
            .map(|entry| entry["name"].as_str().unwrap_or_default())
            .collect()
    };
    assert_eq!(names("clusters"), [arn.as_str(), "z"]);
    assert_eq!(names("users"), ["a", arn.as_str(), "z"]);
    assert_eq!(names("contexts"), [arn.as_str(), "z"]);
    assert_eq!(
        found["clusters"][0]["cluster"]["server"],
        pod.emulator.cluster().url()
    );
    assert_eq!(
        found["contexts"][0]["context"],
        json!({ "cluster": arn, "user": arn })
    );
    let left = read(&path);
    assert!(!left.contains("old"), "{left}");
}

#[test]
fn a_dry_run_prints_the_merged_file_and_writes_nothing() {
    let pod = Pod::new();
    let path = default_path(&pod);
    let arguments = ["--cluster-name", "demo", "--exec"];
    let dry = [&arguments[..], &["--dry-run"]].concat();
    let new = alone(&pod, &dry).output();
    assert_eq!((new.status.code(), new.stderr.as_str()), (Some(0), ""));
    assert!(!path.parent().expect("a directory").exists());

    write(&path, GROWN);
    let printed = alone(&pod, &dry).output();
    assert_eq!(
        (printed.status.code(), printed.stderr.as_str()),
        (Some(0), "")
    );
    assert_eq!(read(&path), GROWN);
    alone(&pod, &arguments).output();
    assert_eq!(printed.stdout, read(&path));
}

#[test]
fn a_new_file_is_for_its_owner_only_and_an_old_one_keeps_its_mode_and_its_place() {
    let pod = Pod::new();
    let path = default_path(&pod);
    let run = || {
        let ended = alone(&pod, &["--cluster-name", "demo", "--exec"]).output();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    };
    let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o7777;
    run();
    assert_eq!(mode(&path), 0o600);
    for kept in [0o644, 0o640, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(kept)).expect("a mode");
        run();
        assert_eq!(mode(&path), kept);
    }
    let elsewhere = pod.path("dotfiles");
    fs::rename(&path, &elsewhere).expect("a file");
    symlink(&elsewhere, &path).expect("a symlink");
    fs::write(&elsewhere, "apiVersion: v1\n").expect("a file");
    run();
    let link = fs::symlink_metadata(&path).expect("a symlink");
    assert!(link.is_symlink(), "people keep their files where they like");
    assert!(read(&elsewhere).contains("current-context"));
    assert_eq!(mode(&elsewhere), 0o400);
    let beside = fs::read_dir(pod.path("home/.kube")).expect("a directory");
    assert_eq!(beside.count(), 1, "no drafts are left");
}

#[test]
fn what_is_no_kubeconfig_is_left_alone_and_no_word_of_it_is_repeated() {
    const SECRET: &str = "c2VjcmV0LWtleQ";
    for (content, words) in [
        (format!("users: [{SECRET}"), "no YAML"),
        (format!("users:\n- {SECRET}: \"\n"), "no YAML"),
        (
            format!("{SECRET}\n"),
            "the content is wrong type: a single value (should be a mapping)",
        ),
        (
            format!("clusters: {SECRET}\n"),
            "clusters is wrong type: a single value (should be a list)",
        ),
        (
            format!("users: [{SECRET}]\n"),
            "an entry of users is wrong type: a single value",
        ),
        (
            format!("current-context: [{SECRET}]\n"),
            "current-context is wrong type: a list",
        ),
        (
            format!("kind: {SECRET}\n"),
            "the file's kind is not a kubeconfig's",
        ),
        (
            format!("a: {SECRET}\na: {SECRET}\n"),
            "line 2 of the kubeconfig: a key for the second time",
        ),
        (
            format!("a: &x {SECRET}\nb: *x\n"),
            "line 2 of the kubeconfig: an alias",
        ),
        (
            format!("a: !python/object {SECRET}\n"),
            "line 1 of the kubeconfig: a tag",
        ),
        (
            format!("a: {SECRET}\n---\nb: {SECRET}\n"),
            "a second document",
        ),
    ] {
        let pod = Pod::new();
        let path = default_path(&pod);
        write(&path, &content);
        let ended = alone(&pod, &["--cluster-name", "demo", "--exec"]).output();
        assert_failed(
            &ended,
            FAILED,
            &[words, "name another file with --kubeconfig"],
        );
        assert!(!ended.stderr.contains(SECRET), "{}", ended.stderr);
        assert_eq!(read(&path), content);
    }
    let pod = Pod::new();
    let path = default_path(&pod);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(&path, b"users:\n- token: \xff\xfe\n").expect("a file");
    let ended = alone(&pod, &["--cluster-name", "demo", "--exec"]).output();
    assert_failed(
        &ended,
        FAILED,
        &["cannot be read", path.to_str().expect("a path")],
    );
}
