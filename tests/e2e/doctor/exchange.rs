//! The exchange: each refusal of STS with its cause and cure, a trust policy that works, and who the credentials are.

use std::time::Duration;

use emulator::{Fault, ROLE_ARN, Role, TokenRequest};
use irsa_sidecar::diagnosis::{Finding, findings};
use serde_json::{Value, json};

use super::{Row, finding_of, findings_of, words};
use crate::sidecar::{Finished, Launch, NOBODY, Pod};
use crate::sts_errors::cases::{Case, real_conditions, service_account, told_by_sts};

const OTHER: &str = "https://issuer.example/id/other";

pub fn rows() -> Vec<Row> {
    macro_rules! rows {
        ($($finding:ident: $status:literal = $run:expr;)*) => {
            vec![$(Row { finding: findings::$finding, status: $status, run: $run }),*]
        };
    }
    rows! {
        STS_ACCESS_DENIED: "fail" = || first_case(findings::STS_ACCESS_DENIED);
        STS_NO_PROVIDER: "fail" = || first_case(findings::STS_NO_PROVIDER);
        STS_AUDIENCE: "fail" = || first_case(findings::STS_AUDIENCE);
        STS_AUDIENCE_MISSING: "fail" = || first_case(findings::STS_AUDIENCE_MISSING);
        STS_VERIFICATION_KEY: "fail" = || first_case(findings::STS_VERIFICATION_KEY);
        STS_THUMBPRINT: "fail" = || first_case(findings::STS_THUMBPRINT);
        STS_NOT_A_JWT: "fail" = || first_case(findings::STS_NOT_A_JWT);
        STS_TOKEN_REJECTED: "fail" = || first_case(findings::STS_TOKEN_REJECTED);
        STS_TOKEN_EXPIRED: "fail" = || first_case(findings::STS_TOKEN_EXPIRED);
        STS_CLAIM_REJECTED: "fail" = || first_case(findings::STS_CLAIM_REJECTED);
        STS_REGION_DISABLED: "fail" = || first_case(findings::STS_REGION_DISABLED);
        STS_SESSION_POLICY: "fail" = || first_case(findings::STS_SESSION_POLICY);
        STS_DURATION: "warn" = an_hour_only;
        STS_INVALID_REQUEST: "fail" = || first_case(findings::STS_INVALID_REQUEST);
        STS_REFUSED: "fail" = || first_case(findings::STS_REFUSED);
        STS_THROTTLED: "fail" = || first_case(findings::STS_THROTTLED);
        STS_UNAVAILABLE: "fail" = || first_case(findings::STS_UNAVAILABLE);
        STS_GARBLED: "fail" = || first_case(findings::STS_GARBLED);
        STS_USELESS_CREDENTIALS: "fail" = || exchange_fault(Fault::EmptyCredentials);
        CREDENTIALS_REFUSED: "fail" = || caller_fault(Fault::error("InvalidClientTokenId"));
    }
}

fn cases() -> impl Iterator<Item = Case> {
    real_conditions().into_iter().chain(told_by_sts())
}

/// `doctor` where `serve` would run, and no sidecar does.
fn examine(serve: Launch) -> Finished {
    serve
        .with_arguments(["doctor", "--json"])
        .env("IRSA_SIDECAR_LISTEN", NOBODY)
        .ends()
}

fn doctor(pod: &Pod) -> Finished {
    examine(pod.serve())
}

/// In the surroundings in which `serve` comes to it.
fn first_case(finding: Finding) -> Finished {
    let mut cases = cases();
    let case = cases.find(|case| case.finding == finding.id);
    let case = case.unwrap_or_else(|| panic!("no case of {}", finding.id));
    let pod = (case.pod)();
    examine((case.launch)(&pod))
}

fn fault(action: &str, fault: Fault) -> Finished {
    let pod = Pod::new();
    pod.emulator.sts().fail_action(action, fault);
    doctor(&pod)
}

fn exchange_fault(what: Fault) -> Finished {
    fault("AssumeRoleWithWebIdentity", what)
}

fn caller_fault(what: Fault) -> Finished {
    fault("GetCallerIdentity", what)
}

fn an_hour_only() -> Finished {
    let pod = Pod::new();
    pod.emulator.sts().add_role(Role {
        max_session_duration: Duration::from_secs(3600),
        ..Role::trusting(
            ROLE_ARN,
            pod.emulator.issuer().iss(),
            "system:serviceaccount:team:app",
        )
    });
    examine(pod.serve().env("IRSA_SIDECAR_DURATION", "4h"))
}

fn status(finished: &Finished, step: &str) -> String {
    let entry = finding_of(finished, step);
    entry["status"].as_str().expect("a status").to_owned()
}

/// The entries that are neither fine nor skipped.
fn troubles(finished: &Finished) -> Vec<Value> {
    let mut all = findings_of(finished);
    all.retain(|entry| entry["status"] == "fail" || entry["status"] == "warn");
    all
}

#[test]
fn a_healthy_pod_is_told_who_it_is_until_when_and_nothing_to_do() {
    let pod = Pod::new();
    let finished = doctor(&pod);
    for step in ["sts-region", "exchange", "session-duration", "credentials"] {
        assert_eq!(status(&finished, step), "ok", "{}", finished.stdout);
    }
    let found = |step| finding_of(&finished, step)["found"].to_string();
    assert!(found("sts-region").contains("eu-west-1 serves the account 111122223333"));
    assert!(found("exchange").contains(&format!(
        "{ROLE_ARN}, as the role session app-7d9f8b6c5-x2x4q"
    )));
    assert!(found("session-duration").contains("1h"));
    let issued = pod.emulator.sts().issued().remove(0);
    let credentials = found("credentials");
    for part in [
        "arn:aws:sts::111122223333:assumed-role/app/app-7d9f8b6c5-x2x4q",
        &issued.access_key_id,
        "from now",
    ] {
        assert!(credentials.contains(part), "{credentials}");
    }
    for secret in [
        &issued.secret_access_key,
        &issued.session_token,
        &pod.request.pod_uid().to_owned(),
    ] {
        assert!(!finished.stdout.contains(secret.as_str()));
        assert!(!finished.stderr.contains(secret.as_str()));
    }
    assert_eq!(pod.exchange_calls().len(), 1, "once");
}

#[test]
fn each_refusal_is_one_failure_in_the_words_of_serve() {
    std::thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || {
                let pod = (case.pod)();
                let finished = examine((case.launch)(&pod));
                let entry = finding_of(&finished, case.finding);
                assert_eq!(entry["status"], "fail", "{entry}");
                let words = words(&entry);
                for part in case.sentence {
                    // `Diagnosis` puts this word before what is a field of its own here.
                    let part = part.strip_prefix("expected ").unwrap_or(part);
                    assert!(words.contains(part), "{part:?} is not in {words}");
                }
                let mut failures = troubles(&finished);
                failures.retain(|trouble| trouble["status"] == "fail");
                assert_eq!(failures.len(), 1, "{}: {failures:?}", case.finding);
                assert_eq!(pod.exchange_calls().len(), 1, "{}", case.finding);
            });
        }
    });
}

#[test]
fn a_role_that_allows_an_hour_only_is_a_warning_and_the_way_goes_on() {
    let finished = an_hour_only();
    let entry = finding_of(&finished, "sts-duration");
    assert_eq!(entry["status"], "warn");
    assert!(
        words(&entry).contains("--role-name app --max-session-duration 14400"),
        "{entry}"
    );
    assert_eq!(status(&finished, "exchange"), "ok");
    assert_eq!(status(&finished, "credentials"), "ok");
    assert_eq!(finished.status.code(), Some(0));
}

#[test]
fn a_disabled_region_is_the_regions_failure_and_not_the_exchanges_too() {
    let finished = exchange_fault(Fault::error("RegionDisabledException"));
    assert_eq!(troubles(&finished).len(), 1);
    let exchange = finding_of(&finished, "exchange");
    assert_eq!(exchange["status"], "skipped");
    assert!(
        exchange["found"].to_string().contains("see sts-region"),
        "{exchange}"
    );
}

#[test]
fn credentials_that_sts_refuses_are_a_failure_and_an_sts_that_is_busy_is_none() {
    for (code, part) in [
        ("InvalidClientTokenId", "deleted or made again"),
        ("AccessDenied", "sts:GetCallerIdentity"),
        ("SignatureDoesNotMatch", "a proxy that takes TLS apart"),
    ] {
        let finished = caller_fault(Fault::error(code));
        let entry = finding_of(&finished, "credentials-refused");
        let words = words(&entry);
        assert!(words.contains(code) && words.contains(part), "{words}");
        assert!(
            words.contains(ROLE_ARN) && words.contains("its access key ASIA"),
            "{words}"
        );
        assert_eq!(troubles(&finished).len(), 1);
    }
    let busy = [
        Fault::Throttle,
        Fault::ServerError(503),
        Fault::Garbage,
        Fault::Hang,
    ];
    for busy in busy {
        let finished = caller_fault(busy);
        assert_eq!(status(&finished, "exchange"), "ok");
        let all = findings_of(&finished);
        let warned = all.iter().filter(|finding| finding["status"] == "warn");
        assert_eq!(warned.count(), 1, "{}", finished.stdout);
        assert_eq!(finished.status.code(), Some(0), "{}", finished.stdout);
    }
}

#[test]
fn nothing_is_signed_for_a_cluster_with_credentials_that_sts_refuses() {
    let pod = Pod::new();
    let in_cluster = || {
        let serve = pod.serve().env("IRSA_SIDECAR_LISTEN", NOBODY);
        let arguments = ["doctor", "--json", "--cluster-name", "demo"];
        status(&serve.with_arguments(arguments).ends(), "eks-token")
    };
    assert_eq!(in_cluster(), "ok");
    let refused = Fault::error("InvalidClientTokenId");
    pod.emulator.sts().fail_action("GetCallerIdentity", refused);
    assert_eq!(in_cluster(), "skipped");
}

/// Everything up to it is fine: STS answers whatever else it is asked.
#[test]
fn an_exchange_that_hangs_or_breaks_off_is_a_failure_of_its_own() {
    for (what, id) in [(Fault::Hang, "sts-timeout"), (Fault::Reset, "sts-connect")] {
        let finished = exchange_fault(what);
        let entry = finding_of(&finished, id);
        assert_eq!(entry["status"], "fail");
        assert!(words(&entry).contains("http://127.0.0.1:"), "{entry}");
        assert!(
            !words(&entry).contains("10 s"),
            "doctor waits less: {entry}"
        );
        assert_eq!(troubles(&finished).len(), 1, "{}", finished.stdout);
        for step in ["sts-region", "session-duration", "credentials"] {
            assert_eq!(status(&finished, step), "skipped");
        }
        assert_eq!(status(&finished, "sts-answer"), "ok");
    }
}

#[test]
fn a_role_that_stands_in_for_an_annotation_that_nobody_can_read_is_exchanged_for() {
    let pod = Pod::new();
    let by_annotation = |serve: Launch| serve.env("IRSA_SIDECAR_ROLE_FROM_ANNOTATION", "true");
    let finished = examine(by_annotation(pod.serve()));
    assert_eq!(finding_of(&finished, "not-in-cluster")["status"], "warn");
    assert_eq!(status(&finished, "exchange"), "ok", "{}", finished.stdout);
    let finished = examine(by_annotation(pod.serve().without("AWS_ROLE_ARN")));
    assert_eq!(finding_of(&finished, "not-in-cluster")["status"], "fail");
    let exchange = finding_of(&finished, "exchange");
    assert_eq!(exchange["status"], "skipped");
    assert!(
        exchange["found"].to_string().contains("see annotation"),
        "{exchange}"
    );
}

#[test]
fn what_is_known_to_be_wrong_is_not_sent_to_sts() {
    let pod = Pod::with(TokenRequest {
        audiences: vec!["somebody-else".to_owned()],
        ..TokenRequest::default()
    });
    let finished = doctor(&pod);
    let exchange = finding_of(&finished, "exchange");
    assert_eq!(exchange["status"], "skipped");
    assert!(
        exchange["found"].to_string().contains("see claims"),
        "{exchange}"
    );
    assert!(pod.exchange_calls().is_empty());
    let pod = Pod::new();
    let finished = examine(pod.serve().without("AWS_ROLE_ARN"));
    let exchange = finding_of(&finished, "exchange");
    assert!(
        exchange["found"].to_string().contains("see role"),
        "{exchange}"
    );
}

/// The policy in the fix: all from its first brace to its last.
fn printed_policy(fix: &str) -> Value {
    let (from, to) = (
        fix.find('{').expect("a policy"),
        fix.rfind('}').expect("its end"),
    );
    serde_json::from_str(&fix[from..=to]).unwrap_or_else(|error| panic!("{error}: {fix}"))
}

/// What `aws` is given by whoever pastes all that stands there for a shell.
fn pasted_policy(pod: &Pod, fix: &str) -> Value {
    const TOLD: &str =
        "update-assume-role-policy --role-name app --policy-document file://trust.json";
    let (_, paste) = fix.split_once(":\ncat ").expect("a paste");
    let aws = r#"aws() { shift; echo "$*" > asked; cat "${5#file://}" > given; }"#;
    let script = format!("set -eu\n{aws}\ncat {paste}");
    let place = pod.path("paste");
    std::fs::create_dir(&place).expect("a directory");
    let mut shell = std::process::Command::new("sh");
    let ended = shell.arg("-c").arg(&script).current_dir(&place).output();
    let ended = ended.expect("sh is there");
    assert!(ended.status.success(), "{ended:?}: {script}");
    let read = |name| std::fs::read_to_string(place.join(name)).expect("a file");
    assert_eq!(read("asked").trim_end(), TOLD);
    serde_json::from_str(&read("given")).expect("a policy")
}

fn fix(finished: &Finished, id: &str) -> String {
    let entry = finding_of(finished, id);
    entry["fix"].as_str().expect("a text").to_owned()
}

/// What follows this option in a command.
fn option<'a>(fix: &'a str, name: &str) -> &'a str {
    let after = fix
        .split_once(name)
        .unwrap_or_else(|| panic!("no {name} in {fix}"))
        .1;
    after
        .split_whitespace()
        .next()
        .expect("a value")
        .trim_end_matches([',', ';'])
}

/// Whether STS takes a token with these claims for the pod's role.
fn takes(pod: &Pod, claims_patch: Value) -> String {
    let request = TokenRequest {
        claims_patch,
        ..pod.request.clone()
    };
    let token = pod.emulator.issuer().token(&request);
    pod.volume.rotate(&token).expect("a rotation");
    let audiences = request.claims_patch["aud"][0].as_str();
    let audience = audiences.unwrap_or(&pod.request.audiences[0]).to_owned();
    examine(pod.serve().env("IRSA_SIDECAR_AUDIENCE", audience));
    let last = pod.exchange_calls().pop().expect("an exchange");
    last.result
}

#[test]
fn the_trust_policy_that_is_printed_lets_this_token_in_and_no_other() {
    for audiences in [
        vec!["sts.amazonaws.com"],
        vec!["vault", "sts.amazonaws.com"],
    ] {
        let pod = Pod::with(TokenRequest {
            audiences: audiences.iter().map(|&one| one.to_owned()).collect(),
            ..service_account("somebody-else")
        });
        let sts = pod.emulator.sts();
        let denied = doctor(&pod);
        let fix = fix(&denied, "sts-access-denied");
        let policy = pasted_policy(&pod, &fix);
        assert_eq!(policy, printed_policy(&fix));
        sts.set_trust_policy(ROLE_ARN, &policy)
            .expect("what IAM stores");

        let allowed = doctor(&pod);
        assert_eq!(status(&allowed, "exchange"), "ok", "{}", allowed.stdout);
        assert_eq!(status(&allowed, "credentials"), "ok");
        pod.sidecar().wait_ready();

        // Whatever else the account trusts: these tokens are good, and stay outside.
        let iss = pod.emulator.issuer().iss();
        let client_ids = ["sts.amazonaws.com", "vault", "another"];
        sts.add_oidc_provider(iss, &client_ids);
        sts.add_oidc_provider(OTHER, &client_ids);
        let sub = |name: &str| json!({ "sub": format!("system:serviceaccount:{name}") });
        for stranger in [
            sub("team:app"),
            sub("team:somebody-else2"),
            sub("other:somebody-else"),
            json!({ "aud": ["another"] }),
            json!({ "iss": OTHER }),
        ] {
            assert_eq!(takes(&pod, stranger.clone()), "AccessDenied", "{stranger}");
        }
        assert_eq!(takes(&pod, json!({})), "Success");
    }
}

#[test]
fn the_provider_and_the_client_id_that_are_printed_are_the_ones_that_are_missing() {
    let pod = Pod::with(TokenRequest {
        claims_patch: json!({ "iss": OTHER, "aud": ["mine"] }),
        ..TokenRequest::default()
    });
    let sts = pod.emulator.sts();
    let doctor = || examine(pod.serve().env("IRSA_SIDECAR_AUDIENCE", "mine"));
    let missing = fix(&doctor(), "sts-no-provider");
    let arn = "arn:aws:iam::111122223333:oidc-provider/issuer.example/id/other";
    assert!(missing.contains(arn), "{missing}");
    assert_eq!(option(&missing, "--client-id-list "), "mine");
    sts.add_oidc_provider(option(&missing, "--url "), &[]);

    let unlisted = fix(&doctor(), "sts-audience");
    assert_eq!(option(&unlisted, "--open-id-connect-provider-arn "), arn);
    sts.add_oidc_provider(OTHER, &[option(&unlisted, "--client-id ")]);

    let policy = printed_policy(&fix(&doctor(), "sts-access-denied"));
    sts.set_trust_policy(ROLE_ARN, &policy)
        .expect("what IAM stores");
    assert_eq!(status(&doctor(), "exchange"), "ok");
}

/// IAM takes no port in a provider's URL, so nothing is printed that it would refuse.
#[test]
fn an_issuer_with_a_port_is_told_to_do_without_and_given_nothing_to_paste() {
    let iss = "https://issuer.example:8443/id";
    let pod = Pod::with(TokenRequest {
        claims_patch: json!({ "iss": iss }),
        ..TokenRequest::default()
    });
    let missing = fix(&doctor(&pod), "sts-no-provider");
    pod.emulator
        .sts()
        .add_oidc_provider(iss, &["sts.amazonaws.com"]);
    let denied = fix(&doctor(&pod), "sts-access-denied");
    for fix in [missing, denied] {
        assert!(fix.contains("serve the issuer on port 443"), "{fix}");
        assert!(fix.contains(iss), "{fix}");
        assert!(
            !fix.contains('{') && !fix.contains(":oidc-provider/"),
            "{fix}"
        );
    }
}

/// Whoever writes tokens writes nobody's shell or policy.
#[test]
fn hostile_claims_break_neither_the_policy_nor_the_report_nor_the_503() {
    for (sub, several) in [
        ("x\",\"i:aud\":\"*\"}}},{\"Effect\":\"Allow".to_owned(), 0),
        ("${aws:username}".to_owned(), 0),
        ("line\nbreak\u{1b}[31m\u{202e}".to_owned(), 1),
        ("\u{10ffff}".repeat(300), 4),
        ("x".repeat(3000), 1),
    ] {
        let audiences = ["sts.amazonaws.com", &sub, &sub, &sub, &sub];
        let pod = Pod::with(TokenRequest {
            claims_patch: json!({ "sub": sub, "aud": audiences[..1 + several] }),
            ..TokenRequest::default()
        });
        let fix = fix(&doctor(&pod), "sts-access-denied");
        assert!(fix.len() < 4_000 && !fix.contains('\u{1b}') && !fix.contains('\u{202e}'));
        match fix.find('{') {
            None => assert!(!fix.contains("update-assume-role-policy"), "{fix}"),
            Some(_) => {
                let policy = printed_policy(&fix);
                let statements = policy["Statement"].as_array().expect("a list");
                assert_eq!(statements.len(), 1, "{fix}");
                let conditions = &statements[0]["Condition"]["StringEquals"];
                let iss = pod.emulator.issuer().iss().trim_start_matches("https://");
                assert_eq!(conditions[format!("{iss}:sub")], sub.as_str());
            }
        }
        let sidecar = pod.sidecar();
        sidecar.wait_finding("sts-access-denied");
        let answer = sidecar.get_credentials(&pod);
        assert_eq!(answer.code(), "CredentialsUnavailable");
        assert!(answer.body.len() < 10_000, "{}", answer.body.len());
    }
}
