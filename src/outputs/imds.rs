//! Instance metadata (IMDSv2, and version 1 only where it was asked for), for programs that know no other door.
//!
//! Answers what SDKs ask on their way to credentials and a region; everything else is 404, and nothing is ever passed on
//! to the node. No authorization: the session token and one hop keep others out, as on EC2.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>

mod documents;
mod resource;
mod session_token;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::time::Instant;

use self::documents::{Role, availability_zone, identity_document, instance_id, instance_profile};
use self::resource::{Resource, resource};
use self::session_token::{SessionTokens, ttl_seconds};
use super::authorization::admit;
use crate::credentials::Credentials;
use crate::http::{Answer, Code, Peer, READ, Refusal, Respond, allow, json, text};
use crate::metrics::RequestCounters;
use crate::store::{Reader, Unavailable};

/// How long a request is held while the first exchange is under way: version 2 of the Go SDK gives up after 500 ms.
const HOLD: Duration = Duration::from_millis(400);

/// A packet with this life left dies at the first router: what a proxy or a bridged container asks for never arrives.
const HOPS: u32 = 1;

/// Where session tokens are made.
pub const SESSION_TOKEN: &str = "/latest/api/token";
/// What stands before the name of the role whose credentials are asked for.
pub const CREDENTIALS_OF: &str = "/latest/meta-data/iam/security-credentials/";

/// Of a session token.
pub const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
/// How long a session token lives.
pub const TTL_SECONDS: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// For the door.
#[derive(Debug)]
pub struct ImdsConfig {
    /// The pod's.
    pub region: String,
    /// Whether clients without a session token are answered.
    pub v1: bool,
}

/// The door.
#[derive(Debug)]
pub struct Imds {
    config: ImdsConfig,
    tokens: SessionTokens,
    /// One for IMDS: SDKs extend the life of what they get here by themselves.
    store: Reader,
    counters: RequestCounters,
}

/// Lets no packet of this listener, nor of a connection to it, go further than to the next router.
pub fn limit_hops(listener: &TcpListener) -> io::Result<()> {
    let socket = SockRef::from(listener);
    match listener.local_addr()? {
        SocketAddr::V4(_) => socket.set_ttl_v4(HOPS),
        SocketAddr::V6(_) => socket.set_unicast_hops_v6(HOPS),
    }
}

impl Imds {
    /// With a key of its own: tokens of another process are worth nothing here.
    pub fn new(
        config: ImdsConfig,
        store: Reader,
        counters: RequestCounters,
    ) -> Result<Self, getrandom::Error> {
        Ok(Imds {
            config,
            tokens: SessionTokens::new()?,
            store,
            counters,
        })
    }

    async fn answer(&self, request: &Request<Incoming>, peer: Peer) -> Result<Answer, Refusal> {
        admit(request, peer)?;
        let resource = resource(request.uri().path()).ok_or(NOT_FOUND)?;
        if resource == Resource::Token {
            allow(request, "PUT")?;
            return self.token(request.headers());
        }
        allow(request, READ)?;
        self.judge(request.headers())?;
        self.get(resource).await
    }

    /// A body is not looked at: what some SDKs say of theirs is wrong, and none is needed.
    fn token(&self, headers: &HeaderMap) -> Result<Answer, Refusal> {
        let seconds = only(headers, &TTL_SECONDS)
            .flatten()
            .and_then(ttl_seconds)
            .ok_or(BAD_TTL)?;
        let mut answer = plain(self.tokens.issue(seconds));
        // Go and Ruby take an answer without it for a server that knows no tokens.
        answer
            .headers_mut()
            .insert(TTL_SECONDS, HeaderValue::from(seconds));
        Ok(answer)
    }

    fn judge(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match only(headers, &TOKEN) {
            Some(None) if self.config.v1 => Ok(()),
            Some(None) => Err(NO_TOKEN),
            Some(Some(token)) if self.tokens.accepts(token) => Ok(()),
            _ => Err(BAD_TOKEN),
        }
    }

    async fn get(&self, resource: Resource<'_>) -> Result<Answer, Refusal> {
        let region = &self.config.region;
        // These are known from the start; a client may need them before it needs credentials.
        match resource {
            Resource::Region => return Ok(plain(region.clone())),
            Resource::AvailabilityZone => return Ok(plain(availability_zone(region))),
            _ => {}
        }
        let credentials = self.credentials().await?;
        let role = Role::of(credentials.role_arn());
        Ok(match resource {
            Resource::RoleName => plain(role.name.to_owned()),
            Resource::Role(name) if *name == *role.name.as_bytes() => {
                json(StatusCode::OK, credentials.document())
            }
            Resource::InstanceProfile => json(StatusCode::OK, instance_profile(&credentials)),
            Resource::InstanceId => plain(instance_id(&credentials)),
            Resource::IdentityDocument => {
                json(StatusCode::OK, identity_document(&credentials, region))
            }
            _ => return Err(NO_SUCH_ROLE),
        })
    }

    async fn credentials(&self) -> Result<Arc<Credentials>, Unavailable> {
        if let Ok(credentials) = self.store.credentials() {
            return Ok(credentials);
        }
        self.store.decided(Instant::now() + HOLD).await;
        self.store.credentials()
    }
}

impl Respond for Imds {
    async fn respond(&self, request: Request<Incoming>, peer: Peer) -> Answer {
        let answer = self.answer(&request, peer).await;
        answer.unwrap_or_else(Answer::from)
    }

    fn counters(&self) -> &RequestCounters {
        &self.counters
    }
}

/// The value of a header, `Some(None)` where it is not there, and `None` where it is there twice.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::as_bytes);
    values.next().is_none().then_some(first)
}

/// Some SDKs take a line break at the end for a part of the answer.
fn plain(text_without_newline: String) -> Answer {
    text("text/plain", text_without_newline)
}

const NOT_FOUND: Refusal = Refusal::new(
    Code::NotFound,
    "nothing at this path; of instance metadata there is what SDKs need for credentials and a region, and nothing is asked of the node's",
);
const NO_SUCH_ROLE: Refusal = Refusal::new(
    Code::NotFound,
    "there is no such role; the one that there is stands at /latest/meta-data/iam/security-credentials/",
);
const BAD_TTL: Refusal = Refusal::new(
    Code::InvalidParameter,
    "x-aws-ec2-metadata-token-ttl-seconds is missing or wrong; expected it once, with a whole number of seconds from 1 to 21600",
);
const NO_TOKEN: Refusal = Refusal::new(
    Code::Unauthorized,
    "no x-aws-ec2-metadata-token header; expected the token that PUT /latest/api/token gives (IMDSv2); for an SDK that knows only version 1 set the sidecar's --imds-v1 (IRSA_SIDECAR_IMDS_V1=true)",
);
const BAD_TOKEN: Refusal = Refusal::new(
    Code::Unauthorized,
    "the x-aws-ec2-metadata-token header is wrong, there twice, or its token has expired or is from before the sidecar's start; get a new token with PUT /latest/api/token",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_counts_only_where_it_stands_alone() {
        let mut headers = HeaderMap::new();
        assert_eq!(only(&headers, &TOKEN), Some(None));
        headers.append(TOKEN, HeaderValue::from_static(""));
        assert_eq!(only(&headers, &TOKEN), Some(Some(&b""[..])));
        headers.append(TOKEN, HeaderValue::from_static("x"));
        assert_eq!(only(&headers, &TOKEN), None);
    }

    #[tokio::test]
    async fn packets_of_the_listener_live_for_one_hop_over_either_ip() {
        let v4 = TcpListener::bind("127.0.0.1:0").await.unwrap();
        limit_hops(&v4).unwrap();
        assert_eq!(SockRef::from(&v4).ttl_v4().unwrap(), 1);
        // Without IPv6 there is nothing to limit.
        if let Ok(v6) = TcpListener::bind("[::1]:0").await {
            limit_hops(&v6).unwrap();
            assert_eq!(SockRef::from(&v6).unicast_hops_v6().unwrap(), 1);
        }
    }
}
