//! Signs requests as clients of AWS do, and presigns GetCallerIdentity as `aws eks get-token` does: written apart from
//! the verifier.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use emulator::Issued;
use ring::{digest, hmac};

use crate::client::now;

/// Everything that a presigned request may get wrong.
pub(crate) struct Signer<'a> {
    pub(crate) issued: &'a Issued,
    pub(crate) cluster: &'a str,
    pub(crate) host: &'a str,
    pub(crate) age: i64,
}

impl Signer<'_> {
    /// `/?Action=GetCallerIdentity&…&X-Amz-Signature=…`.
    pub(crate) fn target(&self) -> String {
        let (day, second) = self.date();
        let scope = format!("{day}/eu-west-1/sts/aws4_request");
        let (key_id, host, cluster) = (&self.issued.access_key_id, self.host, self.cluster);
        // In the order of their names, as the canonical request wants them.
        let query = format!(
            "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential={key_id}%2F{}&X-Amz-Date={second}&X-Amz-Expires=60\
             &X-Amz-Security-Token={}&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
            escape(&scope),
            escape(&self.issued.session_token),
        );
        let canonical = format!(
            "GET\n/\n{query}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{}",
            sha256(""),
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{second}\n{scope}\n{}",
            sha256(&canonical)
        );
        let key = key(self.issued, &scope);
        format!("/?{query}&X-Amz-Signature={}", hex(&mac(&key, &to_sign)))
    }

    /// The EKS token that this request is.
    pub(crate) fn token(&self) -> String {
        let url = format!("https://{}{}", self.host, self.target());
        format!("k8s-aws-v1.{}", BASE64URL.encode(url))
    }

    /// The headers that the signature covers.
    pub(crate) fn headers(&self) -> String {
        format!("host: {}\r\nx-k8s-aws-id: {}\r\n", self.host, self.cluster)
    }

    fn date(&self) -> (String, String) {
        date(self.age)
    }
}

/// The token of a healthy sidecar, for the cluster `demo`.
pub(crate) fn token_of(issued: &Issued) -> String {
    token_for("demo", issued)
}

/// The same for another cluster.
pub(crate) fn token_for(cluster: &str, issued: &Issued) -> String {
    let signer = Signer {
        issued,
        cluster,
        host: "sts.eu-west-1.amazonaws.com",
        age: 0,
    };
    signer.token()
}

/// A request that is signed in its headers.
pub(crate) struct Signed<'a> {
    pub(crate) issued: &'a Issued,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a str,
}

impl Signed<'_> {
    /// `host`, `x-amz-date`, `x-amz-security-token` and `authorization`.
    pub(crate) fn headers(&self) -> String {
        let (day, second) = date(0);
        let (service, region) = (self.service, self.region);
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let token = &self.issued.session_token;
        let signed = format!("host:{service}\nx-amz-date:{second}\nx-amz-security-token:{token}\n");
        let names = "host;x-amz-date;x-amz-security-token";
        let (method, path, hash) = (self.method, self.path, sha256(self.body));
        let canonical = format!("{method}\n{path}\n\n{signed}\n{names}\n{hash}");
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{second}\n{scope}\n{}",
            sha256(&canonical)
        );
        let signature = hex(&mac(&key(self.issued, &scope), &to_sign));
        let key_id = &self.issued.access_key_id;
        format!(
            "host: {service}\r\nx-amz-date: {second}\r\nx-amz-security-token: {token}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, \
             Signature={signature}\r\n"
        )
    }
}

/// The same for S3; a session token that is empty is not sent.
pub(crate) struct SignedForS3<'a> {
    pub(crate) issued: &'a Issued,
    pub(crate) method: &'a str,
    /// As it is sent.
    pub(crate) path: &'a str,
    /// Encoded and sorted.
    pub(crate) query: &'a str,
    /// `x-amz-content-sha256`.
    pub(crate) payload: &'a str,
    pub(crate) body: &'a str,
}

impl SignedForS3<'_> {
    /// `host`, the headers of the signature, and `authorization`.
    pub(crate) fn headers(&self) -> String {
        let (day, second) = date(0);
        let scope = format!("{day}/eu-west-1/s3/aws4_request");
        let payload = self.payload;
        let mut headers = vec![
            ("host", "s3"),
            ("x-amz-content-sha256", payload),
            ("x-amz-date", second.as_str()),
            ("x-amz-security-token", self.issued.session_token.as_str()),
        ];
        headers.retain(|(_, value)| !value.is_empty());
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines = |separator, end| -> String {
            let line = |(name, value): &(&str, &str)| format!("{name}{separator}{value}{end}");
            headers.iter().map(line).collect()
        };
        let (method, path, query) = (self.method, self.path, self.query);
        let signed = lines(":", "\n");
        let canonical = format!("{method}\n{path}\n{query}\n{signed}\n{names}\n{payload}");
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{second}\n{scope}\n{}",
            sha256(&canonical)
        );
        let signature = hex(&mac(&key(self.issued, &scope), &to_sign));
        let key_id = &self.issued.access_key_id;
        format!(
            "{}authorization: AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, \
             Signature={signature}\r\n",
            lines(": ", "\r\n"),
        )
    }
}

fn key(issued: &Issued, scope: &str) -> Vec<u8> {
    let secret = format!("AWS4{}", issued.secret_access_key).into_bytes();
    scope.split('/').fold(secret, |key, part| mac(&key, part))
}

/// The day, and the second, of so many seconds ago.
fn date(age: i64) -> (String, String) {
    let distance = Duration::from_secs(age.unsigned_abs());
    let signed_at = if age < 0 {
        now() + distance
    } else {
        now() - distance
    };
    // "Thu, 02 Jan 2025 03:04:05 GMT"
    let text = httpdate::fmt_http_date(signed_at);
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(&text[8..11]).expect("an English month") / 3 + 1;
    let day = format!("{}{month:02}{}", &text[12..16], &text[5..7]);
    let second = format!("{day}T{}Z", text[17..25].replace(':', ""));
    (day, second)
}

fn escape(text: &str) -> String {
    text.replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3D")
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
        .as_ref()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
