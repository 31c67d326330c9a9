use super::super::tests::{container, process, with};
use super::*;
use crate::doctor::Verdict;

const URI: &str = "http://127.0.0.1:9910/v2/credentials/hunter2";
const SIDECAR: &str = r#"{"name": "irsa-sidecar"}"#;

fn judged(pod: &Pod) -> Verdict {
    app_sdk(pod, &Known::of_nothing()).verdict
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
        container(
            "by-itself",
            &[&around[1..], &[("KUBECONFIG", "/x")]].concat(),
        ),
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
    let listens =
        r#"{"name": "irsa-sidecar", "args": ["serve", "--link-local-listen=169.254.170.2:80"]}"#;
    finds(
        beside(listens, &relative),
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
    // It gets what is not seen here.
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
        ("IRSA_SIDECAR_AUTHORIZATION", "pod-uid"),
        ("HTTP_PROXY", "http://p"),
    ];
    skipped(&sidecars);
    let verdict = judged(&with(SIDECAR));
    assert!(matches!(verdict, Verdict::Skipped(_)), "{verdict:?}");
}

/// With this sidecar and an app's container that has these.
fn beside(sidecar: &str, env: &[(&str, &str)]) -> Verdict {
    judged(&with(&[sidecar, &container("app", env)].join(", ")))
}

const BYPASS: Finding = findings::APP_SDK_BYPASS;
const AGENT: (&str, &str) = (FULL_URI, "http://169.254.170.23/v1/credentials");

#[test]
fn a_link_local_address_is_the_sidecars_only_where_it_listens_there() {
    let relative = (RELATIVE_URI, "/v1/credentials");
    finds(
        of_app(&[AGENT]),
        BYPASS,
        &[
            "leads to 169.254.170.23, which is the agent of EKS Pod Identity; the sidecar listens at 127.0.0.1:9910",
            "--link-local-listen=169.254.170.23:80",
        ],
    );
    finds(of_app(&[relative]), BYPASS, &["leads to 169.254.170.2;"]);
    let agent_v6 = (FULL_URI, "http://[fd00:ec2::23]/v1/credentials");
    finds(
        of_app(&[agent_v6]),
        BYPASS,
        &["--link-local-listen=[fd00:ec2::23]:80"],
    );
    finds(
        judged(&with(&container("app", &[AGENT]))),
        BYPASS,
        &["no sidecar is seen"],
    );
    finds(
        judged(&process(&[AGENT])),
        BYPASS,
        &["the agent of EKS Pod Identity"],
    );
    let by_flag = r#"{"name": "irsa-sidecar", "args": ["serve",
        "--link-local-listen=169.254.170.23:80,169.254.170.2:80", "--link-local-listen", "[fd00:ec2::23]:80"]}"#;
    let by_variable = container(
        "irsa-sidecar",
        &[(
            "IRSA_SIDECAR_LINK_LOCAL_LISTEN",
            "169.254.170.2:80, [fd00:ec2::23]:80,169.254.170.23:80",
        )],
    );
    let unseen = r#"{"name": "irsa-sidecar", "envFrom": [{"configMapRef": {"name": "c"}}]}"#;
    for sidecar in [by_flag, &by_variable, unseen] {
        for door in [AGENT, relative, agent_v6] {
            fine(beside(sidecar, &[door]));
        }
    }
    // A sidecar answers this container; where else it listens is not seen from here.
    let known = Known {
        asks_sidecar: true,
        ..Known::of_nothing()
    };
    fine(app_sdk(&process(&[AGENT]), &known).verdict);
}

#[test]
fn a_port_at_which_the_sidecar_does_not_listen_is_named_beside_its_own() {
    let at = |port: u16| format!("http://localhost:{port}/v2/credentials/hunter2");
    let (usual, other) = (at(9910), at(9999));
    fine(of_app(&[(FULL_URI, &usual)]));
    finds(
        of_app(&[(FULL_URI, &other)]),
        BYPASS,
        &["leads to localhost:9999; the sidecar listens at 127.0.0.1:9910"],
    );
    let by_flag = r#"{"name": "irsa-sidecar", "args": ["serve", "--listen", "127.0.0.1:9999"]}"#;
    let by_variable = container("irsa-sidecar", &[("IRSA_SIDECAR_LISTEN", "127.0.0.1:9999")]);
    for sidecar in [by_flag, &by_variable] {
        fine(beside(sidecar, &[(FULL_URI, &other)]));
        finds(
            beside(sidecar, &[(FULL_URI, &usual)]),
            BYPASS,
            &["listens at 127.0.0.1:9999"],
        );
    }
    let unseen = r#"{"name": "irsa-sidecar", "envFrom": [{"configMapRef": {"name": "c"}}]}"#;
    fine(beside(unseen, &[(FULL_URI, &other)]));
    let pod = with(&[unseen, &container("app", &[(FULL_URI, &other)])].join(", "));
    let inside = |settings: &[(&'static str, &'static str)]| {
        let known = Known {
            in_sidecar: true,
            settings: settings.iter().copied().collect(),
            ..Known::of_nothing()
        };
        app_sdk(&pod, &known).verdict
    };
    finds(inside(&[]), BYPASS, &["listens at 127.0.0.1:9910"]);
    fine(inside(&[("listen", "127.0.0.1:9999")]));
    // Of the address only what the kubelet fills in from elsewhere is not judged.
    let filled = "http://$(HOST):$(PORT)/v1/credentials";
    fine(of_app(&[
        ("HOST", "127.0.0.1"),
        ("PORT", "9910"),
        (FULL_URI, filled),
    ]));
    finds(
        of_app(&[("HOST", "127.0.0.1"), ("PORT", "9999"), (FULL_URI, filled)]),
        BYPASS,
        &["127.0.0.1:9999"],
    );
}

#[test]
fn an_address_at_which_no_sidecar_can_be_is_named() {
    for (uri, words) in [
        (
            "http://10.0.0.1:9910/v1/credentials",
            "leads to 10.0.0.1:9910: no sidecar",
        ),
        (
            "http://127.0.0.1.example.com:9910/hunter2",
            "leads to 127.0.0.1.example.com:9910",
        ),
        ("https://127.0.0.1:9910/hunter2", "speaks plain http"),
        ("127.0.0.1:9910/hunter2", "is no URL"),
        ("/v1/credentials/hunter2", "is no URL"),
        ("hunter2", "is no URL"),
    ] {
        finds(of_app(&[(FULL_URI, uri)]), BYPASS, &[words]);
        finds(judged(&process(&[(FULL_URI, uri)])), BYPASS, &[words]);
    }
}

#[test]
fn a_profile_comes_before_the_address_unless_the_sidecar_writes_it() {
    let door = (FULL_URI, URI);
    let file = ("AWS_SHARED_CREDENTIALS_FILE", "/var/run/aws/credentials");
    let named = ("AWS_PROFILE", "team");
    finds(
        of_app(&[door, file]),
        BYPASS,
        &["has AWS_SHARED_CREDENTIALS_FILE beside"],
    );
    finds(of_app(&[door, named]), BYPASS, &["has AWS_PROFILE beside"]);
    let writes =
        r#"{"name": "irsa-sidecar", "args": ["serve", "--output-dir=/x", "--credentials-file"]}"#;
    fine(beside(writes, &[door, file]));
    fine(beside(writes, &[door, file, named]));
    finds(
        beside(writes, &[door, (file.0, "/home/app/own")]),
        BYPASS,
        &[file.0],
    );
    // What runs this program, or is nothing.
    fine(of_app(&[
        door,
        named,
        ("AWS_CONFIG_FILE", "/var/run/aws/config"),
    ]));
    fine(of_app(&[door, ("AWS_PROFILE", "default")]));
    fine(of_app(&[door, (file.0, "/dev/null")]));
}

#[test]
fn a_container_with_the_webhooks_variables_alone_goes_around_the_sidecar() {
    let both = [(ROLE, "arn"), (TOKEN_FILE, "/token")];
    finds(
        of_app(&both),
        BYPASS,
        &[
            "and no address of the sidecar",
            "eks.amazonaws.com/skip-containers: \"app\"",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI, value",
        ],
    );
    // Where there is no sidecar that is what the webhook is for.
    fine(judged(&with(&container("app", &both))));
    for door in ["KUBECONFIG", "AWS_CONFIG_FILE", KEY_ID] {
        fine(of_app(&[both[0], both[1], (door, "x")]));
    }
}

#[test]
fn a_setting_that_subcommands_read_makes_no_app_a_sidecar() {
    let env = [
        (FULL_URI, URI),
        ("IRSA_SIDECAR_REGION", "eu-west-1"),
        (KEY_ID, "AKIA"),
    ];
    finds(
        of_app(&env),
        BYPASS,
        &["container app has AWS_ACCESS_KEY_ID"],
    );
    finds(judged(&process(&env)), BYPASS, &["this container has"]);
}

#[test]
fn odd_names_are_not_printed_to_be_pasted() {
    let around = [(FULL_URI, URI), (ROLE, "arn"), (TOKEN_FILE, "/token")];
    let containers = [
        SIDECAR.to_owned(),
        container("app", &around),
        container("x`id`$(id)", &around),
    ];
    finds(
        judged(&with(&containers.join(", "))),
        BYPASS,
        &["skip-containers: \"app\""],
    );
}
