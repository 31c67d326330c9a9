//! Presigns GetCallerIdentity as `aws eks get-token` does: written apart from the verifier.

use std::time::Duration;

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
        let secret = format!("AWS4{}", self.issued.secret_access_key);
        let key = [&day, "eu-west-1", "sts", "aws4_request"]
            .iter()
            .fold(secret.into_bytes(), |key, part| mac(&key, part));
        format!("/?{query}&X-Amz-Signature={}", hex(&mac(&key, &to_sign)))
    }

    /// The headers that the signature covers.
    pub(crate) fn headers(&self) -> String {
        format!("host: {}\r\nx-k8s-aws-id: {}\r\n", self.host, self.cluster)
    }

    fn date(&self) -> (String, String) {
        let age = Duration::from_secs(self.age.unsigned_abs());
        let signed_at = if self.age < 0 {
            now() + age
        } else {
            now() - age
        };
        // "Thu, 02 Jan 2025 03:04:05 GMT"
        let text = httpdate::fmt_http_date(signed_at);
        let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = months.find(&text[8..11]).expect("an English month") / 3 + 1;
        let day = format!("{}{month:02}{}", &text[12..16], &text[5..7]);
        let second = format!("{day}T{}Z", text[17..25].replace(':', ""));
        (day, second)
    }
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
