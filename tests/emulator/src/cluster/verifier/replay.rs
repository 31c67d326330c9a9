//! What the verifier makes of STS's answer, or of none.

use std::time::Duration;

use serde_json::Value;

use super::Refusal;
use crate::sts::{Answer, Replay};

/// How long the verifier waits for STS.
pub(in crate::cluster) const TIMEOUT: Duration = Duration::from_secs(10);

/// Who STS says it was.
#[derive(Debug)]
pub(super) struct Identified {
    pub(super) account: String,
    pub(super) arn: String,
    pub(super) user_id: String,
}

/// Reads the answer of a regional endpoint; releases that say which one are given its `region`.
pub(super) fn identify(replay: Replay, region: Option<&str>) -> Result<Identified, Refusal> {
    match replay {
        Replay::Answered(answer, latency) if latency < TIMEOUT => read(&answer, region),
        Replay::Answered(..) | Replay::Hung => Err(during_get(
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            region,
        )),
        Replay::Reset => Err(during_get("read: connection reset by peer", region)),
        Replay::Closed => Err(during_get("EOF", region)),
    }
}

/// STS could not be reached, or did not answer.
pub(super) fn during_get(reason: &str, region: Option<&str>) -> Refusal {
    Refusal::Sts(format!("error during GET: {reason}{}", on(region)))
}

fn on(region: Option<&str>) -> String {
    region.map_or(String::new(), |region| format!(" on {region} endpoint"))
}

fn read(answer: &Answer, region: Option<&str>) -> Result<Identified, Refusal> {
    let Answer { status, body, .. } = answer;
    if *status != 200 {
        if body.contains("Throttling") {
            return Err(Refusal::Throttled(body.clone()));
        }
        let on = on(region);
        return Err(Refusal::Sts(format!(
            "error from AWS (expected 200, got {status}){on}. Body: {body}"
        )));
    }
    let body: Value = serde_json::from_str(body).map_err(|_| Refusal::Sts(no_json(body)))?;
    let result = &body["GetCallerIdentityResponse"]["GetCallerIdentityResult"];
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    Ok(Identified {
        account: text("Account"),
        arn: text("Arn"),
        user_id: text("UserId"),
    })
}

/// As Go says of a page of HTML.
fn no_json(body: &str) -> String {
    match body.trim_start().chars().next() {
        Some(first) => format!("invalid character '{first}' looking for beginning of value"),
        None => "unexpected end of JSON input".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(replay: Replay) -> String {
        let refusal = identify(replay, Some("eu-west-1")).unwrap_err();
        refusal.to_string()
    }

    fn answered(status: u16, body: &str) -> Replay {
        let answer = Answer {
            status,
            content_type: "application/json",
            body: body.to_owned(),
        };
        Replay::Answered(answer, Duration::ZERO)
    }

    #[test]
    fn an_error_is_passed_on_with_its_body() {
        assert_eq!(
            refusal(answered(403, "{}")),
            "sts getCallerIdentity failed: error from AWS (expected 200, got 403) on eu-west-1 \
             endpoint. Body: {}",
        );
        assert_eq!(
            identify(answered(503, "x"), None).unwrap_err().to_string(),
            "sts getCallerIdentity failed: error from AWS (expected 200, got 503). Body: x",
        );
    }

    #[test]
    fn throttling_is_an_error_of_its_own() {
        assert_eq!(
            refusal(answered(400, r#"{"Code":"Throttling"}"#)),
            r#"sts getCallerIdentity was throttled: {"Code":"Throttling"}"#,
        );
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let failed = "sts getCallerIdentity failed: ";
        assert_eq!(
            refusal(answered(200, "<html>")),
            format!("{failed}invalid character '<' looking for beginning of value"),
        );
        assert_eq!(
            refusal(answered(200, "")),
            format!("{failed}unexpected end of JSON input")
        );
        assert_eq!(
            refusal(Replay::Hung),
            format!(
                "{failed}error during GET: context deadline exceeded (Client.Timeout exceeded \
                 while awaiting headers) on eu-west-1 endpoint"
            ),
        );
        assert_eq!(
            refusal(Replay::Closed),
            format!("{failed}error during GET: EOF on eu-west-1 endpoint")
        );
        assert!(refusal(Replay::Reset).contains("connection reset by peer"));
    }
}
