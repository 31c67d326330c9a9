//! Service accounts in the Kubernetes API: whose token gets which, and with what words it is refused.

use std::time::Duration;

use emulator::{API_AUDIENCE, ApiFault, Emulator, TokenRequest};
use serde_json::json;

use crate::client::{Reply, send, send_to_cluster};

const TARGET: &str = "/api/v1/namespaces/team/serviceaccounts/app";
const ROLE: &str = "eks.amazonaws.com/role-arn";

fn api_token() -> TokenRequest {
    TokenRequest {
        audiences: vec![API_AUDIENCE.to_owned()],
        ..TokenRequest::default()
    }
}

/// With a service account that may get itself.
fn emulator() -> Emulator {
    let emulator = Emulator::start();
    let cluster = emulator.cluster();
    cluster.set_service_account("team", "app", &[(ROLE, "arn")]);
    cluster.allow_service_account_to_get_itself("team", "app");
    emulator
}

fn get(emulator: &Emulator, target: &str, request: &TokenRequest) -> Reply {
    let token = emulator.issuer().token(request);
    let headers = format!("authorization: Bearer {token}\r\n");
    send_to_cluster(emulator, emulator.cluster(), "GET", target, &headers, "")
}

#[test]
fn a_service_account_gets_itself_with_its_annotations() {
    let emulator = emulator();
    let object = get(&emulator, TARGET, &api_token()).json();
    assert_eq!(
        (&object["kind"], &object["apiVersion"]),
        (&json!("ServiceAccount"), &json!("v1"))
    );
    let metadata = &object["metadata"];
    assert_eq!(
        (
            &metadata["namespace"],
            &metadata["name"],
            &metadata["annotations"]
        ),
        (&json!("team"), &json!("app"), &json!({ ROLE: "arn" }))
    );
    emulator.cluster().set_service_account("team", "app", &[]);
    let object = get(&emulator, TARGET, &api_token()).json();
    assert_eq!(object["metadata"].get("annotations"), None);
    let requests = emulator.cluster().requests();
    let username = requests[0].username.as_deref();
    assert_eq!(username, Some("system:serviceaccount:team:app"));
}

#[test]
fn a_token_that_is_not_for_the_api_or_is_over_or_forged_is_nobodys() {
    let emulator = emulator();
    let over = TokenRequest {
        issued_ago: Duration::from_secs(7200),
        ..api_token()
    };
    for request in [TokenRequest::default(), over] {
        let reply = get(&emulator, TARGET, &request);
        assert_eq!(
            (reply.status, reply.json()["reason"].clone()),
            (401, json!("Unauthorized"))
        );
    }
    let forged = Emulator::start().issuer().token(&api_token());
    let headers = format!("authorization: Bearer {forged}\r\n");
    let reply = send_to_cluster(&emulator, emulator.cluster(), "GET", TARGET, &headers, "");
    assert_eq!(reply.status, 401);
}

#[test]
fn nobody_gets_what_no_rule_allows() {
    let emulator = emulator();
    let other = TokenRequest {
        service_account: "other".to_owned(),
        ..api_token()
    };
    emulator.cluster().set_service_account("team", "other", &[]);
    for (target, request) in [
        (TARGET, &other),
        (
            "/api/v1/namespaces/team/serviceaccounts/other",
            &api_token(),
        ),
        ("/api/v1/namespaces/team/serviceaccounts", &api_token()),
        ("/api/v1/namespaces/other/serviceaccounts/app", &api_token()),
    ] {
        let reply = get(&emulator, target, request);
        assert_eq!(
            (reply.status, reply.json()["reason"].clone()),
            (403, json!("Forbidden"))
        );
    }
    let message = get(&emulator, TARGET, &other).json()["message"].clone();
    let words = "serviceaccounts \"app\" is forbidden: User \"system:serviceaccount:team:other\" cannot get resource \
                 \"serviceaccounts\" in API group \"\" in the namespace \"team\"";
    assert_eq!(message, words);
    let anonymous = send_to_cluster(&emulator, emulator.cluster(), "GET", TARGET, "", "");
    assert_eq!(anonymous.status, 403);
}

#[test]
fn one_that_is_not_there_is_not_found() {
    let emulator = emulator();
    emulator.cluster().delete_service_account("team", "app");
    let reply = get(&emulator, TARGET, &api_token());
    let status = reply.json();
    assert_eq!(
        (
            reply.status,
            &status["kind"],
            &status["reason"],
            &status["code"]
        ),
        (404, &json!("Status"), &json!("NotFound"), &json!(404))
    );
    assert_eq!(status["message"], "serviceaccounts \"app\" not found");
}

#[test]
fn annotations_are_set_on_the_control_door() {
    let emulator = emulator();
    let body = json!({ "namespace": "team", "name": "app", "annotations": { ROLE: "other" } });
    let post = |body: &str| {
        let path = "/clusters/demo/service-accounts";
        send(emulator.control_url(), "POST", path, "", body).unwrap()
    };
    assert_eq!(post(&body.to_string()).status, 200);
    let object = get(&emulator, TARGET, &api_token()).json();
    assert_eq!(object["metadata"]["annotations"], json!({ ROLE: "other" }));
    let wrong = json!({ "namespace": "team", "name": "app", "annotations": { ROLE: 1 } });
    assert_eq!(post(&wrong.to_string()).status, 400);
}

#[test]
fn faults_stand_in_the_place_of_answers_until_they_are_lifted() {
    let emulator = emulator();
    let cluster = emulator.cluster();
    cluster.set_api_fault(Some(ApiFault::Redirect("https://elsewhere/".to_owned())));
    let reply = get(&emulator, TARGET, &api_token());
    assert_eq!(
        (reply.status, reply.header("location")),
        (307, Some("https://elsewhere/"))
    );
    cluster.set_api_fault(Some(ApiFault::Answer(200, "words".to_owned())));
    let reply = get(&emulator, TARGET, &api_token());
    assert_eq!((reply.status, reply.body.trim()), (200, "words"));
    cluster.set_api_fault(None);
    assert_eq!(get(&emulator, TARGET, &api_token()).status, 200);
}
