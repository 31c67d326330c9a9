use super::of_json as pod;
use super::*;

fn refused(text: &str) -> String {
    let kind = document::pod(text.as_bytes()).err().unwrap();
    let path = PathBuf::from(STDIN);
    NotAPod { path, kind }.to_string()
}

fn names(pod: &Pod) -> Vec<&str> {
    let names = pod.containers.iter().map(|one| one.name.as_deref());
    names.map(Option::unwrap).collect()
}

const POD: &str = r#"{"kind": "Pod", "metadata": {"name": "app-1", "namespace": "team", "annotations": {"a": "b"}},
    "spec": {"serviceAccountName": "app", "containers": [{"name": "app", "env": [
        {"name": "POD_UID", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}},
        {"name": "OPTIONAL", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "TWICE", "value": "first"}, {"name": "TWICE", "value": "last"},
        {"name": "EMPTY", "value": ""}, {"name": "NONE"}
    ]}], "initContainers": [{"name": "init"}]}}"#;

#[test]
fn a_pod_is_read_as_kubectl_prints_it() {
    let pod = pod(POD);
    assert!(pod.given);
    assert_eq!(pod.name.as_deref(), Some("app-1"));
    assert_eq!(pod.namespace.as_deref(), Some("team"));
    assert_eq!(pod.service_account.as_deref(), Some("app"));
    assert_eq!(names(&pod), ["init", "app"]);
    let app = &pod.containers[1];
    assert!(app.has("POD_UID") && app.has("SECRET") && app.has("TWICE"));
    assert!(!app.has("OPTIONAL") && !app.has("EMPTY") && !app.has("NONE"));
    assert_eq!(app.text("TWICE"), Some("last"));
    assert_eq!(app.text("POD_UID"), None);
}

#[test]
fn a_list_of_one_pod_is_that_pod() {
    for kind in ["List", "PodList"] {
        let list = format!(r#"{{"kind": "{kind}", "items": [{POD}]}}"#);
        assert_eq!(pod(&list).name.as_deref(), Some("app-1"));
    }
    let of_the_api = POD.replace(r#""kind": "Pod", "#, "");
    let list = format!(r#"{{"kind": "PodList", "items": [{of_the_api}]}}"#);
    assert_eq!(pod(&list).name.as_deref(), Some("app-1"));
}

#[test]
fn what_is_no_pod_is_named() {
    for (text, words) in [
        (String::new(), "is empty"),
        (
            "apiVersion: v1\nkind: Pod\n".to_owned(),
            "is not JSON (line 1",
        ),
        ("[]".to_owned(), "no object of Kubernetes"),
        (POD.replace("Pod\"", "Deployment\""), "is a Deployment"),
        (
            format!(r#"{{"kind": "List", "items": [{POD}, {POD}]}}"#),
            "a list of 2 objects",
        ),
        (
            r#"{"kind": "List", "items": []}"#.to_owned(),
            "a list without a pod",
        ),
        (
            r#"{"kind": "List", "items": [{"kind": "Service"}]}"#.to_owned(),
            "is a Service",
        ),
        (r#"{"kind": "Pod"}"#.to_owned(), "fields"),
    ] {
        let found = refused(&text);
        assert!(found.contains(words), "{found}");
        assert!(found.contains("kubectl get pod NAME -o json"), "{found}");
    }
}

#[test]
fn what_is_no_pod_is_not_repeated() {
    for text in [
        r#"{"kind": "Pod", "spec": {"containers": "hunter2"}}"#,
        r#"{"kind": "Pod", "spec": {"containers": [{"name": "a", "env": [{"name": "P", "value": ["hunter2"]}]}]}}"#,
        r#"{"kind": "Pod", "password": hunter2}"#,
        "password: hunter2",
    ] {
        let found = refused(text);
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn a_file_without_an_end_is_not_read_to_its_end() {
    let error = read(Path::new("/dev/zero")).err().unwrap().to_string();
    assert!(error.contains("/dev/zero has more than 4 MiB"), "{error}");
}

#[test]
fn the_sidecars_containers_are_known_by_what_they_run() {
    for (container, is_ours) in [
        (r#"{"name": "irsa-sidecar"}"#, true),
        (
            r#"{"name": "link-local", "image": "registry.example.com:5000/tools/irsa-sidecar:0.1.0@sha256:0"}"#,
            true,
        ),
        (
            r#"{"name": "kubeconfig", "command": ["/opt/irsa-sidecar/irsa-sidecar"]}"#,
            true,
        ),
        (
            r#"{"name": "aws", "env": [{"name": "IRSA_SIDECAR_AUTHORIZATION", "value": "pod-uid"}]}"#,
            true,
        ),
        // Subcommands read these too.
        (
            r#"{"name": "app", "env": [{"name": "IRSA_SIDECAR_ROLE_ARN", "value": "x"}, {"name": "IRSA_SIDECAR_REGION", "value": "x"}]}"#,
            false,
        ),
        (
            r#"{"name": "app", "env": [{"name": "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", "value": "/t"}]}"#,
            false,
        ),
        (
            r#"{"name": "app", "image": "irsa-sidecar-app", "command": ["sh"]}"#,
            false,
        ),
        (r#"{"name": "app", "image": "irsa-sidecar/app"}"#, false),
    ] {
        let json = format!(r#"{{"kind": "Pod", "spec": {{"containers": [{container}]}}}}"#);
        assert_eq!(pod(&json).ours().count() == 1, is_ours, "{container}");
        assert_eq!(pod(&json).apps().count() == 0, is_ours, "{container}");
    }
}

#[test]
fn this_process_runs_in_the_sidecars_container_where_a_setting_or_its_path_says_so() {
    let is_ours = |variables: &[(&str, &str)], program: &str| {
        let environment: Vec<(OsString, OsString)> = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let pod = Pod::of_this_process(&environment, Some(Path::new(program)));
        assert!(!pod.given);
        pod.containers[0].is_ours
    };
    let copy = "/opt/irsa-sidecar/irsa-sidecar";
    assert!(is_ours(&[], "/irsa-sidecar"));
    assert!(is_ours(&[("IRSA_SIDECAR_DRAIN_DELAY", "1s")], copy));
    assert!(!is_ours(&[("IRSA_SIDECAR_TOKEN_FILE", "/t")], copy));
    let service = [
        ("IRSA_SIDECAR_SERVICE_HOST", "10.0.0.1"),
        ("IRSA_SIDECAR_PORT_9910_TCP_ADDR", "10.0.0.1"),
        ("IRSA_SIDECAR_LISTEN", "127.0.0.1:9999"),
    ];
    assert!(!is_ours(&service, copy));
}

#[test]
fn a_setting_is_read_from_arguments_before_variables_and_may_stand_elsewhere() {
    let said = |container: &str, name: &str, expected: Said<'_>| {
        let json = format!(r#"{{"kind": "Pod", "spec": {{"containers": [{container}]}}}}"#);
        assert_eq!(
            pod(&json).containers[0].setting(name),
            expected,
            "{container}"
        );
    };
    let args = r#"{"name": "a", "args": ["serve", "--listen", "127.0.0.1:1", "--listen-not=x", "--kubeconfig", "--imds-listen=$(X)"],
        "env": [{"name": "IRSA_SIDECAR_LISTEN", "value": "127.0.0.1:2"}]}"#;
    said(args, "listen", Said::Texts(vec!["127.0.0.1:1"]));
    said(args, "kubeconfig", Said::Texts(vec!["true"]));
    said(args, "imds-listen", Said::Elsewhere);
    said(args, "ops-listen", Said::Nothing);
    let variable = r#"{"name": "a", "envFrom": [{"configMapRef": {"name": "c"}}], "env": [{"name": "IRSA_SIDECAR_OPS_LISTEN", "value": ":1"}]}"#;
    said(variable, "ops-listen", Said::Texts(vec![":1"]));
    said(variable, "listen", Said::Elsewhere);
    said(
        r#"{"name": "a", "args": ["--config=/c"]}"#,
        "listen",
        Said::Elsewhere,
    );
}
