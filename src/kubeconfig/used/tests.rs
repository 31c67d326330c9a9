use super::*;

const TWO: &str = "\
apiVersion: v1
kind: Config
current-context: here
contexts:
- {name: here, context: {cluster: local, user: file}}
- {name: there, context: {cluster: 'arn:aws:eks:eu-west-1:111122223333:cluster/demo', user: plugin}}
- {name: nobody, context: {cluster: local}}
- {name: nowhere, context: {user: file}}
clusters:
- {name: local, cluster: {server: 'https://10.0.0.1:443'}}
- {name: 'arn:aws:eks:eu-west-1:111122223333:cluster/demo', cluster: {server: 'https://x.eks.amazonaws.com'}}
- {name: hollow, cluster: {}}
users:
- {name: file, user: {tokenFile: tokens/prod.eks-token}}
- name: plugin
  user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, args: [eks, get-token, --cluster-name, demo]}}
";

fn of(text: &str) -> Vec<(PathBuf, String)> {
    vec![("/home/me/.kube/config".into(), text.to_owned())]
}

fn context(cluster: Option<&str>) -> String {
    used(&of(TWO), cluster).unwrap().context
}

fn unusable(text: &str) -> String {
    used(&of(text), None).unwrap_err().to_string()
}

#[test]
fn the_current_context_leads_to_cluster_and_user() {
    let used = used(&of(TWO), None).unwrap();
    assert_eq!(
        (used.context.as_str(), used.cluster.as_str()),
        ("here", "local")
    );
    assert_eq!(used.server.expose(), "https://10.0.0.1:443");
    let file = Path::new("/home/me/.kube/tokens/prod.eks-token");
    assert!(matches!(used.login, Login::TokenFile(found) if found == file));
}

#[test]
fn a_cluster_that_is_named_is_found_by_its_arn_its_plugin_or_its_file() {
    assert_eq!(context(Some("demo")), "there");
    assert_eq!(context(Some("prod")), "here");
    assert_eq!(context(Some("local")), "here");
    assert_eq!(context(Some("unknown")), "here");
    let renamed = TWO.replace("arn:aws:eks:eu-west-1:111122223333:cluster/", "");
    assert_eq!(used(&of(&renamed), Some("demo")).unwrap().context, "there");
}

#[test]
fn a_command_with_a_slash_is_relative_to_the_kubeconfig_and_a_bare_one_is_not() {
    for (command, expected) in [
        ("aws", "aws"),
        ("./bin/plugin", "/home/me/.kube/./bin/plugin"),
        ("/usr/bin/aws", "/usr/bin/aws"),
    ] {
        let text = TWO.replace("command: aws", &format!("command: {command}"));
        let used = used(&of(&text), Some("demo")).unwrap();
        let Login::Exec(exec) = used.login else {
            panic!("{command}");
        };
        assert_eq!(exec.command, Path::new(expected));
        assert_eq!(exec.api_version, "client.authentication.k8s.io/v1beta1");
        assert!(!exec.has_interactive_mode);
    }
}

#[test]
fn a_token_file_beats_a_token_beats_a_command() {
    let with = |more: &str| {
        let text = TWO.replace("user: {exec:", &format!("user: {{{more}exec:"));
        used(&of(&text), Some("demo")).unwrap().login
    };
    assert!(matches!(
        with("token: x, tokenFile: /t, "),
        Login::TokenFile(_)
    ));
    assert!(matches!(with("token: x, "), Login::Token(_)));
    assert!(matches!(with(""), Login::Exec(_)));
}

#[test]
fn of_several_files_the_first_that_has_an_entry_counts() {
    let first = "contexts:\n- {name: here, context: {cluster: hollow2, user: file}}\nclusters:\n- {name: hollow2, cluster: {server: 'https://first'}}\n";
    let files = [
        ("/a/one".into(), first.to_owned()),
        ("/b/two".into(), TWO.to_owned()),
    ];
    let used = used(&files, None).unwrap();
    assert_eq!(used.server.expose(), "https://first");
    assert_eq!(used.file, Path::new("/b/two"));
}

#[test]
fn what_kubectl_cannot_use_is_named_and_not_repeated() {
    let current =
        |name: &str| TWO.replace("current-context: here", &format!("current-context: {name}"));
    for (text, words) in [
        ("a: [hunter2".to_owned(), "no YAML in line"),
        ("a: &x hunter2\nb: *x\n".to_owned(), "an alias in line 2"),
        (String::new(), "no current-context"),
        (current("''"), "no current-context"),
        (current("null"), "no current-context"),
        (current("lost"), "no context \"lost\""),
        (current("nowhere"), "names no cluster"),
        (
            current("here").replace("{cluster: local, user: file}", "{cluster: lost}"),
            "no cluster \"lost\"",
        ),
        (
            current("here").replace("{cluster: local, user: file}", "{cluster: hollow}"),
            "\"hollow\" has no server",
        ),
        (
            current("here").replace("user: file}}\n", "user: lost}}\n"),
            "no user \"lost\"",
        ),
    ] {
        let found = unusable(&text);
        assert!(
            found.contains(words) && !found.contains("hunter2"),
            "{found}"
        );
    }
    assert!(matches!(
        used(&of(&current("nobody")), None).unwrap().login,
        Login::Other
    ));
}

#[test]
fn the_files_are_those_of_the_variable_or_the_one_at_home() {
    let home = Path::new("/home/me");
    let found = |variable: Option<&str>| files(variable.map(OsStr::new), Some(home));
    assert_eq!(found(Some("/a::/b")), [Path::new("/a"), Path::new("/b")]);
    assert_eq!(found(None), [home.join(".kube/config")]);
    assert_eq!(found(Some("")), [home.join(".kube/config")]);
    assert_eq!(files(None, None), [""; 0].map(PathBuf::from));
}
