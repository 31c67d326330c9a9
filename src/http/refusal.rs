//! What a client is told instead of what it asked for.

use std::borrow::Cow;

use hyper::Request;

use super::answer::{Answer, Code, failure};

/// For methods of paths that are only read.
pub const READ: &str = "GET, HEAD";

/// A code and the words that go with it, which SDKs print.
#[derive(Debug)]
pub struct Refusal {
    /// What programs read.
    pub code: Code,
    /// What people read.
    pub words: Cow<'static, str>,
}

impl Refusal {
    /// In words that are always the same.
    pub const fn new(code: Code, words: &'static str) -> Self {
        Refusal {
            code,
            words: Cow::Borrowed(words),
        }
    }
}

/// Refuses all methods but these, which are listed as in an `Allow` header.
pub fn allow<B>(request: &Request<B>, methods: &'static str) -> Result<(), Refusal> {
    match methods.split(", ").any(|name| request.method() == name) {
        true => Ok(()),
        false => Err(Code::MethodNotAllowed(methods).into()),
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Refusal::new(code, code.words())
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        failure(refusal.code, &refusal.words)
    }
}
