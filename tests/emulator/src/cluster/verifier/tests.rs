//! Fifty hand-made tokens and what a verifier of July 2024 said to each of them; what later releases say otherwise; and
//! where STS is stricter than the one that verifier asked.

mod presigned;

use serde_json::Value;

use self::presigned::{Presigned, SESSION_TOKEN, Sessions};
use super::*;

const CASES: &str = include_str!("../../../../data/eks-token-negative-cases.json");

/// The token of a case, signed at `now`.
fn token(case: &str, now: i64) -> String {
    let good = Presigned::at(now);
    let url = match case {
        "good" => good.url(),
        "expires=0" => good.expires("0").url(),
        "expires=900" => good.expires("900").url(),
        "expires=901" => good.expires("901").url(),
        "expires=-1" => good.expires("-1").url(),
        "expires=60s" => good.expires("60s").url(),
        "expires missing" => good.without("X-Amz-Expires").url(),
        "age 14m59" => Presigned::at(now - 899).url(),
        "age 15m05" => Presigned::at(now - 905).url(),
        "future 4m" => Presigned::at(now + 240).url(),
        "future 6m" => Presigned::at(now + 360).url(),
        "date missing" => good.without("X-Amz-Date").url(),
        "date iso" => good.with("X-Amz-Date", "2026-11-21T21:00:00Z").url(),
        "padded base64" => format!("{}#", good.url()),
        "std base64 alphabet" => format!("{}#????????", good.url()),
        "empty path" => good.url().replace(".com/?", ".com?"),
        "path /x" => good.url().replace(".com/?", ".com/x?"),
        "port 443" => good.url().replace(".com/", ".com:443/"),
        "userinfo" => good.url().replace("://", "://u:p@"),
        "http" => good.url().replace("https://", "http://"),
        "extra x-id" => good.with("x-id", "GetCallerIdentity").url(),
        "extra X-Amz-Content-Sha256" => good.with("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD").url(),
        "extra X-Amz-User-Agent" => good.with("X-Amz-User-Agent", "x").url(),
        "duplicate Action" => format!("{}&Action=GetCallerIdentity", good.url()),
        "dup case" => good
            .url()
            .replace("?Action=", "?action=GetCallerIdentity&Action="),
        "action other" => good.with("Action", "AssumeRole").url(),
        "action lower-case name (unsigned change)" => good.url().replace("?Action=", "?action="),
        "header not signed" => good.signed_headers("host").url(),
        "only cluster header signed (host missing)" => good.signed_headers("x-k8s-aws-id").url(),
        "extra signed header accept" => good.signed_headers("accept;host;x-k8s-aws-id").url(),
        "wrong cluster" => good.cluster("another").url(),
        "scope region mismatch (host us-west-2, scope us-east-1)" => good.scope("us-east-1").url(),
        "global host scope us-east-1" => good.host("sts.amazonaws.com").scope("us-east-1").url(),
        "cn host in aws partition" => good
            .host("sts.cn-north-1.amazonaws.com.cn")
            .scope("cn-north-1")
            .url(),
        "uppercase host" => good.host("STS.us-west-2.amazonaws.com").url(),
        "trailing dot host" => good.host("sts.us-west-2.amazonaws.com.").url(),
        "unknown region" => good
            .host("sts.us-moon-1.amazonaws.com")
            .scope("us-moon-1")
            .url(),
        "whole url percent-encoded" => {
            let url = good.url();
            let (head, query) = url.split_once('?').unwrap();
            format!("{head}%3F{}", crate::form::encode(query))
        }
        "session token not signed (appended)" => {
            let token = crate::form::encode(SESSION_TOKEN);
            let url = good.without("X-Amz-Security-Token").url();
            format!("{url}&X-Amz-Security-Token={token}")
        }
        "session token missing" => good.without("X-Amz-Security-Token").url(),
        "bad percent" => format!("{}%zz", good.url()),
        "fragment" => format!("{}#x", good.url()),
        "4096 limit" => good.of_session("4096 limit").url(),
        "near limit" => good.of_session("near limit").url(),
        "plus instead of %2B" => good.url().replace("%2B", "+"),
        "no prefix" | "v2 prefix" | "trailing newline" | "trailing space" => good.url(),
        "empty" => return String::new(),
        other => panic!("nobody knows how to make {other}"),
    };
    presigned::token(case, &url)
}

/// What the verifier said, without what the program around it said first.
fn recorded(case: &str, message: &str, now: i64) -> String {
    let message = message.trim_start_matches("could not verify token: ");
    match case {
        // The day of the recording.
        "age 15m05" => message.replace("2026-11-21 20:55:26 +0000 UTC", &date::format(now - 905)),
        // The program asked for a token before the verifier could.
        "empty" => "input token was not properly formatted: token is missing expected \
                    \"k8s-aws-v1.\" prefix"
            .to_owned(),
        _ => message.to_owned(),
    }
}

/// What STS itself objects to, which the one of the recording did not.
fn objection(case: &str) -> Option<&'static str> {
    let error = match case {
        "session token missing" => {
            r#"{"Error":{"Code":"InvalidClientTokenId","Message":"The security token included in the request is invalid"}}"#
        }
        "scope region mismatch (host us-west-2, scope us-east-1)" => {
            r#"{"Error":{"Code":"SignatureDoesNotMatch","Message":"Credential should be scoped to a valid region."}}"#
        }
        "only cluster header signed (host missing)" => {
            r#"{"Error":{"Code":"SignatureDoesNotMatch","Message":"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."}}"#
        }
        _ => return None,
    };
    Some(error)
}

/// Compares what can be compared: of STS's answer code and message, without the words that the recording left out.
fn assert_same(case: &str, found: &str, expected: &str) {
    let (head, body) = found.split_once(" Body: ").unwrap_or((found, "null"));
    let (expected_head, expected_body) =
        expected.split_once(" Body: ").unwrap_or((expected, "null"));
    assert_eq!(head, expected_head, "{case}");
    let (body, expected_body): (Value, Value) = (
        serde_json::from_str(body).unwrap(),
        serde_json::from_str(expected_body).unwrap(),
    );
    let (error, expected) = (&body["Error"], &expected_body["Error"]);
    assert_eq!(error["Code"], expected["Code"], "{case}");
    let message = error["Message"].as_str().unwrap_or_default();
    let expected = expected["Message"].as_str().unwrap_or_default();
    match expected.strip_suffix("...") {
        Some(begin) => assert!(message.starts_with(begin), "{case}: {message}"),
        None => assert_eq!(message, expected, "{case}"),
    }
}

/// Goes through all cases; `later` says what this release says otherwise.
fn go_through(authenticator: Authenticator, later: impl Fn(&str, String) -> String) {
    let sessions = Sessions::open();
    let verifier = Verifier {
        cluster_id: "demo",
        region: "us-west-2",
        authenticator,
    };
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 50);
    for recording in cases {
        let case = recording["case"].as_str().unwrap();
        let token = token(case, sessions.now);
        assert_eq!(
            Some(token.len() as u64),
            recording["token_len"].as_u64(),
            "{case}"
        );
        let outcome = verifier.verify(&token, sessions.now, |request| sessions.sts.replay(request));
        let message = recorded(case, recording["message"].as_str().unwrap(), sessions.now);
        let failed = "sts getCallerIdentity failed: error from AWS (expected 200, got 403)";
        match objection(case) {
            Some(body) => {
                let expected = later(case, format!("{failed}. Body: {body}"));
                assert_same(case, &outcome.unwrap_err().to_string(), &expected);
            }
            None if recording["accepted"] == true => {
                let identity = outcome.unwrap_or_else(|refusal| panic!("{case}: {refusal}"));
                assert!(message.contains(&format!("\"{}\"", identity.arn)), "{case}");
            }
            None => {
                let refusal = outcome.expect_err(case).to_string();
                assert_same(case, &refusal, &later(case, message));
            }
        }
    }
}

#[test]
fn a_verifier_of_2024_says_what_was_recorded() {
    go_through(Authenticator::Sdk1, |_, message| message);
}

#[test]
fn later_verifiers_name_the_endpoint_and_know_no_table_of_hosts() {
    go_through(Authenticator::Sdk2, |case, message| match case {
        "unknown region" => "sts getCallerIdentity failed: error during GET: dial tcp: lookup \
                             sts.us-moon-1.amazonaws.com: no such host on us-moon-1 endpoint"
            .to_owned(),
        "cn host in aws partition" => {
            "input token was not properly formatted: partition {aws} does not support hostname \
             sts.cn-north-1.amazonaws.com.cn"
                .to_owned()
        }
        _ => message.replace("got 403). Body", "got 403) on us-west-2 endpoint. Body"),
    });
}

#[test]
fn an_identity_has_its_parts() {
    let sessions = Sessions::open();
    let verifier = Verifier {
        cluster_id: "demo",
        region: "us-west-2",
        authenticator: Authenticator::Sdk2,
    };
    let token = token("good", sessions.now);
    let identity = verifier.verify(&token, sessions.now, |request| sessions.sts.replay(request));
    let identity = identity.unwrap();
    assert!(identity.user_id.starts_with("AROA") && !identity.user_id.contains(':'));
    assert_eq!(
        identity,
        Identity {
            arn: "arn:aws:sts::111122223333:assumed-role/demo/sess@x".to_owned(),
            canonical_arn: "arn:aws:iam::111122223333:role/demo".to_owned(),
            account: "111122223333".to_owned(),
            user_id: identity.user_id.clone(),
            session_name: "sess@x".to_owned(),
            access_key_id: presigned::ACCESS_KEY_ID.to_owned(),
        },
    );
}

#[test]
fn a_user_id_is_read_by_the_kind_of_its_arn() {
    let identified = |arn: &str, user_id: &str| {
        let identified = Identified {
            account: "1".to_owned(),
            arn: arn.to_owned(),
            user_id: user_id.to_owned(),
        };
        identity(identified, String::new())
            .map(|identity| (identity.user_id, identity.session_name))
    };
    let role = "arn:aws:sts::1:assumed-role/a/b";
    let two = |id: &str, session: &str| Ok((id.to_owned(), session.to_owned()));
    assert_eq!(identified(role, "AROA1:b"), two("AROA1", "b"));
    assert_eq!(
        identified("arn:aws:iam::1:user/a", "AIDA1"),
        two("AIDA1", "")
    );
    assert_eq!(
        identified("arn:aws:sts::1:federated-user/a", "1:a"),
        two("1:a", "")
    );
    for user_id in ["AROA1", "AROA1:b:c"] {
        let malformed = Refusal::Sts(format!("malformed UserID \"{user_id}\""));
        assert_eq!(identified(role, user_id), Err(malformed));
    }
}
