//! Who sends a request: nobody, or whoever the authenticator says that the bearer token stands for.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::cluster::token_review::{Reviewed, Verdict};
use crate::cluster::verifier::Refusal;
use crate::cluster::{Cluster, State};

/// How the API server asks a webhook again that has too much to do.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const GROWTH: f64 = 1.5;

/// What a request brings along.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential {
    None,
    Bearer(String),
}

impl Credential {
    /// As the API server reads it: what is no bearer token is nothing.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let header = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let text = String::from_utf8_lossy(header.unwrap_or_default());
        match text.trim().split(' ').collect::<Vec<_>>()[..] {
            [scheme, token, ..] if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
                Self::Bearer(token.to_owned())
            }
            _ => Self::None,
        }
    }

    pub(super) fn into_token(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Bearer(token) => Some(token),
        }
    }
}

/// A user of the cluster, groups complete.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) username: String,
    pub(super) groups: Vec<String>,
    /// As SelfSubjectReview has it.
    pub(super) info: Value,
    anonymous: bool,
}

impl User {
    fn anonymous() -> Self {
        let (username, group) = ("system:anonymous", "system:unauthenticated");
        Self {
            username: username.to_owned(),
            groups: vec![group.to_owned()],
            info: json!({ "username": username, "groups": [group] }),
            anonymous: true,
        }
    }

    fn authenticated(mut reviewed: Reviewed) -> Self {
        reviewed.groups.push("system:authenticated".to_owned());
        Self {
            info: reviewed.user_info(),
            username: reviewed.username,
            groups: reviewed.groups,
            anonymous: false,
        }
    }

    fn service_account((namespace, name): &(String, String)) -> Self {
        let username = format!("system:serviceaccount:{namespace}:{name}");
        let groups = vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ];
        Self {
            info: json!({ "username": username, "groups": groups }),
            username,
            groups,
            anonymous: false,
        }
    }

    /// The name, of those who have one.
    pub(super) fn into_named(self) -> Option<String> {
        (!self.anonymous).then_some(self.username)
    }
}

impl Cluster {
    /// The user behind a credential; None when it is a bad one.
    pub(super) async fn authenticate(&self, credential: &Credential) -> Option<User> {
        let Credential::Bearer(token) = credential else {
            return Some(User::anonymous());
        };
        // The API server tries its own tokens first; a webhook hears of the others only.
        if let Some(account) = self.service_account_of(token) {
            return Some(User::service_account(&account));
        }
        if let Some(reviewed) = self.state().cached(token) {
            return Some(User::authenticated(reviewed));
        }
        let reviewed = self.ask_webhook(token).await.ok()?;
        self.state().cache(token, &reviewed);
        Some(User::authenticated(reviewed))
    }

    /// Throttling is tried again, a refusal is final.
    async fn ask_webhook(&self, token: &str) -> Result<Reviewed, Refusal> {
        let mut pause = FIRST_PAUSE;
        for tried in 1.. {
            let Verdict { outcome, took } = self.verdict(token);
            sleep(took).await;
            match outcome {
                Err(Refusal::Throttled(_)) if tried < TRIES => sleep(pause).await,
                outcome => return outcome,
            }
            pause = pause.mul_f64(GROWTH);
        }
        unreachable!("the last try returns")
    }
}

impl State {
    /// Good answers alone are kept, each as long as was set when it came.
    fn cached(&self, token: &str) -> Option<Reviewed> {
        let (until, reviewed) = self.token_cache.get(token)?;
        (Instant::now() < *until).then(|| reviewed.clone())
    }

    fn cache(&mut self, token: &str, reviewed: &Reviewed) {
        let until = Instant::now() + self.token_cache_ttl;
        self.token_cache
            .insert(token.to_owned(), (until, reviewed.clone()));
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn credential(authorization: &str) -> Credential {
        let value = HeaderValue::from_str(authorization).unwrap();
        Credential::of(&HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    #[test]
    fn a_bearer_token_ends_at_a_blank() {
        for authorization in ["Bearer t", " bearer t ", "BEARER t u"] {
            assert_eq!(
                credential(authorization),
                Credential::Bearer("t".to_owned())
            );
        }
    }

    #[test]
    fn anything_else_is_no_credential_at_all() {
        for authorization in ["", "t", "Bearer", "Bearer  t", "Basic t"] {
            assert_eq!(
                credential(authorization),
                Credential::None,
                "{authorization:?}"
            );
        }
        assert_eq!(Credential::of(&HeaderMap::new()), Credential::None);
    }
}
