//! A request as it arrived: nothing lost that a signature may cover.

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request};

use super::sigv4;
use crate::form::Form;

/// More than any request here may hold.
const MAX_BODY: usize = 64 * 1024;

/// An HTTP request to a service of AWS, read to its end.
pub(crate) struct AwsRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Form,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Parameters of the action: the query's, and for POST the body's.
    pub(crate) parameters: Form,
}

impl AwsRequest {
    /// None when the body breaks off or is far too long.
    pub(crate) async fn read(request: Request<Incoming>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .ok()?
            .to_bytes();
        Some(Self::new(
            head.method,
            head.uri.path(),
            head.uri.query(),
            head.headers,
            &body,
        ))
    }

    pub(crate) fn new(
        method: Method,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
        body: &[u8],
    ) -> Self {
        let query = Form::parse(query.unwrap_or_default());
        let mut parameters = query.clone();
        if method == Method::POST {
            parameters
                .0
                .extend(Form::parse(&String::from_utf8_lossy(body)).0);
        }
        Self {
            method,
            path: path.to_owned(),
            query,
            headers,
            body: body.to_vec(),
            parameters,
        }
    }

    pub(crate) fn action(&self) -> &str {
        self.parameters.get("Action").unwrap_or_default()
    }

    /// A header's value; of several, all, as a signature sees them.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.get_all(name).iter();
        let text: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!text.is_empty()).then(|| text.join(","))
    }

    /// Signed, be it well or badly.
    pub(crate) fn is_signed(&self) -> bool {
        self.headers.contains_key("authorization") || self.query.get("X-Amz-Signature").is_some()
    }

    /// As a cluster sends what it was given as a token.
    pub(super) fn is_of_cluster_token(&self) -> bool {
        self.headers.contains_key("x-k8s-aws-id")
    }

    /// In the form in which signatures name it.
    pub(crate) fn body_sha256(&self) -> String {
        sigv4::sha256(&self.body)
    }

    pub(crate) fn wants_json(&self) -> bool {
        self.header("accept")
            .is_some_and(|accept| accept.contains("application/json"))
    }
}
