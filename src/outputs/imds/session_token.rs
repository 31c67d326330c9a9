//! Session tokens of IMDSv2. None is kept: each carries its end and a MAC, so that no number of them fills a table.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// The longest that EC2 grants, six hours.
const LONGEST_TTL: u32 = 21_600;

/// Of the form of a token, not of IMDS.
const VERSION: u8 = 1;
/// The version, and the end in milliseconds since the door's start.
const SIGNED: usize = 1 + size_of::<u64>();
const MAC: usize = 32;
/// What the MAC adds to what is signed, as text.
const LENGTH: usize = (SIGNED + MAC).div_ceil(3) * 4 - 1;

/// Issues tokens and knows them again, in one process.
pub(super) struct SessionTokens {
    key: hmac::Key,
    /// Time is told by a tick that no step of a clock can move.
    started: Instant,
}

impl SessionTokens {
    /// With a key that nobody knows.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; MAC]);
        getrandom::getrandom(&mut *key)?;
        Ok(SessionTokens::with_key(&key))
    }

    fn with_key(key: &[u8; MAC]) -> Self {
        SessionTokens {
            key: hmac::Key::new(HMAC_SHA256, key),
            started: Instant::now(),
        }
    }

    /// A token that is accepted for so many seconds.
    pub(super) fn issue(&self, ttl_seconds: u32) -> String {
        let end = self.started.elapsed() + Duration::from_secs(ttl_seconds.into());
        sealed(&self.key, end)
    }

    /// Whether a token is one of ours and not over.
    pub(super) fn accepts(&self, token: &[u8]) -> bool {
        opened(&self.key, token).is_some_and(|end| self.started.elapsed() < end)
    }
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens").finish_non_exhaustive()
    }
}

/// The seconds that a client asks for; `None` where they are no whole number that EC2 would take.
pub(super) fn ttl_seconds(value: &[u8]) -> Option<u32> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let seconds = std::str::from_utf8(value).ok()?.parse().ok()?;
    (digits && (1..=LONGEST_TTL).contains(&seconds)).then_some(seconds)
}

fn sealed(key: &hmac::Key, end: Duration) -> String {
    let millis = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
    let mut token = [0; SIGNED + MAC];
    let (signed, mac) = token.split_at_mut(SIGNED);
    signed[0] = VERSION;
    signed[1..].copy_from_slice(&millis.to_be_bytes());
    mac.copy_from_slice(hmac::sign(key, signed).as_ref());
    URL_SAFE_NO_PAD.encode(token)
}

/// The end of a token that was sealed with this key, compared in constant time.
fn opened(key: &hmac::Key, token: &[u8]) -> Option<Duration> {
    if token.len() != LENGTH {
        return None;
    }
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, mac) = token.split_at_checked(SIGNED)?;
    hmac::verify(key, signed, mac).ok()?;
    let (version, millis) = signed.split_first()?;
    let millis = u64::from_be_bytes(millis.try_into().ok()?);
    (*version == VERSION).then_some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tokens() -> SessionTokens {
        SessionTokens::with_key(&[7; MAC])
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_accepted_for_the_seconds_that_were_asked_for_and_not_one_longer() {
        let tokens = tokens();
        tokio::time::advance(1000 * SECOND).await;
        let (short, long) = (tokens.issue(1), tokens.issue(LONGEST_TTL));
        assert!(tokens.accepts(short.as_bytes()) && tokens.accepts(long.as_bytes()));
        tokio::time::advance(SECOND).await;
        assert!(!tokens.accepts(short.as_bytes()) && tokens.accepts(long.as_bytes()));
        tokio::time::advance((LONGEST_TTL - 1) * SECOND).await;
        assert!(!tokens.accepts(long.as_bytes()));
    }

    #[tokio::test]
    async fn a_token_is_plain_ascii_and_of_one_length() {
        for ttl in [1, LONGEST_TTL] {
            let token = tokens().issue(ttl);
            assert_eq!(token.len(), LENGTH);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            assert!(token.bytes().all(plain), "{token}");
        }
    }

    #[tokio::test]
    async fn a_token_that_is_changed_in_one_place_is_no_token() {
        let tokens = tokens();
        let token = tokens.issue(60).into_bytes();
        for place in 0..token.len() {
            for other in [b'A', b'B', b'-', b'_', b'=', b' ', 0xff] {
                let mut forged = token.clone();
                forged[place] = other;
                let same = forged == token;
                assert_eq!(tokens.accepts(&forged), same, "{other} at {place}");
            }
        }
        for forged in [
            &b""[..],
            b"x",
            &token[1..],
            &[&token[..], b"="].concat(),
            &token.repeat(2),
            &vec![b'A'; 8192],
        ] {
            assert!(!tokens.accepts(forged));
        }
    }

    #[tokio::test]
    async fn a_token_of_another_process_or_version_is_no_token() {
        let (one, other) = (SessionTokens::new().unwrap(), SessionTokens::new().unwrap());
        assert!(one.accepts(one.issue(60).as_bytes()));
        assert!(!other.accepts(one.issue(60).as_bytes()));
        let mut later = vec![VERSION + 1, 0, 0, 0, 1, 0, 0, 0, 0];
        let mac = hmac::sign(&one.key, &later);
        later.extend_from_slice(mac.as_ref());
        assert!(!one.accepts(URL_SAFE_NO_PAD.encode(later).as_bytes()));
    }

    #[test]
    fn seconds_are_a_whole_number_that_ec2_would_take() {
        for (value, seconds) in [("1", 1), ("60", 60), ("021600", 21_600)] {
            assert_eq!(ttl_seconds(value.as_bytes()), Some(seconds));
        }
        for value in [
            "",
            "0",
            "-1",
            "+5",
            "1e3",
            "60.0",
            "60s",
            "0x10",
            "6 0",
            "1,2",
            "21601",
            "4294967297",
            "99999999999999999999",
            "\u{661}",
        ] {
            assert_eq!(ttl_seconds(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(ttl_seconds(b"\xff"), None);
    }
}
