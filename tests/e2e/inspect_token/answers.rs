//! What is asked of STS, to the letter, and answers that no STS should give.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use super::presigned::{Presigned, assert_nothing_shown, token_of};
use super::{inspect, line};
use crate::sidecar::Pod;

/// Answers every request so, and remembers what it was asked.
pub(crate) struct Answering {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    pub(crate) fn with(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heads);
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && client.read_exact(&mut byte).is_ok() {
                    head.extend(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                notes.lock().expect("the notes").push(head);
                // A client that goes away has seen enough.
                let _ = client.write_all(answer.as_bytes());
            }
        });
        Answering { address, heads }
    }

    fn with_body(status: &str, body: &str) -> Self {
        let length = body.len();
        Answering::with(format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("the notes").clone()
    }
}

fn identity(arn: &str, user_id: &str) -> String {
    format!(
        r#"{{"GetCallerIdentityResponse":{{"GetCallerIdentityResult":{{"Account":"111122223333","Arn":"{arn}","UserId":"{user_id}"}},"ResponseMetadata":{{"RequestId":"1"}}}}}}"#
    )
}

#[test]
fn the_request_is_the_one_in_the_token_with_the_clusters_header_and_the_tokens_host() {
    let pod = Pod::new();
    let sts = Answering::with_body(
        "200 OK",
        &identity("arn:aws:iam::111122223333:root", "111122223333"),
    );
    let url = Presigned::now().url();
    let ended = inspect(&pod, &[&token_of(&url), "--cluster-name", "demo"])
        .env("AWS_ENDPOINT_URL_STS", sts.url())
        .output();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let [first, head] = &sts.heads()[..] else {
        panic!("{:?}", sts.heads());
    };
    // STS is asked for the time, and told nothing.
    let first = first.to_ascii_lowercase();
    let host = format!("get / http/1.1\r\nhost: {}\r\n\r\n", sts.address);
    assert_eq!(first, host);
    let target = url
        .strip_prefix("https://sts.eu-west-1.amazonaws.com")
        .expect("the host");
    let mut lines = head.lines();
    assert_eq!(
        lines.next(),
        Some(format!("GET {target} HTTP/1.1").as_str())
    );
    let headers: BTreeSet<String> = lines
        .filter(|line| !line.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    for header in [
        "host: sts.eu-west-1.amazonaws.com",
        "x-k8s-aws-id: demo",
        "accept: application/json",
    ] {
        assert!(headers.contains(header), "{header:?} is not in {headers:?}");
    }
    assert!(
        !headers
            .iter()
            .any(|header| header.starts_with("authorization")),
        "{headers:?}"
    );
    // Nobody can make an entry for root, and nobody is told to.
    assert!(
        ended
            .stdout
            .contains("There are no access entries for such an ARN."),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("under mapUsers:"), "{}", ended.stdout);
}

#[test]
fn a_redirect_is_an_answer_like_any_other_and_not_followed() {
    let pod = Pod::new();
    let elsewhere = Answering::with_body(
        "200 OK",
        &identity("arn:aws:iam::111122223333:user/x", "AIDA"),
    );
    let url = elsewhere.url();
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
    ] {
        let sts = Answering::with(format!(
            "HTTP/1.1 {status}\r\nlocation: {url}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ));
        let token = Presigned::now().token();
        let ended = inspect(&pod, &[&token, "--cluster-name", "demo"])
            .env("AWS_ENDPOINT_URL_STS", sts.url())
            .output();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let refused = format!(
            "refused (eks-token-refused): asked as the cluster \"demo\", STS answered {}",
            &status[..3]
        );
        assert!(
            line(&ended, "replay").starts_with(&refused),
            "{}",
            ended.stdout
        );
        let replays = sts.heads().into_iter();
        let replays = replays.filter(|head| head.contains("GetCallerIdentity"));
        assert_eq!(replays.count(), 1);
    }
    assert_eq!(elsewhere.heads(), Vec::<String>::new());
}

#[test]
fn an_answer_that_names_nobody_lets_nobody_in() {
    let pod = Pod::new();
    let user = "arn:aws:iam::111122223333:user/x";
    for (body, words) in [
        (
            identity("arn:aws:s3:::bucket", "AIDA"),
            "service s3 in arn arn:aws:s3:::bucket is not a valid service",
        ),
        (
            identity("arn:mars:iam::111122223333:user/x", "AIDA"),
            "does not have a recognized partition",
        ),
        (identity("nonsense", "AIDA"), "arn 'nonsense' is invalid"),
        (
            identity("arn:aws:sts::111122223333:assumed-role/app/x", "AROA"),
            "malformed UserID",
        ),
        (
            identity(user, "\\u001b[2J"),
            "a control character in the answer",
        ),
        ("{}".to_owned(), "sts getCallerIdentity failed: "),
        (String::new(), "sts getCallerIdentity failed: "),
        (
            "A".repeat(2_000_000),
            "an answer that broke off or has no end",
        ),
    ] {
        let sts = Answering::with_body("200 OK", &body);
        let token = Presigned::now().token();
        let ended = inspect(&pod, &[&token, "--cluster-name", "demo"])
            .env("AWS_ENDPOINT_URL_STS", sts.url())
            .output();
        assert_eq!(ended.status.code(), Some(1), "{words}: {ended:?}");
        assert!(
            line(&ended, "replay").contains(words),
            "{words:?} is not in {}",
            ended.stdout
        );
        assert_nothing_shown(&ended, &token);
    }
}

/// STS repeats the request in some of its answers, and the request holds the session token.
#[test]
fn what_sts_repeats_of_the_request_is_not_shown() {
    let pod = Pod::new();
    let url = Presigned::now().url();
    let token = token_of(&url);
    let (_, query) = url.split_once('?').expect("a query");
    let (_, secrets) = query
        .split_once("X-Amz-Security-Token=")
        .expect("a session token");
    let begin = "The request signature we calculated does not match.";
    for repeated in [
        format!(
            "\\n\\nThe Canonical String for this request should have been\\n'GET\\n/\\n{query}\\nhost:sts'"
        ),
        // Whatever stands in front of them.
        format!(" The Canonical String was '{secrets}'"),
        format!(" GET\\n/\\n{secrets}"),
        format!(" X-Amz-Security-Token={secrets}"),
        format!(" X-Amz-Signature={secrets}"),
        " \\u001b[2J".to_owned(),
    ] {
        let body = format!(
            r#"{{"Error":{{"Code":"SignatureDoesNotMatch","Message":"{begin}{repeated}","Type":"Sender"}},"RequestId":"1"}}"#
        );
        let sts = Answering::with_body("403 Forbidden", &body);
        let ended = inspect(&pod, &[&token, "--cluster-name", "demo"])
            .env("AWS_ENDPOINT_URL_STS", sts.url())
            .output();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(line(&ended, "replay").contains(begin), "{}", ended.stdout);
        assert_nothing_shown(&ended, &token);
    }
}
