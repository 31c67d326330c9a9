use super::*;

const ARN: &str = "arn:aws:eks:us-west-2:111122223333:cluster/demo";

fn by_token_file() -> Entry {
    Entry {
        cluster: ARN.to_owned(),
        context: ARN.to_owned(),
        user: ARN.to_owned(),
        server: "https://ABCDEF0123456789.gr7.us-west-2.eks.amazonaws.com".to_owned(),
        certificate_authority: CertificateAuthority::Data("LS0tQ0EtLS0=".to_owned()),
        credential: Credential::TokenFile("/out/demo.eks-token".into()),
    }
}

fn short(name: &str) -> Entry {
    Entry {
        cluster: name.to_owned(),
        context: name.to_owned(),
        user: name.to_owned(),
        ..by_token_file()
    }
}

fn merged(existing: &str, entries: &[Entry]) -> String {
    let current = entries.last().map_or("", |entry| &entry.context);
    merge(Some(existing), entries, current).unwrap_or_else(|error| panic!("{error}\n{existing}"))
}

fn refused(existing: &str) -> String {
    match merge(Some(existing), &[by_token_file()], ARN) {
        Err(error) => error.to_string(),
        Ok(content) => panic!("{existing:?} became {content}"),
    }
}

#[test]
fn a_new_kubeconfig_is_laid_out_as_the_aws_cli_writes_it() {
    let expected = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tQ0EtLS0=
    server: https://ABCDEF0123456789.gr7.us-west-2.eks.amazonaws.com
  name: arn:aws:eks:us-west-2:111122223333:cluster/demo
contexts:
- context:
    cluster: arn:aws:eks:us-west-2:111122223333:cluster/demo
    user: arn:aws:eks:us-west-2:111122223333:cluster/demo
  name: arn:aws:eks:us-west-2:111122223333:cluster/demo
current-context: arn:aws:eks:us-west-2:111122223333:cluster/demo
kind: Config
preferences: {}
users:
- name: arn:aws:eks:us-west-2:111122223333:cluster/demo
  user:
    tokenFile: /out/demo.eks-token
";
    let new = merge(None, &[by_token_file()], ARN).unwrap();
    assert_eq!(new, expected);
    for empty in ["", "\n", "# nothing\n", "---\n", "null\n"] {
        assert_eq!(merged(empty, &[by_token_file()]), expected);
    }
    assert_eq!(merged(&new, &[by_token_file()]), expected, "merged again");
}

#[test]
fn the_plugin_form_is_v1_never_interactive_and_absolute() {
    let mut entry = short("demo");
    entry.certificate_authority = CertificateAuthority::File(crate::in_cluster::CA.into());
    entry.credential = Credential::Exec {
        command: "/opt/irsa-sidecar".into(),
        args: vec!["get-token".into(), "--cluster-name".into(), "123".into()],
    };
    let content = merged("", &[entry.clone()]);
    assert!(content.contains("    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt\n    server:"), "{content}");
    let user = "\
users:
- name: demo
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
      - get-token
      - --cluster-name
      - \"123\"
      command: /opt/irsa-sidecar
      interactiveMode: Never
      provideClusterInfo: false
";
    assert!(content.ends_with(user), "{content}");

    entry.certificate_authority = CertificateAuthority::System;
    entry.credential = Credential::Exec {
        command: "/opt/irsa-sidecar".into(),
        args: Vec::new(),
    };
    let content = merged("", &[entry]);
    assert!(
        !content.contains("certificate-authority") && !content.contains("env:"),
        "{content}"
    );
}

#[test]
fn a_path_that_depends_on_where_one_stands_is_refused() {
    for path in ["demo.eks-token", "./x", ""] {
        let mut entry = by_token_file();
        entry.credential = Credential::TokenFile(path.into());
        let error = merge(None, &[entry], ARN).unwrap_err().to_string();
        assert!(error.contains("absolute path"), "{error}");
    }
}

#[test]
fn entries_of_the_same_name_are_replaced_in_place_and_everything_else_stays() {
    let existing = "\
kind: Config
apiVersion: v1
extensions:
- name: mine
  extension: {version: 1.10, until: 2030-01-01}
clusters:
- name: first
  cluster: {server: 'https://first', insecure-skip-tls-verify: true}
- cluster: {server: 'https://old', proxy-url: 'http://proxy'}
  name: demo
- name: last
  cluster: {server: 'https://last'}
users:
- name: first
  user: {token: 0123456}
- name: demo
  user: {token: old}
contexts:
- name: demo
  context: {cluster: demo, user: demo, namespace: team}
- name: first
  context: {cluster: first, user: first}
current-context: first
preferences: {colors: yes}
";
    let expected = "\
kind: Config
apiVersion: v1
extensions:
- name: mine
  extension:
    version: 1.10
    until: 2030-01-01
clusters:
- name: first
  cluster:
    server: https://first
    insecure-skip-tls-verify: true
- cluster:
    certificate-authority-data: LS0tQ0EtLS0=
    server: https://ABCDEF0123456789.gr7.us-west-2.eks.amazonaws.com
  name: demo
- name: last
  cluster:
    server: https://last
users:
- name: first
  user:
    token: 0123456
- name: demo
  user:
    tokenFile: /out/demo.eks-token
contexts:
- context:
    cluster: demo
    user: demo
  name: demo
- name: first
  context:
    cluster: first
    user: first
current-context: demo
preferences:
  colors: yes
";
    assert_eq!(merged(existing, &[short("demo")]), expected);
}

#[test]
fn several_clusters_come_in_their_order_and_the_current_context_is_the_one_asked_for() {
    let content = merge(None, &[short("one"), short("two")], "one").unwrap();
    let place = |text: &str| {
        content
            .find(text)
            .unwrap_or_else(|| panic!("{text} in {content}"))
    };
    assert!(place("name: one") < place("name: two"));
    assert!(content.contains("current-context: one\n"));
    assert!(holds_cluster(&content, "one") && holds_cluster(&content, "two"));
}

#[test]
fn another_alias_leaves_the_old_context_behind() {
    let old = merged("", &[by_token_file()]);
    let mut entry = by_token_file();
    entry.context = "alias".to_owned();
    let content = merged(&old, &[entry]);
    assert_eq!(content.matches("- context:").count(), 2);
    assert_eq!(content.matches("- cluster:").count(), 1);
    assert!(content.contains("current-context: alias\n"));
    let contexts = |text: &str| text.matches("- context:").count();
    assert_eq!((contexts(&old), contexts(&content)), (1, 2));
    assert!(holds_cluster(&content, ARN) && !holds_cluster(&content, "alias"));
}

#[test]
fn what_is_missing_or_null_is_filled_in() {
    let content = merged("clusters:\nusers: null\nkind: ~\n", &[short("demo")]);
    for line in [
        "apiVersion: v1\n",
        "kind: Config\n",
        "preferences: {}\n",
        "current-context: demo\n",
    ] {
        assert!(content.contains(line), "{content}");
    }
    assert!(content.starts_with("clusters:\n- cluster:\n"), "{content}");
    assert!(content.contains("users:\n- name: demo\n"), "{content}");
}

#[test]
fn wrong_types_are_refused_in_the_words_of_the_aws_cli() {
    for (existing, words) in [
        (
            "clusters: text",
            "clusters is wrong type: a single value (should be a list)",
        ),
        (
            "users: {}",
            "users is wrong type: a mapping (should be a list)",
        ),
        (
            "contexts: [1]",
            "an entry of contexts is wrong type: a single value (should be a mapping)",
        ),
        (
            "contexts: [~]",
            "an entry of contexts is wrong type: nothing (should be a mapping)",
        ),
        (
            "preferences: []",
            "preferences is wrong type: a list (should be a mapping)",
        ),
        (
            "current-context: []",
            "current-context is wrong type: a list (should be a single value)",
        ),
        (
            "kind: {}",
            "kind is wrong type: a mapping (should be a single value)",
        ),
        (
            "- a",
            "the content is wrong type: a list (should be a mapping)",
        ),
        (
            "text",
            "the content is wrong type: a single value (should be a mapping)",
        ),
    ] {
        let error = refused(existing);
        assert!(error.starts_with(words), "{error}");
        assert!(error.contains("--kubeconfig"), "{error}");
    }
}

#[test]
fn a_manifest_of_something_else_is_not_overwritten() {
    for manifest in ["apiVersion: v1\nkind: Pod\n", "apiVersion: apps/v1\n"] {
        assert!(refused(manifest).contains("not a kubeconfig's"));
    }
}

#[test]
fn no_error_repeats_what_stands_in_the_file() {
    const SECRET: &str = "hunter2";
    for existing in [
        format!("users: {SECRET}"),
        format!("kind: {SECRET}"),
        format!("users:\n- name: a\n  user: {{token: \"{SECRET}"),
        format!("users: &{SECRET}\nclusters: *{SECRET}"),
        format!("users: *{SECRET}"),
        format!("users: !{SECRET} x"),
        format!("{SECRET}: 1\n{SECRET}: 2"),
        format!("a: {SECRET}: {SECRET}"),
        format!("%YAML {SECRET}\n---\n"),
        format!("---\n---\n{SECRET}: 1"),
        format!("? [{SECRET}]\n: 1"),
        format!("\t{SECRET}: [\n"),
        format!("a: \"\\{SECRET}\""),
    ] {
        let error = merge(Some(&existing), &[by_token_file()], ARN).unwrap_err();
        assert!(!error.to_string().contains(SECRET), "{error}");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    }
}

#[test]
fn names_that_yaml_would_misread_are_found_again() {
    for name in [
        "123", "yes", "null", "~", "", "a: b", "#", "- x", "é\n", "1.10", "0x1F",
    ] {
        let content = merged("", &[short(name)]);
        assert!(holds_cluster(&content, name), "{content}");
        assert_eq!(merged(&content, &[short(name)]), content);
    }
    assert!(
        holds_cluster("clusters: [{name: 123}]", "123"),
        "as kubectl reads it"
    );
}

#[test]
fn what_is_no_kubeconfig_holds_no_cluster() {
    for text in [
        "",
        "{",
        "- demo",
        "clusters: demo",
        "clusters: [demo]",
        "clusters: [{name: [demo]}]",
    ] {
        assert!(!holds_cluster(text, "demo"), "{text}");
    }
}
