use std::time::UNIX_EPOCH;

use ::base64::Engine;
use ::base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::eks_token::{Keys, presign};

const FORMAT_ERROR: &str = "could not verify token: input token was not properly formatted: ";

/// A session token as short as one gets, with every character that has to be encoded.
const SESSION_TOKEN: &str = "FwoGZXIvYXdzEBYaDExampleToken+with/slash+and+plus/and==padding==";

/// 2026-11-21T21:10:31Z, when the cases were judged.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_295_431)
}

fn region(name: &str) -> Region {
    name.parse().unwrap()
}

/// The URL of a good token of `us-west-2`, signed at that time.
fn signed(session_token: &str, signed_at: SystemTime) -> String {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into());
    let session_token = Secret::new(session_token.into());
    let keys = Keys {
        access_key_id: "ASIAIOSFODNN7EXAMPLE",
        secret_access_key: &secret,
        session_token: Some(&session_token),
    };
    let cluster = "demo".parse().unwrap();
    let token = presign(&keys, &region("us-west-2"), &cluster, false, signed_at).unwrap();
    let encoded = token.expose().strip_prefix(PREFIX).unwrap();
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

fn good() -> String {
    signed(SESSION_TOKEN, now())
}

fn token_of(url: &str) -> String {
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url))
}

fn encoded_session_token() -> String {
    SESSION_TOKEN
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
}

/// Judged as by a cluster in `us-west-2`.
fn judged(token: &str) -> Inspection {
    inspect(token, now(), Some(&region("us-west-2")))
}

/// The verifier's words for what is wrong with a token that holds `url`.
fn message(url: &str) -> String {
    judged(&token_of(url)).verdict.unwrap_err().to_string()
}

/// The token of a case, made of a good one.
fn token_of_case(case: &str) -> String {
    let good = good();
    let seconds = Duration::from_secs;
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{case}: {from} is not there");
        token_of(&good.replace(from, to))
    };
    let appended = |text: &str| token_of(&format!("{good}{text}"));
    match case {
        "good" => token_of(&good),
        "expires=0" => replaced("Expires=60", "Expires=0"),
        "expires=900" => replaced("Expires=60", "Expires=900"),
        "expires=901" => replaced("Expires=60", "Expires=901"),
        "expires=-1" => replaced("Expires=60", "Expires=-1"),
        "expires missing" => replaced("&X-Amz-Expires=60", ""),
        "expires=60s" => replaced("Expires=60", "Expires=60s"),
        "age 14m59" => token_of(&signed(SESSION_TOKEN, now() - seconds(14 * 60 + 59))),
        "age 15m05" => token_of(&signed(SESSION_TOKEN, now() - seconds(15 * 60 + 5))),
        "future 4m" => token_of(&signed(SESSION_TOKEN, now() + seconds(4 * 60))),
        "future 6m" => token_of(&signed(SESSION_TOKEN, now() + seconds(6 * 60))),
        "date missing" => replaced("&X-Amz-Date=20261121T211031Z", ""),
        "date iso" => replaced("20261121T211031Z", "2026-11-21T21%3A00%3A00Z"),
        "padded base64" => appended("#") + "==",
        "std base64 alphabet" => appended("#??>>??>>")
            .replace('_', "/")
            .replace("z8-", "z8+"),
        "no prefix" => token_of(&good).replace(PREFIX, ""),
        "v2 prefix" => token_of(&good).replace("v1", "v2"),
        "trailing newline" => token_of(&good) + "\n",
        "trailing space" => token_of(&good) + " ",
        "empty path" => replaced("amazonaws.com/?", "amazonaws.com?"),
        "path /x" => replaced("amazonaws.com/?", "amazonaws.com/x?"),
        "port 443" => replaced("amazonaws.com/?", "amazonaws.com:443/?"),
        "userinfo" => replaced("https://", "https://a:b@"),
        "http" => replaced("https://", "http://"),
        "extra x-id" => appended("&x-id=GetCallerIdentity"),
        "extra X-Amz-Content-Sha256" => appended("&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"),
        "extra X-Amz-User-Agent" => appended("&X-Amz-User-Agent=x"),
        "duplicate Action" => appended("&Action=GetCallerIdentity"),
        "dup case" => appended("&action=GetCallerIdentity"),
        "action other" => replaced("GetCallerIdentity", "AssumeRole"),
        "action lower-case name (unsigned change)" => replaced("?Action", "?action"),
        "header not signed" => replaced("host%3Bx-k8s-aws-id", "host"),
        "only cluster header signed (host missing)" => replaced("host%3B", ""),
        "extra signed header accept" => replaced("host%3B", "accept%3Bhost%3B"),
        "wrong cluster" => token_of(&good),
        "scope region mismatch (host us-west-2, scope us-east-1)" => {
            replaced("%2Fus-west-2%2F", "%2Fus-east-1%2F")
        }
        "global host scope us-east-1" => token_of(
            &good
                .replace("%2Fus-west-2%2F", "%2Fus-east-1%2F")
                .replace("sts.us-west-2.", "sts."),
        ),
        "cn host in aws partition" => token_of(
            &good
                .replace("us-west-2", "cn-north-1")
                .replace("amazonaws.com", "amazonaws.com.cn"),
        ),
        "uppercase host" => replaced("//sts.", "//STS."),
        "whole url percent-encoded" => {
            let encode = |c: char| match c {
                '?' | '=' | '&' | '%' => format!("%{:02X}", u32::from(c)),
                _ => c.to_string(),
            };
            token_of(&good.chars().map(encode).collect::<String>())
        }
        "session token not signed (appended)" => token_of(&good),
        "session token missing" => {
            let start = good.find("&X-Amz-Security-Token").unwrap();
            let end = good.find("&X-Amz-Signature").unwrap();
            token_of(&format!("{}{}", &good[..start], &good[end..]))
        }
        "bad percent" => appended("%zz"),
        "fragment" => appended("#x"),
        "4096 limit" => replaced(&encoded_session_token(), &"x".repeat(2700)),
        "near limit" => replaced(&encoded_session_token(), &"x".repeat(2600)),
        "plus instead of %2B" => replaced("%2B", "+"),
        "empty" => String::new(),
        "unknown region" => replaced("us-west-2", "us-moon-1"),
        "trailing dot host" => replaced("amazonaws.com/?", "amazonaws.com./?"),
        _ => panic!("how is {case} made?"),
    }
}

/// What verifiers from 0.7.5 on say where the cases, which are older, say something else.
fn expected_today(case: &str, message: &str) -> Result<(), String> {
    match case {
        // They know no regions but patterns of them.
        "unknown region" => return Ok(()),
        "cn host in aws partition" => {
            return Err(
                "partition {aws} does not support hostname sts.cn-north-1.amazonaws.com.cn".into(),
            );
        }
        // The program that asked the verifier did not come to ask it.
        "empty" => return Err(r#"token is missing expected "k8s-aws-v1." prefix"#.into()),
        _ => {}
    }
    // All other refusals are those of STS.
    match message.strip_prefix(FORMAT_ERROR) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(()),
    }
}

#[test]
fn every_case_that_a_real_verifier_judged_is_judged_alike_and_in_the_same_words() {
    let file = include_str!("../../tests/data/eks-token-negative-cases.json");
    let cases: Vec<Value> = serde_json::from_str(file).unwrap();
    assert_eq!(cases.len(), 50);
    for case in &cases {
        let (name, message) = (
            case["case"].as_str().unwrap(),
            case["message"].as_str().unwrap(),
        );
        let token = token_of_case(name);
        assert_eq!(
            Some(token.len() as u64),
            case["token_len"].as_u64(),
            "{name}"
        );
        let expected = expected_today(name, message)
            .map_err(|reason| format!("input token was not properly formatted: {reason}"));
        let verdict = judged(&token)
            .verdict
            .map_err(|violation| violation.to_string());
        assert_eq!(verdict, expected, "{name}");
    }
}

#[test]
fn what_sts_would_refuse_is_warned_of() {
    for (case, expected) in [
        ("future 6m", "signed 360 s in the future"),
        (
            "only cluster header signed (host missing)",
            "header host is not signed",
        ),
        (
            "extra signed header accept",
            r#"the header "accept" is signed"#,
        ),
        (
            "scope region mismatch (host us-west-2, scope us-east-1)",
            r#"signed for the region "us-east-1", and its host is that of "us-west-2""#,
        ),
        (
            "session token missing",
            "ASIA is of no use without its session token",
        ),
        ("plus instead of %2B", "a + was not encoded as %2B"),
    ] {
        let inspection = judged(&token_of_case(case));
        assert_eq!(inspection.verdict, Ok(()), "{case}");
        let [warning] = &inspection.warnings[..] else {
            panic!("{case}: {:?}", inspection.warnings);
        };
        assert!(warning.contains(expected), "{case}: {warning}");
    }
    for case in [
        "good",
        "future 4m",
        "age 14m59",
        "global host scope us-east-1",
        "near limit",
    ] {
        assert!(judged(&token_of_case(case)).warnings.is_empty(), "{case}");
    }
    let unsigned = good().split("&X-Amz-Signature").next().unwrap().to_owned();
    let warnings = judged(&token_of(&unsigned)).warnings;
    assert_eq!(warnings, ["STS refuses a request without X-Amz-Signature"]);
    for (host, expected) in [
        (
            "sts.not-a-region.amazonaws.com",
            r#""not-a-region" is no region"#,
        ),
        (
            "sts.us-west-2.api.aws",
            "sts.us-west-2.amazonaws.com is taken by all",
        ),
    ] {
        let url = good().replace("sts.us-west-2.amazonaws.com", host);
        let inspection = judged(&token_of(&url));
        assert_eq!(inspection.verdict, Ok(()));
        let last = inspection.warnings.last().unwrap();
        assert!(last.contains(expected), "{last}");
    }
    // Nothing is said about what could not be read.
    assert!(judged(&token_of_case("bad percent")).warnings.is_empty());
    let other_day = good().replace("%2F20261121%2F", "%2F20261120%2F");
    assert!(judged(&token_of(&other_day)).warnings[0].contains(r#"for the day "20261120""#));
    let other_service = good().replace("%2Fsts%2F", "%2Fs3%2F");
    assert!(judged(&token_of(&other_service)).warnings[0].contains("KEY/DAY/REGION/sts"));
}

#[test]
fn what_a_token_holds_is_told() {
    let signed_at = now() - Duration::from_secs(61);
    let inspection = judged(&token_of(&signed(SESSION_TOKEN, signed_at)));
    assert_eq!(inspection.size, 631);
    assert_eq!(
        inspection.host.as_deref(),
        Some("sts.us-west-2.amazonaws.com")
    );
    assert_eq!(inspection.region.as_deref(), Some("us-west-2"));
    assert_eq!(inspection.scope_region.as_deref(), Some("us-west-2"));
    assert_eq!(
        inspection.access_key_id.as_deref(),
        Some("ASIAIOSFODNN7EXAMPLE")
    );
    assert_eq!(inspection.signed_at, Some(signed_at));
    let headers = inspection.signed_headers.clone().unwrap();
    assert_eq!(headers, ["host", "x-k8s-aws-id"]);
    assert_eq!(inspection.signs_cluster_header(), Some(true));
    assert_eq!(inspection.session_token_length, Some(SESSION_TOKEN.len()));
    assert_eq!(inspection.age(), Some(Duration::from_secs(61)));
    assert_eq!(inspection.ahead(), None);
    assert_eq!(inspection.remaining(), Duration::from_secs(14 * 60 - 1));
    assert_eq!(inspection.verdict, Ok(()));
}

#[test]
fn a_token_that_is_too_large_or_too_old_is_read_all_the_same() {
    let large = judged(&token_of_case("4096 limit"));
    assert_eq!(large.verdict.unwrap_err().rule, Rule::Size);
    assert_eq!(large.session_token_length, Some(2700));
    for (size, rule) in [(4096, Rule::Encoding), (4097, Rule::Size)] {
        let token = format!("{PREFIX}{}", "=".repeat(size - PREFIX.len()));
        assert_eq!(judged(&token).verdict.unwrap_err().rule, rule);
    }
    let old = judged(&token_of_case("age 15m05"));
    assert_eq!(old.age(), Some(Duration::from_secs(905)));
    assert_eq!(old.remaining(), Duration::ZERO);
    let ahead = judged(&token_of_case("future 6m"));
    assert_eq!(ahead.age(), Some(Duration::ZERO));
    assert_eq!(ahead.ahead(), Some(Duration::from_secs(360)));
    assert_eq!(ahead.remaining(), Duration::from_secs(21 * 60));
}

#[test]
fn only_a_token_that_breaks_no_rule_is_sent_anywhere_and_only_to_its_own_host() {
    let good = good();
    let inspection = judged(&token_of(&good.replace("https://", "https://user:pass@")));
    let (host, target) = inspection.request().unwrap();
    assert_eq!(format!("https://{host}{}", target.expose()), good);
    for case in [
        "port 443",
        "http",
        "age 15m05",
        "4096 limit",
        "cn host in aws partition",
        "empty",
    ] {
        assert!(judged(&token_of_case(case)).request().is_none(), "{case}");
    }
}

#[test]
fn nothing_that_is_shown_holds_the_signature_or_the_session_token() {
    let good = good();
    let signature = good.rsplit('=').next().unwrap();
    let (head, query) = good.split_once('?').unwrap();
    let backwards: Vec<&str> = query.split('&').rev().collect();
    let broken = [
        good.clone(),
        good.replace("https", "ht tps"),
        good.replace("https", "1https"),
        good.replace("amazonaws.com/", "amazonaws.com:x/"),
        format!("{good}#%zz"),
        format!("{good}\n"),
        good.replace('&', "%26"),
        good.replace('?', ""),
        // Encoded once more as a whole, as some tools do it; and without the separators that tell names from values.
        format!(
            "{head}?{}",
            query
                .replace('%', "%25")
                .replace('&', "%26")
                .replace('=', "%3D")
        ),
        format!("{head}?{}", backwards.join("&").replace('=', "%3D")),
    ];
    for url in broken {
        let inspection = judged(&token_of(&url));
        let said = inspection.verdict.as_ref().err().map(Violation::to_string);
        let shown = format!("{inspection:?} {said:?} {inspection:#?}");
        for secret in [signature, "FwoGZXIvYXdzEBYaD", "Token+with", "Token%2Bwith"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn what_is_in_a_token_cannot_move_a_cursor() {
    let date = good().replace("20261121T211031Z", "%1B%5B2J%0Aok");
    let host = good().replace("sts.us-west-2", "sts%C2%9B.us-west-2");
    let key = good().replace("Version", "%1B%5D0%07");
    let backwards = good().replace("20261121T211031Z", "%E2%80%AEok");
    for url in [date, host, key, backwards] {
        let said = message(&url);
        assert!(!said.chars().any(char::is_control), "{said:?}");
        assert!(!said.contains('\u{202e}'), "{said:?}");
    }
}

/// The verifier's own table of hosts, and what it makes of each.
#[test]
fn hosts_are_taken_and_refused_as_by_the_go_sdk() {
    for (cluster, host, reason) in [
        ("us-west-2", "sts.amazonaws.com", ""),
        (
            "cn-north-1",
            "sts.amazonaws.com",
            "global endpoint unsupported in partition aws-cn",
        ),
        (
            "us-gov-west-1",
            "sts.amazonaws.com",
            "global endpoint unsupported in partition aws-us-gov",
        ),
        ("cn-north-1", "sts.cn-northwest-1.amazonaws.com.cn", ""),
        (
            "cn-north-1",
            "sts.us-iso-east-1.c2s.ic.gov",
            "partition {aws-cn} does not support hostname sts.us-iso-east-1.c2s.ic.gov",
        ),
        (
            "cn-north-1",
            "sts.not-a-region.amazonaws.com.cn",
            "unexpected hostname",
        ),
        (
            "cn-north-1",
            "sts.us-west-2.amazonaws.com.cn",
            "unexpected hostname",
        ),
        (
            "cn-north-1",
            "sts.not-a-region.amazonaws.com",
            "partition {aws-cn}",
        ),
        ("us-west-2", "sts-fips.us-west-2.amazonaws.com", ""),
        ("us-west-2", "sts-fips.eu-west-1.amazonaws.com", ""),
        ("us-west-2", "sts.ap-south-1.amazonaws.com", ""),
        ("us-west-2", "sts.us-west-2.api.aws", ""),
        ("us-west-2", "sts-fips.us-west-2.api.aws", ""),
        ("us-west-2", "sts.us-gov-west-1.amazonaws.com", ""),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com", ""),
        (
            "us-gov-west-1",
            "sts-fips.us-gov-west-1.amazonaws.com",
            "unexpected hostname",
        ),
        (
            "cn-north-1",
            "sts.cn-north-1.api.amazonwebservices.com.cn",
            "",
        ),
        (
            "us-west-2",
            "sts.cn-north-1.api.amazonwebservices.com.cn",
            "partition {aws}",
        ),
        ("us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov", ""),
        (
            "us-iso-east-1",
            "sts.us-iso-east-1.api.aws.ic.gov",
            "partition {aws-iso}",
        ),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu", ""),
        (
            "us-isob-east-1",
            "sts.us-isob-east-1.amazonaws.com.cn",
            "unexpected hostname",
        ),
        ("us-west-2", "sts.not-a-region.amazonaws.com", ""),
        (
            "us-west-2",
            "sts.aws-global.amazonaws.com",
            "unexpected hostname",
        ),
        ("us-west-2", "sts.amazonaws.com.cn", "unexpected hostname"),
        ("us-west-2", "website.amazonaws.com", "unexpected hostname"),
        (
            "us-west-2",
            "google.com",
            "could not parse region for pre-signed URL google.com, invalid host format: google.com",
        ),
        (
            "us-west-2",
            "",
            "could not parse region for pre-signed URL , host is empty",
        ),
        ("us-west-2", "localhost:4566", "could not parse region"),
        (
            "us-west-2",
            "sts.us_west_2.amazonaws.com",
            "invalid region identifier format provided: us_west_2",
        ),
        (
            "us-west-2",
            "vpce-0a1.sts.us-west-2.vpce.amazonaws.com",
            "unexpected hostname",
        ),
        (
            "us-west-2",
            "sts.us-west-2.amazonaws.com.",
            "unexpected hostname",
        ),
    ] {
        let said = match host::check(host, Some(&region(cluster))) {
            Ok(()) => String::new(),
            Err(violation) => violation.to_string(),
        };
        match reason {
            "" => assert_eq!(said, "", "{cluster} {host}"),
            _ => assert!(said.contains(reason), "{cluster} {host}: {said}"),
        }
    }
}

#[test]
fn without_a_cluster_the_token_is_judged_in_its_own_partition() {
    for host in [
        "sts.us-east-1.amazonaws.com",
        "sts.amazonaws.com",
        "sts.cn-north-1.amazonaws.com.cn",
        "sts.us-gov-east-1.amazonaws.com",
        "sts.aws-cn-global.amazonaws.com.cn",
    ] {
        assert_eq!(host::check(host, None), Ok(()), "{host}");
    }
    assert!(host::check("sts-fips.us-gov-west-1.amazonaws.com", None).is_err());
}

/// What Go's packages say, as told by Go 1.26.
#[test]
fn what_is_malformed_is_named_in_the_words_of_go() {
    let good = good();
    let date = |date: &str| {
        let said = message(&good.replace("20261121T211031Z", date));
        let (_, said) = said.split_once("into format 20060102T150405Z: ").unwrap();
        said.to_owned()
    };
    for (text, expected) in [
        (
            "2026",
            r#"parsing time "2026" as "20060102T150405Z": cannot parse "" as "01""#,
        ),
        (
            "20261321T211031Z",
            r#"parsing time "20261321T211031Z": month out of range"#,
        ),
        (
            "20230229T211031Z",
            r#"parsing time "20230229T211031Z": day out of range"#,
        ),
        (
            "20261121T241031Z",
            r#"parsing time "20261121T241031Z": hour out of range"#,
        ),
        (
            "20261121T216031Z",
            r#"parsing time "20261121T216031Z": minute out of range"#,
        ),
        (
            "20261121T211060Z",
            r#"parsing time "20261121T211060Z": second out of range"#,
        ),
        (
            "20261121T211031Zx",
            r#"parsing time "20261121T211031Zx": extra text: "x""#,
        ),
        (
            "20261121T211031",
            r#"parsing time "20261121T211031" as "20060102T150405Z": cannot parse "" as "Z""#,
        ),
        (
            "20261121t211031Z",
            r#"parsing time "20261121t211031Z" as "20060102T150405Z": cannot parse "t211031Z" as "T""#,
        ),
        (
            "20261121T2Z",
            r#"parsing time "20261121T2Z" as "20060102T150405Z": cannot parse "Z" as "04""#,
        ),
        (
            "%C3%A9%22",
            r#"parsing time "\xc3\xa9\"" as "20060102T150405Z": cannot parse "\xc3\xa9\"" as "2006""#,
        ),
    ] {
        assert_eq!(date(text), expected);
    }
    // Older than all, with a fraction that the layout does not have.
    assert!(
        message(&good.replace("20261121T211031Z", "00000229T000000.50Z"))
            .ends_with(" 0000-02-29 00:00:00.5 +0000 UTC")
    );

    let expires = |text: &str| message(&good.replace("Expires=60", &format!("Expires={text}")));
    for (text, shown) in [
        ("", "0"),
        ("60.0", "0"),
        ("%2B901", "901"),
        ("99999999999999999999", "9223372036854775807"),
        ("-99999999999999999999", "-9223372036854775808"),
    ] {
        let said = expires(text);
        assert!(
            said.ends_with(&format!("pre-signed URL: {shown}")),
            "{text}: {said}"
        );
    }

    let after = |prefix: &str, url: &str| {
        let said = message(url);
        said.split_once(prefix)
            .map_or(said.clone(), |(_, rest)| rest.to_owned())
    };
    for (url, expected) in [
        (":ab:cd.af:/asda", "missing protocol scheme"),
        ("a b:c", "first path segment in URL cannot contain colon"),
        ("https://a:b:c/", r#"invalid port ":b:c" after host"#),
        ("https://[::1/", "missing ']' in host"),
        ("https://a[::1]/", "invalid IP-literal"),
        ("https://a b/", r#"invalid character " " in host name"#),
        ("https://a%20b/", r#"invalid URL escape "%20""#),
        ("https://u\"@a/", "net/url: invalid userinfo"),
        ("https://a.b.c/%zz", r#"invalid URL escape "%zz""#),
        ("https://a.b.c/#%z", r#"invalid URL escape "%z""#),
        (
            "https://a.b.c/\t",
            "net/url: invalid control character in URL",
        ),
    ] {
        assert_eq!(after("the URL]\": ", url), expected, "{url}");
    }
    for (url, expected) in [
        ("http://", r#"unexpected scheme "http" in pre-signed URL"#),
        (
            "HTTPS:a",
            "could not parse region for pre-signed URL , host is empty",
        ),
        (
            "//sts.amazonaws.com/",
            r#"unexpected scheme "" in pre-signed URL"#,
        ),
        (
            "https://sts.amazonaws.com/?a=%zz",
            "malformed query parameter",
        ),
        (
            "https://sts.amazonaws.com/?a;b",
            "malformed query parameter",
        ),
        (
            "https://sts.amazonaws.com/?%ff%07=",
            r#"non-whitelisted query parameter "\xff\a""#,
        ),
        (
            "https://sts.amazonaws.com/?&&",
            "unexpected action parameter in pre-signed URL",
        ),
    ] {
        assert_eq!(after("formatted: ", url), expected, "{url}");
    }
    for (text, offset) in [
        ("a", 0),
        ("aaaaa\n", 5),
        ("aaa=", 3),
        ("aa aa", 2),
        ("é", 0),
        ("aaaaaaaa+", 8),
    ] {
        let said = judged(&format!("{PREFIX}{text}"))
            .verdict
            .unwrap_err()
            .to_string();
        assert!(
            said.ends_with(&format!("input byte {offset}")),
            "{text:?}: {said}"
        );
    }
}

#[test]
fn of_what_cannot_be_read_nothing_is_known() {
    for case in ["empty", "padded base64", "v2 prefix", "bad percent"] {
        let inspection = judged(&token_of_case(case));
        assert_eq!(inspection.signs_cluster_header(), None, "{case}");
        assert!(!inspection.is_presigned(), "{case}");
    }
    let unsigned = judged(&token_of_case("header not signed"));
    assert_eq!(unsigned.signs_cluster_header(), Some(false));
    assert!(unsigned.is_presigned());
}

#[test]
fn only_a_host_of_sts_is_asked_for_the_time_and_only_where_the_time_decides() {
    for case in ["good", "age 15m05", "future 6m"] {
        let inspection = judged(&token_of_case(case));
        assert_eq!(
            inspection.clock_host(),
            Some("sts.us-west-2.amazonaws.com"),
            "{case}"
        );
    }
    for case in [
        "port 443",
        "http",
        "uppercase host",
        "4096 limit",
        "date missing",
        "empty",
    ] {
        assert_eq!(judged(&token_of_case(case)).clock_host(), None, "{case}");
    }
    // What is shown is cut, what is asked is not.
    let long = "a".repeat(40);
    let host = format!("sts.{long}.amazonaws.com");
    let inspection = judged(&token_of(
        &good().replace("sts.us-west-2.amazonaws.com", &host),
    ));
    assert_eq!(
        inspection.host.as_deref(),
        Some("sts.aaaaaaaa….amazonaws.com")
    );
    assert_eq!(inspection.clock_host(), Some(host.as_str()));
    assert_eq!(
        inspection.request().map(|(host, _)| host),
        Some(host.as_str())
    );
}

#[test]
fn a_cluster_in_another_region_is_told_of_and_one_in_another_partition_refuses() {
    let in_cluster = |name: &str| inspect(&token_of_case("good"), now(), Some(&region(name)));
    let elsewhere = in_cluster("eu-west-1");
    assert_eq!(elsewhere.verdict, Ok(()));
    let [warning] = &elsewhere.warnings[..] else {
        panic!("{:?}", elsewhere.warnings);
    };
    assert!(
        warning.contains("\"us-west-2\", and the cluster is in eu-west-1"),
        "{warning}"
    );
    let violation = in_cluster("cn-north-1").verdict.unwrap_err();
    assert_eq!(violation.rule, Rule::Partition);
    assert!(
        inspect(&token_of_case("good"), now(), None)
            .warnings
            .is_empty()
    );
}

#[test]
fn every_rule_has_its_fix() {
    for (case, fix) in [
        ("4096 limit", "session token is too long"),
        ("no prefix", "from k8s-aws-v1. on"),
        ("padded base64", "without padding"),
        ("http", "AWS_ENDPOINT_URL_STS"),
        ("port 443", "no port, no VPC endpoint"),
        ("cn host in aws partition", "the cluster's own region"),
        ("empty path", "exactly one slash"),
        ("bad percent", "exactly once"),
        ("dup case", "every parameter once"),
        ("extra x-id", "without this parameter"),
        ("action other", "GetCallerIdentity"),
        ("header not signed", "x-k8s-aws-id"),
        ("expires missing", "from 0 to 900"),
        ("date iso", "20250102T030405Z"),
        ("age 15m05", "15 minutes"),
    ] {
        let violation = judged(&token_of_case(case)).verdict.unwrap_err();
        assert!(violation.fix().contains(fix), "{case}: {}", violation.fix());
    }
}

proptest! {
    #[test]
    fn nothing_that_a_token_can_hold_makes_an_inspection_panic(
        text in ".{0,80}",
        place in 0_usize..465,
        cut in 0_usize..40,
        given in "[%&;=+/?#:@\\[\\]a-zé\u{0}-\u{1f}]{0,4}",
    ) {
        let mut url = good();
        url.replace_range(place..(place + cut).min(url.len()), &given);
        for token in [text.clone(), format!("{PREFIX}{text}"), token_of(&text), token_of(&url)] {
            let inspection = judged(&token);
            let _ = format!("{inspection:?} {:?}", inspection.request().is_some());
        }
    }

    #[test]
    fn every_date_is_the_day_that_the_calendar_says(seconds in 0_u64..253_402_300_799) {
        let moment = UNIX_EPOCH + Duration::from_secs(seconds);
        let text = crate::clock::rfc3339(moment).replace(['-', ':'], "");
        prop_assert_eq!(time::parse(&text).unwrap().0, moment);
    }
}
