//! Clusters on the control door.

use emulator::{Emulator, ROLE_ARN};
use serde_json::{Value, json};

use crate::client::{Reply, exchange, send};
use crate::signer::token_of;

fn call(emulator: &Emulator, method: &str, target: &str, body: &str) -> Reply {
    send(emulator.control_url(), method, target, "", body).unwrap()
}

fn post(emulator: &Emulator, target: &str, body: Value) -> Reply {
    call(emulator, "POST", target, &body.to_string())
}

#[test]
fn credentials_are_chosen_and_their_token_is_reviewed() {
    let emulator = Emulator::start();
    let chosen = json!({
        "access_key_id": "ASIACHOSEN",
        "secret_access_key": "secret",
        "session_token": "token",
    });
    assert_eq!(post(&emulator, "/credentials", chosen).status, 200);
    assert_eq!(exchange(&emulator).element("AccessKeyId"), "ASIACHOSEN");
    let token = token_of(&emulator.sts().issued()[0]);
    let reviewed = post(
        &emulator,
        "/clusters/demo/review",
        json!({ "token": token }),
    )
    .json();
    assert_eq!(
        (&reviewed["ok"], &reviewed["username"]),
        (&json!(true), &json!("job:pod-1"))
    );
    assert_eq!(reviewed["access_key_id"], "ASIACHOSEN");
    let refused = post(&emulator, "/clusters/demo/review", json!({ "token": "x" })).json();
    let message = "input token was not properly formatted: token is missing expected \
                   \"k8s-aws-v1.\" prefix";
    assert_eq!(refused, json!({ "ok": false, "message": message }));
}

#[test]
fn a_cluster_is_made_and_lets_in_whom_it_is_told() {
    let emulator = Emulator::start();
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    let added = post(
        &emulator,
        "/clusters",
        json!({ "name": "other", "region": "us-west-2" }),
    );
    let added = added.json();
    assert_eq!(
        added["arn"],
        "arn:aws:eks:us-west-2:111122223333:cluster/other"
    );
    assert!(
        added["url"]
            .as_str()
            .unwrap()
            .starts_with("https://localhost:")
    );
    let review = || {
        let token = crate::signer::token_for("other", &issued);
        post(
            &emulator,
            "/clusters/other/review",
            json!({ "token": token }),
        )
        .json()
    };
    assert_eq!(review()["message"], "ARN is not mapped");
    let roles = format!("[{{rolearn: '{ROLE_ARN}', username: a}}]");
    post(
        &emulator,
        "/clusters/other/aws-auth",
        json!({ "mapRoles": roles }),
    );
    assert_eq!(review()["username"], "a");
    let yaml = "kind: ConfigMap\nmetadata: {name: aws-auth, namespace: kube-system}\n";
    post(
        &emulator,
        "/clusters/other/aws-auth",
        json!({ "yaml": yaml }),
    );
    assert_eq!(review()["ok"], false);
    let entry = json!({ "principal_arn": ROLE_ARN, "username": "b", "groups": ["g"] });
    assert_eq!(
        post(&emulator, "/clusters/other/access-entries", entry).status,
        200
    );
    assert_eq!(
        (&review()["username"], &review()["groups"]),
        (&json!("b"), &json!(["g"]))
    );
    let rule = json!({ "subject": "g", "verbs": ["list"], "resource": "pods" });
    assert_eq!(post(&emulator, "/clusters/other/rbac", rule).status, 200);
}

#[test]
fn requests_are_told_without_their_tokens() {
    let emulator = Emulator::start();
    exchange(&emulator);
    let token = token_of(&emulator.sts().issued()[0]);
    let headers = format!("authorization: Bearer {token}\r\n");
    let cluster = emulator.cluster();
    crate::client::send_to_cluster(&emulator, cluster, "GET", "/version", &headers, "");
    let reply = call(&emulator, "GET", "/clusters/demo/requests", "");
    let requests = reply.json();
    assert_eq!(
        (&requests[0]["path"], &requests[0]["status"]),
        (&json!("/version"), &json!(200))
    );
    assert_eq!(requests[0]["username"], "job:pod-1");
    assert!(!reply.body.contains("k8s-aws-v1"));
}

#[test]
fn a_fault_may_be_of_one_action() {
    let emulator = Emulator::start();
    post(
        &emulator,
        "/faults",
        json!({ "fault": "throttle", "action": "AssumeRole" }),
    );
    assert_eq!(exchange(&emulator).status, 200);
    let fault = json!({ "fault": "throttle", "action": "AssumeRoleWithWebIdentity" });
    post(&emulator, "/faults", fault);
    assert_eq!(exchange(&emulator).status, 400);
}

#[test]
fn what_a_cluster_cannot_do_is_said() {
    let emulator = Emulator::start();
    for (target, body, status, reason) in [
        (
            "/clusters/none/review",
            "{}",
            404,
            "no cluster is named `none`",
        ),
        (
            "/clusters/demo/rain",
            "{}",
            404,
            "no POST /clusters/demo/rain here, only",
        ),
        ("/clusters/demo/review", "{}", 400, "`token` is missing"),
        (
            "/clusters/demo/rbac",
            r#"{"subject":1}"#,
            400,
            "`subject` is a string",
        ),
        (
            "/clusters/demo/rbac",
            r#"{"subject":"g","verbs":"list","resource":"pods"}"#,
            400,
            "`verbs` is a list of strings",
        ),
        (
            "/clusters/demo/aws-auth",
            r#"{"yaml":"kind: Secret"}"#,
            400,
            "it is no ConfigMap",
        ),
        (
            "/clusters/demo/access-entries",
            r#"{"principal_arn":"arn:aws:iam::1:role/x"}"#,
            400,
            "The specified principalArn is invalid: invalid principal.",
        ),
        (
            "/clusters",
            r#"{"name":"demo","region":"eu-west-1"}"#,
            400,
            "Cluster already exists with name: demo",
        ),
        ("/credentials", "{}", 400, "`access_key_id` is missing"),
        (
            "/faults",
            r#"{"fault":"throttle","action":"AssumeRole","next":1}"#,
            400,
            "`action` and `next` exclude each other",
        ),
    ] {
        let reply = call(&emulator, "POST", target, body);
        assert_eq!(reply.status, status, "{reply:?}");
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(reason), "{error}");
    }
}
