//! The control door: what the library's API does, over HTTP and JSON, for the bin and for tests in
//! other languages. It also serves the issuer's discovery document and keys.

mod clusters;
mod fault;

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use serde_json::{Value, json};

use crate::cluster::{self, Clusters};
use crate::door::Cut;
use crate::form::Form;
use crate::issuer::Issuer;
use crate::sts::{Call, Sts};
use crate::token_request::TokenRequest;

const MAX_BODY: usize = 64 * 1024;
/// In seconds: more would leave the years that dates can be written in.
const TEN_YEARS: i64 = 10 * 365 * 86_400;

const ROUTES: &str = "GET /token, POST /faults, DELETE /faults, GET /calls, \
                      POST /session-lifetime, POST /clock-skew, POST /keys/rotate, GET /ca.pem, \
                      GET /.well-known/openid-configuration, GET /openid/v1/jwks, POST /credentials, \
                      POST /trust-policy, POST /oidc-providers, \
                      POST /authenticate?cluster=NAME, POST /clusters/NAME/authenticate";

/// What the door opens to.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    issuer: Issuer,
    sts: Sts,
    clusters: Clusters,
    ca_pem: String,
}

/// What goes back: text as it is, or JSON.
enum Reply {
    Text(String),
    Json(Value),
}

/// Status and reason of a refusal.
type Refusal = (u16, String);

impl Control {
    pub(crate) fn new(issuer: Issuer, sts: Sts, clusters: Clusters, ca_pem: String) -> Self {
        Self {
            issuer,
            sts,
            clusters,
            ca_pem,
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Cut> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .map_err(|_| Cut::Close)?;
        let query = Form::parse(head.uri.query().unwrap_or_default());
        let body = body.to_bytes();
        if let Some(name) = authenticator_of(head.uri.path(), &query) {
            return Ok(self.authenticate(&head.method, name, &body).await);
        }
        let reply = self.route(&head.method, head.uri.path(), &query, &body);
        let (status, content_type, body) = match reply {
            Ok(Reply::Text(text)) => (200, "text/plain", text),
            Ok(Reply::Json(value)) => (200, "application/json", value.to_string()),
            Err((status, reason)) => (
                status,
                "application/json",
                json!({ "error": reason }).to_string(),
            ),
        };
        let response = Response::builder()
            .status(status)
            .header("content-type", content_type);
        Ok(response
            .body(Full::new(body.into()))
            .expect("status and header are well-formed"))
    }

    /// The authenticator's webhook, with its own answers.
    async fn authenticate(
        &self,
        method: &Method,
        name: &str,
        body: &[u8],
    ) -> Response<Full<Bytes>> {
        let (status, body) = match self.cluster(name) {
            _ if method != Method::POST => (405, "expected POST".to_owned()),
            Ok(cluster) => cluster::authenticate(&cluster, body).await,
            Err((status, reason)) => (status, json!({ "error": reason }).to_string()),
        };
        let content_type = match status {
            400 | 405 => "text/plain; charset=utf-8",
            _ => "application/json; charset=UTF-8",
        };
        Response::builder()
            .status(status)
            .header("content-type", content_type)
            .body(Full::new(body.into()))
            .expect("status and header are well-formed")
    }

    fn route(
        &self,
        method: &Method,
        path: &str,
        query: &Form,
        body: &[u8],
    ) -> Result<Reply, Refusal> {
        let done = Ok(Reply::Json(json!({})));
        match (method.as_str(), path) {
            ("GET", "/token") => Ok(Reply::Text(self.issuer.token(&token_request(query)?))),
            ("POST", "/faults") => {
                let body = object(body)?;
                let (fault, times) = fault::parse(&body).map_err(bad_request)?;
                match (body["action"].as_str(), times) {
                    (Some(action), None) => self.sts.fail_action(action, fault),
                    (Some(_), Some(_)) => {
                        return Err(bad_request(
                            "`action` and `next` exclude each other".to_owned(),
                        ));
                    }
                    (None, Some(times)) => self.sts.fail_next(times, fault),
                    (None, None) => self.sts.fail(fault),
                }
                done
            }
            ("DELETE", "/faults") => {
                self.sts.clear_faults();
                done
            }
            ("GET", "/calls") => {
                let calls: Vec<Value> = self.sts.calls().iter().map(call_json).collect();
                Ok(Reply::Json(calls.into()))
            }
            ("POST", "/session-lifetime") => {
                let lifetime = match &object(body)?["seconds"] {
                    Value::Null => None,
                    value => Some(Duration::from_secs(seconds(value, 1)?.unsigned_abs())),
                };
                self.sts.set_session_lifetime(lifetime);
                done
            }
            ("POST", "/clock-skew") => {
                self.sts
                    .set_clock_skew(seconds(&object(body)?["seconds"], -TEN_YEARS)?);
                done
            }
            ("POST", "/keys/rotate") => {
                let published = object(body)?["published"].as_bool();
                let published = published
                    .ok_or_else(|| bad_request("`published` is true or false".to_owned()))?;
                self.issuer.rotate_keys(published);
                done
            }
            ("GET", "/ca.pem") => Ok(Reply::Text(self.ca_pem.clone())),
            ("GET", "/.well-known/openid-configuration") => {
                Ok(Reply::Json(self.issuer.discovery()))
            }
            ("GET", "/openid/v1/jwks") => Ok(Reply::Json(self.issuer.jwks())),
            ("POST", "/credentials") => {
                let body = object(body)?;
                let text = |name| clusters::text(&body, name);
                let (key_id, secret) = (text("access_key_id")?, text("secret_access_key")?);
                self.sts.issue_next(key_id, secret, text("session_token")?);
                done
            }
            ("POST", "/trust-policy") => {
                let body = object(body)?;
                let role = clusters::text(&body, "role_arn")?;
                self.sts
                    .set_trust_policy(role, &body["policy"])
                    .map_err(bad_request)?;
                done
            }
            ("POST", "/oidc-providers") => {
                let body = object(body)?;
                let client_ids = clusters::list(&body, "client_ids")?;
                self.sts
                    .add_oidc_provider(clusters::text(&body, "url")?, &client_ids);
                done
            }
            (method, path) => self.clusters(method, path, body).unwrap_or_else(|| {
                let routes = format!("{ROUTES}, {}", clusters::ROUTES);
                Err((404, format!("no {method} {path} here, only {routes}")))
            }),
        }
    }
}

/// Whose webhook a path is. In the path too, as an API server drops the query of the address that it is given.
fn authenticator_of<'a>(path: &'a str, query: &'a Form) -> Option<&'a str> {
    match path {
        "/authenticate" => Some(query.get("cluster").unwrap_or_default()),
        path => path
            .strip_prefix("/clusters/")?
            .strip_suffix("/authenticate"),
    }
}

/// `?lifetime=60&issued-ago=30&namespace=…&service-account=…&audience=…` over the defaults.
fn token_request(query: &Form) -> Result<TokenRequest, Refusal> {
    let mut request = TokenRequest::default();
    for (name, value) in &query.0 {
        let seconds = || match value.parse::<u32>() {
            Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
            Err(_) => Err(bad_request(format!(
                "`{name}` is a whole number of seconds"
            ))),
        };
        match name.as_str() {
            "lifetime" => request.lifetime = seconds()?,
            "issued-ago" => request.issued_ago = seconds()?,
            "namespace" => request.namespace.clone_from(value),
            "service-account" => request.service_account.clone_from(value),
            "audience" => request.audiences = vec![value.clone()],
            _ => {
                return Err(bad_request(format!(
                    "no parameter `{name}` here, only lifetime, issued-ago, namespace, \
                     service-account, audience",
                )));
            }
        }
    }
    Ok(request)
}

/// No secrets: what STS got and gave stays out.
fn call_json(call: &Call) -> Value {
    let at = call.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "action": call.action,
        "result": call.result,
        "at": at.as_secs_f64(),
        "session_name": call.session_name,
        "duration_seconds": call.duration_seconds,
        "role_arn": call.role_arn,
        "subject": call.subject,
        "caller": call.caller,
        "access_key_id": call.access_key_id,
    })
}

fn seconds(value: &Value, least: i64) -> Result<i64, Refusal> {
    let found = value
        .as_i64()
        .filter(|seconds| (least..=TEN_YEARS).contains(seconds));
    let reason = || format!("`seconds` is a whole number from {least} to {TEN_YEARS}");
    found.ok_or_else(|| bad_request(reason()))
}

fn object(body: &[u8]) -> Result<Value, Refusal> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(bad_request("the body is no JSON object".to_owned())),
        Err(error) => Err(bad_request(format!("the body is no JSON: {error}"))),
    }
}

fn bad_request(reason: String) -> Refusal {
    (400, reason)
}
