//! Where the first connection on the way to an endpoint goes: to the endpoint itself, or to the proxy.

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::{EndpointUrl, Network, Proxy};

/// A host to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstHop {
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The proxy's address, without a password, where it is the proxy.
    pub proxy: Option<String>,
}

impl Network {
    /// What the connector does, without connecting.
    pub fn first_hop(&self, endpoint: &EndpointUrl) -> FirstHop {
        let proxy = self.proxy_for(Some(endpoint));
        let through = proxy.and_then(|proxy| Some((proxy, proxy.takes(endpoint.uri())?)));
        match through {
            Some((proxy, uri)) => FirstHop {
                proxy: Some(proxy.shown()),
                ..hop(&uri)
            },
            None => hop(endpoint.uri()),
        }
    }

    /// The proxy, if one may be asked at all: loopback never goes through it.
    pub(super) fn proxy_for(&self, endpoint: Option<&EndpointUrl>) -> Option<&Proxy> {
        let local = endpoint.is_some_and(EndpointUrl::is_loopback);
        self.proxy.as_ref().filter(|_| !local)
    }
}

impl Proxy {
    /// The address to connect to on the way to `destination`; `None` where that is in `NO_PROXY`. The connector asks the
    /// same matcher.
    fn takes(&self, destination: &Uri) -> Option<Uri> {
        let matcher = Matcher::builder()
            .https(self.url.expose())
            .no(self.no_proxy.as_str())
            .build();
        let through = matcher.intercept(destination)?;
        Some(through.uri().clone())
    }
}

fn hop(uri: &Uri) -> FirstHop {
    let host = uri.host().unwrap_or_default();
    let usual = match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    };
    FirstHop {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: uri.port_u16().unwrap_or(usual),
        proxy: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn first_hop(url: &str, no_proxy: &str) -> FirstHop {
        let url_of_proxy = Secret::new("http://squid:open-sesame@proxy.example.com:3128".into());
        let network = Network {
            trust: None,
            proxy: Proxy::new(url_of_proxy, no_proxy.to_owned()),
        };
        network.first_hop(&url.parse().unwrap())
    }

    #[test]
    fn a_proxy_comes_first_and_is_shown_without_its_password() {
        let hop = first_hop("https://sts.eu-west-1.amazonaws.com", "");
        let expected = FirstHop {
            host: "proxy.example.com".into(),
            port: 3128,
            proxy: Some("http://proxy.example.com:3128".into()),
        };
        assert_eq!(hop, expected);
    }

    #[test]
    fn loopback_and_hosts_of_no_proxy_come_first_themselves() {
        for (url, no_proxy, host, port) in [
            (
                "https://sts.eu-west-1.amazonaws.com",
                ".amazonaws.com",
                "sts.eu-west-1.amazonaws.com",
                443,
            ),
            ("https://[::1]:4566", "", "::1", 4566),
            ("http://127.0.0.1", "", "127.0.0.1", 80),
            ("https://localhost:4566", "", "localhost", 4566),
        ] {
            let hop = first_hop(url, no_proxy);
            assert_eq!(
                (hop.host.as_str(), hop.port, hop.proxy),
                (host, port, None),
                "{url}"
            );
        }
    }
}
