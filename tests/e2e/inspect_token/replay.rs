//! What STS says to a token, and what it means: every refusal has its finding and its cure.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

use emulator::Fault;
use irsa_sidecar::diagnosis::findings;

use super::presigned::{
    ACCESS_KEY_ID, Presigned, SESSION_TOKEN, assert_nothing_shown, open_session, token_of,
};
use super::{inspect, line};
use crate::sidecar::{Pod, now};
use crate::tls::proxy_to;

/// How it comes about, what it is called, and parts of what is said: found, expected, fix.
struct Case {
    arrange: fn(&Pod),
    token: fn() -> Presigned,
    finding: &'static str,
    said: &'static [&'static str],
}

fn says(pod: &Pod, status: u16, code: &str, message: &str) {
    pod.emulator.sts().fail(Fault::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    });
}

fn cases() -> Vec<Case> {
    let case = |arrange, token, finding, said| Case {
        arrange,
        token,
        finding,
        said,
    };
    let of_sts = |arrange, finding, said| case(arrange, Presigned::now, finding, said);
    vec![
        case(
            |_| {},
            || Presigned {
                cluster: "another".into(),
                ..Presigned::now()
            },
            "eks-token-signature",
            &[
                "asked as the cluster \"demo\", STS answered 403 \"SignatureDoesNotMatch\"",
                "`aws eks list-clusters`",
            ],
        ),
        case(
            |_| {},
            || Presigned::at(now() + Duration::from_secs(400), "eu-west-1"),
            "eks-token-clock",
            &["Signature not yet current", "it is ahead"],
        ),
        of_sts(
            |pod| pod.emulator.sts().set_clock_skew(-1200),
            "eks-token-clock",
            &["Signature not yet current"],
        ),
        // An STS that does not tell its time, or the token would break the rule of its age.
        of_sts(
            |pod| {
                pod.emulator.sts().fail(Fault::NoDate);
                pod.emulator.sts().set_clock_skew(1200);
            },
            "eks-token-clock",
            &["Signature expired", "it is behind"],
        ),
        of_sts(
            |pod| {
                let sts = pod.emulator.sts();
                sts.set_session_lifetime(Some(Duration::from_secs(5)));
                open_session(pod, ACCESS_KEY_ID, SESSION_TOKEN);
                sts.stop_clock_at(now() + Duration::from_secs(30));
            },
            "eks-token-credentials-expired",
            &["403 \"ExpiredToken\"", "take a new token"],
        ),
        case(
            |_| {},
            || Presigned {
                access_key_id: "ASIAQQQQQQQQQQQQQQQQ".into(),
                ..Presigned::now()
            },
            "eks-token-unknown-key",
            &[
                "403 \"InvalidClientTokenId\"",
                "the key was deleted or is of another partition",
            ],
        ),
        case(
            |_| {},
            || Presigned::now().with("X-Amz-Security-Token", "of-another-session"),
            "eks-token-unknown-key",
            &["InvalidClientTokenId", "the session token is missing"],
        ),
        of_sts(
            |pod| pod.emulator.sts().fail(Fault::Throttle),
            "sts-throttled",
            &[
                "400 \"Throttling\"",
                "use one token for as long as it lasts",
                "\nlog             sts getCallerIdentity was throttled: …",
            ],
        ),
        of_sts(
            |pod| pod.emulator.sts().fail(Fault::ServerError(429)),
            "sts-throttled",
            &[
                "STS answered 429",
                "\nlog             sts getCallerIdentity failed: error from AWS (expected 200, got 429) on eu-west-1 endpoint. Body: …",
            ],
        ),
        of_sts(
            |pod| says(pod, 400, "SlowDown", "Please reduce your request rate."),
            "sts-throttled",
            &["400 \"SlowDown\""],
        ),
        // The verifier looks for the word in the whole answer.
        of_sts(
            |pod| says(pod, 500, "InternalFailure", "Throttling in the back end."),
            "sts-throttled",
            &["\nlog             sts getCallerIdentity was throttled: …"],
        ),
        of_sts(
            |pod| says(pod, 400, "RequestTimeout", "Too slow."),
            "sts-unavailable",
            &["400 \"RequestTimeout\""],
        ),
        of_sts(
            |pod| pod.emulator.sts().fail(Fault::ServerError(503)),
            "sts-unavailable",
            &[
                "STS answered 503",
                "AWS Health Dashboard",
                "\nlog             sts getCallerIdentity failed: error from AWS (expected 200, got 503) on eu-west-1 endpoint. Body: …",
            ],
        ),
        of_sts(
            |pod| {
                says(
                    pod,
                    403,
                    "RegionDisabledException",
                    "STS is not activated in this region",
                )
            },
            "sts-region-disabled",
            &["403 \"RegionDisabledException\"", "activate STS"],
        ),
        of_sts(
            |pod| says(pod, 400, "SomethingNew", "Nobody has heard of it."),
            "eks-token-refused",
            &[
                "400 \"SomethingNew\": \"Nobody has heard of it.\"",
                "the documentation of STS",
            ],
        ),
        of_sts(
            |pod| pod.emulator.sts().fail(Fault::Garbage),
            "eks-identity",
            &["sts getCallerIdentity failed: "],
        ),
        of_sts(
            |pod| pod.emulator.sts().fail(Fault::Down),
            "eks-replay-unreachable",
            &[
                "STS at http://127.0.0.1:",
                "the cluster has a way of its own to STS",
            ],
        ),
        of_sts(
            |pod| pod.emulator.sts().fail(Fault::Hang),
            "eks-replay-unreachable",
            &["no answer in time"],
        ),
    ]
}

#[test]
fn every_refusal_is_named_with_its_cure() {
    thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || try_one(&case));
        }
    });
}

fn try_one(case: &Case) {
    let pod = Pod::new();
    open_session(&pod, ACCESS_KEY_ID, SESSION_TOKEN);
    (case.arrange)(&pod);
    let token = (case.token)().token();
    let ended = inspect(&pod, &[&token, "--cluster-name", "demo"]).output();
    assert_eq!(
        (ended.status.code(), ended.stderr.as_str()),
        (Some(1), ""),
        "{ended:?}"
    );
    assert_eq!(line(&ended, "rules"), "all hold");
    let refused = format!("refused ({}): ", case.finding);
    assert!(
        line(&ended, "replay").starts_with(&refused),
        "{}: {}",
        case.finding,
        ended.stdout
    );
    for name in ["expected", "fix"] {
        assert!(!line(&ended, name).is_empty());
    }
    for part in case.said {
        assert!(
            ended.stdout.contains(part),
            "{part:?} is not in {}",
            ended.stdout
        );
    }
    assert_nothing_shown(&ended, &token);
    // The cluster's own words, up to what STS answered.
    let mut lines = ended.stdout.lines();
    let log = lines.find_map(|line| line.strip_prefix("log "));
    // With a wrong clock the emulator's cluster does not come to ask STS.
    if let Some(words) = log.filter(|_| case.finding != "eks-token-clock") {
        let words = words.trim_start().trim_end_matches('…');
        let refusal = pod.emulator.cluster().review(&token);
        let refusal = refusal.expect_err("STS refuses");
        assert!(refusal.contains(words), "{words:?} is not in {refusal}");
    }
    // Neither entry nor command helps somebody whom STS does not know.
    assert!(!ended.stdout.contains("aws-auth") && !ended.stdout.contains("create-access-entry"));
}

#[test]
fn every_finding_about_a_token_that_was_made_is_tried_here() {
    let cases = cases();
    let mut tried: BTreeSet<&str> = cases.iter().map(|case| case.finding).collect();
    // STS's own, which `sts_errors` holds; and `cases` holds this one, fifty times.
    tried.retain(|finding| !finding.starts_with("sts-"));
    tried.insert(findings::EKS_TOKEN_MALFORMED.id);
    // Those of a token that is not made: `eks_token` and `files` hold them.
    let unmade = [
        findings::EKS_TOKEN_TOO_LARGE.id,
        findings::EKS_TOKEN_UNSIGNABLE.id,
    ];
    let known = findings::ALL.iter().map(|finding| finding.id);
    let about_tokens = known
        .filter(|id| {
            ["eks-token-", "eks-replay-", "eks-identity"]
                .iter()
                .any(|it| id.starts_with(it))
        })
        .filter(|id| !unmade.contains(id));
    assert_eq!(tried, about_tokens.collect());
}

#[test]
fn without_another_address_a_token_goes_to_its_own_host_and_a_broken_one_nowhere() {
    let pod = Pod::new();
    open_session(&pod, ACCESS_KEY_ID, SESSION_TOKEN);
    let bundle = pod.path("ca.pem");
    fs::write(&bundle, pod.emulator.ca_pem()).expect("a bundle");
    let proxy = proxy_to(&pod);
    let run = |token: &str| {
        let ended = inspect(&pod, &[token, "--cluster-name", "demo"])
            .without("AWS_ENDPOINT_URL_STS")
            .env("AWS_CA_BUNDLE", &bundle)
            .env("HTTPS_PROXY", proxy.url(None))
            .output();
        assert_nothing_shown(&ended, token);
        ended
    };
    let calls = pod.emulator.sts().calls().len();
    let url = Presigned::now().url();
    for hostile in [
        url.replace("https://sts.eu-west-1.amazonaws.com", "https://127.0.0.1:9"),
        url.replace(
            "sts.eu-west-1.amazonaws.com",
            "sts.eu-west-1.amazonaws.com.example.com",
        ),
        url.replace("sts.eu-west-1.amazonaws.com", "example.com"),
        url.replace("https://", "http://"),
        url.replace(".com/?", ".com:9/?"),
        url.replace("https://sts", "https://vpce-0a1.sts"),
    ] {
        let ended = run(&token_of(&hostile));
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(!ended.stdout.contains("replay"), "{}", ended.stdout);
    }
    assert_eq!(proxy.seen(), []);
    assert_eq!(pod.emulator.sts().calls().len(), calls);

    let ended = run(&token_of(&url));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let targets: BTreeSet<String> = proxy.seen().into_iter().map(|it| it.target).collect();
    let own = "sts.eu-west-1.amazonaws.com:443".to_owned();
    assert_eq!(targets, BTreeSet::from([own]));
}

#[test]
fn over_tls_the_tokens_own_host_is_sent_too() {
    let pod = Pod::new();
    open_session(&pod, ACCESS_KEY_ID, SESSION_TOKEN);
    let bundle = pod.path("ca.pem");
    fs::write(&bundle, pod.emulator.ca_pem()).expect("a bundle");
    let token = Presigned::now().token();
    let over_tls = || {
        inspect(&pod, &[&token, "--cluster-name", "demo"])
            .env("AWS_ENDPOINT_URL_STS", pod.emulator.tls_url())
    };
    // The host is signed: only with the token's is the signature good.
    let ended = over_tls().env("AWS_CA_BUNDLE", &bundle).output();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(line(&ended, "replay"), "STS accepted it");
    pod.emulator.sts().fail(Fault::ServerError(302));
    let ended = over_tls().env("AWS_CA_BUNDLE", &bundle).output();
    let replay = line(&ended, "replay");
    assert!(replay.contains("STS answered 302"), "{}", ended.stdout);
    assert_nothing_shown(&ended, &token);
}
