//! The fifty tokens that a real verifier judged, each in the words in which it did.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use percent_encoding::utf8_percent_encode;
use serde_json::Value;

use super::presigned::{
    ACCESS_KEY_ID, ENCODED, PREFIX, Presigned, SESSION_TOKEN, assert_nothing_shown, open_session,
    token_of,
};
use super::{FORMAT, inspect};
use crate::sidecar::{Pod, now};

const CASES: &str = include_str!("../../data/eks-token-negative-cases.json");

/// Sessions with long tokens, by the case that is about them.
const LONG: [(&str, &str, usize); 2] = [
    ("4096 limit", "ASIAIOSFODNN7EXAMPL1", 2700),
    ("near limit", "ASIAIOSFODNN7EXAMPL2", 2600),
];

/// The token of a case. Ages that a slow machine could change keep half a minute's distance.
fn token(case: &str, now: SystemTime) -> String {
    let at = |moment| Presigned::at(moment, "us-west-2");
    let good = at(now);
    let url = match case {
        "expires=0" => good.with("X-Amz-Expires", "0").url(),
        "expires=900" => good.with("X-Amz-Expires", "900").url(),
        "expires=901" => good.with("X-Amz-Expires", "901").url(),
        "expires=-1" => good.with("X-Amz-Expires", "-1").url(),
        "expires=60s" => good.with("X-Amz-Expires", "60s").url(),
        "expires missing" => good.without("X-Amz-Expires").url(),
        "age 14m59" => at(now - Duration::from_secs(14 * 60 - 30)).url(),
        "age 15m05" => at(now - Duration::from_secs(15 * 60 + 5)).url(),
        "future 4m" => at(now + Duration::from_secs(4 * 60)).url(),
        "future 6m" => at(now + Duration::from_secs(6 * 60 + 30)).url(),
        "date missing" => good.without("X-Amz-Date").url(),
        "date iso" => good.with("X-Amz-Date", "2026-11-21T21:00:00Z").url(),
        "padded base64" => return prefixed(&BASE64_URL_SAFE.encode(good.url() + "#")),
        "std base64 alphabet" => {
            return prefixed(&BASE64_STANDARD.encode(good.url() + "#????????"));
        }
        "no prefix" => return good.token().replace("k8s-aws-v1.", ""),
        "v2 prefix" => return good.token().replace("-v1.", "-v2."),
        "trailing newline" => return good.token() + "\n",
        "trailing space" => return good.token() + " ",
        "empty" => return String::new(),
        "empty path" => good.url().replace(".com/?", ".com?"),
        "path /x" => good.url().replace(".com/?", ".com/x?"),
        "port 443" => good.url().replace(".com/", ".com:443/"),
        "userinfo" => good.url().replace("://", "://u:p@"),
        "http" => good.url().replace("https://", "http://"),
        "extra x-id" => good.with("x-id", "GetCallerIdentity").url(),
        "extra X-Amz-Content-Sha256" => good.with("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD").url(),
        "extra X-Amz-User-Agent" => good.with("X-Amz-User-Agent", "x").url(),
        "duplicate Action" => good.url() + "&Action=GetCallerIdentity",
        "dup case" => good.url() + "&action=GetCallerIdentity",
        "action other" => good.with("Action", "AssumeRole").url(),
        "action lower-case name (unsigned change)" => good.url().replace("?Action", "?action"),
        "header not signed" => good.with("X-Amz-SignedHeaders", "host").url(),
        "only cluster header signed (host missing)" => {
            good.with("X-Amz-SignedHeaders", "x-k8s-aws-id").url()
        }
        "extra signed header accept" => good
            .with("X-Amz-SignedHeaders", "accept;host;x-k8s-aws-id")
            .url(),
        "wrong cluster" => Presigned {
            cluster: "another".into(),
            ..good
        }
        .url(),
        "scope region mismatch (host us-west-2, scope us-east-1)" => Presigned {
            region: "us-east-1".into(),
            ..good
        }
        .url(),
        "global host scope us-east-1" => {
            let host = "sts.amazonaws.com".into();
            Presigned {
                region: "us-east-1".into(),
                host,
                ..good
            }
            .url()
        }
        "cn host in aws partition" => {
            let host = "sts.cn-north-1.amazonaws.com.cn".into();
            Presigned {
                region: "cn-north-1".into(),
                host,
                ..good
            }
            .url()
        }
        "unknown region" => at_host(good, "us-moon-1", "sts.us-moon-1.amazonaws.com"),
        "uppercase host" => at_host(good, "us-west-2", "STS.us-west-2.amazonaws.com"),
        "trailing dot host" => at_host(good, "us-west-2", "sts.us-west-2.amazonaws.com."),
        "whole url percent-encoded" => {
            let url = good.url();
            let (head, query) = url.split_once('?').expect("a query");
            format!("{head}%3F{}", utf8_percent_encode(query, ENCODED))
        }
        "session token not signed (appended)" => {
            let encoded = utf8_percent_encode(SESSION_TOKEN, ENCODED);
            format!(
                "{}&X-Amz-Security-Token={encoded}",
                good.without("X-Amz-Security-Token").url()
            )
        }
        "session token missing" => good.without("X-Amz-Security-Token").url(),
        "bad percent" => good.url() + "%zz",
        "fragment" => good.url() + "#x",
        "plus instead of %2B" => good.url().replace("%2B", "+"),
        "4096 limit" | "near limit" => {
            let long = LONG.into_iter().find(|(found, ..)| *found == case);
            let (_, access_key_id, length) = long.expect("a session");
            let signed = good.with("X-Amz-Security-Token", &"A".repeat(length));
            Presigned {
                access_key_id: access_key_id.into(),
                ..signed
            }
            .url()
        }
        "good" => good.url(),
        _ => panic!("how is {case} made?"),
    };
    token_of(&url)
}

fn at_host(good: Presigned, region: &str, host: &str) -> String {
    let (region, host) = (region.to_owned(), host.to_owned());
    Presigned {
        region,
        host,
        ..good
    }
    .url()
}

fn prefixed(encoded: &str) -> String {
    format!("{PREFIX}{encoded}")
}

/// What was recorded of the rules that need no STS; `None` where the token passes them.
fn local_refusal(
    case: &str,
    message: &str,
    signed: SystemTime,
    region: Option<&str>,
) -> Option<String> {
    match case {
        // Verifiers from 0.7.5 on know regions by patterns,
        "unknown region" => return None,
        // … and hosts by partitions: in which the cluster is has to be told.
        "cn host in aws partition" => {
            let host = "sts.cn-north-1.amazonaws.com.cn";
            let words = format!("{FORMAT}partition {{aws}} does not support hostname {host}");
            return region.map(|_| words);
        }
        // The program around that verifier did not come to ask it.
        "empty" => {
            return Some(format!(
                r#"{FORMAT}token is missing expected "k8s-aws-v1." prefix"#
            ));
        }
        _ => {}
    }
    let message = message.strip_prefix("could not verify token: ")?;
    let message = message.strip_prefix(FORMAT).map(|_| message)?;
    if case != "age 15m05" {
        return Some(message.to_owned());
    }
    // The day of the recording.
    let date = humantime::format_rfc3339_seconds(signed - Duration::from_secs(905)).to_string();
    let date = date.replace('T', " ").replace('Z', " +0000 UTC");
    let (text, _) = message.split_once("2026-11-21 20:55:26").expect("a date");
    Some(format!("{text}{date}"))
}

/// What STS objects to in a token that passes the rules; the one of the recording was laxer.
fn refused_by_sts(case: &str, message: &str) -> Option<&'static str> {
    match case {
        "session token missing" => Some("eks-token-unknown-key"),
        "scope region mismatch (host us-west-2, scope us-east-1)"
        | "only cluster header signed (host missing)" => Some("eks-token-signature"),
        _ if message.contains("Signature not yet current") => Some("eks-token-clock"),
        _ if message.contains("SignatureDoesNotMatch") => Some("eks-token-signature"),
        _ => None,
    }
}

#[test]
fn every_token_that_a_real_verifier_judged_is_judged_alike_as_argument_and_from_stdin() {
    let pod = Pod::new();
    let signed = now();
    each_case(|case, length, message| {
        let token = token(case, signed);
        assert_eq!(token.len(), length, "{case}");
        let there = Some("us-west-2");
        for (how, ended, region) in [
            ("argument", inspect(&pod, &[&token]).output(), None),
            ("stdin", inspect(&pod, &[]).given(token.as_bytes()), None),
            (
                "argument, with the region",
                inspect(&pod, &["--region", "us-west-2", &token]).output(),
                there,
            ),
        ] {
            let refusal = local_refusal(case, message, signed, region);
            if (case, how) == ("empty", "stdin") {
                assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""));
                assert!(ended.stderr.contains("stdin is empty"), "{ended:?}");
                continue;
            }
            assert_eq!(ended.stderr, "", "{case} by {how}");
            let (code, line) = match &refusal {
                Some(text) => (1, format!("broken (eks-token-malformed): {text}")),
                None => (0, "all hold".to_owned()),
            };
            let rules = format!("\nrules           {line}\n");
            assert!(
                ended.stdout.contains(&rules),
                "{case} by {how}: {}",
                ended.stdout
            );
            assert_eq!(ended.status.code(), Some(code), "{case} by {how}");
            assert_eq!(ended.stdout.contains("\nfix "), code == 1, "{case}");
            assert_nothing_shown(&ended, &token);
        }
    });
    assert_eq!(pod.emulator.sts().calls(), [], "nobody asked for a replay");
}

#[test]
fn a_replay_comes_to_the_verifiers_verdict_and_is_sent_only_where_all_rules_hold() {
    let pod = Pod::new();
    open_session(&pod, ACCESS_KEY_ID, SESSION_TOKEN);
    for (_, access_key_id, length) in LONG {
        open_session(&pod, access_key_id, &"A".repeat(length));
    }
    let signed = now();
    each_case(|case, _, message| {
        let token = token(case, signed);
        let before = pod.emulator.sts().calls().len();
        let ended = inspect(&pod, &["--cluster-name", "demo"])
            .arg(&token)
            .output();
        assert_nothing_shown(&ended, &token);
        let calls = pod.emulator.sts().calls().split_off(before);
        let sent: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
        if local_refusal(case, message, signed, None).is_some() {
            // Only STS knows what is old: it is asked for the time, and shown nothing.
            let asked: &[&str] = if case == "age 15m05" { &[""] } else { &[] };
            assert_eq!(
                (&sent[..], ended.status.code()),
                (asked, Some(1)),
                "{case}: {ended:?}"
            );
            assert!(!ended.stdout.contains("replay"), "{case}: {}", ended.stdout);
            return;
        }
        assert_eq!((sent.len(), sent[0]), (2, ""), "{case}: {ended:?}");
        match refused_by_sts(case, message) {
            Some(finding) => {
                let line = format!("\nreplay          refused ({finding}): ");
                assert!(ended.stdout.contains(&line), "{case}: {ended:?}");
                assert_eq!(ended.status.code(), Some(1), "{case}");
            }
            None => {
                assert!(
                    ended.stdout.contains("\nreplay          STS accepted it\n"),
                    "{case}: {ended:?}"
                );
                assert_eq!(ended.status.code(), Some(0), "{case}");
            }
        }
    });
}

/// Name, length of the token and the verifier's words.
fn each_case(test: impl Fn(&str, usize, &str)) {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("JSON");
    assert_eq!(cases.len(), 50);
    for case in &cases {
        let text = |field: &str| case[field].as_str().expect("a text");
        let length = case["token_len"].as_u64().expect("a number");
        let length = usize::try_from(length).expect("small");
        test(text("case"), length, text("message"));
    }
}
