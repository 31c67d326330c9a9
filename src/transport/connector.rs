//! The one HTTP connector: TLS, proxy and timeouts, and an ear for the `Date` of every answer.

use std::time::{Duration, SystemTime};

use aws_smithy_http_client::proxy::{ProxyConfig, ProxyError};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::{EndpointUrl, Network, Proxy, Trust};
use crate::clock::Clock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// To the first byte of the answer.
const READ_TIMEOUT: Duration = Duration::from_secs(6);
/// Exchanges are most of an hour apart: an idle connection would only die behind some NAT.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A connector that tells the clock what time STS has, where it was given one. Only TLS-verified answers and those of
/// loopback come through it, since no other endpoint can be configured.
#[derive(Debug)]
pub(super) struct ClockedConnector {
    inner: Connector,
    clock: Option<Clock>,
}

pub(super) fn connector(
    network: &Network,
    endpoint: Option<&EndpointUrl>,
    clock: Option<Clock>,
) -> ClockedConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build();
    let builder = Connector::builder()
        .connector_settings(settings)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(1);
    let inner = if endpoint.is_some_and(|url| !url.is_tls()) {
        builder.build_http()
    } else {
        tls(builder, network, endpoint)
    };
    ClockedConnector { inner, clock }
}

fn tls(builder: ConnectorBuilder, network: &Network, endpoint: Option<&EndpointUrl>) -> Connector {
    let store = match &network.trust {
        Some(Trust::Bundle { pem, .. }) => TrustStore::empty().with_pem_certificate(pem.as_slice()),
        Some(Trust::System) | None => TrustStore::default(),
    };
    let context = TlsContext::builder()
        .with_trust_store(store)
        .build()
        .unwrap_or_default();
    let proxy = network.proxy_for(endpoint).map(proxy_config);
    builder
        .proxy_config(match proxy {
            Some(Ok(config)) => config,
            _ => ProxyConfig::disabled(),
        })
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build()
}

pub(super) fn proxy_config(proxy: &Proxy) -> Result<ProxyConfig, ProxyError> {
    Ok(ProxyConfig::https(proxy.url.expose())?.no_proxy(&proxy.no_proxy))
}

impl HttpConnector for ClockedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        let Some(clock) = self.clock.clone() else {
            return answer;
        };
        let sent = clock.local();
        HttpConnectorFuture::new(async move {
            let response = answer.await?;
            if let Some(date) = date_of(&response) {
                clock.observe(date, sent, clock.local());
            }
            Ok(response)
        })
    }
}

fn date_of(response: &HttpResponse) -> Option<SystemTime> {
    let date = response.headers().get("date")?;
    DateTime::from_str(date, Format::HttpDate)
        .ok()?
        .try_into()
        .ok()
}
