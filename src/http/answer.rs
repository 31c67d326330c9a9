//! Answers: credentials, plain text, and errors in the two spellings that SDKs read.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// Go v2 reads errors only when the type is exactly this, without a charset.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A whole answer; bodies are in memory.
pub type Answer = Response<Full<Bytes>>;

/// Why a request was not answered with what it asked for. The name is the `code` that clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Not HTTP/1, not exactly one Host, or several authorizations.
    MalformedRequest,
    /// Came through a proxy.
    ForwardedRequest,
    /// Not from this pod.
    ForbiddenPeer,
    /// For a name that is not ours: DNS rebinding.
    ForbiddenHost,
    /// No such path, or a wrong secret in it.
    NotFound,
    /// Not with this method; these are allowed.
    MethodNotAllowed(&'static str),
    /// No authorization.
    Unauthorized,
    /// The wrong authorization.
    Forbidden,
    /// A parameter of the query is missing, unknown or wrong.
    InvalidParameter,
    /// A token that the cluster would refuse for its length.
    EksTokenTooLarge,
    /// As many roles are assumed as there may be.
    TooManyRoles,
    /// The head of the request took too long.
    RequestTimeout,
    /// The head of the request is too large.
    RequestHeaderFieldsTooLarge,
    /// There are no credentials that could be given out.
    CredentialsUnavailable,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Code::MalformedRequest => "MalformedRequest",
            Code::ForwardedRequest => "ForwardedRequest",
            Code::ForbiddenPeer => "ForbiddenPeer",
            Code::ForbiddenHost => "ForbiddenHost",
            Code::NotFound => "NotFound",
            Code::MethodNotAllowed(_) => "MethodNotAllowed",
            Code::Unauthorized => "Unauthorized",
            Code::Forbidden => "Forbidden",
            Code::InvalidParameter => "InvalidParameter",
            Code::EksTokenTooLarge => "EksTokenTooLarge",
            Code::TooManyRoles => "TooManyRoles",
            Code::RequestTimeout => "RequestTimeout",
            Code::RequestHeaderFieldsTooLarge => "RequestHeaderFieldsTooLarge",
            Code::CredentialsUnavailable => "CredentialsUnavailable",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Code::MalformedRequest | Code::ForwardedRequest | Code::InvalidParameter => {
                StatusCode::BAD_REQUEST
            }
            Code::ForbiddenPeer | Code::ForbiddenHost | Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::EksTokenTooLarge => StatusCode::UNPROCESSABLE_ENTITY,
            Code::TooManyRoles => StatusCode::TOO_MANY_REQUESTS,
            Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Code::RequestHeaderFieldsTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Code::CredentialsUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the client's own error message will show, unless the door knows better.
    pub const fn words(self) -> &'static str {
        match self {
            Code::MalformedRequest => {
                "the request is not well-formed HTTP/1 with one Host and at most one Authorization header"
            }
            Code::ForwardedRequest => {
                "forwarded requests are not answered; take the proxy out of the way (NO_PROXY=127.0.0.1,localhost,169.254.170.2,169.254.170.23,169.254.169.254)"
            }
            Code::ForbiddenPeer => "only this pod's own containers are answered",
            Code::ForbiddenHost => {
                "the Host header is not this door's address; use the address that it listens on, such as http://127.0.0.1 with the configured port"
            }
            Code::NotFound => "nothing at this path",
            Code::MethodNotAllowed(_) => {
                "this path does not take this method; see the Allow header"
            }
            Code::Unauthorized => "no Authorization header",
            Code::Forbidden => "the Authorization header is wrong",
            Code::InvalidParameter => "a parameter is missing, unknown or wrong",
            Code::EksTokenTooLarge => "the EKS token is longer than the cluster accepts",
            Code::TooManyRoles => "no more roles can be assumed",
            Code::RequestTimeout => "the head of the request took longer than 5 s",
            Code::RequestHeaderFieldsTooLarge => {
                "the head of the request is larger than 8 KiB or has more than 100 headers"
            }
            Code::CredentialsUnavailable => "there are no credentials at the moment",
        }
    }
}

/// A JSON body that is an answer and no error.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, JSON, body.into())
}

/// A text body of this type.
pub fn text(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    answer(
        StatusCode::OK,
        HeaderValue::from_static(content_type),
        body.into(),
    )
}

/// An error.
pub(super) fn failure(code: Code, words: &str) -> Answer {
    let mut answer = json(code.status(), error_body(code, words));
    match code {
        Code::MethodNotAllowed(allowed) => {
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allowed));
        }
        Code::CredentialsUnavailable => {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    answer
}

/// A whole answer as bytes, for a connection that hyper has given up.
pub(super) fn last_words(code: Code) -> Vec<u8> {
    let (status, body) = (code.status(), error_body(code, code.words()));
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: no-store\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

fn answer(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    answer
}

/// Go and Java read the lower-case names, JavaScript the others, Python prints the whole.
fn error_body(code: Code, words: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        code: &'a str,
        message: &'a str,
        #[serde(rename = "Code")]
        code_again: &'a str,
        #[serde(rename = "Message")]
        message_again: &'a str,
    }
    let (name, words) = (code.name(), cut(words));
    serde_json::to_vec(&Body {
        code: name,
        message: words,
        code_again: name,
        message_again: words,
    })
    .unwrap_or_default()
}

/// What a token claims may be long, and awscrt reads no body of 10,000 bytes.
fn cut(words: &str) -> &str {
    /// As JSON, since they stand there twice.
    const LONGEST: usize = 4_800;
    let mut length = 0;
    let mut places = words.char_indices();
    let end = places.find_map(|(place, c)| {
        length += match c {
            '"' | '\\' | '\n' => 2,
            c if c.is_ascii_control() => 6,
            c => c.len_utf8(),
        };
        (length > LONGEST).then_some(place)
    });
    &words[..end.unwrap_or(words.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_carry_both_spellings_and_escape_their_words() {
        let body = error_body(Code::CredentialsUnavailable, "say \"hi\"\n");
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"code":"CredentialsUnavailable","message":"say \"hi\"\n","Code":"CredentialsUnavailable","Message":"say \"hi\"\n"}"#
        );
    }

    #[test]
    fn no_error_is_longer_than_what_every_client_reads() {
        for part in ["x", "\"", "\u{1}", "\u{10ffff}", "\n"] {
            let body = error_body(Code::CredentialsUnavailable, &part.repeat(20_000));
            assert!(body.len() < 10_000, "{}", body.len());
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let words = body["message"].as_str().unwrap();
            assert!(words.len() > 700 && words.starts_with(part));
        }
        let whole = "x".repeat(4_800);
        assert_eq!(cut(&whole), whole);
    }

    #[test]
    fn every_code_has_a_status_that_is_counted() {
        for code in [
            Code::MalformedRequest,
            Code::ForbiddenHost,
            Code::NotFound,
            Code::MethodNotAllowed("GET"),
            Code::Unauthorized,
            Code::InvalidParameter,
            Code::EksTokenTooLarge,
            Code::TooManyRoles,
            Code::RequestTimeout,
            Code::RequestHeaderFieldsTooLarge,
            Code::CredentialsUnavailable,
        ] {
            assert!(crate::metrics::STATUSES.contains(&code.status().as_u16()));
        }
    }
}
