//! Signatures made by botocore, and what STS says to those that nobody should make.

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "FwoGZXIvYXdzEBYaDExampleToken+with/slash+and+plus/and==padding==";

/// 2025-01-02T03:04:05Z, when all these requests were signed.
const SIGNED_AT: i64 = 1_735_787_045;

fn request(method: Method, query: &str, headers: &[(&str, &str)], body: &str) -> AwsRequest {
    let header = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    AwsRequest::new(method, "/", Some(query), headers, body.as_bytes())
}

/// botocore's vector `session-us-east-1-short-token-plus-slash-eq`.
const PRESIGNED: &str = "Action=GetCallerIdentity\
    &Version=2011-06-15\
    &X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20250102%2Fus-east-1%2Fsts%2Faws4_request\
    &X-Amz-Date=20250102T030405Z\
    &X-Amz-Expires=60\
    &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
    &X-Amz-Security-Token=FwoGZXIvYXdzEBYaDExampleToken%2Bwith%2Fslash%2Band%2Bplus%2Fand%3D%3Dpadding%3D%3D\
    &X-Amz-Signature=f3db82504d82dc9d4c269455d9a4ad43b4feb43da0c3957b87a6384bab0dd3c3";

fn presigned(query: &str, host: &str, cluster: &str) -> AwsRequest {
    request(
        Method::GET,
        query,
        &[("host", host), ("x-k8s-aws-id", cluster)],
        "",
    )
}

fn verify_at(request: &AwsRequest, secret: &str, now: i64) -> Result<(), StsError> {
    Signature::find(request)?.verify(request, "sts", secret, now)
}

fn refusal(request: &AwsRequest, now: i64) -> String {
    let error = verify_at(request, SECRET, now).unwrap_err();
    assert_eq!(
        (error.status, error.code.as_str()),
        (403, "SignatureDoesNotMatch")
    );
    error.message
}

const HOST: &str = "sts.us-east-1.amazonaws.com";

#[test]
fn a_presigned_request_of_botocore_is_good() {
    let request = presigned(PRESIGNED, HOST, "demo");
    let signature = Signature::find(&request).unwrap();
    assert_eq!(signature.access_key_id, "ASIAIOSFODNN7EXAMPLE");
    assert_eq!(signature.session_token.as_deref(), Some(SESSION_TOKEN));
    assert_eq!(signature.verify(&request, "sts", SECRET, SIGNED_AT), Ok(()));
}

#[test]
fn the_order_of_the_query_does_not_matter() {
    let mut pairs: Vec<&str> = PRESIGNED.split('&').collect();
    pairs.reverse();
    let request = presigned(&pairs.join("&"), HOST, "demo");
    assert_eq!(verify_at(&request, SECRET, SIGNED_AT), Ok(()));
}

#[test]
fn another_cluster_secret_host_or_token_does_not_match() {
    let usual = StsError::usual("SignatureDoesNotMatch").message;
    assert_eq!(
        refusal(&presigned(PRESIGNED, HOST, "other"), SIGNED_AT),
        usual
    );
    assert_eq!(
        refusal(&presigned(PRESIGNED, "localhost:1", "demo"), SIGNED_AT),
        usual
    );
    let changed = PRESIGNED.replace("padding", "gnidda");
    assert_eq!(
        refusal(&presigned(&changed, HOST, "demo"), SIGNED_AT),
        usual
    );
    let error = verify_at(
        &presigned(PRESIGNED, HOST, "demo"),
        "another secret",
        SIGNED_AT,
    );
    assert_eq!(error.unwrap_err().message, usual);
}

#[test]
fn a_signature_lives_for_15_minutes_whatever_its_expires_says() {
    let request = presigned(PRESIGNED, HOST, "demo");
    assert_eq!(verify_at(&request, SECRET, SIGNED_AT + 900), Ok(()));
    assert_eq!(
        refusal(&request, SIGNED_AT + 901),
        "Signature expired: 20250102T030405Z is now earlier than 20250102T030406Z \
         (20250102T031906Z - 15 min.)",
    );
}

#[test]
fn a_signature_may_be_five_minutes_early() {
    let request = presigned(PRESIGNED, HOST, "demo");
    assert_eq!(verify_at(&request, SECRET, SIGNED_AT - 300), Ok(()));
    assert_eq!(
        refusal(&request, SIGNED_AT - 301),
        "Signature not yet current: 20250102T030405Z is still later than 20250102T030404Z \
         (20250102T025904Z + 5 min.)",
    );
}

#[test]
fn the_scope_is_that_of_sts_in_the_region_of_its_host_on_the_day_of_the_date() {
    let with = |from: &str, to: &str| {
        refusal(
            &presigned(&PRESIGNED.replace(from, to), HOST, "demo"),
            SIGNED_AT,
        )
    };
    assert!(with("%2Fsts%2F", "%2Fs3%2F").contains("correct service: 'sts'"));
    assert!(with("%2Fus-east-1%2F", "%2Feu-west-1%2F").contains("valid region"));
    assert!(with("aws4_request", "aws5_request").contains("valid terminator"));
    assert!(with("%2F20250102%2F", "%2F20250103%2F").contains("'20250103' != '20250102'"));
    assert!(with("host%3Bx-k8s-aws-id", "x-k8s-aws-id").contains("must be a 'SignedHeader'"));
}

/// Made by botocore's `SigV4Auth` for a POST to 127.0.0.1:4566 at the same instant.
fn signed_post(body: &str) -> AwsRequest {
    let headers = [
        ("host", "127.0.0.1:4566"),
        (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        ("x-amz-date", "20250102T030405Z"),
        ("x-amz-security-token", SESSION_TOKEN),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20250102/us-east-1/sts/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=cb06539f24b68eb1e963155e35e214c7e8edb7fcf77b7400659708671a15f0dd",
        ),
    ];
    request(Method::POST, "", &headers, body)
}

#[test]
fn a_signed_post_of_botocore_is_good_and_its_body_is_part_of_it() {
    let good = signed_post("Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(verify_at(&good, SECRET, SIGNED_AT), Ok(()));
    let changed = signed_post("Action=GetCallerIdentity&Version=2011-06-16");
    assert_eq!(
        refusal(&changed, SIGNED_AT),
        StsError::usual("SignatureDoesNotMatch").message
    );
}

#[test]
fn what_is_no_signature_is_called_incomplete() {
    let code = |request: AwsRequest| Signature::find(&request).unwrap_err().code;
    let header = |value: &str| request(Method::POST, "", &[("authorization", value)], "");
    assert_eq!(
        code(request(Method::GET, "", &[], "")),
        "MissingAuthenticationToken"
    );
    assert_eq!(code(header("Basic YTpi")), "IncompleteSignature");
    assert_eq!(
        code(header(
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host"
        )),
        "IncompleteSignature"
    );
    let without_date = PRESIGNED.replace("X-Amz-Date", "X-Date");
    assert_eq!(
        code(presigned(&without_date, HOST, "demo")),
        "IncompleteSignature"
    );
}

/// Made by botocore's `S3SigV4Auth` for a GET of 127.0.0.1:4566 at the same instant, with a path that any other service
/// would take apart.
fn signed_for_s3(payload: &str, signature: &str) -> AwsRequest {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20250102/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, \
         Signature={signature}"
    );
    let headers = [
        ("host", "127.0.0.1:4566"),
        ("x-amz-content-sha256", payload),
        ("x-amz-date", "20250102T030405Z"),
        ("x-amz-security-token", SESSION_TOKEN),
        ("authorization", authorization.as_str()),
    ];
    let mut request = request(Method::GET, "list-type=2&prefix=a%2Fb", &headers, "");
    request.path = "/bucket/a%20b/../c//d%2Be%C3%A9".to_owned();
    request
}

const UNSIGNED_PAYLOAD: (&str, &str) = (
    "UNSIGNED-PAYLOAD",
    "9da584e8e46fb09a71d64531a5e2f8c813420c81c996b9fbcc603f98e59fc9b6",
);
const EMPTY_PAYLOAD: (&str, &str) = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "3078f4b26f0e7cf50161fdf8dae492275489e0d8de5c6eadc643484fd577f345",
);

fn verify_for_s3(request: &AwsRequest) -> Result<(), StsError> {
    Signature::find(request)?.verify(request, "s3", SECRET, SIGNED_AT)
}

#[test]
fn s3_signs_the_path_as_it_is_sent_and_the_payload_by_its_header() {
    for (payload, signature) in [UNSIGNED_PAYLOAD, EMPTY_PAYLOAD] {
        let request = signed_for_s3(payload, signature);
        assert_eq!(verify_for_s3(&request), Ok(()), "{payload}");
    }
    let (_, signature) = EMPTY_PAYLOAD;
    let swapped = signed_for_s3(UNSIGNED_PAYLOAD.0, signature);
    let usual = StsError::usual("SignatureDoesNotMatch");
    assert_eq!(verify_for_s3(&swapped), Err(usual.clone()));
    let mut tidied = signed_for_s3(EMPTY_PAYLOAD.0, signature);
    tidied.path = "/bucket/c/d%2Be%C3%A9".to_owned();
    assert_eq!(verify_for_s3(&tidied), Err(usual));
}

#[test]
fn what_is_signed_for_s3_is_not_signed_for_sts() {
    let (payload, signature) = EMPTY_PAYLOAD;
    let message = refusal(&signed_for_s3(payload, signature), SIGNED_AT);
    assert!(message.contains("correct service: 'sts'"), "{message}");
}

#[test]
fn s3_wants_every_amz_header_signed() {
    let (payload, signature) = EMPTY_PAYLOAD;
    let mut request = signed_for_s3(payload, signature);
    let value = HeaderValue::from_static("public-read");
    request.headers.insert("x-amz-acl", value);
    let error = verify_for_s3(&request).unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (403, "AccessDenied"));
    assert!(error.message.ends_with("not signed: x-amz-acl"));
}
