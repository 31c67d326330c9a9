//! The Kubernetes API of a cluster: nobody without a good token, nothing without a rule.

use std::time::Duration;

use emulator::{Emulator, Fault};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Reply, exchange, send_to_cluster};
use crate::signer::{Signer, token_of};

/// An emulator, and a token of `job:pod-1` in `jobs`.
fn with_token() -> (Emulator, String) {
    let emulator = Emulator::start();
    exchange(&emulator);
    let token = token_of(&emulator.sts().issued()[0]);
    (emulator, token)
}

fn get_with(emulator: &Emulator, target: &str, headers: &str) -> Reply {
    send_to_cluster(emulator, emulator.cluster(), "GET", target, headers, "")
}

fn get(emulator: &Emulator, target: &str, token: &str) -> Reply {
    get_with(
        emulator,
        target,
        &format!("authorization: Bearer {token}\r\n"),
    )
}

fn post(emulator: &Emulator, target: &str, token: &str, body: &Value) -> Reply {
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let body = body.to_string();
    send_to_cluster(
        emulator,
        emulator.cluster(),
        "POST",
        target,
        &headers,
        &body,
    )
}

fn message(reply: &Reply) -> String {
    reply.json()["message"].as_str().unwrap().to_owned()
}

const PODS: &str = "/api/v1/namespaces/default/pods";

#[test]
fn who_am_i_is_answered_with_all_that_the_token_says() {
    let (emulator, token) = with_token();
    let review = json!({ "kind": "SelfSubjectReview" });
    for version in ["v1", "v1beta1"] {
        let target = format!("/apis/authentication.k8s.io/{version}/selfsubjectreviews");
        let reply = post(&emulator, &target, &token, &review);
        assert_eq!(reply.status, 201);
        let user = &reply.json()["status"]["userInfo"];
        assert_eq!(user["username"], "job:pod-1");
        assert_eq!(user["groups"], json!(["jobs", "system:authenticated"]));
        let arn = "arn:aws:sts::111122223333:assumed-role/app/pod-1";
        assert_eq!(user["extra"]["arn"], json!([arn]));
    }
}

#[test]
fn may_i_is_answered_by_the_rules() {
    let (emulator, token) = with_token();
    let may = |verb: &str, resource: &str, namespace: &str| {
        let attributes = json!({ "verb": verb, "resource": resource, "namespace": namespace });
        let review = json!({ "spec": { "resourceAttributes": attributes } });
        let target = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        post(&emulator, target, &token, &review).json()["status"]["allowed"] == true
    };
    assert!(may("get", "pods", "default") && may("watch", "pods", "default"));
    assert!(!may("delete", "pods", "default"));
    assert!(!may("get", "pods", "kube-system"));
    assert!(!may("get", "secrets", "default"));
    emulator
        .cluster()
        .allow("job:pod-1", &["*"], "secrets", None);
    assert!(may("delete", "secrets", "kube-system"));
}

#[test]
fn pods_come_as_a_list_alone_or_as_a_table() {
    let (emulator, token) = with_token();
    let list = get(&emulator, &format!("{PODS}?limit=500"), &token).json();
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&json!("PodList"), &json!("Pod"))
    );
    let name = list["items"][0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let pod = get(&emulator, &format!("{PODS}/{name}"), &token).json();
    assert_eq!(pod["status"]["phase"], "Running");
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let headers = format!("authorization: Bearer {token}\r\naccept: {accept}\r\n");
    let table = get_with(&emulator, PODS, &headers).json();
    assert_eq!(
        (&table["kind"], &table["rows"][0]["cells"][0]),
        (&json!("Table"), &json!(name))
    );
    let missing = get(&emulator, &format!("{PODS}/missing"), &token);
    assert_eq!(
        (missing.status, message(&missing).as_str()),
        (404, "pods \"missing\" not found")
    );
}

#[test]
fn what_no_rule_allows_is_forbidden_in_the_api_servers_words() {
    let (emulator, token) = with_token();
    let reply = get(&emulator, "/api/v1/namespaces", &token);
    assert_eq!(
        (reply.status, message(&reply).as_str()),
        (
            403,
            "namespaces is forbidden: User \"job:pod-1\" cannot list resource \"namespaces\" in \
             API group \"\" at the cluster scope"
        ),
    );
    assert_eq!(reply.json()["reason"], "Forbidden");
    assert_eq!(reply.json()["details"], json!({ "kind": "namespaces" }));
    emulator
        .cluster()
        .allow("jobs", &["list"], "namespaces", None);
    let list = get(&emulator, "/api/v1/namespaces", &token).json();
    assert_eq!(list["items"][0]["metadata"]["name"], "default");
    let reply = get(&emulator, "/metrics", &token);
    assert_eq!(
        message(&reply),
        "forbidden: User \"job:pod-1\" cannot get path \"/metrics\""
    );
}

#[test]
fn a_bad_token_gets_one_word_even_for_what_is_open_to_all() {
    let (emulator, token) = with_token();
    let expected = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\
                    \"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}\n";
    let of_service_account = emulator.issuer().token(&emulator::TokenRequest::default());
    for bad in ["bad", &token[1..], &of_service_account] {
        for target in ["/version", PODS] {
            let reply = get(&emulator, target, bad);
            assert_eq!((reply.status, reply.body.as_str()), (401, expected));
        }
    }
}

#[test]
fn nobody_may_see_the_version_and_no_more() {
    let (emulator, _) = with_token();
    assert_eq!(get_with(&emulator, "/version", "").status, 200);
    assert_eq!(get_with(&emulator, "/livez", "").body, "ok");
    let reply = get_with(&emulator, PODS, "authorization: Basic eDp5\r\n");
    assert_eq!(reply.status, 403);
    assert!(message(&reply).contains("User \"system:anonymous\" cannot list"));
    assert_eq!(get_with(&emulator, "/api", "").status, 403);
}

#[test]
fn every_request_is_recorded_with_its_user_and_its_token() {
    let (emulator, token) = with_token();
    let mut requests = emulator.cluster().subscribe();
    get(&emulator, &format!("{PODS}?limit=1"), &token);
    get(&emulator, PODS, "bad");
    get_with(&emulator, "/version", "");
    let recorded = emulator.cluster().requests();
    let seen: Vec<_> = recorded
        .iter()
        .map(|request| {
            let (username, token) = (request.username.as_deref(), request.token.as_deref());
            (request.path.as_str(), request.status, username, token)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (PODS, 200, Some("job:pod-1"), Some(token.as_str())),
            (PODS, 401, None, Some("bad")),
            ("/version", 200, None, None),
        ],
    );
    assert_eq!(requests.try_recv().unwrap(), recorded[0]);
}

#[test]
fn a_good_token_is_taken_again_for_as_long_as_the_cache_says() {
    let (emulator, token) = with_token();
    let asked = || {
        let calls = emulator.sts().calls();
        calls
            .iter()
            .filter(|call| call.action == "GetCallerIdentity")
            .count()
    };
    for expected in [1, 2] {
        get(&emulator, PODS, &token);
        assert_eq!(asked(), expected);
    }
    emulator
        .cluster()
        .set_token_cache_ttl(Duration::from_secs(600));
    get(&emulator, PODS, &token);
    // Even when nothing of it holds any more.
    emulator.cluster().set_aws_auth("", "");
    assert_eq!(get(&emulator, PODS, &token).status, 200);
    assert_eq!(asked(), 3);
    let another = Signer {
        issued: &emulator.sts().issued()[0],
        cluster: "demo",
        host: "sts.eu-west-1.amazonaws.com",
        age: 30,
    };
    assert_eq!(get(&emulator, PODS, &another.token()).status, 401);
}

#[test]
fn a_moment_of_throttling_is_waited_out() {
    let (emulator, token) = with_token();
    emulator.sts().fail_next(1, Fault::Throttle);
    let started = Instant::now();
    assert_eq!(get(&emulator, PODS, &token).status, 200);
    assert!(started.elapsed() >= Duration::from_millis(500));
}

#[test]
fn clusters_have_ports_and_users_of_their_own() {
    let (emulator, token) = with_token();
    let other = emulator.add_cluster("other", "us-west-2");
    assert_ne!(other.url(), emulator.cluster().url());
    let headers = format!("authorization: Bearer {token}\r\n");
    let reply = send_to_cluster(&emulator, &other, "GET", "/version", &headers, "");
    assert_eq!(reply.status, 401);
    assert_eq!(
        (other.requests().len(), emulator.cluster().requests().len()),
        (1, 0)
    );
}
