//! The credentials that STS has issued, and what they are good for.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::State;
use super::fault::Fault;
use super::role::RegisteredRole;
use crate::{clock, random};

/// Credentials as a client got them, so that tests can hunt for leaks.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// `ASIA` and 16 characters.
    pub access_key_id: String,
    /// 40 characters, `/` and `+` among them.
    pub secret_access_key: String,
    /// As long as asked for, with `+`, `/` and `=` in it.
    pub session_token: String,
    /// To the second.
    pub expiration: SystemTime,
}

/// Secrets of an emulator open nothing, but a leak test must not fail on its own output.
impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// Issued credentials and the identity behind them.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) issued: Issued,
    /// By the clock of STS.
    pub(super) expires_at: i64,
    pub(super) account: String,
    /// The role, with its path.
    pub(super) role_arn: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    pub(super) arn: String,
    /// `AROA…:SESSION`.
    pub(super) user_id: String,
}

/// What a client is told of a new session.
pub(super) struct Opened {
    pub(super) credentials: Value,
    pub(super) assumed_role_user: Value,
}

const AN_HOUR: i64 = 3600;

impl State {
    /// Opens a session of a role for somebody who may have it.
    pub(super) fn open_session(
        &mut self,
        registered: &RegisteredRole,
        session_name: &str,
        duration: Duration,
        fault: Option<&Fault>,
    ) -> Opened {
        let lifetime = self.session_lifetime.unwrap_or(duration);
        let expires_at = match fault {
            Some(Fault::ExpiredCredentials) => self.now() - AN_HOUR,
            _ => self.now() + lifetime.as_secs() as i64,
        };
        let issued = match self.chosen_credentials.pop_front() {
            Some(chosen) => Issued {
                expiration: clock::system_time(expires_at),
                ..chosen
            },
            None => Issued::generate(expires_at, self.session_token_length),
        };
        let session = Session {
            issued,
            expires_at,
            account: registered.role.account().to_owned(),
            role_arn: registered.role.arn.clone(),
            arn: registered.role.session_arn(session_name),
            user_id: format!("{}:{session_name}", registered.id),
        };
        let mut opened = session.opened();
        if fault == Some(&Fault::EmptyCredentials) {
            for name in ["AccessKeyId", "SecretAccessKey", "SessionToken"] {
                opened.credentials[name] = json!("");
            }
        } else {
            self.sessions.push(session);
        }
        opened
    }
}

impl Session {
    fn opened(&self) -> Opened {
        Opened {
            credentials: json!({
                "AccessKeyId": self.issued.access_key_id,
                "SecretAccessKey": self.issued.secret_access_key,
                "SessionToken": self.issued.session_token,
                "Expiration": clock::iso8601(self.expires_at),
            }),
            assumed_role_user: json!({ "Arn": self.arn, "AssumedRoleId": self.user_id }),
        }
    }
}

impl Issued {
    /// New credentials whose session token has `token_length` characters.
    pub(super) fn generate(expires_at: i64, token_length: usize) -> Self {
        let upper = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // Real keys hold `/` and `+` often, not always: here always, so that no test passes by luck.
        let (head, tail) = (
            random::characters(ALPHANUMERIC, 18),
            random::characters(ALPHANUMERIC, 20),
        );
        Self {
            access_key_id: format!("ASIA{}", random::characters(upper, 16)),
            secret_access_key: format!("{head}/{tail}+"),
            session_token: session_token(token_length),
            expiration: clock::system_time(expires_at),
        }
    }
}

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Begins as real ones do, and ends in everything that has to be escaped in a URL.
fn session_token(length: usize) -> String {
    let (head, tail) = ("IQoJb3JpZ2luX2VjE", "+/==");
    let middle = length.saturating_sub(head.len() + tail.len());
    let mut token = format!("{head}{}{tail}", random::characters(BASE64, middle));
    token.truncate(length);
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_look_like_those_of_sts() {
        let issued = Issued::generate(0, 900);
        assert_eq!(issued.access_key_id.len(), 20);
        assert!(issued.access_key_id.starts_with("ASIA"));
        assert_eq!(issued.secret_access_key.len(), 40);
        assert!(issued.secret_access_key.contains('/') && issued.secret_access_key.contains('+'));
        assert_eq!(issued.session_token.len(), 900);
        assert!(issued.session_token.ends_with("+/=="));
    }

    #[test]
    fn a_session_token_has_exactly_the_length_asked_for() {
        for length in [1, 16, 20, 21, 22, 2500, 4096] {
            assert_eq!(Issued::generate(0, length).session_token.len(), length);
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let issued = Issued::generate(0, 900);
        let text = format!("{issued:?}");
        assert!(!text.contains(&issued.secret_access_key) && !text.contains(&issued.session_token));
    }
}
