//! Signature Version 4, verified: in the `Authorization` header or presigned in the query.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod scope;

use ring::digest::{SHA256, digest};
use ring::hmac;

use self::scope::Scope;
use super::error::StsError;
use super::request::AwsRequest;
use crate::clock;
use crate::form::{Form, decode_segment, encode};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The one service that signs otherwise: the path as it is sent, the payload by a header, and every `x-amz-` header.
const S3: &str = "s3";
const TOO_LATE: i64 = 15 * 60;
const TOO_EARLY: i64 = 5 * 60;

/// What a client put forward as its signature.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) access_key_id: String,
    pub(super) session_token: Option<String>,
    scope: Scope,
    /// Lower case and sorted.
    signed_headers: Vec<String>,
    /// `X-Amz-Date`, as sent.
    date: String,
    signed_at: i64,
    signature: Vec<u8>,
}

impl Signature {
    /// Finds the signature in a request, in either form.
    pub(super) fn find(request: &AwsRequest) -> Result<Self, StsError> {
        match request.header("authorization") {
            Some(authorization) => Self::from_header(request, &authorization),
            None if request.query.get("X-Amz-Signature").is_some() => {
                Self::from_query(&request.query)
            }
            None => Err(StsError::usual("MissingAuthenticationToken")),
        }
    }

    fn from_header(request: &AwsRequest, authorization: &str) -> Result<Self, StsError> {
        let fields = authorization.strip_prefix(ALGORITHM).unwrap_or_default();
        let field = |name: &str| {
            let mut found = fields
                .split(',')
                .filter_map(|field| field.trim().split_once('='));
            found.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).ok_or_else(|| {
                StsError::incomplete_signature(format!(
                    "Authorization header requires '{name}' parameter. Authorization={ALGORITHM}",
                ))
            })
        };
        Self::new(
            &field("Credential")?,
            &field("SignedHeaders")?,
            &field("Signature")?,
            request.header("x-amz-date"),
            request.header("x-amz-security-token"),
        )
    }

    fn from_query(query: &Form) -> Result<Self, StsError> {
        let field = |name: &str| {
            query.get(name).ok_or_else(|| {
                let message = format!("AWS query-string parameters must include '{name}'.");
                StsError::incomplete_signature(message)
            })
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(StsError::incomplete_signature(
                "Unsupported AWS 'algorithm'",
            ));
        }
        Self::new(
            field("X-Amz-Credential")?,
            field("X-Amz-SignedHeaders")?,
            field("X-Amz-Signature")?,
            query.get("X-Amz-Date").map(str::to_owned),
            query.get("X-Amz-Security-Token").map(str::to_owned),
        )
    }

    fn new(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        date: Option<String>,
        session_token: Option<String>,
    ) -> Result<Self, StsError> {
        let (access_key_id, scope) = credential.split_once('/').unwrap_or_default();
        let scope = Scope::parse(scope)?;
        let date = date.unwrap_or_default();
        let signed_at = clock::parse_amz_date(&date).ok_or_else(|| {
            StsError::incomplete_signature("Date must be in ISO-8601 'basic format'")
        })?;
        let mut signed_headers: Vec<_> = signed_headers.split(';').map(str::to_lowercase).collect();
        signed_headers.sort();
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            session_token,
            scope,
            signed_headers,
            date,
            signed_at,
            signature: from_hex(signature).unwrap_or_default(),
        })
    }

    /// The region that it was made for.
    pub(super) fn region(&self) -> &str {
        self.scope.region()
    }

    /// Checks scope, age and signature.
    pub(super) fn verify(
        &self,
        request: &AwsRequest,
        service: &str,
        secret: &str,
        now: i64,
    ) -> Result<(), StsError> {
        self.scope.check(
            service,
            &self.date,
            &request.header("host").unwrap_or_default(),
        )?;
        self.check_host_is_signed()?;
        if service == S3 {
            self.check_amz_headers_are_signed(request)?;
        }
        self.check_age(now)?;
        let key = self.scope.signing_key(secret);
        let to_sign = self.string_to_sign(request);
        hmac::verify(&key, to_sign.as_bytes(), &self.signature)
            .map_err(|_| StsError::usual("SignatureDoesNotMatch"))
    }

    fn check_host_is_signed(&self) -> Result<(), StsError> {
        if self.signed_headers.iter().any(|name| name == "host") {
            return Ok(());
        }
        let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        Err(StsError::signature_does_not_match(message))
    }

    fn check_amz_headers_are_signed(&self, request: &AwsRequest) -> Result<(), StsError> {
        let mut names = request.headers.keys().map(|name| name.as_str());
        let unsigned = |name: &&str| {
            name.starts_with("x-amz-") && !self.signed_headers.iter().any(|signed| signed == name)
        };
        match names.find(unsigned) {
            Some(name) => {
                let message = format!(
                    "There were headers present in the request which were not signed: {name}"
                );
                Err(StsError::new(403, "AccessDenied", message))
            }
            None => Ok(()),
        }
    }

    /// 15 minutes, whatever `X-Amz-Expires` says: STS does not look at it, which is why an EKS
    /// token that is signed with `X-Amz-Expires=60` lives for 15 minutes.
    fn check_age(&self, now: i64) -> Result<(), StsError> {
        let (date, clock) = (&self.date, clock::amz_date(now));
        let message = if self.signed_at < now - TOO_LATE {
            let limit = clock::amz_date(now - TOO_LATE);
            format!("Signature expired: {date} is now earlier than {limit} ({clock} - 15 min.)")
        } else if self.signed_at > now + TOO_EARLY {
            let limit = clock::amz_date(now + TOO_EARLY);
            format!(
                "Signature not yet current: {date} is still later than {limit} ({clock} + 5 min.)"
            )
        } else {
            return Ok(());
        };
        Err(StsError::signature_does_not_match(message))
    }

    fn string_to_sign(&self, request: &AwsRequest) -> String {
        let scope = self.scope.to_text();
        let hash = sha256(self.canonical_request(request).as_bytes());
        format!("{ALGORITHM}\n{}\n{scope}\n{hash}", self.date)
    }

    fn canonical_request(&self, request: &AwsRequest) -> String {
        let header = |name: &String| {
            let value = request.header(name).unwrap_or_default();
            let words: Vec<&str> = value.split_whitespace().collect();
            format!("{name}:{}\n", words.join(" "))
        };
        let headers: String = self.signed_headers.iter().map(header).collect();
        let (path, payload) = match self.scope.service() {
            S3 => (
                path_as_sent(&request.path),
                request.header("x-amz-content-sha256").unwrap_or_default(),
            ),
            _ => (canonical_path(&request.path), sha256(&request.body)),
        };
        [
            request.method.as_str(),
            &path,
            &canonical_query(&request.query),
            &headers,
            &self.signed_headers.join(";"),
            &payload,
        ]
        .join("\n")
    }
}

/// Encoded once, and with all its dots and slashes.
fn path_as_sent(path: &str) -> String {
    let segments: Vec<_> = path
        .split('/')
        .map(|segment| encode(&decode_segment(segment)))
        .collect();
    segments.join("/")
}

/// Encoded once more: only S3 signs the path as it is sent.
fn canonical_path(path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(encode).collect();
    segments.join("/")
}

/// Sorted by name, then value; all but the signature itself.
fn canonical_query(query: &Form) -> String {
    let signed = query.0.iter().filter(|(name, _)| name != "X-Amz-Signature");
    let mut pairs: Vec<_> = signed
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let joined: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    joined.join("&")
}

/// In lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests;
