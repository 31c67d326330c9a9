//! AssumeRole: who has a session may have another, if the other role says so, for an hour at most.

use std::time::Duration;

use emulator::{Emulator, Fault, Issued, ROLE_ARN, Role};

use crate::client::{Reply, exchange, send};
use crate::signer::Signed;

const OTHER: &str = "arn:aws:iam::444455556666:role/team/deploy";

/// An emulator whose [`OTHER`] role these principals may assume, and a session of [`ROLE_ARN`].
fn with_role(principals: &[&str]) -> (Emulator, Issued) {
    let emulator = Emulator::start();
    emulator
        .sts()
        .add_role(Role::assumable_by(OTHER, principals));
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    (emulator, issued)
}

fn assume_with(emulator: &Emulator, issued: &Issued, role: &str, more: &str) -> Reply {
    let body =
        format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=pod-1{more}");
    let headers = Signed {
        issued,
        service: "sts",
        region: "eu-west-1",
        method: "POST",
        path: "/",
        body: &body,
    }
    .headers();
    send(emulator.url(), "POST", "/", &headers, &body).unwrap()
}

fn assume(emulator: &Emulator, issued: &Issued) -> Reply {
    assume_with(emulator, issued, OTHER, "")
}

fn assert_denied(reply: &Reply, role: &str) {
    let message = format!(
        "User: arn:aws:sts::111122223333:assumed-role/app/pod-1 is not authorized to perform: \
         sts:AssumeRole on resource: {role}"
    );
    assert_eq!(reply.error(), (403, "AccessDenied", message.as_str()));
}

#[test]
fn a_session_becomes_a_session_of_a_role_that_names_its_role() {
    let (emulator, issued) = with_role(&[ROLE_ARN]);
    let reply = assume(&emulator, &issued);
    assert_eq!(reply.status, 200, "{reply:?}");
    let arn = "arn:aws:sts::444455556666:assumed-role/deploy/pod-1";
    assert_eq!(reply.element("Arn"), arn);
    let chained = emulator.sts().issued().remove(1);
    assert_eq!(reply.element("AccessKeyId"), chained.access_key_id);

    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let headers = Signed {
        issued: &chained,
        service: "sts",
        region: "us-east-1",
        method: "POST",
        path: "/",
        body,
    }
    .headers();
    let reply = send(emulator.url(), "POST", "/", &headers, body).unwrap();
    assert_eq!(reply.element("Arn"), arn);
}

#[test]
fn the_call_is_recorded_with_its_caller() {
    let (emulator, issued) = with_role(&[ROLE_ARN]);
    assume(&emulator, &issued);
    let call = emulator.sts().calls().pop().unwrap();
    assert_eq!(
        (call.action.as_str(), call.result.as_str()),
        ("AssumeRole", "Success")
    );
    assert_eq!(call.role_arn.as_deref(), Some(OTHER));
    let caller = "arn:aws:sts::111122223333:assumed-role/app/pod-1";
    assert_eq!(call.caller.as_deref(), Some(caller));
    assert_eq!(emulator.sts().exchanges(), 1);
}

#[test]
fn the_trust_may_name_the_account_the_session_or_everybody() {
    for principal in [
        "arn:aws:iam::111122223333:root",
        "111122223333",
        "arn:aws:sts::111122223333:assumed-role/app/pod-1",
        "*",
    ] {
        let (emulator, issued) = with_role(&["arn:aws:iam::1:root", principal]);
        assert_eq!(assume(&emulator, &issued).status, 200, "{principal}");
    }
}

#[test]
fn whoever_else_is_trusted_this_caller_is_not() {
    for principal in [
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::111122223333:role/app2",
        "arn:aws:iam::111122223333:role/team/app",
        "arn:aws:iam::111122223333:user/app",
        "arn:aws-cn:iam::111122223333:root",
    ] {
        let (emulator, issued) = with_role(&[principal]);
        assert_denied(&assume(&emulator, &issued), OTHER);
    }
}

#[test]
fn a_path_belongs_to_the_name_of_a_trusted_role() {
    let emulator = Emulator::start();
    let (issuer, sts) = (emulator.issuer(), emulator.sts());
    let with_path = "arn:aws:iam::111122223333:role/path/app";
    let subject = "system:serviceaccount:team:app";
    sts.add_role(Role::trusting(with_path, issuer.iss(), subject));
    let change = [("RoleArn", with_path)];
    crate::client::exchange_with(&emulator, &emulator::TokenRequest::default(), &change);
    let issued = sts.issued().remove(0);
    sts.add_role(Role::assumable_by(OTHER, &[ROLE_ARN]));
    assert_denied(&assume(&emulator, &issued), OTHER);
    sts.add_role(Role::assumable_by(OTHER, &[with_path]));
    assert_eq!(assume(&emulator, &issued).status, 200);
}

#[test]
fn a_user_a_role_of_a_service_and_a_role_that_is_not_there_are_denied_alike() {
    let (emulator, issued) = with_role(&[]);
    let of_service = "arn:aws:iam::111122223333:role/eks-cluster";
    emulator
        .sts()
        .add_role(Role::of_service(of_service, "eks.amazonaws.com"));
    for role in [
        of_service,
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:role/nobody",
        // Trusts tokens, not sessions, not even its own.
        ROLE_ARN,
    ] {
        assert_denied(&assume_with(&emulator, &issued, role, ""), role);
    }
}

#[test]
fn a_session_by_way_of_another_lasts_an_hour_at_most() {
    let (emulator, issued) = with_role(&[ROLE_ARN]);
    let asking = |seconds: &str| {
        assume_with(
            &emulator,
            &issued,
            OTHER,
            &format!("&DurationSeconds={seconds}"),
        )
    };
    assert_eq!(asking("3600").status, 200);
    assert_eq!(
        asking("3601").error(),
        (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining"
        ),
    );
    assert!(asking("899").element("Message").ends_with("equal to 900"));
}

#[test]
fn what_is_no_arn_or_no_session_name_is_invalid() {
    let (emulator, issued) = with_role(&[ROLE_ARN]);
    let reply = assume_with(&emulator, &issued, "arn:aws:iam::1:role/of-nobody", "");
    assert_eq!(
        reply.error(),
        (400, "ValidationError", "Request ARN is invalid")
    );
    let body = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={OTHER}&RoleSessionName=a:b");
    let headers = Signed {
        issued: &issued,
        service: "sts",
        region: "eu-west-1",
        method: "POST",
        path: "/",
        body: &body,
    }
    .headers();
    let reply = send(emulator.url(), "POST", "/", &headers, &body).unwrap();
    assert!(reply.element("Message").contains("at 'roleSessionName'"));
}

#[test]
fn only_living_credentials_and_good_signatures_count() {
    let (emulator, issued) = with_role(&[ROLE_ARN]);
    let wrong = Issued {
        secret_access_key: "wrong".to_owned(),
        ..issued.clone()
    };
    let reply = assume(&emulator, &wrong);
    assert_eq!(
        (reply.status, reply.element("Code")),
        (403, "SignatureDoesNotMatch")
    );
    assert_eq!(emulator.sts().calls().pop().unwrap().caller, None);
    let unsigned =
        format!("Action=AssumeRole&Version=2011-06-15&RoleArn={OTHER}&RoleSessionName=pod-1");
    let reply = send(emulator.url(), "POST", "/", "", &unsigned).unwrap();
    assert_eq!(reply.element("Code"), "MissingAuthenticationToken");
    emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(60)));
    exchange(&emulator);
    let short = emulator.sts().issued().pop().unwrap();
    emulator.sts().set_clock_skew(61);
    assert_eq!(assume(&emulator, &short).element("Code"), "ExpiredToken");
}

#[test]
fn a_fault_of_the_action_leaves_the_exchange_of_tokens_alone() {
    let (emulator, issued) = with_role(&[ROLE_ARN]);
    emulator.sts().fail_action("AssumeRole", Fault::Throttle);
    assert_eq!(assume(&emulator, &issued).element("Code"), "Throttling");
    assert_eq!(exchange(&emulator).status, 200);
    emulator.sts().clear_faults();
    assert_eq!(assume(&emulator, &issued).status, 200);
}

#[test]
fn credentials_can_be_chosen_once_for_either_exchange() {
    let (emulator, issued) = with_role(&[ROLE_ARN]);
    emulator.sts().issue_next("ASIACHOSEN", "secret", "token");
    let reply = assume(&emulator, &issued);
    let chosen = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| reply.element(name));
    assert_eq!(chosen, ["ASIACHOSEN", "secret", "token"]);
    assert_ne!(exchange(&emulator).element("AccessKeyId"), "ASIACHOSEN");
    emulator.sts().issue_next("ASIAAGAIN", "old", "token");
    exchange(&emulator);
    emulator.sts().issue_next("ASIAAGAIN", "secret", "token");
    assert_eq!(exchange(&emulator).element("AccessKeyId"), "ASIAAGAIN");
    let newest = emulator.sts().issued().pop().unwrap();
    let reply = assume(&emulator, &newest);
    assert_eq!(reply.status, 200, "{reply:?}");
}
