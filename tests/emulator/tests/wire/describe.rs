//! DescribeCluster: signed for `eks` and the cluster's region, by somebody of the cluster's account.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use emulator::{Emulator, Fault, Issued, ROLE_ARN};

use crate::client::{Reply, exchange, send};
use crate::signer::Signed;

fn with_session() -> (Emulator, Issued) {
    let emulator = Emulator::start();
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    (emulator, issued)
}

fn describe_in(emulator: &Emulator, issued: &Issued, region: &str, name: &str) -> Reply {
    let path = format!("/clusters/{name}");
    let headers = Signed {
        issued,
        service: "eks",
        region,
        method: "GET",
        path: &path,
        body: "",
    }
    .headers();
    send(emulator.url(), "GET", &path, &headers, "").unwrap()
}

fn describe(emulator: &Emulator, issued: &Issued) -> Reply {
    describe_in(emulator, issued, "eu-west-1", "demo")
}

/// Status, type and message of an error.
fn error(reply: &Reply) -> (u16, String, String) {
    let kind = reply.header("x-amzn-errortype").unwrap_or_default();
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    (reply.status, kind.to_owned(), message)
}

#[test]
fn a_cluster_says_where_it_is_and_whom_to_trust() {
    let (emulator, issued) = with_session();
    let reply = describe(&emulator, &issued);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.header("date").is_some());
    let cluster = &reply.json()["cluster"];
    assert_eq!(cluster["endpoint"], emulator.cluster().url());
    assert_eq!(
        cluster["certificateAuthority"]["data"],
        BASE64.encode(emulator.ca_pem())
    );
    assert_eq!(
        cluster["arn"],
        "arn:aws:eks:eu-west-1:111122223333:cluster/demo"
    );
    assert_eq!(cluster["status"], "ACTIVE");
    assert_eq!(cluster.get("outpostConfig"), None);
    assert_eq!(emulator.cluster().describes(), 1);
}

#[test]
fn a_cluster_may_have_the_api_server_of_somebody_else() {
    let (emulator, issued) = with_session();
    let cluster = emulator.cluster();
    cluster.set_api_server("https://10.96.0.1", "its CA");
    let found = &describe(&emulator, &issued).json()["cluster"];
    assert_eq!(found["endpoint"], "https://10.96.0.1");
    assert_eq!(
        found["certificateAuthority"]["data"],
        BASE64.encode("its CA")
    );
}

#[test]
fn a_cluster_that_is_being_made_has_neither_address_nor_authority() {
    let (emulator, issued) = with_session();
    emulator.cluster().set_status("CREATING");
    let cluster = &describe(&emulator, &issued).json()["cluster"];
    assert_eq!(cluster["status"], "CREATING");
    assert_eq!(
        (cluster.get("endpoint"), cluster.get("certificateAuthority")),
        (None, None)
    );
    emulator.cluster().set_status("UPDATING");
    assert!(describe(&emulator, &issued).json()["cluster"]["endpoint"].is_string());
}

#[test]
fn a_local_cluster_has_an_id() {
    let (emulator, issued) = with_session();
    emulator
        .cluster()
        .set_outpost("c7b35f2e-1c3f-4d0b-9b52-8c6b0b2f7a11");
    let cluster = &describe(&emulator, &issued).json()["cluster"];
    assert_eq!(cluster["id"], "c7b35f2e-1c3f-4d0b-9b52-8c6b0b2f7a11");
    assert!(cluster["outpostConfig"].is_object());
}

#[test]
fn a_cluster_of_another_name_region_or_account_is_not_found() {
    let (emulator, issued) = with_session();
    emulator.add_cluster("other", "us-west-2");
    let not_found = |name: &str| {
        let message = format!("No cluster found for name: {name}.");
        (404, "ResourceNotFoundException".to_owned(), message)
    };
    let found = describe_in(&emulator, &issued, "us-west-2", "other");
    assert_eq!(found.status, 200);
    for (region, name) in [
        ("eu-west-1", "missing"),
        ("eu-west-1", "other"),
        ("us-west-2", "demo"),
    ] {
        let reply = describe_in(&emulator, &issued, region, name);
        assert_eq!(error(&reply), not_found(name));
    }
    let role = "arn:aws:iam::444455556666:role/app";
    let subject = "system:serviceaccount:team:app";
    let trusting = emulator::Role::trusting(role, emulator.issuer().iss(), subject);
    emulator.sts().add_role(trusting);
    let change = [("RoleArn", role)];
    crate::client::exchange_with(&emulator, &emulator::TokenRequest::default(), &change);
    let stranger = emulator.sts().issued().pop().unwrap();
    assert_eq!(error(&describe(&emulator, &stranger)), not_found("demo"));
}

#[test]
fn a_role_may_be_denied() {
    let (emulator, issued) = with_session();
    emulator.cluster().deny_describe(ROLE_ARN);
    let message = "User: arn:aws:sts::111122223333:assumed-role/app/pod-1 is not authorized to \
                   perform: eks:DescribeCluster on resource: \
                   arn:aws:eks:eu-west-1:111122223333:cluster/demo";
    let expected = (403, "AccessDeniedException".to_owned(), message.to_owned());
    assert_eq!(error(&describe(&emulator, &issued)), expected);
    assert_eq!(
        emulator.cluster().describe_results(),
        ["AccessDeniedException"]
    );
}

#[test]
fn a_signature_for_another_service_or_of_dead_credentials_is_none() {
    let (emulator, issued) = with_session();
    let path = "/clusters/demo";
    let headers = Signed {
        issued: &issued,
        service: "sts",
        region: "eu-west-1",
        method: "GET",
        path,
        body: "",
    }
    .headers();
    let (status, kind, message) = error(&send(emulator.url(), "GET", path, &headers, "").unwrap());
    assert_eq!((status, kind.as_str()), (403, "InvalidSignatureException"));
    assert_eq!(
        message,
        "Credential should be scoped to correct service: 'eks'."
    );
    let (_, kind, _) = error(&send(emulator.url(), "GET", path, "", "").unwrap());
    assert_eq!(kind, "MissingAuthenticationTokenException");
    let unknown = Issued {
        access_key_id: "ASIAUNKNOWNUNKNOWN00".to_owned(),
        ..issued
    };
    assert_eq!(
        error(&describe(&emulator, &unknown)).1,
        "UnrecognizedClientException"
    );
    emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(60)));
    exchange(&emulator);
    let short = emulator.sts().issued().pop().unwrap();
    emulator.sts().set_clock_skew(61);
    assert_eq!(
        error(&describe(&emulator, &short)).1,
        "ExpiredTokenException"
    );
}

#[test]
fn the_faults_of_eks_are_not_those_of_sts() {
    let (emulator, issued) = with_session();
    emulator.sts().fail(Fault::ServerError(503));
    assert_eq!(describe(&emulator, &issued).status, 200);
    emulator.sts().clear_faults();
    let cluster = emulator.cluster();
    cluster.fail_next_describe(1, Fault::Throttle);
    cluster.fail_next_describe(1, Fault::ServerError(502));
    cluster.fail_next_describe(1, Fault::Garbage);
    cluster.fail_next_describe(1, Fault::NoDate);
    let throttled = error(&describe(&emulator, &issued));
    assert_eq!(
        (throttled.0, throttled.1.as_str()),
        (400, "ThrottlingException")
    );
    assert_eq!(describe(&emulator, &issued).status, 502);
    let garbage = describe(&emulator, &issued);
    assert_eq!(
        (garbage.status, garbage.header("content-type")),
        (200, Some("text/html"))
    );
    assert_eq!(describe(&emulator, &issued).header("date"), None);
    cluster.fail_describe(Fault::Error {
        status: 500,
        code: "ServerException".to_owned(),
        message: "oh".to_owned(),
    });
    let failed = (500, "ServerException".to_owned(), "oh".to_owned());
    assert_eq!(error(&describe(&emulator, &issued)), failed);
    assert_eq!(exchange(&emulator).status, 200);
    cluster.clear_describe_faults();
    assert_eq!(describe(&emulator, &issued).status, 200);
    assert_eq!(
        cluster.describe_results(),
        [
            "Success",
            "ThrottlingException",
            "server-error",
            "garbage",
            "Success",
            "ServerException",
            "Success"
        ],
    );
}
