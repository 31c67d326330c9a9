//! HTTPS to AWS: TLS, proxy and timeouts, for `aws-sdk-sts` and for the few requests that need no SDK.
//!
//! Every answer of AWS tells the clock what time it has. Redirects are not followed: no endpoint of AWS sends one, and a
//! signed request is meant for one host.

mod connector;
mod endpoint_url;
mod first_hop;
mod trust;

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

pub use self::endpoint_url::{EndpointUrl, EndpointUrlError};
pub use self::first_hop::FirstHop;
pub use self::trust::{Flaw, Trust, TrustError};
use crate::clock::Clock;
use crate::diagnosis::plain_url;
use crate::secret::Secret;

/// A whole request, from name resolution to the last byte.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read: those of AWS are a few KiB.
const LARGEST_BODY: usize = 1024 * 1024;

/// What lies between the pod and AWS.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Whose certificates are trusted; not needed for a plain endpoint on loopback.
    pub trust: Option<Trust>,
    /// The proxy, and the hosts that go around it.
    pub proxy: Option<Proxy>,
}

/// `HTTPS_PROXY` and `NO_PROXY`.
#[derive(Clone)]
pub struct Proxy {
    /// May hold a password.
    url: Secret,
    no_proxy: String,
}

impl Proxy {
    /// `None` where `url` is no `http://` or `https://` address. `no_proxy` may be empty.
    pub fn new(url: Secret, no_proxy: String) -> Option<Self> {
        let proxy = Proxy { url, no_proxy };
        let is_good = has_good_port(proxy.url.expose()) && connector::proxy_config(&proxy).is_ok();
        is_good.then_some(proxy)
    }

    /// Where it is, without user name and password.
    pub fn shown(&self) -> String {
        plain_url(self.url.expose())
    }
}

/// Whether a port is one, where an address names it: the connector would take the usual one in place of 99999.
fn has_good_port(url: &str) -> bool {
    let place = plain_url(url);
    let (_, rest) = place.split_once("://").unwrap_or(("", &place));
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((_, port)) if !authority.ends_with(']') => {
            port.parse::<u16>().is_ok_and(|port| port != 0)
        }
        _ => true,
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("no_proxy", &self.no_proxy)
            .finish_non_exhaustive()
    }
}

/// The way to one endpoint.
#[derive(Debug, Clone)]
pub struct Transport {
    connector: SharedHttpConnector,
}

/// An answer, whatever its status.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `x-amzn-errortype`, where the service sends it.
    pub error_type: Option<String>,
    /// The body; may hold what must not be shown.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The time was up.
    TimedOut,
    /// No connection: the innermost cause.
    Unreachable(String),
    /// The answer broke off, or was larger than any of AWS.
    Unreadable,
}

impl Transport {
    /// The way to `endpoint`, or to AWS's own. Connects to nothing.
    pub fn new(network: &Network, endpoint: Option<&EndpointUrl>, clock: Clock) -> Self {
        Transport {
            connector: SharedHttpConnector::new(connector::connector(
                network,
                endpoint,
                Some(clock),
            )),
        }
    }

    /// The way to a server that vouches for nobody's time: it may be as wrong as the node's.
    pub fn without_clock(network: &Network) -> Self {
        Transport {
            connector: SharedHttpConnector::new(connector::connector(network, None, None)),
        }
    }

    /// For the SDK.
    pub fn connector(&self) -> SharedHttpConnector {
        self.connector.clone()
    }

    /// One GET.
    pub async fn get(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Reply, TransportError> {
        self.send(HttpRequest::new(SdkBody::empty()), url, headers)
            .await
    }

    /// One POST of JSON.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        json: &str,
    ) -> Result<Reply, TransportError> {
        let mut request = HttpRequest::new(SdkBody::from(json));
        let invalid = |_| TransportError::Unreachable("this request cannot be sent".to_owned());
        request.set_method("POST").map_err(invalid)?;
        request
            .headers_mut()
            .insert("content-type", "application/json");
        self.send(request, url, headers).await
    }

    async fn send(
        &self,
        mut request: HttpRequest,
        url: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Reply, TransportError> {
        let invalid = |what: &str| TransportError::Unreachable(format!("{what} cannot be sent"));
        request.set_uri(url).map_err(|_| invalid("this URL"))?;
        for (name, value) in headers {
            let added = request.headers_mut().try_insert(*name, value.clone());
            added.map_err(|_| invalid(name))?;
        }
        tokio::time::timeout(OPERATION_TIMEOUT, self.answer(request))
            .await
            .unwrap_or(Err(TransportError::TimedOut))
    }

    async fn answer(&self, request: HttpRequest) -> Result<Reply, TransportError> {
        use aws_smithy_runtime_api::client::http::HttpConnector;
        let response = self.connector.call(request).await.map_err(|error| {
            if error.is_timeout() {
                TransportError::TimedOut
            } else {
                TransportError::Unreachable(innermost(Some(&error)))
            }
        })?;
        let error_type = response.headers().get("x-amzn-errortype");
        let (status, error_type) = (response.status().as_u16(), error_type.map(str::to_owned));
        let body = Limited::new(response.into_body(), LARGEST_BODY)
            .collect()
            .await
            .map_err(|_| TransportError::Unreadable)?
            .to_bytes();
        Ok(Reply {
            status,
            error_type,
            body,
        })
    }

    /// Learns the offset to the endpoint's clock: any answer has a `Date`. A failure is not worth a word, since the
    /// request that follows meets the same network and says more.
    pub async fn ask_time(&self, url: &str) {
        let _ = self.get(url, &[]).await;
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransportError::TimedOut => f.write_str("no answer in time"),
            TransportError::Unreachable(cause) => write!(f, "no connection: {cause}"),
            TransportError::Unreadable => f.write_str("an answer that broke off or has no end"),
        }
    }
}

impl std::error::Error for TransportError {}

/// How a cause begins that lies before the proxy, …
pub const PROXY_UNREACHABLE: &str = "the proxy cannot be reached";
/// … or is the proxy's answer to CONNECT.
pub const PROXY_REFUSES: &str = "the proxy refuses";
/// … because of who asks.
pub const PROXY_WANTS_A_PASSWORD: &str = "the proxy wants a user name and a password (407)";

/// The last cause in the chain: "Connection refused", not "dispatch failure". Where it is about the proxy and not about
/// the host behind it, it says so.
pub fn innermost(error: Option<&(dyn std::error::Error + 'static)>) -> String {
    let mut cause = error;
    let mut words = String::from("no cause given");
    let mut is_of_proxy = false;
    while let Some(error) = cause {
        words = error.to_string();
        // The type of the HTTP client's error is not public.
        match words.strip_prefix("tunnel error: ") {
            None => {}
            Some("proxy authorization required") => return PROXY_WANTS_A_PASSWORD.to_owned(),
            Some("unsuccessful" | "proxy response headers too long") => {
                return format!("{PROXY_REFUSES}: its answer to CONNECT is not 200");
            }
            Some(other) => {
                is_of_proxy = true;
                words = other.to_owned();
            }
        }
        cause = error.source();
    }
    match is_of_proxy {
        true => format!("{PROXY_UNREACHABLE}: {words}"),
        false => words,
    }
}
