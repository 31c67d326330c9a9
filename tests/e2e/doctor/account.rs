//! The service account's annotation, read from the Kubernetes API.

use emulator::{ApiFault, ROLE_ARN, TokenRequest};
use irsa_sidecar::diagnosis::findings;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Row, finding_of, words};
use crate::annotation::{AUDIENCE, Annotated, FROZEN, OTHER, ROLE};
use crate::sidecar::{Finished, Launch, NOBODY};

pub fn rows() -> Vec<Row> {
    let fails = |finding, run| Row {
        finding,
        status: "fail",
        run,
    };
    vec![
        fails(findings::NOT_IN_CLUSTER, || {
            met(|_, launch| launch.without("KUBERNETES_SERVICE_HOST"))
        }),
        fails(findings::API_TOKEN_MISSING, || {
            met(|annotated, launch| {
                annotated.unmount("token");
                launch
            })
        }),
        fails(findings::API_UNREACHABLE, || {
            met(|_, launch| nobody(launch))
        }),
        fails(findings::SERVICE_ACCOUNT_UNAUTHORIZED, || {
            met(|annotated, launch| {
                annotated.mount("token", "nonsense");
                launch
            })
        }),
        fails(findings::SERVICE_ACCOUNT_FORBIDDEN, || {
            met(|annotated, launch| {
                annotated.cluster().forbid_everything();
                launch
            })
        }),
        fails(findings::SERVICE_ACCOUNT_NOT_FOUND, || {
            met(|annotated, launch| {
                annotated.cluster().delete_service_account("team", "app");
                launch
            })
        }),
        fails(findings::ROLE_ANNOTATION_MISSING, || {
            met(|annotated, launch| {
                annotated.annotate(&[]);
                launch
            })
        }),
        fails(findings::ROLE_ANNOTATION_INVALID, || {
            met(|annotated, launch| {
                annotated.annotate(&[(ROLE, "team/app")]);
                launch
            })
        }),
        Row {
            finding: findings::ROLE_ANNOTATION_STALE,
            status: "warn",
            run: || met(|_, launch| launch.env("AWS_ROLE_ARN", FROZEN)),
        },
    ]
}

/// `doctor` in a pod that is told to read the annotation, after this change.
fn met(change: impl FnOnce(&Annotated, Launch) -> Launch) -> Finished {
    let annotated = Annotated::new();
    let launch = change(&annotated, doctor(&annotated));
    annotated.output(&launch)
}

fn doctor(annotated: &Annotated) -> Launch {
    annotated
        .serve()
        .with_arguments(["doctor", "--json"])
        .env("IRSA_SIDECAR_LISTEN", NOBODY)
}

fn nobody(launch: Launch) -> Launch {
    let port = NOBODY.rsplit_once(':').expect("a port").1;
    launch.env("KUBERNETES_SERVICE_PORT", port)
}

fn step(finished: &Finished, id: &str) -> (Value, String) {
    let finding = finding_of(finished, id);
    (finding["status"].clone(), words(&finding))
}

#[test]
fn a_good_annotation_is_shown_with_the_role_and_the_audience_that_it_names() {
    let finished = met(|annotated, launch| {
        annotated.annotate(&[(ROLE, ROLE_ARN), (AUDIENCE, "sts.amazonaws.com")]);
        launch.env("AWS_ROLE_ARN", ROLE_ARN)
    });
    let (status, found) = step(&finished, "annotation");
    assert_eq!(status, "ok", "{found}");
    let wanted = format!(
        "eks.amazonaws.com/role-arn of service account team/app names {ROLE_ARN}, and the audience \"sts.amazonaws.com\""
    );
    assert!(found.starts_with(&wanted), "{found}");
    assert_eq!(step(&finished, "role").0, "ok");
    assert_eq!(step(&finished, "precedence").0, "ok", "it only stands in");
    assert_eq!(step(&finished, "configuration").0, "ok");
}

#[test]
fn a_pod_that_is_older_than_its_annotation_is_to_be_made_anew() {
    let finished = met(|annotated, launch| {
        annotated.annotate(&[(ROLE, OTHER)]);
        launch.env("AWS_ROLE_ARN", FROZEN)
    });
    let (_, words) = step(&finished, "role-annotation-stale");
    for part in [
        OTHER,
        FROZEN,
        "which the sidecar uses",
        "kubectl delete pod -n team app-7d9f8b6c5-x2x4q\n",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert!(step(&finished, "role").1.contains(OTHER), "it is in use");
}

#[test]
fn serve_warns_of_a_stale_role_in_the_same_words() {
    let annotated = Annotated::new();
    let finished = annotated.output(&doctor(&annotated).env("AWS_ROLE_ARN", FROZEN));
    let finding = finding_of(&finished, "role-annotation-stale");
    let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
    let event = sidecar.wait_event("role-annotation-stale", |event| {
        event["finding"] == "role-annotation-stale" && event["level"] == "WARN"
    });
    let said = event["message"].as_str().expect("words");
    for field in ["found", "expected", "fix"] {
        let words = finding[field].as_str().expect("a text");
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
}

#[test]
fn silence_of_the_api_is_a_warning_where_aws_role_arn_stands_in() {
    let annotated = Annotated::new();
    let stands_in = || doctor(&annotated).env("AWS_ROLE_ARN", FROZEN);
    for (launch, finding) in [
        (nobody(stands_in()), "api-unreachable"),
        (
            stands_in().without("KUBERNETES_SERVICE_HOST"),
            "not-in-cluster",
        ),
    ] {
        let (status, words) = step(&annotated.output(&launch), finding);
        assert_eq!(status, "warn", "{words}");
        let part = format!("{FROZEN} in AWS_ROLE_ARN stands in");
        assert!(words.contains(&part), "{words}");
    }
    annotated.cluster().forbid_everything();
    let (status, words) = step(&annotated.output(&stands_in()), "service-account-forbidden");
    assert_eq!(status, "fail", "an answer counts: {words}");
    assert!(words.contains("kind: RoleBinding\n"), "{words}");
}

#[test]
fn an_api_server_that_hangs_is_not_waited_for() {
    let annotated = Annotated::new();
    annotated.cluster().set_api_fault(Some(ApiFault::Hang));
    let begun = Instant::now();
    let finished = annotated.output(&doctor(&annotated));
    assert!(begun.elapsed().as_secs_f32() <= 10.0, "{finished:?}");
    let (status, words) = step(&finished, "api-unreachable");
    assert_eq!(status, "fail");
    for part in [
        "https://127.0.0.1:",
        "nothing came of it within 4",
        "NetworkPolicy",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}

#[test]
fn the_annotations_audience_is_the_one_that_the_token_has_to_be_for() {
    let finished = met(|annotated, launch| {
        annotated.annotate(&[(ROLE, ROLE_ARN), (AUDIENCE, "sts.example.com")]);
        launch
    });
    let (_, words) = step(&finished, "token-audience");
    assert!(words.contains("aud \"sts.example.com\""), "{words}");

    let annotated = Annotated::with(TokenRequest {
        audiences: vec!["sts.example.com".to_owned()],
        ..TokenRequest::default()
    });
    annotated.annotate(&[(ROLE, ROLE_ARN), (AUDIENCE, "sts.example.com")]);
    let finished = annotated.output(&doctor(&annotated));
    assert_eq!(step(&finished, "claims").0, "ok");
    // Nobody knows then what it has to be for.
    let finished = annotated.output(&doctor(&annotated).arg("--offline"));
    let (status, words) = step(&finished, "claims");
    assert_eq!(status, "skipped", "{words}");
    assert!(words.contains("see annotation"), "{words}");
}

#[test]
fn offline_the_api_is_not_asked() {
    let annotated = Annotated::new();
    let finished = annotated.output(&doctor(&annotated).arg("--offline"));
    for id in ["annotation", "role"] {
        assert_eq!(step(&finished, id).0, "skipped", "{id}");
    }
    assert_eq!(annotated.readings(), 0);
    annotated.output(&doctor(&annotated));
    assert_eq!(annotated.readings(), 1, "one GET");
}

#[test]
fn where_a_setting_names_the_role_nobody_reads_the_annotation() {
    let annotated = Annotated::new();
    for launch in [
        doctor(&annotated)
            .env("AWS_ROLE_ARN", ROLE_ARN)
            .without("IRSA_SIDECAR_ROLE_FROM_ANNOTATION"),
        doctor(&annotated).env("IRSA_SIDECAR_ROLE_ARN", ROLE_ARN),
    ] {
        let finished = annotated.output(&launch);
        assert_eq!(step(&finished, "annotation").0, "skipped");
        assert_eq!(step(&finished, "role").0, "ok");
    }
    assert_eq!(annotated.readings(), 0);
}

#[test]
fn a_token_that_names_no_service_account_is_said_to_lack_a_claim() {
    let annotated = Annotated::with(TokenRequest {
        claims_patch: json!({ "kubernetes.io": null }),
        ..TokenRequest::default()
    });
    let (status, words) = step(&annotated.output(&doctor(&annotated)), "claim-missing");
    assert_eq!(status, "fail");
    assert!(words.contains("no claim kubernetes.io"), "{words}");
}

#[test]
fn what_is_wrong_elsewhere_keeps_nobody_from_reading_the_annotation() {
    let finished = met(|_, launch| launch.env("IRSA_SIDECAR_DURATION", "90"));
    assert_eq!(step(&finished, "configuration-invalid").0, "fail");
    assert_eq!(step(&finished, "annotation").0, "ok");
    assert_eq!(step(&finished, "role").0, "ok");
}
