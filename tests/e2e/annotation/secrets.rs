//! The token for the Kubernetes API is nowhere in what is said, whatever the API server says of it.

use std::thread;

use emulator::ApiFault;
use serde_json::json;

use super::Annotated;
use crate::sidecar::Sidecar;

/// Every answer that may quote the request, and the finding that it makes.
fn faults(token: &str) -> Vec<(Option<ApiFault>, &'static str)> {
    let status = |code: u16| {
        let message = format!("bad bearer token {token}");
        let reason = if code == 404 { "NotFound" } else { "" };
        let body = json!({ "kind": "Status", "message": message, "reason": reason, "code": code });
        Some(ApiFault::Answer(code, body.to_string()))
    };
    vec![
        (status(401), "service-account-unauthorized"),
        (status(403), "service-account-forbidden"),
        (status(404), "service-account-not-found"),
        (status(500), "api-unreachable"),
        (
            Some(ApiFault::Answer(200, token.to_owned())),
            "api-unreachable",
        ),
        (
            Some(ApiFault::Redirect(format!("https://127.0.0.1:1/{token}"))),
            "api-unreachable",
        ),
    ]
}

#[test]
fn the_token_for_the_kubernetes_api_is_in_nothing_that_is_said() {
    thread::scope(|scope| {
        for level in ["info", "debug", "trace"] {
            scope.spawn(move || hunt(level));
        }
    });
}

fn hunt(level: &str) {
    let annotated = Annotated::new();
    let token = annotated.api_token();
    annotated.mount("token", &token);
    for (fault, finding) in faults(&token) {
        annotated.cluster().set_api_fault(fault);
        let launch = annotated.serve().env("IRSA_SIDECAR_LOG_LEVEL", level);
        let mut sidecar = annotated.start(&launch);
        sidecar.wait_finding(finding);
        let said = listen(&annotated, &sidecar);
        annotated.cluster().set_api_fault(None);
        annotated.pod.rotate();
        sidecar.wait_ready();
        sidecar.signal("TERM");
        let said = said + &sidecar.whole_log();
        assert!(said.contains(finding), "an honest hunt");
        for part in token.split('.') {
            // The header is that of every token.
            let is_secret = part.len() > 60;
            assert!(
                !is_secret || !said.contains(part),
                "{finding} at {level}:\n{said}"
            );
        }
    }
    let sent = annotated.cluster().requests();
    let sent = sent.last().and_then(|last| last.token.clone());
    assert_eq!(
        sent.as_ref(),
        Some(&token),
        "what was looked for is what was sent"
    );
}

fn listen(annotated: &Annotated, sidecar: &Sidecar) -> String {
    let answers = [
        sidecar.get_credentials(&annotated.pod),
        sidecar.ops_get("/readyz"),
        sidecar.ops_get("/metrics"),
    ];
    let command_line = format!("/proc/{}/cmdline", sidecar.id());
    format!("{answers:?}{}", crate::sidecar::read(command_line.as_ref()))
}
