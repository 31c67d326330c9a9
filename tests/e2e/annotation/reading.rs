//! How the service account is read: one GET, as this pod, of this server; and when nobody asks for it, not at all.

use std::net::TcpListener;
use std::path::Path;

use emulator::{Fault, ROLE_ARN, TokenRequest};
use irsa_sidecar::service_account::{ServiceAccountName, role_and_binding};

use super::{AUDIENCE, Annotated, FROZEN, OTHER, ROLE};
use crate::namespace::in_private_network;
use crate::sidecar::{Pod, eventually, read};

#[test]
fn the_annotation_names_the_role_and_beats_aws_role_arn() {
    let annotated = Annotated::new();
    let sidecar = annotated.start(&annotated.serve().env("AWS_ROLE_ARN", FROZEN));
    sidecar.wait_ready();
    assert_eq!(annotated.role(&sidecar), ROLE_ARN);
    let requests = annotated.cluster().requests();
    assert_eq!(requests.len(), 1, "one GET: {requests:?}");
    let request = &requests[0];
    assert_eq!(
        (
            request.method.as_str(),
            request.path.as_str(),
            request.status
        ),
        ("GET", "/api/v1/namespaces/team/serviceaccounts/app", 200)
    );
    let username = request.username.as_deref();
    assert_eq!(username, Some("system:serviceaccount:team:app"));
    let event = sidecar.wait_message("read the service account's annotations");
    assert_eq!(
        (
            &event["namespace"],
            &event["service_account"],
            &event["role"]
        ),
        (&"team".into(), &"app".into(), &ROLE_ARN.into())
    );
    assert_eq!(
        sidecar.wait_message("refreshed credentials")["role"],
        ROLE_ARN
    );
}

#[test]
fn all_annotations_are_said_once_and_the_webhooks_own_change_nothing() {
    let annotated = Annotated::new();
    annotated.annotate(&[
        (ROLE, ROLE_ARN),
        (AUDIENCE, "sts.amazonaws.com"),
        ("eks.amazonaws.com/token-expiration", "7200"),
        ("eks.amazonaws.com/sts-regional-endpoints", "true"),
    ]);
    let sidecar = annotated.start(&annotated.serve().env("IRSA_SIDECAR_LOG_LEVEL", "debug"));
    sidecar.wait_ready();
    let event = sidecar.wait_message("read the service account's annotations");
    assert_eq!(
        (
            &event["audience"],
            &event["token_expiration"],
            &event["sts_regional_endpoints"]
        ),
        (&"sts.amazonaws.com".into(), &7200.into(), &true.into())
    );
    let event = sidecar.wait_event("another life", |event| event["annotation"] == 7200);
    assert_eq!(
        (&event["level"], &event["token"]),
        (&"DEBUG".into(), &3600.into())
    );
}

#[test]
fn another_prefix_is_another_annotation() {
    let annotated = Annotated::new();
    annotated.annotate(&[(ROLE, FROZEN), ("iam.example.com/role-arn", OTHER)]);
    let launch = annotated
        .serve()
        .arg("--annotation-prefix")
        .arg("iam.example.com");
    let sidecar = annotated.start(&launch);
    sidecar.wait_ready();
    assert_eq!(annotated.role(&sidecar), OTHER);
}

#[test]
fn the_audience_of_the_annotation_is_what_the_token_has_to_hold_unless_one_was_set() {
    let annotated = Annotated::new();
    annotated.annotate(&[(ROLE, ROLE_ARN), (AUDIENCE, "sts.example.com")]);
    let sidecar = annotated.sidecar();
    sidecar.wait_finding("token-audience");
    let answer = sidecar.get_credentials(&annotated.pod);
    assert!(
        answer.message().contains("aud \"sts.example.com\""),
        "{answer:?}"
    );
    assert_eq!(annotated.pod.exchange_calls(), []);
    let set = annotated.serve().arg("--audience").arg("sts.amazonaws.com");
    annotated.start(&set).wait_ready();
}

#[test]
fn token_and_ca_are_read_afresh_each_time() {
    let annotated = Annotated::new();
    let sidecar = annotated.ready_sidecar();
    let newer = {
        let request = TokenRequest {
            pod: Some(("app-newer".to_owned(), "a-uid".to_owned())),
            audiences: vec![emulator::API_AUDIENCE.to_owned()],
            ..TokenRequest::default()
        };
        annotated.pod.emulator.issuer().token(&request)
    };
    annotated.mount("token", &newer);
    annotated.pod.rotate();
    let used = || {
        annotated
            .cluster()
            .requests()
            .last()
            .and_then(|last| last.token.clone())
    };
    assert!(
        eventually(|| used().as_ref() == Some(&newer)),
        "{}",
        sidecar.log()
    );
    annotated.mount("ca.crt", Pod::new().emulator.ca_pem());
    annotated.pod.rotate();
    let event = sidecar.wait_event("another CA", |event| event["finding"] == "api-unreachable");
    assert!(
        event["error"]
            .as_str()
            .expect("words")
            .contains("certificate"),
        "{event}"
    );
}

#[test]
fn the_server_may_have_an_ipv6_address() {
    in_private_network(|| {
        let annotated = Annotated::new();
        let (_, port) = annotated.cluster().url().rsplit_once(':').expect("a port");
        let door = TcpListener::bind("[::1]:0").expect("lo has ::1 in a namespace of its own");
        let entrance = door.local_addr().expect("an address").port().to_string();
        let target = format!("127.0.0.1:{port}");
        std::thread::spawn(move || super::hostile::relay(&door, &target));
        for host in ["::1", "[::1]"] {
            let launch = annotated.serve().env("KUBERNETES_SERVICE_HOST", host);
            let launch = launch.env("KUBERNETES_SERVICE_PORT", &entrance);
            let sidecar = annotated.start(&launch);
            sidecar.wait_ready();
            assert_eq!(annotated.role(&sidecar), ROLE_ARN);
        }
    });
}

#[test]
fn without_the_option_nothing_talks_to_the_api_server() {
    for (setting, value) in [
        ("AWS_ROLE_ARN", ROLE_ARN),
        ("IRSA_SIDECAR_ROLE_ARN", ROLE_ARN),
    ] {
        let annotated = Annotated::new();
        let launch = annotated.serve().env(setting, value);
        // A role that was set makes the option one without effect.
        let launch = match setting {
            "AWS_ROLE_ARN" => launch.without("IRSA_SIDECAR_ROLE_FROM_ANNOTATION"),
            _ => launch,
        };
        let door = TcpListener::bind("127.0.0.1:0").expect("a port");
        door.set_nonblocking(true).expect("a listener");
        let port = door.local_addr().expect("an address").port().to_string();
        let sidecar = annotated.start(&launch.env("KUBERNETES_SERVICE_PORT", port));
        sidecar.wait_ready();
        annotated.pod.rotate();
        sidecar.wait_message("the web identity token was rotated");
        assert!(door.accept().is_err(), "somebody knocked");
        assert_eq!(annotated.role(&sidecar), ROLE_ARN);
        let warned = sidecar.events().iter().any(|event| {
            let message = event["message"].as_str().unwrap_or_default();
            message.starts_with("role-from-annotation has no effect")
        });
        assert_eq!(warned, setting == "IRSA_SIDECAR_ROLE_ARN");
    }
}

#[test]
fn no_proxy_is_on_the_way_to_the_api_server() {
    let annotated = Annotated::new();
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    door.set_nonblocking(true).expect("a listener");
    let proxy = format!("http://{}", door.local_addr().expect("an address"));
    let launch = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"]
        .into_iter()
        .fold(annotated.serve(), |launch, name| launch.env(name, &proxy));
    annotated.start(&launch).wait_ready();
    assert!(door.accept().is_err(), "somebody knocked");
}

#[test]
fn the_clock_learns_nothing_from_the_api_server() {
    let annotated = Annotated::new();
    annotated.cluster().set_api_clock_skew(7200);
    annotated.pod.emulator.sts().fail(Fault::Down);
    let sidecar = annotated.sidecar();
    sidecar.wait_finding("sts-connect");
    assert!(annotated.readings() > 0);
    assert_eq!(sidecar.metric("clock_offset_seconds"), 0.0);
}

#[test]
fn the_role_in_manifests_is_the_one_that_the_finding_prints() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/rbac/role.yaml");
    let account = ServiceAccountName {
        namespace: "default".to_owned(),
        name: "app".to_owned(),
    };
    assert_eq!(read(&file), role_and_binding(&account));
}
