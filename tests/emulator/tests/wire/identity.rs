//! GetCallerIdentity: a signature is who you are, for as long as your credentials live.

use std::time::Duration;

use emulator::{Emulator, Issued};

use crate::client::{Reply, exchange, send};
use crate::signer::Signer;

/// An emulator that has issued credentials, and those.
fn with_session() -> (Emulator, Issued) {
    let emulator = Emulator::start();
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    (emulator, issued)
}

fn signer(issued: &Issued) -> Signer<'_> {
    Signer {
        issued,
        cluster: "demo",
        host: "sts.eu-west-1.amazonaws.com",
        age: 0,
    }
}

fn ask(emulator: &Emulator, signer: &Signer<'_>) -> Reply {
    send(
        emulator.url(),
        "GET",
        &signer.target(),
        &signer.headers(),
        "",
    )
    .unwrap()
}

#[test]
fn an_eks_token_names_the_session_that_signed_it() {
    let (emulator, issued) = with_session();
    let reply = ask(&emulator, &signer(&issued));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.element("Account"), "111122223333");
    assert_eq!(
        reply.element("Arn"),
        "arn:aws:sts::111122223333:assumed-role/app/pod-1"
    );
    assert!(reply.element("UserId").starts_with("AROA"));
    assert!(reply.element("UserId").ends_with(":pod-1"));
}

#[test]
fn the_authenticator_gets_the_json_that_it_asks_for() {
    let (emulator, issued) = with_session();
    let signer = signer(&issued);
    let headers = format!("{}accept: application/json\r\n", signer.headers());
    let reply = send(emulator.url(), "GET", &signer.target(), &headers, "").unwrap();
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let result = &reply.json()["GetCallerIdentityResponse"]["GetCallerIdentityResult"];
    assert_eq!(
        result["Arn"],
        "arn:aws:sts::111122223333:assumed-role/app/pod-1"
    );
}

#[test]
fn a_cluster_that_was_not_signed_does_not_match() {
    let (emulator, issued) = with_session();
    let target = signer(&issued).target();
    let headers = Signer {
        cluster: "other",
        ..signer(&issued)
    }
    .headers();
    let reply = send(emulator.url(), "GET", &target, &headers, "").unwrap();
    assert_eq!(
        (reply.status, reply.element("Code")),
        (403, "SignatureDoesNotMatch")
    );
}

#[test]
fn a_wrong_secret_does_not_match() {
    let (emulator, issued) = with_session();
    let wrong = Issued {
        secret_access_key: "wrong".to_owned(),
        ..issued
    };
    let reply = ask(&emulator, &signer(&wrong));
    assert_eq!(
        (reply.status, reply.element("Code")),
        (403, "SignatureDoesNotMatch")
    );
}

#[test]
fn an_unknown_key_and_a_wrong_session_token_are_invalid() {
    let (emulator, issued) = with_session();
    let unknown = Issued {
        access_key_id: "ASIAUNKNOWNUNKNOWN00".to_owned(),
        ..issued.clone()
    };
    let wrong = Issued {
        session_token: "wrong".to_owned(),
        ..issued
    };
    for issued in [unknown, wrong] {
        let reply = ask(&emulator, &signer(&issued));
        assert_eq!(
            reply.error(),
            (
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid"
            ),
        );
    }
}

#[test]
fn expired_credentials_sign_nothing() {
    let emulator = Emulator::start();
    emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(60)));
    exchange(&emulator);
    let issued = emulator.sts().issued().remove(0);
    assert_eq!(ask(&emulator, &signer(&issued)).status, 200);
    emulator.sts().set_clock_skew(61);
    let expected = (
        403,
        "ExpiredToken",
        "The security token included in the request is expired",
    );
    assert_eq!(ask(&emulator, &signer(&issued)).error(), expected);
}

#[test]
fn a_signature_is_good_for_fifteen_minutes_and_five_in_advance() {
    let (emulator, issued) = with_session();
    let aged = |age| {
        ask(
            &emulator,
            &Signer {
                age,
                ..signer(&issued)
            },
        )
    };
    assert_eq!(aged(14 * 60).status, 200);
    assert_eq!(aged(-4 * 60).status, 200);
    assert!(
        aged(16 * 60)
            .element("Message")
            .starts_with("Signature expired: ")
    );
    assert!(
        aged(-6 * 60)
            .element("Message")
            .starts_with("Signature not yet current: ")
    );
}

#[test]
fn who_does_not_sign_is_nobody() {
    let emulator = Emulator::start();
    let target = "/?Action=GetCallerIdentity&Version=2011-06-15";
    for target in ["/", target] {
        let reply = send(emulator.url(), "GET", target, "", "").unwrap();
        assert_eq!(
            (reply.status, reply.element("Code")),
            (403, "MissingAuthenticationToken")
        );
        assert!(reply.header("date").is_some());
    }
}
