//! The control door: everything that a test in another language needs.

use emulator::{Emulator, TokenRequest};
use serde_json::{Value, json};

use crate::client::{Reply, exchange, send, try_exchange};

fn call(emulator: &Emulator, method: &str, target: &str, body: &str) -> Reply {
    send(emulator.control_url(), method, target, "", body).unwrap()
}

fn post(emulator: &Emulator, target: &str, body: Value) -> Reply {
    call(emulator, "POST", target, &body.to_string())
}

#[test]
fn a_token_of_the_door_is_good() {
    let emulator = Emulator::start();
    let token = call(&emulator, "GET", "/token?lifetime=60", "").body;
    assert_eq!(try_exchange(&emulator, &token, &[]).unwrap().status, 200);
    let token = call(&emulator, "GET", "/token?lifetime=60&issued-ago=61", "").body;
    let reply = try_exchange(&emulator, &token, &[]).unwrap();
    assert_eq!(reply.element("Code"), "ExpiredTokenException");
    let token = call(&emulator, "GET", "/token?namespace=other", "").body;
    assert_eq!(
        try_exchange(&emulator, &token, &[])
            .unwrap()
            .element("Code"),
        "AccessDenied"
    );
}

#[test]
fn faults_come_and_go() {
    let emulator = Emulator::start();
    let fault = json!({ "fault": "error", "code": "AccessDenied", "next": 1 });
    assert_eq!(post(&emulator, "/faults", fault).status, 200);
    assert_eq!(exchange(&emulator).status, 403);
    assert_eq!(exchange(&emulator).status, 200);
    post(&emulator, "/faults", json!({ "fault": "throttle" }));
    assert_eq!(exchange(&emulator).status, 400);
    assert_eq!(call(&emulator, "DELETE", "/faults", "").status, 200);
    assert_eq!(exchange(&emulator).status, 200);
}

#[test]
fn calls_are_told_without_secrets() {
    let emulator = Emulator::start();
    exchange(&emulator);
    let reply = call(&emulator, "GET", "/calls", "");
    let calls = reply.json();
    assert_eq!(calls[0]["result"], "Success");
    assert_eq!(calls[0]["session_name"], "pod-1");
    let issued = &emulator.sts().issued()[0];
    for secret in [&issued.secret_access_key, &issued.session_token] {
        assert!(!reply.body.contains(secret.as_str()));
    }
}

#[test]
fn lifetime_clock_and_keys_are_set() {
    let emulator = Emulator::start();
    assert_eq!(
        post(&emulator, "/session-lifetime", json!({ "seconds": 5 })).status,
        200
    );
    assert_eq!(
        post(&emulator, "/clock-skew", json!({ "seconds": 3600 })).status,
        200
    );
    assert_eq!(exchange(&emulator).element("Code"), "ExpiredTokenException");
    post(&emulator, "/clock-skew", json!({ "seconds": 0 }));
    post(&emulator, "/session-lifetime", json!({ "seconds": null }));
    assert_eq!(exchange(&emulator).status, 200);
    post(&emulator, "/keys/rotate", json!({ "published": false }));
    assert_eq!(exchange(&emulator).element("Code"), "InvalidIdentityToken");
}

#[test]
fn trust_policies_and_providers_are_set_as_in_iam() {
    let emulator = Emulator::start();
    let url = "https://issuer.example/id/2";
    let policy = |arn: &str| {
        json!({
            "role_arn": emulator::ROLE_ARN,
            "policy": {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": { "Federated": arn },
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": { "StringEquals": { "issuer.example/id/2:aud": "mine" } },
                },
            },
        })
    };
    let arn = "arn:aws:iam::111122223333:oidc-provider/issuer.example/id/2";
    assert_eq!(post(&emulator, "/trust-policy", policy(arn)).status, 200);
    let token = |iss: &str, audience: &str| {
        let request = TokenRequest {
            claims_patch: json!({ "iss": iss, "aud": [audience] }),
            ..TokenRequest::default()
        };
        emulator.issuer().token(&request)
    };
    let code = |token: &str| {
        let reply = try_exchange(&emulator, token, &[]).unwrap();
        (reply.status, reply.body)
    };
    let (_, body) = code(&token(url, "mine"));
    assert!(body.contains("No OpenIDConnect provider found"), "{body}");
    let provider = json!({ "url": url, "client_ids": ["mine", "theirs"] });
    assert_eq!(post(&emulator, "/oidc-providers", provider).status, 200);
    assert_eq!(code(&token(url, "mine")).0, 200);
    let (_, body) = code(&token(url, "theirs"));
    assert!(body.contains("AccessDenied"), "{body}");
    let (_, body) = code(&token(url, "nobodys"));
    assert!(body.contains("Incorrect token audience"), "{body}");
    let (_, body) = code(&token(emulator.issuer().iss(), "sts.amazonaws.com"));
    assert!(body.contains("AccessDenied"), "{body}");
}

#[test]
fn the_issuer_publishes_its_keys_and_the_ca_its_certificate() {
    let emulator = Emulator::start();
    post(&emulator, "/keys/rotate", json!({ "published": true }));
    let keys = call(&emulator, "GET", "/openid/v1/jwks", "").json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    let discovery = call(&emulator, "GET", "/.well-known/openid-configuration", "").json();
    assert_eq!(discovery["issuer"], emulator.issuer().iss());
    assert_eq!(
        call(&emulator, "GET", "/ca.pem", "").body,
        emulator.ca_pem()
    );
}

#[test]
fn what_the_door_does_not_understand_it_says() {
    let emulator = Emulator::start();
    for (method, target, body, status, reason) in [
        (
            "GET",
            "/nowhere",
            "",
            404,
            "no GET /nowhere here, only GET /token",
        ),
        ("POST", "/faults", "{", 400, "the body is no JSON: "),
        ("POST", "/faults", "[]", 400, "the body is no JSON object"),
        (
            "POST",
            "/faults",
            r#"{"fault":"rain"}"#,
            400,
            "no fault is named `rain`",
        ),
        (
            "POST",
            "/clock-skew",
            "{}",
            400,
            "`seconds` is a whole number",
        ),
        (
            "POST",
            "/session-lifetime",
            r#"{"seconds":0}"#,
            400,
            "`seconds` is a whole number",
        ),
        (
            "POST",
            "/keys/rotate",
            "{}",
            400,
            "`published` is true or false",
        ),
        (
            "POST",
            "/trust-policy",
            r#"{"role_arn":"arn:aws:iam::111122223333:role/app","policy":[]}"#,
            400,
            "MalformedPolicyDocument: ",
        ),
        ("GET", "/token?life=1", "", 400, "no parameter `life` here"),
        (
            "GET",
            "/token?lifetime=long",
            "",
            400,
            "`lifetime` is a whole number",
        ),
    ] {
        let reply = call(&emulator, method, target, body);
        assert_eq!(reply.status, status, "{reply:?}");
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(reason), "{error}");
    }
}
