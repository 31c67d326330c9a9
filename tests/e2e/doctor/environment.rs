//! The webhook, the app's containers and their SDKs: of this process, and of a pod that is given.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use irsa_sidecar::diagnosis::findings;
use serde_json::{Value, json};

use super::{Row, finding_of, findings_of, words};
use crate::manifests::eks_webhook::mutated;
use crate::manifests::pods;
use crate::manifests::rendered::{every, manifests};
use crate::sidecar::{Finished, Launch, NOBODY, PATIENCE, Pod, eventually_within, read};

const DOOR: &str = "http://127.0.0.1:1/v2/credentials/hunter2";
const SKIPPED: &str = "eks.amazonaws.com/skip-containers";
/// The steps that the pod decides.
const STEPS: [&str; 3] = ["webhook", "skip-containers", "app-sdk"];

pub fn rows() -> Vec<Row> {
    let row = |finding, status, run| Row {
        finding,
        status,
        run,
    };
    vec![
        row(findings::WEBHOOK_NOT_RUN, "fail", || here().ends()),
        row(findings::WEBHOOK_INCOMPLETE, "warn", || {
            here().env("AWS_ROLE_ARN", emulator::ROLE_ARN).ends()
        }),
        row(findings::APP_SDK_BYPASS, "warn", || {
            in_the_app().env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").ends()
        }),
        row(findings::APP_URI_UNRESOLVED, "fail", || {
            let uri = "http://127.0.0.1:1/v2/credentials/$(POD_UID)";
            here().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri).ends()
        }),
        row(findings::APP_PROXY, "warn", || {
            in_the_app()
                .env("HTTP_PROXY", "http://me:hunter2@proxy:3128")
                .ends()
        }),
        row(findings::APP_SDK_UNPOINTED, "warn", || {
            judged(&pod(None, &json!([])))
        }),
        row(findings::SKIP_CONTAINERS_BLANKS, "warn", || {
            judged(&pod(Some("app, helper"), &json!([])))
        }),
        row(findings::SKIP_CONTAINERS_UNKNOWN, "warn", || {
            judged(&pod(Some("app,worker"), &json!([])))
        }),
    ]
}

/// Where nothing is set, and no sidecar runs.
fn here() -> Launch {
    Launch::new(["doctor", "--json", "--offline"]).env("IRSA_SIDECAR_LISTEN", NOBODY)
}

/// Where nothing is set but the way to the sidecar.
fn in_the_app() -> Launch {
    here().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", DOOR)
}

/// The sidecar, and containers `app` and `helper` of which the first has these variables.
fn pod(skipped: Option<&str>, env: &Value) -> Value {
    let annotations = skipped.map_or(json!({}), |skipped| json!({SKIPPED: skipped}));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "app-1", "namespace": "team", "annotations": annotations},
        "spec": {
            "serviceAccountName": "app",
            "initContainers": [{"name": "irsa-sidecar", "image": "irsa-sidecar"}],
            "containers": [{"name": "app", "env": env}, {"name": "helper"}],
        },
    })
}

fn judged(pod: &Value) -> Finished {
    here().arg("--pod=-").given(pod.to_string().as_bytes())
}

/// As it is when the API server has made it.
fn made(pod: &pods::Pod) -> Value {
    let mut made = pod.template.clone();
    made["apiVersion"] = json!("v1");
    made["kind"] = json!("Pod");
    made["metadata"]["name"] = json!("made");
    made["metadata"]["namespace"] = json!("team");
    made
}

fn status(finished: &Finished, id: &str) -> String {
    let status = &finding_of(finished, id)["status"];
    status.as_str().expect("a status").to_owned()
}

#[track_caller]
fn assert_silent(finished: &Finished, of: &str) {
    for step in STEPS {
        let all = findings_of(finished);
        let found = all.iter().find(|finding| finding["id"] == step);
        let found = found.unwrap_or_else(|| panic!("{of}: no {step}: {}", finished.stdout));
        assert_ne!(found["status"], "warn", "{of}: {found}");
        assert_ne!(found["status"], "fail", "{of}: {found}");
    }
}

#[test]
fn the_pods_of_the_manifests_have_nothing_to_warn_of_with_and_without_the_webhook() {
    let mut looked_at = 0;
    for (name, objects) in every() {
        for pod in pods::Pod::every(objects) {
            assert_silent(&judged(&made(&mutated(&pod))), &format!("{name}, changed"));
            // Whether the role is in the ConfigMap is not seen from outside.
            assert_silent(&judged(&made(&pod)), &format!("{name}, {}", pod.of));
            looked_at += 1;
        }
    }
    assert!(looked_at >= 30, "{looked_at} pods");
}

#[test]
fn the_pod_of_the_readme_has_nothing_to_warn_of_either() {
    let readme = read(&manifests().join("../README.md"));
    let spec = readme.split("## In a pod\n\n```yaml\n").nth(1);
    let spec = spec.and_then(|rest| rest.split("```").next());
    let mut pod: Value = serde_saphyr::from_str(spec.expect("a block")).expect("YAML");
    pod["kind"] = json!("Pod");
    assert_silent(&judged(&pod), "README");
    let finished = judged(&pod);
    let asked = finding_of(&finished, "app-sdk")["found"].to_string();
    assert!(
        asked.contains("container app asks 127.0.0.1:9910"),
        "{asked}"
    );
}

#[test]
fn an_annotated_service_account_that_came_after_the_pod_is_found_from_inside_the_sidecar() {
    let (_, objects) = every()
        .iter()
        .find(|(name, _)| name == "examples/eks-webhook")
        .expect("the example");
    let pod = pods::Pod::every(objects).remove(0);
    let inside = |pod: &pods::Pod| {
        // Its variables are those that its container gets by envFrom, so the address is the usual one.
        let sidecar = Launch::new(["doctor", "--json", "--offline"])
            .env("IRSA_SIDECAR_TOKEN_FILE", "/nonexistent/token")
            .env("IRSA_SIDECAR_AUTHORIZATION", "pod-uid");
        sidecar
            .arg("--pod=-")
            .given(made(pod).to_string().as_bytes())
    };
    let before = inside(&pod);
    let said = words(&finding_of(&before, "webhook-not-run"));
    for part in [
        "kubectl annotate serviceaccount -n team app eks.amazonaws.com/role-arn=",
        "kubectl delete pod -n team made",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(before.status.code(), Some(1));
    let after = inside(&mutated(&pod));
    assert_silent(&after, "changed by the webhook");
    let found = finding_of(&after, "webhook")["found"].to_string();
    assert!(found.contains("set in container irsa-sidecar"), "{found}");
}

#[test]
fn the_list_of_containers_to_skip_that_it_prints_is_one_that_it_takes() {
    let around = json!([
        {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://127.0.0.1:9910/v1/credentials"},
        {"name": "AWS_ROLE_ARN", "value": emulator::ROLE_ARN},
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"},
    ]);
    let listed = |finished: &Finished, id: &str| {
        let fix = words(&finding_of(finished, id));
        let value = fix.split(&format!("{SKIPPED}: \"")).nth(1);
        let value = value.and_then(|rest| rest.split('"').next());
        value.expect("a line to paste").to_owned()
    };
    let skipped = listed(&judged(&pod(None, &around)), "app-sdk-bypass");
    assert_eq!(skipped, "app,helper");
    let corrected = listed(
        &judged(&pod(Some("app, helper"), &json!([]))),
        "skip-containers-blanks",
    );
    assert_eq!(corrected, "app,helper");
    assert_eq!(
        status(
            &judged(&pod(Some(&corrected), &json!([]))),
            "skip-containers"
        ),
        "ok"
    );
}

#[test]
fn the_annotations_prefix_is_that_of_the_settings() {
    let mut pod = pod(None, &json!([]));
    pod["metadata"]["annotations"]["irsa.example.com/skip-containers"] = json!("app, helper");
    let launch = here()
        .arg("--pod=-")
        .arg("--annotation-prefix=irsa.example.com");
    let finished = launch.given(pod.to_string().as_bytes());
    let said = words(&finding_of(&finished, "skip-containers-blanks"));
    assert!(
        said.contains("irsa.example.com/skip-containers: \"app,helper\""),
        "{said}"
    );
}

#[test]
fn what_stands_in_a_pods_environment_is_never_shown() {
    let secret = "SECRET-VALUE";
    for env in [
        json!([{"name": "AWS_ACCESS_KEY_ID", "value": "AKIDEXAMPLE"}, {"name": "AWS_SECRET_ACCESS_KEY", "value": secret},
            {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": format!("http://127.0.0.1:9910/v2/credentials/{secret}")}]),
        json!([{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": format!("http://u:{secret}@127.0.0.1:9910/{secret}")}]),
        json!([{"name": "HTTP_PROXY", "value": format!("http://me:{secret}@proxy")}, {"name": "PASSWORD", "value": secret},
            {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://127.0.0.1:9910/"}]),
        json!([{"name": "PASSWORD", "value": {"a": secret}}]),
    ] {
        let pod = pod(None, &env).to_string();
        for more in ["--json", "-v"] {
            let launch = Launch::new(["doctor", "--offline", "--pod=-", more]);
            let finished = launch.given(pod.as_bytes());
            let said = format!("{}{}", finished.stdout, finished.stderr);
            assert!(!said.contains(secret), "{said}");
            assert!(!said.is_empty());
        }
    }
}

#[test]
fn what_is_no_pod_is_said_in_one_sentence_and_ends_nothing_else() {
    for (given, named) in [
        ("", "stdin is empty"),
        ("apiVersion: v1\nkind: Pod\n", "stdin is not JSON"),
        (r#"{"kind": "Deployment"}"#, "stdin is a Deployment"),
        (r#"{"kind": "List", "items": []}"#, "a list without a pod"),
    ] {
        let finished = here().arg("--pod=-").given(given.as_bytes());
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        let said = &finished.stderr;
        assert!(
            said.contains(named) && said.contains("kubectl get pod NAME -o json"),
            "{said}"
        );
        // This container is looked at as without it.
        assert!(said.contains("of this container alone"), "{said}");
        let alone = findings_of(&here().ends());
        let all = findings_of(&finished);
        let ids = |all: &[Value]| all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&all), ids(&alone));
    }
    // What was asked has failed, where nothing else does.
    let own = Pod::new();
    let healthy = || {
        here()
            .env("IRSA_SIDECAR_TOKEN_FILE", own.volume.token_path())
            .env("IRSA_SIDECAR_ROLE_ARN", emulator::ROLE_ARN)
            .env("IRSA_SIDECAR_REGION", "eu-west-1")
    };
    let without = healthy().ends();
    assert_eq!(without.status.code(), Some(0), "{without:?}");
    let told = healthy().arg("--pod=/nonexistent/pod.json").ends();
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let missing = here().arg("--pod=/nonexistent/pod.json").ends();
    assert!(
        missing
            .stderr
            .contains("/nonexistent/pod.json cannot be read"),
        "{missing:?}"
    );
    assert_eq!(missing.status.code(), Some(1));
}

/// A terminal on which nobody types, or a pipe whose other end hangs.
#[test]
fn a_pod_that_never_comes_is_not_waited_for() {
    let mut child: Child = here()
        .arg("--pod=-")
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(b"{\"kind\":").expect("it is open");
    // The promise is 10 s; a loaded machine starts a process late.
    let ended = eventually_within(PATIENCE.min(Duration::from_secs(15)), || {
        child.try_wait().expect("a child").is_some()
    });
    if !ended {
        child.kill().expect("a child that still runs");
    }
    let output = child.wait_with_output().expect("its output");
    drop(pipe);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(ended, "it waits: {said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("waiting: "), "{said}");
    assert!(
        said.contains("stdin did not come to an end in time"),
        "{said}"
    );
}

#[test]
fn names_that_a_shell_would_run_are_not_printed_to_be_pasted() {
    let mut hostile = pod(None, &json!([]));
    hostile["metadata"]["name"] = json!("$(reboot)");
    hostile["metadata"]["namespace"] = json!("`reboot`");
    let said = words(&finding_of(&judged(&hostile), "webhook-not-run"));
    assert!(!said.contains("reboot"), "{said}");
    for command in [
        "annotate serviceaccount -n NAMESPACE SERVICE_ACCOUNT",
        "delete pod -n NAMESPACE POD",
    ] {
        assert!(said.contains(command), "{said}");
    }
}

/// Somebody's shell, with a pod of another role.
#[test]
fn a_role_in_the_shell_does_not_stand_for_the_pods() {
    let shell = here().env("AWS_ROLE_ARN", emulator::ROLE_ARN);
    let finished = shell
        .arg("--pod=-")
        .given(pod(None, &json!([])).to_string().as_bytes());
    finding_of(&finished, "webhook-not-run");
}

#[test]
fn an_address_that_is_another_agents_is_said_to_be_that_and_not_a_sidecar_that_is_down() {
    let agent = "http://169.254.170.23/v1/credentials";
    let finished = here()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent)
        .ends();
    assert_eq!(status(&finished, "sidecar"), "skipped");
    let said = words(&finding_of(&finished, "app-sdk-bypass"));
    assert!(said.contains("the agent of EKS Pod Identity"), "{said}");
}

/// The role of a sidecar's own settings is that of its pod, which its token names.
#[test]
fn a_sidecar_that_is_given_another_pod_does_not_lend_it_its_role() {
    let own = Pod::new();
    let token = claims_of(&read(&own.volume.token_path()));
    let name = token["kubernetes.io"]["pod"]["name"].as_str();
    for (name, status_of_it) in [(name.expect("a pod's name"), "ok"), ("another", "fail")] {
        let mut given = pod(None, &json!([]));
        given["metadata"]["name"] = json!(name);
        let sidecar = here()
            .env("IRSA_SIDECAR_TOKEN_FILE", own.volume.token_path())
            .env("IRSA_SIDECAR_ROLE_ARN", emulator::ROLE_ARN)
            .env("IRSA_SIDECAR_AUTHORIZATION", "pod-uid")
            .arg("--pod=-");
        let finished = sidecar.given(given.to_string().as_bytes());
        let all = findings_of(&finished);
        let id = match status_of_it {
            "ok" => "webhook",
            _ => "webhook-not-run",
        };
        let found = all.iter().find(|found| found["id"] == id);
        let found = found.unwrap_or_else(|| panic!("{name}: {}", finished.stdout));
        assert_eq!(found["status"], status_of_it, "{name}");
    }
}

fn claims_of(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).expect("a JWT");
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&engine.decode(payload).expect("base64")).expect("JSON")
}
