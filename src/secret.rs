//! A secret: text that is never shown and is wiped when dropped.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret text. `Debug` shows its length only; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `text`; the buffer is wiped on drop.
    pub fn new(text: String) -> Self {
        Secret(Zeroizing::new(text))
    }

    /// The text itself, for the wire or a file that was asked for. Never for a log, an error or a metric.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by its timing where the difference is. Only the length shows.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        bool::from(self.0.as_bytes().ct_eq(candidate))
    }
}

/// What AWS says, without the secret that the request carried: it quotes parameters that it finds wrong, and where a
/// signature is, the whole request. An empty secret is none.
pub fn scrub(message: &str, secret: &str) -> String {
    /// Of a token's part that says enough to be hidden by itself.
    const SUSPICIOUS: usize = 40;
    /// Begins the request as it was read, the session token in it; of use only beside the signing program.
    const REQUEST: &str = "The Canonical String";
    let (message, _) = message.split_once(REQUEST).unwrap_or((message, ""));
    let message = message.trim_end();
    if secret.is_empty() {
        return message.to_owned();
    }
    let parts = secret.split('.').filter(|part| part.len() >= SUSPICIOUS);
    let without_token = message.replace(secret, "[token]");
    parts.fold(without_token, |text, part| text.replace(part, "[token]"))
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[secret of {} bytes]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_and_nothing_else() {
        assert_eq!(
            format!("{:?}", Secret::new("hunter2".into())),
            "[secret of 7 bytes]"
        );
    }

    #[test]
    fn a_token_is_cut_out_of_what_aws_says() {
        let text = format!("{}.{}.{}", "h".repeat(50), "c".repeat(60), "s".repeat(70));
        let whole = format!("Value '{text}' at 'webIdentityToken' failed");
        assert_eq!(
            scrub(&whole, &text),
            "Value '[token]' at 'webIdentityToken' failed"
        );
        let part = format!("Value '{}…'", "s".repeat(70));
        assert_eq!(scrub(&part, &text), "Value '[token]…'");
        assert_eq!(scrub("words", ""), "words");
    }

    #[test]
    fn a_request_is_not_repeated() {
        let message = "The signature does not match.\n\nThe Canonical String for this request should have been\n'GET\nx-amz-security-token:half";
        for secret in ["half a token", ""] {
            assert_eq!(scrub(message, secret), "The signature does not match.");
        }
    }

    #[test]
    fn only_equal_text_matches() {
        let secret = Secret::new("abc".into());
        assert!(secret.matches(b"abc"));
        for wrong in [&b""[..], b"ab", b"abcd", b"abd"] {
            assert!(!secret.matches(wrong));
        }
    }
}
