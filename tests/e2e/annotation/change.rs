//! An annotation that changes, or goes, while the sidecar runs.

use std::time::Duration;

use emulator::{ROLE_ARN, Role};
use serde_json::Value;

use super::{Annotated, FROZEN, OTHER, ROLE};
use crate::sidecar::{eventually, read};

#[test]
fn a_changed_annotation_changes_the_role_without_a_restart() {
    let annotated = Annotated::new();
    let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
    sidecar.wait_ready();
    annotated.annotate(&[(ROLE, OTHER)]);
    // Every five minutes, and with every new token.
    annotated.pod.rotate();
    annotated.wait_role(&sidecar, OTHER);
    let event = sidecar.wait_message("the role has changed");
    assert_eq!(
        (&event["old"], &event["new"]),
        (&ROLE_ARN.into(), &OTHER.into())
    );
    let calls = annotated.pod.exchange_calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[0].session_name, calls[1].session_name);
}

#[test]
fn a_refused_exchange_has_the_annotation_read_again() {
    let annotated = Annotated::new();
    annotated.annotate(&[(ROLE, "arn:aws:iam::111122223333:role/mistyped")]);
    let sidecar = annotated.sidecar();
    sidecar.wait_finding("sts-access-denied");
    let event = sidecar.wait_message("no credentials");
    assert_eq!(event["role"], "arn:aws:iam::111122223333:role/mistyped");
    annotated.annotate(&[(ROLE, ROLE_ARN)]);
    annotated.pod.rotate();
    sidecar.wait_ready();
    assert_eq!(annotated.role(&sidecar), ROLE_ARN);
}

#[test]
fn a_role_that_sts_refuses_is_told_from_the_one_that_is_served() {
    const MISTYPED: &str = "arn:aws:iam::111122223333:role/mistyped";
    let annotated = Annotated::new();
    let sidecar = annotated.ready_sidecar();
    annotated.annotate(&[(ROLE, MISTYPED)]);
    annotated.pod.rotate();
    let event = sidecar.wait_message("no new credentials; serving the last ones");
    assert_eq!(
        (&event["role"], &event["serving"]),
        (&MISTYPED.into(), &ROLE_ARN.into())
    );
    assert_eq!(annotated.role(&sidecar), ROLE_ARN);
}

#[test]
fn a_role_that_was_taken_away_is_served_to_its_end_and_not_asked_for_again() {
    for (annotations, finding) in [
        (&[][..], "role-annotation-missing"),
        (&[(ROLE, "no role")], "role-annotation-invalid"),
        (&[], "service-account-not-found"),
    ] {
        let annotated = Annotated::new();
        let sts = annotated.pod.emulator.sts();
        sts.set_session_lifetime(Some(Duration::from_secs(8)));
        let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
        sidecar.wait_ready();
        annotated.annotate(annotations);
        if finding == "service-account-not-found" {
            annotated.cluster().delete_service_account("team", "app");
        }
        annotated.pod.rotate();
        let event = sidecar.wait_message("the role was taken away");
        assert_eq!(
            (&event["role"], &event["finding"]),
            (&ROLE_ARN.into(), &finding.into())
        );
        let event = sidecar.wait_message("no new credentials; serving the last ones");
        assert_eq!(
            (&event["finding"], &event["role"], &event["serving"]),
            (&finding.into(), &Value::Null, &ROLE_ARN.into())
        );
        let exchanges = annotated.pod.exchange_calls().len();
        assert_eq!(annotated.role(&sidecar), ROLE_ARN);
        sidecar.wait_finding(finding);
        assert_eq!(sidecar.get_credentials(&annotated.pod).status, 503);
        assert_eq!(annotated.pod.exchange_calls().len(), exchanges);
        annotated.annotate(&[(ROLE, OTHER)]);
        annotated.pod.rotate();
        annotated.wait_role(&sidecar, OTHER);
        let event = sidecar.wait_message("the role has changed");
        assert_eq!(
            (&event["old"], &event["new"]),
            (&ROLE_ARN.into(), &OTHER.into())
        );
    }
}

#[test]
fn what_was_read_stays_while_it_may_not_be_read_again() {
    let annotated = Annotated::new();
    let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
    sidecar.wait_ready();
    annotated.cluster().forbid_everything();
    let messages = || {
        let events = sidecar.events();
        let about = |event: &&Value| event["finding"] == "service-account-forbidden";
        events
            .iter()
            .filter(about)
            .map(|event| event["level"].clone())
            .collect::<Vec<_>>()
    };
    for readings in 2..5 {
        annotated.pod.rotate();
        let read = eventually(|| annotated.readings() >= readings);
        assert!(read, "{}", sidecar.log());
    }
    assert!(eventually(|| !messages().is_empty()));
    assert_eq!(messages(), ["WARN"], "said once:\n{}", sidecar.log());
    assert_eq!(annotated.role(&sidecar), ROLE_ARN);
    annotated
        .cluster()
        .allow_service_account_to_get_itself("team", "app");
    annotated.annotate(&[(ROLE, OTHER)]);
    annotated.pod.rotate();
    sidecar.wait_message("the service account can be read again");
    annotated.wait_role(&sidecar, OTHER);
}

#[test]
fn every_exchange_by_a_role_that_is_not_confirmed_says_so() {
    let annotated = Annotated::new();
    let sts = annotated.pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(4)));
    let sidecar = annotated.ready_sidecar();
    annotated.cluster().forbid_everything();
    annotated.pod.rotate();
    let said = || {
        let events = sidecar.events();
        let said = events.iter().filter(|event| {
            event["level"] == "WARN" && event["finding"] == "service-account-forbidden"
        });
        said.cloned().collect::<Vec<_>>()
    };
    assert!(eventually(|| said().len() >= 3), "{}", sidecar.log());
    for event in said() {
        let stays = "the service account cannot be read again; its last role stays";
        assert_eq!(
            (&event["message"], &event["role"]),
            (&stays.into(), &ROLE_ARN.into())
        );
    }
    // However often it is read meanwhile.
    let exchanges = annotated.pod.exchange_calls().len();
    assert!(said().len() <= exchanges + 1, "{}", sidecar.log());
}

#[test]
fn every_door_follows_the_role() {
    const DEEPER: &str = "arn:aws:iam::111122223333:role/deeper";
    let annotated = Annotated::new();
    let sts = annotated.pod.emulator.sts();
    // Whoever may assume it: what it was assumed from shows in the call.
    sts.add_role(Role::assumable_by(DEEPER, &[ROLE_ARN, OTHER]));
    let launch = annotated
        .serve()
        .env("IRSA_SIDECAR_OUTPUT_DIR", annotated.pod.path("out"))
        .env("IRSA_SIDECAR_EKS_CLUSTER", "demo")
        .env("IRSA_SIDECAR_CREDENTIALS_FILE", "true")
        .env("IRSA_SIDECAR_IMDS_LISTEN", "127.0.0.1:0")
        .env("IRSA_SIDECAR_IMDS_V1", "true");
    std::fs::create_dir(annotated.pod.path("out")).expect("a directory");
    let sidecar = annotated.start(&launch);
    sidecar.wait_ready();
    let imds = sidecar.wait_event("listening", |event| event["door"] == "imds");
    let imds = imds["address"]
        .as_str()
        .expect("an address")
        .parse()
        .expect("an address");
    let authorization = [("authorization", annotated.pod.request.pod_uid())];
    let eks_token = |more: &str| {
        let path = format!("/v1/eks-token?cluster-name=demo{more}");
        let answer = sidecar.get(&path, &authorization);
        answer.json()["status"]["token"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let arn_of = |token: &str| {
        let reviewed = annotated.cluster().review(token);
        reviewed
            .map(|reviewed| reviewed.canonical_arn)
            .unwrap_or_else(|error| error)
    };
    annotated.cluster().add_access_entry(OTHER, None, &[]);
    annotated.cluster().add_access_entry(DEEPER, None, &[]);
    let deeper = format!("&role-arn={DEEPER}");
    assert_eq!(arn_of(&eks_token("")), ROLE_ARN);
    assert_eq!(arn_of(&eks_token(&deeper)), DEEPER);
    let assumed_by = || {
        let calls = annotated.pod.emulator.sts().calls();
        let assumed = calls.into_iter().filter(|call| call.action == "AssumeRole");
        assumed
            .filter_map(|call| call.caller)
            .next_back()
            .unwrap_or_default()
    };
    assert!(
        assumed_by().contains(":assumed-role/app/"),
        "{}",
        assumed_by()
    );

    annotated.annotate(&[(ROLE, OTHER)]);
    annotated.pod.rotate();
    annotated.wait_role(&sidecar, OTHER);
    assert_eq!(
        arn_of(&eks_token("")),
        OTHER,
        "the EKS token is minted anew"
    );
    let file = annotated.pod.path("out/demo.eks-token");
    assert!(
        eventually(|| arn_of(&read(&file)) == OTHER),
        "the file of it"
    );
    let key = sidecar.get_credentials(&annotated.pod).json()["AccessKeyId"].clone();
    let key = key.as_str().expect("a key").to_owned();
    let credentials = annotated.pod.path("out/credentials");
    assert!(
        eventually(|| read(&credentials).contains(&key)),
        "the credentials file"
    );
    let path = "/latest/meta-data/iam/security-credentials/";
    let names = crate::sidecar::request(imds, "GET", path, &[]);
    assert_eq!(names.body, "other", "instance metadata: {names:?}");
    let followed = eventually(|| assumed_by().contains(":assumed-role/other/"));
    assert!(
        followed,
        "the role assumed from it: {}\n{}",
        assumed_by(),
        sidecar.log()
    );
    assert_eq!(arn_of(&eks_token(&deeper)), DEEPER);
}
