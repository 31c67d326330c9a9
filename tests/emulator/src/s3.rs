//! Amazon S3 as far as a client needs it that can do nothing else: an empty bucket, for those who sign well.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

mod answer;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};

use self::answer::{Answer, Failure};
use crate::clock;
use crate::door::Cut;
use crate::form;
use crate::sts::{AwsRequest, Caller, Sts, StsError};

const SERVICE: &str = "s3";
/// The one bucket that there is; it belongs to whoever asks.
const BUCKET: &str = "bucket";

/// Whether a request on the doors of AWS is for S3: its signature says so, or it is for a path that STS does not have.
pub(crate) fn is_for_s3(request: &Request<Incoming>) -> bool {
    let authorization = request.headers().get("authorization");
    match authorization.and_then(|value| value.to_str().ok()) {
        Some(value) => value.contains(&format!("/{SERVICE}/aws4_request")),
        None => request.uri().path() != "/",
    }
}

/// Answers a request. The faults of STS are not those of S3.
pub(crate) async fn answer(
    sts: Sts,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let request = AwsRequest::read(request).await.ok_or(Cut::Close)?;
    let operation = Operation::of(&request);
    let outcome = authenticated(&sts, &request).and_then(|caller| {
        let answered = operation.answer(&caller);
        answered.map(|answer| (caller, answer))
    });
    let (caller, result) = match &outcome {
        Ok((caller, _)) => (Some(caller.arn.clone()), "Success"),
        Err(failure) => (None, failure.code.as_str()),
    };
    sts.record_other(&request, &operation.name(), result, caller);
    let date = clock::http_date(sts.now());
    Ok(match outcome {
        Ok((_, answer)) => answer.into_response(date),
        Err(failure) => failure.into_response(date, &request.path),
    })
}

/// Who signed, in the words of S3 where nobody did.
fn authenticated(sts: &Sts, request: &AwsRequest) -> Result<Caller, Failure> {
    if !request.is_signed() {
        return Err(Failure::new(403, "AccessDenied", "Access Denied"));
    }
    request.check_payload()?;
    sts.caller(request, SERVICE).map_err(Failure::from)
}

impl From<StsError> for Failure {
    /// What is wrong with a signature or a session goes by other names here.
    fn from(error: StsError) -> Self {
        match error.code.as_str() {
            // An unknown key, a wrong token and no token at all: STS does not tell them apart.
            "InvalidClientTokenId" => Failure::new(
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
            "ExpiredToken" => Failure::new(400, "ExpiredToken", "The provided token has expired."),
            "IncompleteSignature" => {
                Failure::new(400, "AuthorizationHeaderMalformed", &error.message)
            }
            code => Failure::new(error.status, code, &error.message),
        }
    }
}

impl AwsRequest {
    /// That the body is what was signed, if it was signed at all.
    fn check_payload(&self) -> Result<(), Failure> {
        match self.header("x-amz-content-sha256").as_deref() {
            None => Err(Failure::new(
                400,
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
            )),
            Some("UNSIGNED-PAYLOAD") => Ok(()),
            Some(hash) if hash == self.body_sha256() => Ok(()),
            Some(_) => Err(Failure::new(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )),
        }
    }
}

/// What is asked, by the names of the API reference.
#[derive(Debug, PartialEq, Eq)]
enum Operation {
    ListBuckets,
    OfBucket(&'static str, String),
    GetObject,
    Unknown,
}

impl Operation {
    fn of(request: &AwsRequest) -> Self {
        let path = request.path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let has = |name| request.query.get(name).is_some();
        let of_bucket = |name| Operation::OfBucket(name, form::decode_segment(bucket));
        match request.method {
            Method::GET if bucket.is_empty() => Operation::ListBuckets,
            Method::GET if !key.is_empty() => Operation::GetObject,
            Method::GET if has("location") => of_bucket("GetBucketLocation"),
            Method::GET if request.query.get("list-type") == Some("2") => {
                of_bucket("ListObjectsV2")
            }
            Method::GET => of_bucket("ListObjects"),
            Method::HEAD if !bucket.is_empty() && key.is_empty() => of_bucket("HeadBucket"),
            _ => Operation::Unknown,
        }
    }

    /// As it stands in `Call::action`.
    fn name(&self) -> String {
        let name = match self {
            Operation::ListBuckets => "ListBuckets",
            Operation::OfBucket(name, _) => name,
            Operation::GetObject => "GetObject",
            Operation::Unknown => "",
        };
        format!("{SERVICE}:{name}")
    }

    fn answer(&self, caller: &Caller) -> Result<Answer, Failure> {
        match self {
            Operation::ListBuckets => Ok(Answer::buckets(&caller.account, BUCKET)),
            Operation::OfBucket(_, bucket) if bucket != BUCKET => Err(Failure::new(
                404,
                "NoSuchBucket",
                "The specified bucket does not exist",
            )),
            Operation::OfBucket("GetBucketLocation", _) => Ok(Answer::location(&caller.region)),
            Operation::OfBucket("HeadBucket", _) => Ok(Answer::head(&caller.region)),
            Operation::OfBucket(name, bucket) => {
                Ok(Answer::no_objects(bucket, *name == "ListObjectsV2"))
            }
            Operation::GetObject => Err(Failure::new(
                404,
                "NoSuchKey",
                "The specified key does not exist.",
            )),
            Operation::Unknown => Err(Failure::new(
                501,
                "NotImplemented",
                "A header or query you provided implies functionality that is not implemented.",
            )),
        }
    }
}
