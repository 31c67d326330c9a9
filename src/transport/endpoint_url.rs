//! The address of an endpoint of one's own.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;

/// The address of an endpoint that replaces the regional one: `https`, or `http` to loopback, since the request
/// carries the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl(Uri);

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrlError(&'static str);

impl fmt::Display for EndpointUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for EndpointUrl {
    type Err = EndpointUrlError;

    fn from_str(text: &str) -> Result<Self, EndpointUrlError> {
        let uri: Uri = text.parse().map_err(|_| EndpointUrlError("not a URL"))?;
        let authority = uri
            .authority()
            .ok_or(EndpointUrlError("a URL without a host"))?;
        if authority.as_str().contains('@') {
            return Err(EndpointUrlError("a URL with a user name or password"));
        }
        if uri.query().is_some() {
            return Err(EndpointUrlError("a URL with a query"));
        }
        let url = EndpointUrl(uri);
        match url.0.scheme_str() {
            Some("https") => Ok(url),
            Some("http") if url.is_loopback() => Ok(url),
            Some("http") => Err(EndpointUrlError(
                "http to a host that is not loopback: the token would cross the network in clear",
            )),
            _ => Err(EndpointUrlError("a URL that is neither https nor http")),
        }
    }
}

impl EndpointUrl {
    /// As the HTTP client takes it.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether requests go over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Whether the host is this machine; such requests never go through a proxy.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for url in [
            "https://sts.example.com",
            "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com",
            "http://127.0.0.1:4566",
            "http://localhost:4566",
            "http://[::1]:4566",
        ] {
            url.parse::<EndpointUrl>().expect(url);
        }
        for url in [
            "http://sts.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "sts.example.com",
            "https://user:pass@sts.example.com",
            "https://sts.example.com?x=y",
            "",
            "http://",
        ] {
            assert!(url.parse::<EndpointUrl>().is_err(), "{url}");
        }
    }
}
