//! Faults as the control door reads them: `{"fault":"server-error","status":503,"next":2}`.

use std::time::Duration;

use serde_json::Value;

use crate::sts::Fault;

/// The fault, and how many requests shall meet it: without `next`, all from now on.
pub(super) fn parse(body: &Value) -> Result<(Fault, Option<u32>), String> {
    let times = match &body["next"] {
        Value::Null => None,
        next => Some(small(next).ok_or("`next` is a whole number")?),
    };
    let fault = match body["fault"].as_str().ok_or("`fault` is missing")? {
        "latency" => {
            let milliseconds = body["milliseconds"].as_u64();
            let milliseconds = milliseconds.ok_or("latency wants `milliseconds`")?;
            Fault::Latency(Duration::from_millis(milliseconds))
        }
        "hang" => Fault::Hang,
        "reset" => Fault::Reset,
        "error" => error(body)?,
        "throttle" => Fault::Throttle,
        "server-error" => Fault::ServerError(status(body)?.unwrap_or(503)),
        "garbage" => Fault::Garbage,
        "empty-credentials" => Fault::EmptyCredentials,
        "expired-credentials" => Fault::ExpiredCredentials,
        "verification-key" => Fault::VerificationKey,
        "idp-communication" => Fault::IdpCommunication,
        "down" => Fault::Down,
        "no-date" => Fault::NoDate,
        other => return Err(format!("no fault is named `{other}`")),
    };
    Ok((fault, times))
}

/// The usual error of the code; `status` and `message` override it.
fn error(body: &Value) -> Result<Fault, String> {
    let code = body["code"].as_str().ok_or("error wants a `code`")?;
    let mut fault = Fault::error(code);
    if let Fault::Error {
        status: usual_status,
        message: usual_message,
        ..
    } = &mut fault
    {
        if let Some(status) = status(body)? {
            *usual_status = status;
        }
        if let Some(message) = body["message"].as_str() {
            message.clone_into(usual_message);
        }
    }
    Ok(fault)
}

fn status(body: &Value) -> Result<Option<u16>, String> {
    match &body["status"] {
        Value::Null => Ok(None),
        status => match small(status) {
            Some(status @ 200..=599) => Ok(Some(status as u16)),
            _ => Err("`status` is an HTTP status from 200 to 599".to_owned()),
        },
    }
}

fn small(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_goes_by_the_name_that_calls_report() {
        let names = [
            "latency",
            "hang",
            "reset",
            "error",
            "throttle",
            "server-error",
            "garbage",
            "empty-credentials",
            "expired-credentials",
            "verification-key",
            "idp-communication",
            "down",
            "no-date",
        ];
        for name in names {
            let body =
                json!({ "fault": name, "milliseconds": 5, "code": "AccessDenied", "next": 2 });
            let (fault, times) = parse(&body).unwrap();
            assert_eq!((fault.name(), times), (name, Some(2)));
        }
    }

    #[test]
    fn an_error_may_have_a_status_and_words_of_its_own() {
        let body = json!({ "fault": "error", "code": "X", "status": 418, "message": "no" });
        let error = Fault::Error {
            status: 418,
            code: "X".to_owned(),
            message: "no".to_owned(),
        };
        assert_eq!(parse(&body), Ok((error, None)));
    }

    #[test]
    fn what_is_wrong_with_a_fault_is_said() {
        let reason = |body: Value| parse(&body).unwrap_err();
        assert_eq!(reason(json!({})), "`fault` is missing");
        assert_eq!(
            reason(json!({ "fault": "rain" })),
            "no fault is named `rain`"
        );
        assert_eq!(
            reason(json!({ "fault": "latency" })),
            "latency wants `milliseconds`"
        );
        assert_eq!(
            reason(json!({ "fault": "hang", "next": -1 })),
            "`next` is a whole number"
        );
        assert!(reason(json!({ "fault": "server-error", "status": 1000 })).contains("200 to 599"));
    }
}
