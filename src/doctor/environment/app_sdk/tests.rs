use super::super::tests::{container, process, with};
use super::*;
use crate::doctor::Verdict;

const URI: &str = "http://127.0.0.1:9910/v2/credentials/hunter2";
const SIDECAR: &str = r#"{"name": "irsa-sidecar"}"#;

fn judged(pod: &Pod) -> Verdict {
    app_sdk(pod, "eks.amazonaws.com").verdict
}

/// With an app's container that has these.
fn of_app(env: &[(&str, &str)]) -> Verdict {
    judged(&with(&[SIDECAR, &container("app", env)].join(", ")))
}

fn diagnosis(verdict: Verdict) -> Diagnosis {
    match verdict {
        Verdict::Failed(diagnosis) => {
            assert_eq!(diagnosis.finding, findings::APP_URI_UNRESOLVED);
            diagnosis
        }
        Verdict::Warned(diagnosis) => {
            assert_ne!(diagnosis.finding, findings::APP_URI_UNRESOLVED);
            diagnosis
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn finds(verdict: Verdict, finding: Finding, words: &[&str]) {
    let diagnosis = diagnosis(verdict);
    let said = diagnosis.to_string();
    assert_eq!(diagnosis.finding, finding, "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    for words in words {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

#[track_caller]
fn fine(verdict: Verdict) -> String {
    match verdict {
        Verdict::Fine(found) => {
            assert!(!found.contains("hunter2"), "{found}");
            found
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_app_that_asks_the_sidecar_first_is_fine() {
    let found = fine(of_app(&[(FULL_URI, URI), ("AWS_REGION", "eu-west-1")]));
    assert_eq!(
        found,
        "container app asks 127.0.0.1:9910 (AWS_CONTAINER_CREDENTIALS_FULL_URI)"
    );
    for door in [
        RELATIVE_URI,
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "KUBECONFIG",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ] {
        fine(of_app(&[(door, "/x"), ("AWS_REGION", "eu-west-1")]));
    }
}

#[test]
fn what_sdks_look_for_before_the_sidecar_is_a_way_around_it() {
    let keys = [
        (FULL_URI, URI),
        (KEY_ID, "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    finds(
        of_app(&keys),
        findings::APP_SDK_BYPASS,
        &["container app has AWS_ACCESS_KEY_ID beside"],
    );
    let web = [
        (RELATIVE_URI, "/v1/credentials"),
        (ROLE, "arn"),
        (TOKEN_FILE, "/token"),
    ];
    finds(
        of_app(&web),
        findings::APP_SDK_BYPASS,
        &["eks.amazonaws.com/skip-containers: \"app\""],
    );
    let both = [(FULL_URI, URI), (RELATIVE_URI, "/v1/credentials")];
    finds(
        of_app(&both),
        findings::APP_SDK_BYPASS,
        &["has AWS_CONTAINER_CREDENTIALS_RELATIVE_URI beside"],
    );
    for half in [ROLE, TOKEN_FILE] {
        fine(of_app(&[(FULL_URI, URI), (half, "x")]));
    }
    finds(
        judged(&process(&keys)),
        findings::APP_SDK_BYPASS,
        &["this container has"],
    );
    let secret = r#"{"name": "app", "env": [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://127.0.0.1:9910/"},
        {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}"#;
    finds(
        judged(&with(secret)),
        findings::APP_SDK_BYPASS,
        &["AWS_ACCESS_KEY_ID"],
    );
    fine(judged(&with(
        &secret.replace("\"k\"", "\"k\", \"optional\": true"),
    )));
}

#[test]
fn the_fix_names_all_containers_to_skip_and_no_other() {
    let around = [(FULL_URI, URI), (ROLE, "arn"), (TOKEN_FILE, "/token")];
    let containers = [
        SIDECAR.to_owned(),
        container("app", &around),
        container("helper", &around),
        container("skipped", &[(FULL_URI, URI)]),
        container("by-itself", &around[1..]),
    ];
    let words = [
        "container app has",
        "container helper has",
        "skip-containers: \"app,helper,skipped\"",
    ];
    finds(
        judged(&with(&containers.join(", "))),
        findings::APP_SDK_BYPASS,
        &words,
    );
}

#[test]
fn a_variable_that_is_not_there_before_the_address_is_never_filled_in() {
    let uri = "http://127.0.0.1:9910/v2/credentials/$(POD_UID)";
    fine(of_app(&[("POD_UID", "x"), (FULL_URI, uri)]));
    let unresolved = findings::APP_URI_UNRESOLVED;
    finds(
        of_app(&[(FULL_URI, uri), ("POD_UID", "x")]),
        unresolved,
        &["uses POD_UID in", "only further down", "metadata.uid"],
    );
    finds(
        of_app(&[(FULL_URI, uri)]),
        unresolved,
        &["has no such variable"],
    );
    finds(
        of_app(&[("POD_UID", "x"), (FULL_URI, &uri.replace("$(", "$$("))]),
        unresolved,
        &["which stays as $("],
    );
    fine(of_app(&[(
        FULL_URI,
        "http://$(SIDECAR_SERVICE_HOST):$(SIDECAR_SERVICE_PORT)/",
    )]));
    finds(
        judged(&process(&[("POD_UID", "x"), (FULL_URI, uri)])),
        unresolved,
        &["$(POD_UID) in it"],
    );
    fine(judged(&process(&[(FULL_URI, URI)])));
    let more = |env: &str| {
        let from = format!(
            r#"{{"name": "app", "envFrom": [{{"configMapRef": {{"name": "c"}}}}], "env": [{env}]}}"#
        );
        judged(&with(&from))
    };
    let door = format!(r#"{{"name": "{FULL_URI}", "value": "{uri}"}}"#);
    fine(more(&door));
    finds(
        more(&format!(r#"{door}, {{"name": "POD_UID", "value": "x"}}"#)),
        unresolved,
        &["only further down"],
    );
}

#[test]
fn a_proxy_has_to_be_told_of_the_sidecars_address() {
    let app = |more: &[(&str, &str)]| of_app(&[&[(FULL_URI, URI)], more].concat());
    for proxy in PROXIES {
        let variable = (proxy, "http://user:hunter2@proxy:3128");
        finds(
            app(&[variable]),
            findings::APP_PROXY,
            &[proxy, "no NO_PROXY", "{name: NO_PROXY, value: \"127.0.0.1,"],
        );
        for around in NO_PROXIES {
            fine(app(&[variable, (around, "10.0.0.0/8,127.0.0.1")]));
            finds(
                app(&[variable, (around, ".svc,")]),
                findings::APP_PROXY,
                &["does not name 127.0.0.1", "169.254.169.254,.svc\"}"],
            );
        }
    }
    fine(app(&[("HTTPS_PROXY", "http://proxy:3128")]));
    let proxy = ("HTTP_PROXY", "http://proxy:3128");
    // Some read the one, some the other.
    finds(
        app(&[proxy, ("NO_PROXY", "127.0.0.1"), ("no_proxy", ".svc")]),
        findings::APP_PROXY,
        &["and no_proxy does not"],
    );
    let relative = [
        (RELATIVE_URI, "/v1/credentials"),
        proxy,
        ("NO_PROXY", "127.0.0.1"),
    ];
    finds(
        of_app(&relative),
        findings::APP_PROXY,
        &["does not name 169.254.170.2"],
    );
    let hidden = r#"{"name": "app", "env": [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://127.0.0.1:9910/"},
        {"name": "HTTP_PROXY", "value": "http://p"}, {"name": "NO_PROXY", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}"#;
    fine(judged(&with(hidden)));
}

#[test]
fn a_container_without_a_door_is_named_where_it_has_to_do_with_aws() {
    let unpointed = findings::APP_SDK_UNPOINTED;
    finds(
        of_app(&[]),
        unpointed,
        &[
            "container app has neither",
            "if the container calls AWS",
            "metadata.uid",
        ],
    );
    let pod = |more: &str| {
        judged(&with(
            &[SIDECAR, &container("app", &[(FULL_URI, URI)]), more].join(", "),
        ))
    };
    let found = fine(pod(&container("istio-proxy", &[("POD_NAME", "x")])));
    assert!(
        found.contains("container istio-proxy has no door"),
        "{found}"
    );
    finds(
        pod(&container("worker", &[("AWS_REGION", "eu-west-1")])),
        unpointed,
        &["container worker has neither"],
    );
    // It asks STS by itself, or gets what is not seen here.
    fine(pod(&container(
        "worker",
        &[
            ("AWS_REGION", "eu-west-1"),
            (ROLE, "arn"),
            (TOKEN_FILE, "/token"),
        ],
    )));
    fine(pod(
        r#"{"name": "worker", "envFrom": [{"secretRef": {"name": "s"}}], "env": [{"name": "AWS_REGION", "value": "x"}]}"#,
    ));
}

#[test]
fn instance_metadata_of_the_sidecar_is_a_door_that_can_be_closed() {
    let pod = |env: &[(&str, &str)]| {
        let sidecar =
            r#"{"name": "irsa-sidecar", "args": ["serve", "--imds-listen=169.254.169.254:80"]}"#;
        judged(&with(&[sidecar, &container("app", env)].join(", ")))
    };
    fine(pod(&[("AWS_REGION", "eu-west-1")]));
    finds(
        pod(&[("AWS_EC2_METADATA_DISABLED", "true")]),
        findings::APP_SDK_UNPOINTED,
        &[],
    );
}

#[test]
fn the_worst_is_said_first_and_the_rest_is_named() {
    let containers = [
        container("one", &[(FULL_URI, URI), (KEY_ID, "AKIA")]),
        container(
            "two",
            &[
                (FULL_URI, "http://127.0.0.1:9910/$(X)"),
                ("HTTP_PROXY", "http://p"),
            ],
        ),
    ];
    let words = [
        "container two uses X in",
        "besides, container one: an AWS SDK in the app's container would not ask the sidecar",
        "besides, container two: the app's proxy",
    ];
    finds(
        judged(&with(&containers.join(", "))),
        findings::APP_URI_UNRESOLVED,
        &words,
    );
}

#[test]
fn without_the_pod_only_a_container_that_is_the_apps_is_judged() {
    let skipped = |env: &[(&str, &str)]| match judged(&process(env)) {
        Verdict::Skipped(why) => assert!(why.contains("doctor --pod -"), "{why}"),
        other => panic!("{other:?}"),
    };
    skipped(&[]);
    skipped(&[(ROLE, "arn"), (TOKEN_FILE, "/token"), (KEY_ID, "AKIA")]);
    let sidecars = [
        (FULL_URI, URI),
        (ROLE, "arn"),
        (TOKEN_FILE, "/token"),
        ("IRSA_SIDECAR_TOKEN_FILE", "/t"),
        ("HTTP_PROXY", "http://p"),
    ];
    skipped(&sidecars);
    let verdict = judged(&with(SIDECAR));
    assert!(matches!(verdict, Verdict::Skipped(_)), "{verdict:?}");
}
