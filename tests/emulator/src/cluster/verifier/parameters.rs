//! The parameters of a pre-signed URL, and the rules about them.

use super::{CLUSTER_HEADER, date, url};

const LIFETIME: i64 = 15 * 60;

const PARAMETERS: [&str; 9] = [
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// The query's parameters; their names count without case.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// All of them known, and each there once.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let pairs = url::parse_query(query).ok_or("malformed query parameter")?;
        for (at, (name, _)) in pairs.iter().enumerate() {
            let again = |(other, _): &(String, String)| {
                other != name && other.to_lowercase() == name.to_lowercase()
            };
            if pairs[..at].iter().any(again) {
                let name = url::quote(name);
                return Err(format!("duplicate query parameter found: {name}"));
            }
        }
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !PARAMETERS.contains(&name.to_lowercase().as_str()) {
                let name = url::quote(name);
                return Err(format!("non-whitelisted query parameter {name}"));
            }
            if pairs[..at].iter().any(|(other, _)| other == name) {
                return Err("query parameter with multiple values not supported".to_owned());
            }
        }
        Ok(Self(pairs))
    }

    /// A value by its name in lower case; empty when it is not there.
    fn get(&self, name: &str) -> &str {
        let found = self
            .0
            .iter()
            .find(|(found, _)| found.to_lowercase() == name);
        found.map_or("", |(_, value)| value)
    }

    /// Not verified: whoever signed it may have written anything here.
    pub(super) fn access_key_id(&self) -> &str {
        self.get("x-amz-credential")
            .split('/')
            .next()
            .unwrap_or_default()
    }

    /// What they say, at `now`.
    pub(super) fn check(&self, now: i64) -> Result<(), String> {
        if self.get("action") != "GetCallerIdentity" {
            return Err("unexpected action parameter in pre-signed URL".to_owned());
        }
        let mut signed_headers = self.get("x-amz-signedheaders").split(';');
        if !signed_headers.any(|name| name.eq_ignore_ascii_case(CLUSTER_HEADER)) {
            return Err(format!(
                "client did not sign the {CLUSTER_HEADER} header in the pre-signed URL"
            ));
        }
        match integer(self.get("x-amz-expires")) {
            Ok(0..=900) => {}
            Ok(seconds) | Err(seconds) => {
                return Err(format!(
                    "invalid X-Amz-Expires parameter in pre-signed URL: {seconds}"
                ));
            }
        }
        let date = self.get("x-amz-date");
        if date.is_empty() {
            return Err("X-Amz-Date parameter must be present in pre-signed URL".to_owned());
        }
        let signed_at = date::parse(date).map_err(|reason| {
            format!(
                "error parsing X-Amz-Date parameter {date} into format 20060102T150405Z: {reason}"
            )
        })?;
        if now > signed_at + LIFETIME {
            let date = date::format(signed_at);
            return Err(format!(
                "X-Amz-Date parameter is expired (15 minute expiration) {date}"
            ));
        }
        Ok(())
    }
}

/// `strconv.Atoi`, whose errors come with a number too.
fn integer(text: &str) -> Result<i64, i64> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse()
        .map_err(|error: std::num::ParseIntError| match error.kind() {
            PosOverflow => i64::MAX,
            NegOverflow => i64::MIN,
            _ => 0,
        })
}
