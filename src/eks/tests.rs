use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::error::Asked;
use super::*;
use crate::clock::Moment;
use crate::credentials::Session;
use crate::diagnosis::{Finding, Remedy, findings};
use crate::secret::Secret;
use crate::transport::{Network, TransportError};

/// 2025-01-02T03:04:05Z.
const SIGNED_AT: Duration = Duration::from_secs(1_735_787_045);
const PEM: &str = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";

fn credentials() -> Credentials {
    let session = Session {
        access_key_id: "ASIAEXAMPLEKEYID0000".into(),
        secret_access_key: Secret::new("secret/with+chars".into()),
        session_token: Secret::new("token==".into()),
        expiration: UNIX_EPOCH + SIGNED_AT + Duration::from_secs(3600),
        account_id: "111122223333".into(),
        role_arn: "arn:aws:iam::111122223333:role/team/app".into(),
        session_name: "app-0".into(),
    };
    let obtained = Moment {
        wall: UNIX_EPOCH + SIGNED_AT,
        tick: Instant::now(),
    };
    Credentials::new(session, obtained, Duration::from_secs(3600)).unwrap()
}

/// The session token that the request carried.
fn sent() -> Secret {
    Secret::new("token==".into())
}

fn region() -> Region {
    "us-west-2".parse().unwrap()
}

/// What EKS answers for a cluster that can be used.
fn active() -> Value {
    json!({"cluster": {
        "name": "demo",
        "arn": "arn:aws:eks:us-west-2:111122223333:cluster/demo",
        "createdAt": 1_700_000_000.123,
        "status": "ACTIVE",
        "endpoint": "https://ABCDEF0123456789.gr7.us-west-2.eks.amazonaws.com",
        "certificateAuthority": {"data": base64(PEM)},
        "id": "11111111-2222-3333-4444-555555555555",
        "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
        "tags": {},
    }})
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(text)
}

fn reply(status: u16, error_type: Option<&str>, body: &str) -> Reply {
    Reply {
        status,
        error_type: error_type.map(str::to_owned),
        body: Bytes::from(body.to_owned()),
    }
}

/// The cluster in `active()` after a change.
fn with(change: impl FnOnce(&mut Value)) -> Result<Cluster, EksErrorKind> {
    let mut document = active();
    change(&mut document["cluster"]);
    answer::cluster(&reply(200, None, &document.to_string()), &sent())
}

fn refused(status: u16, code: &str, message: &str) -> EksError {
    let body = json!({ "message": message }).to_string();
    let code = (!code.is_empty()).then_some(code);
    error(answer::cluster(&reply(status, code, &body), &sent()).unwrap_err())
}

fn error(kind: EksErrorKind) -> EksError {
    EksError {
        kind,
        asked: Asked {
            cluster: "demo".into(),
            region: region(),
            endpoint: "https://eks.us-west-2.amazonaws.com".into(),
            role: "arn:aws:iam::111122223333:role/team/app".into(),
        },
    }
}

#[test]
fn the_signature_is_that_of_the_aws_sdk_for_python() {
    for (url, signature) in [
        (
            "https://eks.us-west-2.amazonaws.com/clusters/demo",
            "1384d72b0d9511de5d1c03602ca485bbb3422a0220348ffe2ab2873ba4a4a111",
        ),
        (
            "http://127.0.0.1:4566/prefix/clusters/a%20b%2E",
            "93c19b0e590771694a0468192895d5943451294fbc86961b615c339b5b74e286",
        ),
    ] {
        let mut headers = signed(url, &credentials(), &region(), UNIX_EPOCH + SIGNED_AT).unwrap();
        headers.sort();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLEKEYID0000/20250102/us-west-2/eks/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature={signature}"
        );
        assert_eq!(
            headers,
            [
                ("authorization", authorization),
                ("x-amz-date", "20250102T030405Z".to_owned()),
                ("x-amz-security-token", "token==".to_owned()),
            ]
        );
    }
}

#[test]
fn a_clock_outside_of_what_can_be_written_is_signed_with_and_does_not_panic() {
    for time in [
        UNIX_EPOCH - Duration::from_secs(1),
        UNIX_EPOCH + Duration::from_secs(END_OF_TIME.unsigned_abs()) + Duration::from_secs(1),
    ] {
        let url = "https://eks.us-west-2.amazonaws.com/clusters/demo";
        signed(url, &credentials(), &region(), time).unwrap();
    }
}

#[test]
fn a_name_is_one_segment_of_the_path() {
    for (name, path) in [
        ("demo-1_a", "demo-1_a"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("..", "%2E%2E"),
        ("a b%", "a%20b%25"),
    ] {
        let name = name.parse().unwrap();
        for base in ["https://eks.example.com", "https://eks.example.com/"] {
            assert_eq!(
                url(base, &name),
                format!("https://eks.example.com/clusters/{path}")
            );
        }
    }
}

#[test]
fn a_cluster_is_taken_while_active_and_while_updating() {
    for status in ["ACTIVE", "UPDATING"] {
        let cluster = with(|cluster| cluster["status"] = status.into()).unwrap();
        assert_eq!(
            cluster,
            Cluster {
                arn: "arn:aws:eks:us-west-2:111122223333:cluster/demo".into(),
                endpoint: "https://ABCDEF0123456789.gr7.us-west-2.eks.amazonaws.com".into(),
                certificate_authority_data: base64(PEM),
                outpost_id: None,
                authentication_mode: AuthenticationMode::ApiAndConfigMap,
            }
        );
    }
}

#[test]
fn who_may_come_in_stands_where_the_authentication_mode_says_and_in_aws_auth_where_there_is_none() {
    use AuthenticationMode::{Api, ApiAndConfigMap, ConfigMap};
    for (config, mode) in [
        (json!({"authenticationMode": "API"}), Api),
        (json!({"authenticationMode": "CONFIG_MAP"}), ConfigMap),
        (
            json!({"authenticationMode": "API_AND_CONFIG_MAP"}),
            ApiAndConfigMap,
        ),
        (
            json!({"authenticationMode": "OF_A_LATER_DAY"}),
            ApiAndConfigMap,
        ),
        (json!({"authenticationMode": null}), ConfigMap),
        (json!({}), ConfigMap),
        (Value::Null, ConfigMap),
    ] {
        let found = with(|cluster| cluster["accessConfig"] = config.clone()).unwrap();
        assert_eq!(found.authentication_mode, mode, "{config}");
    }
}

#[test]
fn a_local_cluster_on_an_outpost_is_known_by_its_id() {
    let outpost =
        json!({"outpostArns": ["arn:aws:outposts:…"], "controlPlaneInstanceType": "m5.large"});
    let local = with(|cluster| cluster["outpostConfig"] = outpost.clone()).unwrap();
    assert_eq!(
        local.outpost_id.as_deref(),
        Some("11111111-2222-3333-4444-555555555555")
    );
    let without_id = with(|cluster| {
        cluster["outpostConfig"] = outpost;
        cluster["id"] = Value::Null;
    });
    assert!(matches!(without_id, Err(EksErrorKind::Garbled(_))));
    let by_name = json!({"etcdInstanceType": "m5.large"});
    let by_name = with(|cluster| cluster["outpostConfig"] = by_name).unwrap();
    assert_eq!(by_name.outpost_id, None);
}

#[test]
fn a_cluster_that_is_not_whole_is_an_error() {
    let broken_pem = base64(&PEM.replace("aGVsbG8=", "%%%"));
    for (field, values) in [
        (
            "arn",
            vec![
                Value::Null,
                "".into(),
                "demo".into(),
                "arn:aws:eks:us-west-2:1:cluster/".into(),
            ],
        ),
        (
            "endpoint",
            vec![
                Value::Null,
                "".into(),
                "http://example.com".into(),
                "https://".into(),
                "https://user@example.com".into(),
                "https://example.com?x".into(),
                "https://example.com/#x".into(),
                "https://example.com:0".into(),
                "https://example.com:".into(),
                "https://:443".into(),
                "https://a b".into(),
                "example.com".into(),
            ],
        ),
        (
            "certificateAuthority",
            vec![
                Value::Null,
                json!({}),
                json!({"data": ""}),
                json!({"data": PEM}),
                json!({"data": base64("hello")}),
                json!({"data": broken_pem}),
            ],
        ),
    ] {
        for value in values {
            let found = with(|cluster| cluster[field] = value.clone());
            let Err(kind @ EksErrorKind::Garbled(_)) = found else {
                panic!("{field} {value} became {found:?}");
            };
            assert_eq!(error(kind).diagnosis().finding, findings::EKS_GARBLED);
        }
    }
    for body in [
        "",
        "<html>",
        "{}",
        "[]",
        r#"{"cluster":null}"#,
        r#"{"cluster":{}}"#,
    ] {
        let found = answer::cluster(&reply(200, None, body), &sent());
        assert!(matches!(found, Err(EksErrorKind::Garbled(_))), "{body}");
    }
}

#[test]
fn each_status_says_what_to_do_in_the_words_of_the_aws_cli() {
    for (status, remedy, advice) in [
        (
            "CREATING",
            Remedy::Wait,
            "aws eks wait cluster-active --name demo --region us-west-2",
        ),
        ("PENDING", Remedy::Wait, "aws eks wait cluster-active"),
        ("DELETING", Remedy::Change, "name another"),
        ("FAILED", Remedy::Change, "cluster.health"),
        ("SOMETHING_NEW", Remedy::Wait, "aws eks describe-cluster"),
    ] {
        let kind = with(|cluster| {
            *cluster = json!({"name": "demo", "status": status});
        });
        let error = error(kind.unwrap_err());
        let diagnosis = error.diagnosis();
        assert_eq!(
            (diagnosis.finding, error.remedy()),
            (findings::EKS_CLUSTER_NOT_ACTIVE, remedy)
        );
        let sentence = error.to_string();
        assert!(
            sentence.starts_with(&format!("Cluster status is {status}")),
            "{sentence}"
        );
        assert!(
            sentence.contains("ACTIVE or UPDATING") && sentence.contains(advice),
            "{sentence}"
        );
    }
}

#[test]
fn a_denied_role_is_given_the_statement_to_paste() {
    let error = refused(
        403,
        "AccessDeniedException",
        "User: arn:aws:sts::111122223333:assumed-role/app/app-0 is not authorized to perform: eks:DescribeCluster on resource: arn:aws:eks:us-west-2:111122223333:cluster/demo",
    );
    let sentence = error.to_string();
    for part in [
        "AccessDeniedException",
        "is not authorized to perform: eks:DescribeCluster",
        r#"{"Effect":"Allow","Action":"eks:DescribeCluster","Resource":"arn:aws:eks:us-west-2:111122223333:cluster/demo"}"#,
        "arn:aws:iam::111122223333:role/team/app",
        "--in-cluster",
        "--server",
    ] {
        assert!(sentence.contains(part), "{part} is not in: {sentence}");
    }
    assert_eq!(
        (error.diagnosis().finding, error.remedy()),
        (findings::EKS_ACCESS_DENIED, Remedy::Change)
    );
    let denied = "… with an explicit deny in a service control policy";
    let denied = refused(403, "AccessDeniedException", denied).to_string();
    assert!(
        !denied.contains("Effect") && denied.contains("policy that denies it"),
        "{denied}"
    );
}

#[test]
fn a_missing_cluster_names_region_and_account() {
    let error = refused(
        404,
        "ResourceNotFoundException",
        "No cluster found for name: demo.",
    );
    let sentence = error.to_string();
    for part in [
        "No cluster found for name: demo.",
        "region us-west-2",
        "account 111122223333",
    ] {
        assert!(sentence.contains(part), "{part} is not in: {sentence}");
    }
    assert_eq!(error.diagnosis().finding, findings::EKS_CLUSTER_NOT_FOUND);
}

#[test]
fn every_refusal_has_its_finding_and_its_remedy() {
    let table: &[(u16, &str, Finding, Remedy)] = &[
        (
            403,
            "UnrecognizedClientException",
            findings::EKS_SESSION_REFUSED,
            Remedy::Change,
        ),
        (
            403,
            "InvalidSignatureException",
            findings::EKS_SESSION_REFUSED,
            Remedy::Change,
        ),
        (
            403,
            "ExpiredTokenException",
            findings::EKS_SESSION_REFUSED,
            Remedy::Change,
        ),
        (
            400,
            "ThrottlingException",
            findings::EKS_THROTTLED,
            Remedy::Wait,
        ),
        (429, "", findings::EKS_THROTTLED, Remedy::Wait),
        (
            500,
            "ServerException",
            findings::EKS_UNAVAILABLE,
            Remedy::Wait,
        ),
        (
            503,
            "ServiceUnavailableException",
            findings::EKS_UNAVAILABLE,
            Remedy::Wait,
        ),
        (502, "", findings::EKS_UNAVAILABLE, Remedy::Wait),
        (404, "", findings::EKS_GARBLED, Remedy::Wait),
        (302, "", findings::EKS_GARBLED, Remedy::Wait),
        (
            400,
            "InvalidParameterException",
            findings::EKS_REFUSED,
            Remedy::Change,
        ),
    ];
    for (status, code, finding, remedy) in table {
        let error = refused(*status, code, "words");
        assert_eq!(
            (error.diagnosis().finding, error.remedy()),
            (*finding, *remedy),
            "{status} {code}"
        );
    }
    let unreachable = |cause: &str| error(EksErrorKind::Unreachable(cause.into()));
    for (cause, fix) in [
        (
            "failed to lookup address information",
            "VPC endpoint for EKS",
        ),
        ("Connection refused (os error 111)", "security group"),
        ("invalid peer certificate: UnknownIssuer", "--ca-bundle"),
    ] {
        let diagnosis = unreachable(cause).diagnosis();
        assert_eq!(diagnosis.finding, findings::EKS_UNREACHABLE);
        assert!(
            diagnosis.found.contains(cause) && diagnosis.fix.contains(fix),
            "{diagnosis}"
        );
    }
    assert_eq!(
        error(EksErrorKind::TimedOut).diagnosis().finding,
        findings::EKS_UNREACHABLE
    );
}

#[test]
fn a_way_that_leads_nowhere_is_told_from_an_answer_that_is_none() {
    for (failure, finding) in [
        (TransportError::TimedOut, findings::EKS_UNREACHABLE),
        (
            TransportError::Unreachable("Connection refused".into()),
            findings::EKS_UNREACHABLE,
        ),
        (TransportError::Unreadable, findings::EKS_GARBLED),
    ] {
        let error = error(failure.into());
        assert_eq!(
            (error.diagnosis().finding, error.remedy()),
            (finding, Remedy::Wait)
        );
    }
}

#[test]
fn the_code_is_found_wherever_the_service_puts_it() {
    let code = |error_type: Option<&str>, body: &str| match answer::cluster(
        &reply(400, error_type, body),
        &sent(),
    ) {
        Err(EksErrorKind::Answered { code, message, .. }) => (code, message),
        other => panic!("{other:?}"),
    };
    let expected = ("ClientException".to_owned(), "words".to_owned());
    let url = "ClientException:http://internal.amazon.com/coral/com.amazon.coral.service/";
    assert_eq!(code(Some(url), r#"{"message":"words"}"#), expected);
    assert_eq!(
        code(
            None,
            r#"{"__type":"com.amazon#ClientException","Message":"words"}"#
        ),
        expected
    );
    assert_eq!(
        code(None, r#"{"code":"ClientException","message":"words"}"#),
        expected
    );
    assert_eq!(code(Some("a\n<b>"), "").0, "ab");
}

#[test]
fn what_the_service_repeats_of_the_request_is_not_repeated() {
    for message in [
        "The request signature we calculated does not match.\n\nThe Canonical String for this request should have been\n'GET\n/clusters/demo\n\nx-amz-security-token:token==\n'",
        "The request signature we calculated does not match. token==",
    ] {
        let sentence = refused(403, "InvalidSignatureException", message).to_string();
        assert!(sentence.contains("does not match."), "{sentence}");
        for secret in ["token==", "/clusters/demo"] {
            assert!(!sentence.contains(secret), "{sentence}");
        }
    }
}

#[test]
fn words_of_the_service_cannot_break_a_line_or_fill_a_log() {
    let sentence = refused(400, "ClientException", &"a\n\u{1b}".repeat(1_000)).to_string();
    assert!(!sentence.contains('\n') && !sentence.contains('\u{1b}'));
    assert!(sentence.len() < 2_000, "{}", sentence.len());
}

/// A listener that gives these answers in turn, each on its connection, and what was asked.
async fn service(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            heads.push(String::from_utf8(head).unwrap().to_ascii_lowercase());
            // Who finds the answer too long hangs up before its end.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        heads
    });
    (url, asked)
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

async fn describe(url: &str, clock: &Clock) -> Result<Cluster, EksError> {
    let endpoint = url.parse().unwrap();
    let transport = Transport::new(&Network::default(), Some(&endpoint), clock.clone());
    let name = "demo".parse().unwrap();
    let base = endpoint.to_string();
    describe_cluster(&transport, &base, &credentials(), &region(), &name, clock).await
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[tokio::test]
async fn one_signed_get_brings_the_cluster() {
    let (url, asked) = service(vec![http("200 OK", "", &active().to_string())]).await;
    let clock = Clock::reading(|| UNIX_EPOCH + SIGNED_AT);
    let cluster = describe(&url, &clock).await.unwrap();
    assert_eq!(
        cluster.arn,
        "arn:aws:eks:us-west-2:111122223333:cluster/demo"
    );
    let heads = asked.await.unwrap();
    let [head] = heads.as_slice() else {
        panic!("{heads:?}");
    };
    assert!(
        head.starts_with("get /clusters/demo http/1.1\r\n"),
        "{head}"
    );
    assert_eq!(format!("http://{}", header(head, "host")), url);
    assert_eq!(header(head, "x-amz-date"), "20250102t030405z");
    assert_eq!(header(head, "x-amz-security-token"), "token==");
    assert!(header(head, "authorization").contains("/us-west-2/eks/aws4_request"));
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_refusal_and_asked_once_more() {
    let refusal =
        "x-amzn-errortype: InvalidSignatureException\r\ndate: Thu, 02 Jan 2025 04:04:05 GMT\r\n";
    let answers = vec![
        http(
            "403 Forbidden",
            refusal,
            r#"{"message":"Signature expired"}"#,
        ),
        http("200 OK", "", &active().to_string()),
    ];
    let (url, asked) = service(answers).await;
    let clock = Clock::reading(|| UNIX_EPOCH + SIGNED_AT);
    describe(&url, &clock).await.unwrap();
    let heads = asked.await.unwrap();
    assert_eq!(header(&heads[0], "x-amz-date"), "20250102t030405z");
    assert_eq!(header(&heads[1], "x-amz-date"), "20250102t040405z");
}

#[tokio::test]
async fn a_refusal_that_tells_no_other_time_is_not_asked_again() {
    let refusal = "x-amzn-errortype: UnrecognizedClientException\r\n";
    let (url, asked) = service(vec![http("403 Forbidden", refusal, "{}")]).await;
    let clock = Clock::reading(|| UNIX_EPOCH + SIGNED_AT);
    let error = describe(&url, &clock).await.unwrap_err();
    assert_eq!(error.diagnosis().finding, findings::EKS_SESSION_REFUSED);
    assert_eq!(asked.await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_without_end_and_no_answer_are_told_apart() {
    let clock = Clock::reading(|| UNIX_EPOCH + SIGNED_AT);
    let endless = http("200 OK", "", &" ".repeat(2 * 1024 * 1024));
    let (url, _asked) = service(vec![endless]).await;
    let error = describe(&url, &clock).await.unwrap_err();
    assert_eq!(error.diagnosis().finding, findings::EKS_GARBLED);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = describe(&url, &clock).await.unwrap_err();
    assert_eq!(error.diagnosis().finding, findings::EKS_UNREACHABLE);
    assert!(error.to_string().contains(&url), "{error}");
}
