//! AssumeRoleWithWebIdentity: only the right token gets credentials.

use std::time::Duration;

use emulator::{Emulator, ROLE_ARN, Role, TokenRequest};
use serde_json::json;

use crate::client::{exchange, exchange_with, now, send, try_exchange};

const NOT_AUTHORIZED: (u16, &str, &str) = (
    403,
    "AccessDenied",
    "Not authorized to perform sts:AssumeRoleWithWebIdentity",
);

#[test]
fn a_healthy_pod_gets_credentials_for_the_hour_that_it_asks_for() {
    let emulator = Emulator::start();
    let reply = exchange(&emulator);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("text/xml"));
    assert!(reply.header("x-amzn-requestid").is_some());
    assert_eq!(
        reply.element("SubjectFromWebIdentityToken"),
        "system:serviceaccount:team:app"
    );
    assert_eq!(
        reply.element("Arn"),
        "arn:aws:sts::111122223333:assumed-role/app/pod-1"
    );
    assert_eq!(reply.element("Audience"), "sts.amazonaws.com");
    assert_eq!(reply.element("Provider"), emulator.issuer().iss());

    let issued = &emulator.sts().issued()[0];
    assert_eq!(reply.element("AccessKeyId"), issued.access_key_id);
    assert_eq!(reply.element("SecretAccessKey"), issued.secret_access_key);
    assert_eq!(reply.element("SessionToken"), issued.session_token);
    let left = issued.expiration.duration_since(now()).unwrap();
    assert!((3590..=3600).contains(&left.as_secs()), "{left:?}");
}

#[test]
fn a_token_signed_by_another_key_is_refused() {
    let (emulator, other) = (Emulator::start(), Emulator::start());
    let token = other.issuer().token(&TokenRequest::default());
    let reply = try_exchange(&emulator, &token, &[]).unwrap();
    assert_eq!(
        (reply.status, reply.element("Code")),
        (400, "InvalidIdentityToken")
    );
    assert_eq!(emulator.sts().exchanges(), 0);
}

#[test]
fn a_rotated_key_is_of_use_only_once_it_is_published() {
    let emulator = Emulator::start();
    emulator.issuer().rotate_keys(false);
    assert_eq!(exchange(&emulator).status, 400);
    emulator.issuer().rotate_keys(true);
    assert_eq!(exchange(&emulator).status, 200);
}

#[test]
fn a_subject_that_the_trust_policy_does_not_name_is_refused() {
    let emulator = Emulator::start();
    let request = TokenRequest {
        service_account: "other".to_owned(),
        ..TokenRequest::default()
    };
    assert_eq!(
        exchange_with(&emulator, &request, &[]).error(),
        NOT_AUTHORIZED
    );
}

#[test]
fn a_role_that_does_not_exist_is_refused_in_the_same_words() {
    let emulator = Emulator::start();
    let role = ("RoleArn", "arn:aws:iam::111122223333:role/none");
    assert_eq!(
        exchange_with(&emulator, &TokenRequest::default(), &[role]).error(),
        NOT_AUTHORIZED
    );
}

#[test]
fn a_role_can_be_added_and_replaced() {
    let emulator = Emulator::start();
    let (arn, iss) = (
        "arn:aws:iam::444455556666:role/path/two",
        emulator.issuer().iss(),
    );
    let assume = || exchange_with(&emulator, &TokenRequest::default(), &[("RoleArn", arn)]);
    emulator
        .sts()
        .add_role(Role::trusting(arn, iss, "system:serviceaccount:team:app"));
    assert_eq!(
        assume().element("Arn"),
        "arn:aws:sts::444455556666:assumed-role/two/pod-1"
    );
    emulator.sts().add_role(Role {
        trust: json!({}),
        ..Role::trusting(arn, iss, "")
    });
    assert_eq!(assume().error(), NOT_AUTHORIZED);
}

#[test]
fn more_than_the_roles_maximum_is_an_error_and_no_clamp() {
    let emulator = Emulator::start();
    let max_session_duration = Duration::from_secs(3600);
    let usual = Role::trusting(
        ROLE_ARN,
        emulator.issuer().iss(),
        "system:serviceaccount:team:app",
    );
    emulator.sts().add_role(Role {
        max_session_duration,
        ..usual
    });
    let asking = |seconds| {
        exchange_with(
            &emulator,
            &TokenRequest::default(),
            &[("DurationSeconds", seconds)],
        )
    };
    assert_eq!(
        asking("3601").error(),
        (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
    );
    assert_eq!(asking("3600").status, 200);
}

#[test]
fn a_parameter_out_of_its_limits_is_named() {
    let emulator = Emulator::start();
    let name = ("RoleSessionName", "system:serviceaccount:team:app");
    let reply = exchange_with(&emulator, &TokenRequest::default(), &[name]);
    let (status, code, message) = reply.error();
    assert_eq!((status, code), (400, "ValidationError"));
    assert!(
        message.starts_with("1 validation error detected: Value 'system:"),
        "{message}"
    );
}

#[test]
fn an_expired_token_is_refused_by_the_clock_of_sts() {
    let emulator = Emulator::start();
    emulator.sts().set_clock_skew(3601);
    assert_eq!(exchange(&emulator).element("Code"), "ExpiredTokenException");
    emulator.sts().set_clock_skew(-60);
    assert!(
        exchange(&emulator)
            .element("Message")
            .starts_with("Token not yet valid")
    );
}

#[test]
fn a_signed_exchange_is_refused() {
    let emulator = Emulator::start();
    let headers = "authorization: AWS4-HMAC-SHA256 Credential=x\r\n";
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15";
    let reply = send(emulator.url(), "POST", "/", headers, body).unwrap();
    assert_eq!(
        (reply.status, reply.element("Code")),
        (403, "InvalidClientTokenId")
    );
}

#[test]
fn another_version_and_another_action_are_not_known() {
    let emulator = Emulator::start();
    let of = |change| exchange_with(&emulator, &TokenRequest::default(), &[change]);
    for reply in [
        of(("Version", "2012-01-01")),
        of(("Action", "AssumeRoleWithSAML")),
    ] {
        assert_eq!(
            (reply.status, reply.element("Code")),
            (400, "InvalidAction")
        );
    }
}

#[test]
fn sessions_live_and_look_as_they_are_told_to() {
    let emulator = Emulator::start();
    emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(7)));
    emulator.sts().set_session_token_length(2600);
    emulator.sts().set_clock_skew(-1);
    let reply = exchange_with(
        &emulator,
        &TokenRequest {
            issued_ago: Duration::from_secs(60),
            ..TokenRequest::default()
        },
        &[],
    );
    assert_eq!(reply.element("SessionToken").len(), 2600);
    let left = emulator.sts().issued()[0]
        .expiration
        .duration_since(now())
        .unwrap();
    assert!(left <= Duration::from_secs(6), "{left:?}");
}

#[test]
fn calls_are_remembered_with_what_they_asked_for() {
    let emulator = Emulator::start();
    let mut subscriber = emulator.sts().subscribe();
    exchange_with(
        &emulator,
        &TokenRequest::default(),
        &[("DurationSeconds", "900")],
    );
    try_exchange(&emulator, "no token", &[]).unwrap();
    let calls = emulator.sts().calls();
    assert_eq!(calls[0].action, "AssumeRoleWithWebIdentity");
    assert_eq!(calls[0].result, "Success");
    assert_eq!(calls[0].session_name.as_deref(), Some("pod-1"));
    assert_eq!(calls[0].duration_seconds, Some(900));
    assert_eq!(calls[0].role_arn.as_deref(), Some(ROLE_ARN));
    assert_eq!(
        calls[0].subject.as_deref(),
        Some("system:serviceaccount:team:app")
    );
    assert_eq!(
        (calls[1].result.as_str(), &calls[1].subject),
        ("InvalidIdentityToken", &None)
    );
    assert_eq!(emulator.sts().exchanges(), 1);
    assert_eq!(subscriber.try_recv().ok().as_ref(), Some(&calls[0]));
}
