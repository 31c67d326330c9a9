//! The Kubernetes API, as far as `kubectl` needs it to say who one is and what one may, and to show pods and namespaces.
//! Every request is authenticated and authorized, in this order, before it is looked at.

mod authentication;
mod discovery;
mod objects;
mod protobuf;
mod request_info;
mod response;
mod reviews;
mod service_accounts;

use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response};

use self::authentication::{Credential, User};
use self::request_info::RequestInfo;
use self::response::Reply;
use super::rbac::Attempt;
use super::{ApiFault, Cluster};
use crate::clock;
use crate::door::Cut;

const MAX_BODY: usize = 64 * 1024;

/// One request to the Kubernetes API, as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// When it came, by the machine's clock.
    pub at: SystemTime,
    /// `GET`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Of the answer.
    pub status: u16,
    /// Whom the bearer token stood for; None when it stood for nobody, or there was none.
    pub username: Option<String>,
    /// The whole bearer token, for tests to compare.
    pub token: Option<String>,
}

/// Answers one request.
pub(super) async fn answer(
    cluster: Cluster,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let at = clock::now();
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map_err(|_| Cut::Close)?
        .to_bytes();
    let fault = cluster.state().api_fault.clone();
    if let Some(ApiFault::Hang) = fault {
        std::future::pending::<()>().await;
    }
    let info = RequestInfo::of(&head.method, &head.uri);
    let credential = Credential::of(&head.headers);
    let user = cluster.authenticate(&credential).await;
    let reply = match &user {
        _ if fault.is_some() => Reply::faulty(fault.as_ref()),
        Some(user) => cluster.reply(user, &info, &head.headers, &body),
        None => Reply::unauthorized(),
    };
    cluster.state().record(ApiRequest {
        at,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        status: reply.status,
        username: user.and_then(User::into_named),
        token: credential.into_token(),
    });
    let skew = cluster.state().api_clock_skew;
    Ok(reply.into_response(skew))
}

impl Cluster {
    fn reply(&self, user: &User, info: &RequestInfo, headers: &HeaderMap, body: &Bytes) -> Reply {
        if !self
            .state()
            .rbac
            .allows(&user.username, &user.groups, &info.attempt)
        {
            return Reply::forbidden(&user.username, &info.attempt);
        }
        match &info.attempt {
            Attempt::Path { path, .. } => discovery::reply(path),
            Attempt::Resource(attempt) if reviews::is_about(attempt) => {
                let rbac = self.state().rbac.clone();
                reviews::reply(user, &rbac, info, headers, body)
            }
            Attempt::Resource(attempt) if service_accounts::is_about(attempt) => {
                service_accounts::reply(attempt, &self.state().service_accounts)
            }
            Attempt::Resource(attempt) => objects::reply(attempt, headers),
        }
    }
}
