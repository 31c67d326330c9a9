//! Signs GetCallerIdentity by SigV4's document, well or badly: tokens that this program would never make.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};

use crate::sidecar::{Finished, Pod, now};

pub(super) const PREFIX: &str = "k8s-aws-v1.";
pub(super) const ACCESS_KEY_ID: &str = "ASIAIOSFODNN7EXAMPLE";
pub(super) const SESSION_TOKEN: &str =
    "FwoGZXIvYXdzEBYaDExampleToken+with/slash+and+plus/and==padding==";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// All but RFC 3986's unreserved characters.
pub(super) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Has STS give out the session that signs here.
pub(super) fn open_session(pod: &Pod, access_key_id: &str, session_token: &str) {
    let sts = pod.emulator.sts();
    sts.issue_next(access_key_id, SECRET_ACCESS_KEY, session_token);
    let known = sts.issued().len();
    // Whatever becomes of its own token: the session is what it is run for.
    pod.alone(["get-token", "--cluster-name", "any"]).output();
    assert_eq!(sts.issued().len(), known + 1, "{:?}", sts.calls());
}

/// A request about to be signed.
#[derive(Clone)]
pub(super) struct Presigned {
    pub(super) host: String,
    pub(super) region: String,
    pub(super) cluster: String,
    pub(super) access_key_id: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl Presigned {
    /// A good one, for the cluster `demo`.
    pub(super) fn at(signed_at: SystemTime, region: &str) -> Self {
        let date = humantime::format_rfc3339_seconds(signed_at).to_string();
        let date = date.replace(['-', ':'], "");
        let parameters = [
            ("Action", "GetCallerIdentity"),
            ("Version", "2011-06-15"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Date", &date),
            ("X-Amz-Expires", "60"),
            ("X-Amz-Security-Token", SESSION_TOKEN),
            ("X-Amz-SignedHeaders", "host;x-k8s-aws-id"),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Presigned {
            host: format!("sts.{region}.amazonaws.com"),
            region: region.to_owned(),
            cluster: "demo".to_owned(),
            access_key_id: ACCESS_KEY_ID.to_owned(),
            parameters: parameters.to_vec(),
        }
    }

    /// Signed a second ago, where the default cluster is.
    pub(super) fn now() -> Self {
        Presigned::at(now() - Duration::from_secs(1), "eu-west-1")
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(found, _)| found != name);
        self
    }

    pub(super) fn with(self, name: &str, value: &str) -> Self {
        let mut changed = self.without(name);
        changed.parameters.push((name.to_owned(), value.to_owned()));
        changed
    }

    fn value(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// The signed URL, its parameters sorted.
    pub(super) fn url(self) -> String {
        let date = self.value("X-Amz-Date").to_owned();
        // A case without a date has a day all the same.
        let today = humantime::format_rfc3339_seconds(now()).to_string();
        let day = match date.len() {
            16 => date[..8].to_owned(),
            _ => today[..10].replace('-', ""),
        };
        let scope = format!("{day}/{}/sts/aws4_request", self.region);
        let credential = format!("{}/{scope}", self.access_key_id);
        let mut signed = self.with("X-Amz-Credential", &credential);
        signed.parameters.sort();
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let pairs: Vec<String> = signed
            .parameters
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let query = pairs.join("&");
        let names = signed.value("X-Amz-SignedHeaders");
        let header = |name: &str| match name {
            "host" => format!("host:{}\n", signed.host),
            "x-k8s-aws-id" => format!("x-k8s-aws-id:{}\n", signed.cluster),
            other => format!("{other}:of another client\n"),
        };
        let headers: String = names.split(';').map(header).collect();
        let canonical = format!("GET\n/\n{query}\n{headers}\n{names}\n{}", sha256(""));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(&canonical));
        let secret = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
        let key = scope.split('/').fold(secret, |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &to_sign));
        format!(
            "https://{}/?{query}&X-Amz-Signature={signature}",
            signed.host
        )
    }

    pub(super) fn token(self) -> String {
        token_of(&self.url())
    }
}

pub(super) fn token_of(url: &str) -> String {
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url))
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Neither the signature nor the session token, as they are, percent-encoded or in base64, nor any good part of them;
/// and nothing that moves a cursor.
#[track_caller]
pub(super) fn assert_nothing_shown(said: &Finished, token: &str) {
    let said = format!("{}{}", said.stdout, said.stderr);
    let encoded = token.trim().strip_prefix(PREFIX).unwrap_or(token.trim());
    let mut secrets = vec![
        encoded.to_owned(),
        SESSION_TOKEN.to_owned(),
        utf8_percent_encode(SESSION_TOKEN, ENCODED).to_string(),
        BASE64_STANDARD.encode(SESSION_TOKEN),
        BASE64_URL_SAFE_NO_PAD.encode(SESSION_TOKEN),
    ];
    if let Ok(url) = BASE64_URL_SAFE_NO_PAD.decode(encoded) {
        let url = String::from_utf8_lossy(&url).into_owned();
        let signature = url.split("X-Amz-Signature=").nth(1);
        let signature = signature.map(|rest| rest.chars().take(64).collect::<String>());
        secrets.extend(signature);
    }
    for secret in secrets {
        let characters: Vec<char> = secret.chars().collect();
        for part in characters.chunks(20).filter(|part| part.len() == 20) {
            let part: String = part.iter().collect();
            assert!(!said.contains(&part), "{part} is in\n{said}");
        }
    }
    let moves = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
    };
    assert!(!said.contains(moves), "{said:?}");
}
