//! Answers of S3 as they go over the wire.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};

use crate::random;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
/// The instant at which everything in the emulator was made that has to have been made at some.
const CREATED_AT: &str = "2025-01-02T03:04:05.000Z";

/// A document, or the headers of one.
#[derive(Debug)]
pub(super) struct Answer {
    body: String,
    region: Option<String>,
}

impl Answer {
    pub(super) fn buckets(account: &str, bucket: &str) -> Self {
        Self::document(
            "ListAllMyBucketsResult",
            &format!(
                "<Owner><ID>{account}</ID><DisplayName>{account}</DisplayName></Owner><Buckets><Bucket>\
                 <Name>{bucket}</Name><CreationDate>{CREATED_AT}</CreationDate></Bucket></Buckets>"
            ),
        )
    }

    /// Nothing stands for the oldest region.
    pub(super) fn location(region: &str) -> Self {
        let region = if region == "us-east-1" { "" } else { region };
        Self::document("LocationConstraint", region)
    }

    pub(super) fn no_objects(bucket: &str, is_v2: bool) -> Self {
        let of_version = if is_v2 {
            "<KeyCount>0</KeyCount>"
        } else {
            "<Marker></Marker>"
        };
        Self::document(
            "ListBucketResult",
            &format!(
                "<Name>{bucket}</Name><Prefix></Prefix>{of_version}<MaxKeys>1000</MaxKeys>\
                 <IsTruncated>false</IsTruncated>"
            ),
        )
    }

    pub(super) fn head(region: &str) -> Self {
        Self {
            body: String::new(),
            region: Some(region.to_owned()),
        }
    }

    fn document(root: &str, content: &str) -> Self {
        Self {
            body: format!("{DECLARATION}<{root} {NAMESPACE}>{content}</{root}>"),
            region: None,
        }
    }

    pub(super) fn into_response(self, date: String) -> Response<Full<Bytes>> {
        let mut builder = response(200, date, &random::uuid());
        if let Some(region) = self.region {
            builder = builder.header("x-amz-bucket-region", region);
        }
        body(builder, self.body)
    }
}

/// An error of S3.
#[derive(Debug)]
pub(super) struct Failure {
    status: u16,
    pub(super) code: String,
    message: String,
}

impl Failure {
    pub(super) fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    pub(super) fn into_response(self, date: String, resource: &str) -> Response<Full<Bytes>> {
        let request_id = random::uuid();
        let escape = |text: &str| {
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            text.replace('>', "&gt;")
        };
        let (code, message, resource) = (&self.code, escape(&self.message), escape(resource));
        let text = format!(
            "{DECLARATION}<Error><Code>{code}</Code><Message>{message}</Message>\
             <Resource>{resource}</Resource><RequestId>{request_id}</RequestId></Error>"
        );
        body(response(self.status, date, &request_id), text)
    }
}

fn response(status: u16, date: String, request_id: &str) -> hyper::http::response::Builder {
    let status = StatusCode::from_u16(status).expect("one of ours");
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .header("x-amz-request-id", request_id)
        .header("date", date)
}

fn body(builder: hyper::http::response::Builder, text: String) -> Response<Full<Bytes>> {
    let body = Full::new(text.into());
    builder.body(body).expect("the headers are well-formed")
}
