//! One request to STS: the fault that it meets, the action that it names, the record of it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::Value;

use super::answer::{self, Answer};
use super::caller::claimed_access_key_id;
use super::error::StsError;
use super::fault::Fault;
use super::request::AwsRequest;
use super::{Call, SERVICE, State, Sts, assume_role, caller_identity, id_token, web_identity};
use crate::door::Cut;
use crate::{clock, random};

const VERSION: &str = "2011-06-15";

/// Answers a request, or does to it what the fault in force demands.
pub(crate) async fn answer(
    sts: Sts,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let request = AwsRequest::read(request).await.ok_or(Cut::Close)?;
    // Decided and recorded before the first pause: a client that hangs up during it was here.
    let Decision {
        fault,
        answer,
        request_id,
        date,
    } = decide(&sts, &request);
    let answer = into_response(answer, &request_id, date);
    match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Reset) => Err(Cut::Reset),
        Some(Fault::Down) => Err(Cut::Close),
        Some(Fault::Latency(latency)) => {
            tokio::time::sleep(latency).await;
            Ok(answer)
        }
        _ => Ok(answer),
    }
}

impl Sts {
    /// Remembers a request to another service, whose action it names as IAM does.
    pub(crate) fn record_other(
        &self,
        request: &AwsRequest,
        action: &str,
        result: &str,
        caller: Option<String>,
    ) {
        self.state().record(Call {
            action: action.to_owned(),
            caller,
            access_key_id: claimed_access_key_id(request),
            ..Call::without_request(result)
        });
    }
}

/// What became of a request that came over no network.
#[derive(Debug)]
pub(crate) enum Replay {
    /// An answer, after this long.
    Answered(Answer, Duration),
    /// No answer, ever.
    Hung,
    /// The connection was reset.
    Reset,
    /// The connection was closed without an answer.
    Closed,
}

impl Sts {
    /// Answers a request in process, as if it had come over the network. Does not wait.
    pub(crate) fn replay(&self, request: &AwsRequest) -> Replay {
        let Decision { fault, answer, .. } = decide(self, request);
        match fault {
            Some(Fault::Hang) => Replay::Hung,
            Some(Fault::Reset) => Replay::Reset,
            Some(Fault::Down) => Replay::Closed,
            Some(Fault::Latency(latency)) => Replay::Answered(answer, latency),
            _ => Replay::Answered(answer, Duration::ZERO),
        }
    }
}

/// What to do with a request.
struct Decision {
    fault: Option<Fault>,
    answer: Answer,
    request_id: String,
    date: Option<String>,
}

fn decide(sts: &Sts, request: &AwsRequest) -> Decision {
    let mut state = sts.state();
    let of_token = state.fault_of_cluster_tokens.clone();
    let fault = of_token
        .filter(|_| request.is_of_cluster_token())
        .or_else(|| state.faults.take(request.action()));
    let request_id = random::uuid();
    let as_json = request.wants_json();

    let (answer, result) = match instead(fault.as_ref()) {
        Some(answer) => (answer, outcome(fault.as_ref())),
        None => match act(&mut state, sts, request, fault.as_ref()) {
            Ok(result) => {
                let answer = answer::success(request.action(), result, as_json, &request_id);
                (answer, outcome(fault.as_ref()))
            }
            Err(error) => (answer::failure(&error, as_json, &request_id), error.code),
        },
    };
    let caller = state
        .signer(request, SERVICE)
        .ok()
        .map(|session| session.arn.clone());
    state.record(Call {
        caller,
        ..call(request, &result)
    });

    let date = (fault != Some(Fault::NoDate)).then(|| clock::http_date(state.now()));
    Decision {
        fault,
        answer,
        request_id,
        date,
    }
}

/// The answer of a fault that keeps the request from STS altogether.
fn instead(fault: Option<&Fault>) -> Option<Answer> {
    match fault? {
        Fault::ServerError(status) => Some(answer::html(*status)),
        // The connection is cut or kept waiting: nobody will read this.
        Fault::Garbage | Fault::Hang | Fault::Reset | Fault::Down => Some(answer::garbage()),
        _ => None,
    }
}

/// How a request that came to no error is remembered.
fn outcome(fault: Option<&Fault>) -> String {
    let outcome = match fault {
        None | Some(Fault::Latency(_) | Fault::NoDate) => "Success",
        Some(fault) => fault.name(),
    };
    outcome.to_owned()
}

fn act(
    state: &mut State,
    sts: &Sts,
    request: &AwsRequest,
    fault: Option<&Fault>,
) -> Result<Value, StsError> {
    match fault {
        Some(Fault::Throttle) => return Err(StsError::usual("Throttling")),
        Some(Fault::Error {
            status,
            code,
            message,
        }) => {
            return Err(StsError::new(*status, code, message));
        }
        _ => {}
    }
    let action = request.action();
    if action.is_empty() && !request.is_signed() {
        return Err(StsError::usual("MissingAuthenticationToken"));
    }
    let version = request
        .parameters
        .get("Version")
        .unwrap_or("NO_VERSION_SPECIFIED");
    match action {
        _ if request.path != "/" => Err(StsError::new(404, "UnknownOperationException", "")),
        "AssumeRoleWithWebIdentity" if version == VERSION => {
            web_identity::assume_role(state, &sts.issuer, request, fault)
        }
        "AssumeRole" if version == VERSION => assume_role::assume_role(state, request, fault),
        "GetCallerIdentity" if version == VERSION => {
            caller_identity::get_caller_identity(state, request)
        }
        _ => {
            // Who signs badly is told so first, whatever it is that he signed.
            if request.is_signed() {
                state.signer(request, SERVICE)?;
            }
            let message = format!("Could not find operation {action} for version {version}");
            Err(StsError::new(400, "InvalidAction", message))
        }
    }
}

fn call(request: &AwsRequest, result: &str) -> Call {
    let parameter = |name: &str| request.parameters.get(name).map(str::to_owned);
    let token = request.parameters.get("WebIdentityToken");
    Call {
        action: request.action().to_owned(),
        session_name: parameter("RoleSessionName"),
        duration_seconds: parameter("DurationSeconds").and_then(|seconds| seconds.parse().ok()),
        role_arn: parameter("RoleArn"),
        subject: token.and_then(id_token::claimed_subject),
        access_key_id: claimed_access_key_id(request),
        ..Call::without_request(result)
    }
}

fn into_response(answer: Answer, request_id: &str, date: Option<String>) -> Response<Full<Bytes>> {
    // A fault may ask for a status that is none.
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder()
        .status(status)
        .header("content-type", answer.content_type)
        .header("x-amzn-requestid", request_id);
    if let Some(date) = date {
        response = response.header("date", date);
    }
    response
        .body(Full::new(answer.body.into()))
        .expect("names and values of the headers are ours")
}
