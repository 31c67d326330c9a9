//! The credentials door: `GET /v1/credentials`, `GET /v2/credentials/SECRET`, `GET /v1/eks-token`, `POST /v1/shutdown`;
//! on link-local addresses too, without the last.
//!
//! The contract is that of the SDKs' container credentials provider. Answers come from memory, within a second, since
//! several clients have no time-out and others give up after one. A 200 is whole, alive, and nothing else.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::ACCEPT;
use hyper::{Request, StatusCode};
use percent_encoding::percent_decode_str;
use tokio::sync::Notify;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::authorization::{Authorization, Methods, Verdict, admit, shown};
use super::eks_tokens::{self, EksTokens, NoToken};
use crate::eks_token::{EksTokenError, exec_credential};
use crate::http::{Answer, Code, Peer, READ, Refusal, Respond, allow, json, text};
use crate::metrics::RequestCounters;
use crate::store::Reader;

/// How long a request is held while the first exchange is under way: clients give up after a second.
const HOLD: Duration = Duration::from_millis(800);

/// Where the door is, unless somebody wants it elsewhere.
pub const ADDRESS: &str = "127.0.0.1:9910";
/// Where the credentials are.
pub const CREDENTIALS: &str = "/v1/credentials";
/// Where they are for clients that send no header; the secret follows.
pub const CREDENTIALS_BY_SECRET: &str = "/v2/credentials/";
/// Where EKS tokens are; the query says for which cluster.
pub const EKS_TOKEN: &str = "/v1/eks-token";
/// Where the sidecar is asked to stop.
pub const SHUTDOWN: &str = "/v1/shutdown";

/// The door.
#[derive(Debug)]
pub struct ContainerCredentials {
    store: Reader,
    authorization: Authorization,
    eks_tokens: Arc<EksTokens>,
    /// The pod's region, for clusters that none is named for.
    region: String,
    counters: RequestCounters,
    /// `None`: nobody can stop the process by this door.
    shutdown: Option<Arc<Notify>>,
}

/// The time that one request may be held, from when it first has to wait.
#[derive(Default)]
struct Hold(OnceLock<Instant>);

impl Hold {
    fn until(&self) -> Instant {
        *self.0.get_or_init(|| Instant::now() + HOLD)
    }
}

/// What a path asks for.
enum Route<'a> {
    Credentials,
    CredentialsBySecret(Cow<'a, [u8]>),
    EksToken,
    Shutdown,
}

impl ContainerCredentials {
    /// `shutdown` is notified when a client asks to stop; without one there is no such path.
    pub fn new(
        store: Reader,
        authorization: Authorization,
        eks_tokens: Arc<EksTokens>,
        region: String,
        counters: RequestCounters,
        shutdown: Option<Arc<Notify>>,
    ) -> Self {
        ContainerCredentials {
            store,
            authorization,
            eks_tokens,
            region,
            counters,
            shutdown,
        }
    }

    async fn answer(&self, request: &Request<Incoming>, peer: Peer) -> Result<Answer, Refusal> {
        admit(request, peer)?;
        let (hold, opens) = (Hold::default(), self.authorization.of_credentials());
        match route(request.uri().path()).ok_or(NOT_FOUND)? {
            Route::Credentials => {
                allow(request, READ)?;
                self.grant(&hold, opens, shown(request.headers())).await?;
                self.credentials(&hold).await
            }
            Route::CredentialsBySecret(secret) => {
                let granted = self.grant(&hold, opens, Some(&secret)).await;
                granted.map_err(|refusal| match refusal.code {
                    Code::CredentialsUnavailable => refusal,
                    _ => NOT_FOUND,
                })?;
                allow(request, READ)?;
                self.credentials(&hold).await
            }
            Route::EksToken => {
                allow(request, READ)?;
                self.grant(&hold, opens, shown(request.headers())).await?;
                self.eks_token(request).await
            }
            Route::Shutdown => {
                let shutdown = self.shutdown.as_ref().ok_or(NOT_FOUND)?;
                allow(request, "POST")?;
                let opens = self.authorization.of_shutdown();
                self.grant(&hold, opens, shown(request.headers())).await?;
                shutdown.notify_one();
                Ok(json(StatusCode::ACCEPTED, r#"{"stopping":true}"#))
            }
        }
    }

    /// Where the pod's UID decides and is not known yet, the first exchange is awaited.
    async fn grant(
        &self,
        hold: &Hold,
        opens: Methods,
        shown: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let mut verdict = self.authorization.judge(opens, shown);
        if verdict == Verdict::Undecided {
            self.store.decided(hold.until()).await;
            verdict = self.authorization.judge(opens, shown);
        }
        match verdict {
            Verdict::Granted => Ok(()),
            Verdict::Missing => Err(Refusal::new(Code::Unauthorized, missing(opens))),
            Verdict::Wrong => Err(Refusal::new(Code::Forbidden, wrong(opens))),
            // The UID is unknown only while no token could be read: the reason names a file, and nothing that is secret.
            Verdict::Undecided => Err(self.store.trouble().into()),
        }
    }

    async fn credentials(&self, hold: &Hold) -> Result<Answer, Refusal> {
        let mut credentials = self.store.credentials();
        if credentials.is_err() {
            self.store.decided(hold.until()).await;
            credentials = self.store.credentials();
        }
        match credentials {
            Ok(credentials) => Ok(json(StatusCode::OK, credentials.document())),
            Err(unavailable) => Err(unavailable.into()),
        }
    }

    async fn eks_token(&self, request: &Request<Incoming>) -> Result<Answer, Refusal> {
        let query = request.uri().query().unwrap_or_default();
        let asked = eks_tokens::parse(query, &self.region).map_err(|words| Refusal {
            code: Code::InvalidParameter,
            words: words.into(),
        })?;
        let token = self.eks_tokens.token(&asked.subject).await?;
        if wants_text(request) {
            let bare = Zeroizing::new(token.token().expose().as_bytes().to_vec());
            return Ok(text("text/plain", Bytes::from_owner(bare)));
        }
        Ok(json(
            StatusCode::OK,
            exec_credential(&token, asked.api_version),
        ))
    }
}

/// `text/plain` named in `Accept`, and JSON not.
fn wants_text(request: &Request<Incoming>) -> bool {
    let accept = |media: &str| {
        let names = |value: &str| value.to_ascii_lowercase().contains(media);
        let mut values = request.headers().get_all(ACCEPT).iter();
        values.any(|value| value.to_str().is_ok_and(names))
    };
    accept("text/plain") && !accept("application/json")
}

impl Respond for ContainerCredentials {
    async fn respond(&self, request: Request<Incoming>, peer: Peer) -> Answer {
        let answer = self.answer(&request, peer).await;
        answer.unwrap_or_else(Answer::from)
    }

    fn counters(&self) -> &RequestCounters {
        &self.counters
    }
}

/// The same for a path that is not there and for a secret that is wrong.
const NOT_FOUND: Refusal = Refusal::new(
    Code::NotFound,
    "nothing at this path, or the secret in it is wrong; credentials are at /v1/credentials and /v2/credentials/SECRET, tokens at /v1/eks-token",
);

fn missing(opens: Methods) -> &'static str {
    match opens.token {
        true => {
            "no Authorization header; set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE in the app's container to the sidecar's authorization-token-file"
        }
        false => {
            "no Authorization header; it has to be the pod's UID, as has SECRET in AWS_CONTAINER_CREDENTIALS_FULL_URI=…/v2/credentials/SECRET"
        }
    }
}

fn wrong(opens: Methods) -> &'static str {
    match (opens.token, opens.pod_uid) {
        (true, true) => {
            "the Authorization header is wrong; it has to be the content of the sidecar's authorization-token-file or the pod's UID"
        }
        (true, false) => {
            "the Authorization header is wrong; it has to be the content of the sidecar's authorization-token-file"
        }
        (false, _) => "the Authorization header is wrong; it has to be the pod's UID",
    }
}

impl From<NoToken> for Refusal {
    fn from(error: NoToken) -> Self {
        let code = match &error {
            NoToken::TooManyRoles(_) => Code::TooManyRoles,
            NoToken::Unmintable(EksTokenError::TooLarge { .. }) => Code::EksTokenTooLarge,
            NoToken::Unavailable(_) | NoToken::Unmintable(_) => Code::CredentialsUnavailable,
        };
        Refusal {
            code,
            words: error.to_string().into(),
        }
    }
}

fn route(path: &str) -> Option<Route<'_>> {
    match path {
        CREDENTIALS => Some(Route::Credentials),
        EKS_TOKEN => Some(Route::EksToken),
        SHUTDOWN => Some(Route::Shutdown),
        _ => {
            let secret = path.strip_prefix(CREDENTIALS_BY_SECRET)?;
            Some(Route::CredentialsBySecret(
                percent_decode_str(secret).into(),
            ))
        }
    }
}
