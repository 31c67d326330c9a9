//! `AWS_ROLE_ARN`, while the Kubernetes API cannot be asked; and only then.

use emulator::ROLE_ARN;

use super::{Annotated, FROZEN, ROLE};
use crate::sidecar::{NOBODY, eventually};

#[test]
fn aws_role_arn_stands_in_while_the_api_cannot_be_asked_and_that_is_said_once() {
    let annotated = Annotated::new();
    annotated
        .cluster()
        .set_api_fault(Some(emulator::ApiFault::Answer(503, "busy".to_owned())));
    let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
    sidecar.wait_ready();
    assert_eq!(annotated.role(&sidecar), FROZEN);
    for readings in 2..4 {
        annotated.pod.rotate();
        assert!(
            eventually(|| annotated.readings() >= readings),
            "{}",
            sidecar.log()
        );
    }
    let events = sidecar.events();
    let said = events
        .iter()
        .filter(|event| event["finding"] == "api-unreachable");
    let said: Vec<_> = said.collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(
        (&said[0]["level"], &said[0]["role"], &said[0]["message"]),
        (
            &"WARN".into(),
            &FROZEN.into(),
            &"the service account cannot be read; the role in AWS_ROLE_ARN stands in".into()
        )
    );
    annotated.cluster().set_api_fault(None);
    annotated.pod.rotate();
    annotated.wait_role(&sidecar, ROLE_ARN);
}

#[test]
fn it_stands_in_where_there_is_no_way_to_ask_at_all() {
    let nobody = NOBODY.rsplit_once(':').expect("a port").1;
    for what in ["no server", "no token", "no address"] {
        let annotated = Annotated::new();
        let launch = annotated.serve().env("AWS_ROLE_ARN", FROZEN);
        let (launch, finding) = match what {
            "no server" => (
                launch.env("KUBERNETES_SERVICE_PORT", nobody),
                "api-unreachable",
            ),
            "no address" => (launch.without("KUBERNETES_SERVICE_HOST"), "not-in-cluster"),
            _ => {
                annotated.unmount("token");
                (launch, "api-token-missing")
            }
        };
        let sidecar = annotated.start(&launch);
        sidecar.wait_ready();
        assert_eq!(annotated.role(&sidecar), FROZEN, "{what}");
        sidecar.wait_event(finding, |event| {
            event["finding"] == finding && event["level"] == "WARN"
        });
    }
}

#[test]
fn an_answer_of_the_api_counts_whatever_stands_in_aws_role_arn() {
    for finding in [
        "service-account-forbidden",
        "service-account-not-found",
        "role-annotation-missing",
    ] {
        let annotated = Annotated::new();
        match finding {
            "service-account-forbidden" => annotated.cluster().forbid_everything(),
            "service-account-not-found" => {
                annotated.cluster().delete_service_account("team", "app")
            }
            _ => annotated.annotate(&[]),
        }
        let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
        sidecar.wait_finding(finding);
        assert_eq!(sidecar.get_credentials(&annotated.pod).status, 503);
        assert_eq!(annotated.pod.exchange_calls(), []);
    }
}

#[test]
fn a_bare_name_is_completed_with_the_account_of_aws_role_arn() {
    let annotated = Annotated::new();
    annotated.annotate(&[(ROLE, "other")]);
    let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
    sidecar.wait_ready();
    assert_eq!(annotated.role(&sidecar), super::OTHER);
}

#[test]
fn what_is_no_role_in_aws_role_arn_is_no_reason_not_to_start() {
    let annotated = Annotated::new();
    let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", "app"));
    sidecar.wait_ready();
    assert_eq!(annotated.role(&sidecar), ROLE_ARN);
    sidecar.wait_event("a warning", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        message.starts_with("AWS_ROLE_ARN is \"app\"")
    });
}
