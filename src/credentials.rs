//! The credentials of one session, and the one JSON body in which every door hands them out.
//!
//! Nothing here is logged but the first characters of the key id and the times.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::clock::{Moment, rfc3339};
use crate::secret::Secret;

/// The largest body that every client reads: awscrt stops at 10,000 bytes.
const LARGEST_DOCUMENT: usize = 10_000;

/// Credentials younger than this, or than a tenth of their lifetime, are as good as new.
const YOUNG: Duration = Duration::from_secs(60);

/// What one exchange yielded.
pub struct Credentials {
    session: Session,
    obtained: Moment,
    lifetime: Duration,
    document: Bytes,
}

/// The parts of an answer of STS that make up credentials.
pub struct Session {
    /// `ASIA…`; not secret by itself, yet only its prefix is logged.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token.
    pub session_token: Secret,
    /// STS's own value, in STS's time.
    pub expiration: SystemTime,
    /// The account of the assumed role, twelve digits.
    pub account_id: String,
    /// The ARN of the assumed role.
    pub role_arn: String,
    /// The role session name, under which the session stands in CloudTrail. Empty where nobody has told it.
    pub session_name: String,
}

/// Why an answer of STS is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Useless {
    /// The named field is empty.
    Empty(&'static str),
    /// Already expired when it arrived.
    Expired,
    /// So long that clients would not read the document.
    TooLong(usize),
}

impl fmt::Display for Useless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Useless::Empty(field) => write!(f, "an empty {field}"),
            Useless::Expired => f.write_str("an Expiration that is already over"),
            Useless::TooLong(bytes) => write!(f, "credentials of {bytes} bytes"),
        }
    }
}

impl Credentials {
    /// Credentials that are whole and alive at `obtained`. STS never grants more than was asked for: an expiration beyond
    /// `asked` is the fault of a clock, and is not believed.
    pub fn new(session: Session, obtained: Moment, asked: Duration) -> Result<Self, Useless> {
        let fields = [
            ("AccessKeyId", session.access_key_id.as_str()),
            ("SecretAccessKey", session.secret_access_key.expose()),
            ("SessionToken", session.session_token.expose()),
        ];
        if let Some((field, _)) = fields.iter().find(|(_, value)| value.is_empty()) {
            return Err(Useless::Empty(field));
        }
        let lifetime = match session.expiration.duration_since(obtained.wall) {
            Ok(left) if !left.is_zero() => left.min(asked),
            _ => return Err(Useless::Expired),
        };
        let length = fields.iter().map(|(_, value)| value.len()).sum();
        if length >= LARGEST_DOCUMENT {
            return Err(Useless::TooLong(length));
        }
        let document = document(&session, obtained.wall);
        if document.len() >= LARGEST_DOCUMENT {
            return Err(Useless::TooLong(document.len()));
        }
        Ok(Credentials {
            session,
            obtained,
            lifetime,
            document,
        })
    }

    /// The body of `GET /v1/credentials`; made once, shared by all answers.
    pub fn document(&self) -> Bytes {
        self.document.clone()
    }

    /// What `credential_process` prints.
    ///
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
    pub fn process_document(&self) -> Zeroizing<Vec<u8>> {
        process_document(&self.session)
    }

    /// STS's own value.
    pub fn expiration(&self) -> SystemTime {
        self.session.expiration
    }

    /// `ASIA…`.
    pub fn access_key_id(&self) -> &str {
        &self.session.access_key_id
    }

    /// What signs.
    pub fn secret_access_key(&self) -> &Secret {
        &self.session.secret_access_key
    }

    /// What goes with every request that is signed with them.
    pub fn session_token(&self) -> &Secret {
        &self.session.session_token
    }

    /// When they arrived.
    pub fn obtained(&self) -> Moment {
        self.obtained
    }

    /// From arrival to expiration.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// What is left of the lifetime at `now`.
    pub fn remaining(&self, now: Moment) -> Duration {
        self.lifetime().saturating_sub(self.age(now))
    }

    /// Whether newer ones would hardly last longer.
    pub fn are_young(&self, now: Moment) -> bool {
        self.age(now) < YOUNG.min(self.lifetime() / 10)
    }

    fn age(&self, now: Moment) -> Duration {
        now.since(self.obtained)
    }

    /// The assumed role.
    pub fn role_arn(&self) -> &str {
        &self.session.role_arn
    }

    /// The role session name. Empty where nobody has told it: the document has none.
    pub fn session_name(&self) -> &str {
        &self.session.session_name
    }

    /// The first characters of the key id, which CloudTrail can be searched for and nobody can sign with.
    pub fn key_id_prefix(&self) -> &str {
        self.session
            .access_key_id
            .get(..8)
            .unwrap_or(&self.session.access_key_id)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &format_args!("{}…", self.key_id_prefix()))
            .field("expiration", &rfc3339(self.expiration()))
            .finish_non_exhaustive()
    }
}

/// One body that every client's parser takes, on every door: the container fields and those of IMDS together.
fn document(session: &Session, obtained: SystemTime) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document<'a> {
        code: &'a str,
        r#type: &'a str,
        last_updated: &'a str,
        access_key_id: &'a str,
        secret_access_key: &'a str,
        token: &'a str,
        expiration: &'a str,
        account_id: &'a str,
        role_arn: &'a str,
    }
    let document = Document {
        code: "Success",
        r#type: "AWS-HMAC",
        last_updated: &rfc3339(obtained),
        access_key_id: &session.access_key_id,
        secret_access_key: session.secret_access_key.expose(),
        token: session.session_token.expose(),
        expiration: &rfc3339(session.expiration),
        account_id: &session.account_id,
        role_arn: &session.role_arn,
    };
    Bytes::from_owner(json(&document))
}

fn process_document(session: &Session) -> Zeroizing<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document<'a> {
        version: u8,
        access_key_id: &'a str,
        secret_access_key: &'a str,
        session_token: &'a str,
        expiration: &'a str,
        account_id: &'a str,
    }
    json(&Document {
        version: 1,
        access_key_id: &session.access_key_id,
        secret_access_key: session.secret_access_key.expose(),
        session_token: session.session_token.expose(),
        expiration: &rfc3339(session.expiration),
        account_id: &session.account_id,
    })
}

fn json(document: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // Room for the whole document at once: a buffer that grows would leave copies of the secrets behind.
    let mut body = Zeroizing::new(Vec::with_capacity(2 * LARGEST_DOCUMENT));
    serde_json::to_writer(&mut *body, document).expect("strings serialize to memory");
    body
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use tokio::time::Instant;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn session() -> Session {
        Session {
            access_key_id: "ASIAEXAMPLEKEYID0000".into(),
            secret_access_key: Secret::new("secret/with+chars".into()),
            session_token: Secret::new("token==".into()),
            expiration: UNIX_EPOCH + Duration::from_millis(1_735_787_045_900),
            account_id: "111122223333".into(),
            role_arn: "arn:aws:iam::111122223333:role/app".into(),
            session_name: "app-0".into(),
        }
    }

    fn obtained(before_expiration: u64) -> Moment {
        Moment {
            wall: session().expiration - Duration::from_secs(before_expiration),
            tick: Instant::now(),
        }
    }

    #[test]
    fn the_document_has_every_field_that_some_client_reads() {
        let credentials = Credentials::new(session(), obtained(3600), HOUR).unwrap();
        assert_eq!(
            std::str::from_utf8(&credentials.document()).unwrap(),
            concat!(
                r#"{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2025-01-02T02:04:05Z","#,
                r#""AccessKeyId":"ASIAEXAMPLEKEYID0000","SecretAccessKey":"secret/with+chars","Token":"token==","#,
                r#""Expiration":"2025-01-02T03:04:05Z","AccountId":"111122223333","#,
                r#""RoleArn":"arn:aws:iam::111122223333:role/app"}"#
            )
        );
    }

    #[test]
    fn the_document_of_a_credential_process_has_a_version_and_calls_the_token_a_session_token() {
        let credentials = Credentials::new(session(), obtained(3600), HOUR).unwrap();
        assert_eq!(
            std::str::from_utf8(&credentials.process_document()).unwrap(),
            concat!(
                r#"{"Version":1,"AccessKeyId":"ASIAEXAMPLEKEYID0000","SecretAccessKey":"secret/with+chars","#,
                r#""SessionToken":"token==","Expiration":"2025-01-02T03:04:05Z","AccountId":"111122223333"}"#
            )
        );
    }

    #[test]
    fn credentials_cannot_be_empty_expired_or_too_long() {
        let mut empty = session();
        empty.session_token = Secret::new(String::new());
        assert_eq!(
            Credentials::new(empty, obtained(60), HOUR).unwrap_err(),
            Useless::Empty("SessionToken")
        );
        assert_eq!(
            Credentials::new(session(), obtained(0), HOUR).unwrap_err(),
            Useless::Expired
        );
        let mut long = session();
        long.session_token = Secret::new("x".repeat(9_900));
        assert!(matches!(
            Credentials::new(long, obtained(60), HOUR).unwrap_err(),
            Useless::TooLong(_)
        ));
    }

    #[test]
    fn a_clock_that_steps_back_does_not_make_credentials_younger() {
        let start = obtained(3600);
        let credentials = Credentials::new(session(), start, HOUR).unwrap();
        let later = Moment {
            wall: start.wall - Duration::from_secs(7200),
            tick: start.tick + Duration::from_secs(3000),
        };
        assert_eq!(credentials.remaining(later), Duration::from_secs(600));
        let suspended = Moment {
            wall: start.wall + Duration::from_secs(3500),
            tick: start.tick + Duration::from_secs(1),
        };
        assert_eq!(credentials.remaining(suspended), Duration::from_secs(100));
    }

    #[test]
    fn an_expiration_beyond_what_was_asked_for_is_not_believed() {
        let start = obtained(2 * 3600);
        let credentials = Credentials::new(session(), start, HOUR).unwrap();
        assert_eq!(credentials.remaining(start), HOUR);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!(
            "{:?}",
            Credentials::new(session(), obtained(60), HOUR).unwrap()
        );
        assert_eq!(
            shown,
            r#"Credentials { access_key_id: ASIAEXAM…, expiration: "2025-01-02T03:04:05Z", .. }"#
        );
    }
}
