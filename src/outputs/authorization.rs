//! Who may have credentials: the peer, the Host, and what the client shows.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use hyper::Request;
use hyper::header::{AUTHORIZATION, FORWARDED, HOST, HeaderMap, HeaderName, VIA};

use super::authorization_token::AuthorizationToken;
use crate::http::{Code, Peer};
use crate::store::Reader;

/// What clients may show; `none` is the empty set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    /// The content of the authorization token file.
    pub token: bool,
    /// The pod's UID.
    pub pod_uid: bool,
}

impl Methods {
    /// Nobody has to show anything.
    pub const NONE: Methods = Methods {
        token: false,
        pod_uid: false,
    };

    /// The content of the authorization token file, and nothing else.
    pub const TOKEN: Methods = Methods {
        token: true,
        pod_uid: false,
    };

    /// The pod's UID, and nothing else.
    pub const POD_UID: Methods = Methods {
        token: false,
        pod_uid: true,
    };

    /// Whether nobody has to show anything.
    pub fn is_none(self) -> bool {
        !self.token && !self.pod_uid
    }
}

impl FromStr for Methods {
    type Err = ();

    /// `none`, or `token` and `pod-uid` in any order.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut methods = Methods::NONE;
        if text == "none" {
            return Ok(methods);
        }
        for method in text.split(',').map(str::trim) {
            match method {
                "token" => methods.token = true,
                "pod-uid" => methods.pod_uid = true,
                _ => return Err(()),
            }
        }
        Ok(methods)
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.token, self.pod_uid) {
            (true, true) => "token,pod-uid",
            (true, false) => "token",
            (false, true) => "pod-uid",
            (false, false) => "none",
        })
    }
}

/// Judges what clients show.
#[derive(Debug)]
pub struct Authorization {
    methods: Methods,
    token: Option<Arc<AuthorizationToken>>,
    store: Reader,
}

/// What a client showed is worth this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Right.
    Granted,
    /// Nothing was shown, though something has to be.
    Missing,
    /// Wrong.
    Wrong,
    /// It may be the pod's UID, which is not known yet.
    Undecided,
}

impl Authorization {
    /// With a token wherever one is made; `shutdown` wants it even where `methods` is `none`.
    pub fn new(methods: Methods, token: Option<Arc<AuthorizationToken>>, store: Reader) -> Self {
        Authorization {
            methods,
            token,
            store,
        }
    }

    /// What opens the door to credentials.
    pub fn of_credentials(&self) -> Methods {
        self.methods
    }

    /// What is wanted of a request to stop: there `none` is not enough.
    pub fn of_shutdown(&self) -> Methods {
        match self.methods {
            Methods::NONE => Methods::TOKEN,
            methods => methods,
        }
    }

    /// Judges what was shown where one of these methods opens.
    pub fn judge(&self, methods: Methods, shown: Option<&[u8]>) -> Verdict {
        if methods.is_none() {
            return Verdict::Granted;
        }
        let Some(shown) = shown.filter(|shown| !shown.is_empty()) else {
            return Verdict::Missing;
        };
        let token = self.token.as_ref().filter(|_| methods.token);
        if token.is_some_and(|token| token.accepts(shown)) {
            return Verdict::Granted;
        }
        if !methods.pod_uid {
            return Verdict::Wrong;
        }
        match self.store.is_pod_uid(shown) {
            Some(true) => Verdict::Granted,
            Some(false) => Verdict::Wrong,
            None => Verdict::Undecided,
        }
    }
}

/// What the client showed in the header, bare or after `Bearer `.
pub fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    const BEARER: &[u8] = b"bearer ";
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    match value.split_at_checked(BEARER.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(BEARER) => Some(rest.trim_ascii()),
        _ => Some(value),
    }
}

/// The checks that come before any path: form, forwarding, peer, Host.
pub fn admit<B>(request: &Request<B>, peer: Peer) -> Result<(), Code> {
    let (mut hosts, mut authorizations, mut forwarded) = (0, 0, false);
    let mut host = "";
    // One look at each header: there are few, and asking the map for each name costs more.
    for (name, value) in request.headers() {
        if name == HOST {
            hosts += 1;
            host = value.to_str().unwrap_or_default();
        } else if name == AUTHORIZATION {
            authorizations += 1;
        } else if [X_FORWARDED_FOR, FORWARDED, VIA].contains(name) {
            forwarded = true;
        }
    }
    if hosts != 1 || authorizations > 1 {
        return Err(Code::MalformedRequest);
    }
    if forwarded {
        return Err(Code::ForwardedRequest);
    }
    if !is_in_pod(peer) {
        return Err(Code::ForbiddenPeer);
    }
    // The absolute form names a host of its own.
    let authority = request.uri().authority();
    if !is_own_host(host, peer) || authority.is_some_and(|named| !is_own_host(named.as_str(), peer))
    {
        return Err(Code::ForbiddenHost);
    }
    Ok(())
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Another pod, or another node, has another address than ours.
fn is_in_pod(peer: Peer) -> bool {
    let remote = peer.remote.ip().to_canonical();
    remote.is_loopback() || remote == peer.local.ip().to_canonical()
}

/// The address that the client connected to, `localhost` or `[::1]`, with the right port or none. A browser that was
/// rebound to loopback still sends the name that it asked for.
fn is_own_host(authority: &str, peer: Peer) -> bool {
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => {
            (&authority[..colon], Some(&authority[colon + 1..]))
        }
        _ => (authority, None),
    };
    let right_port = match port {
        None => true,
        Some(port) => port.parse() == Ok(peer.local.port()),
    };
    let address = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    };
    let ours = address.is_some_and(|ip| {
        ip == peer.local.ip().to_canonical() || ip == IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
    });
    right_port && (ours || host.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(remote: &str, local: &str) -> Peer {
        Peer {
            remote: remote.parse().unwrap(),
            local: local.parse().unwrap(),
        }
    }

    fn loopback() -> Peer {
        peer("127.0.0.1:40000", "127.0.0.1:9910")
    }

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/v1/credentials");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn hosts_that_sdks_send_are_ours_and_rebound_names_are_not() {
        for host in [
            "127.0.0.1:9910",
            "127.0.0.1",
            "localhost:9910",
            "LOCALHOST",
            "[::1]:9910",
            "[::1]",
        ] {
            assert_eq!(
                admit(&request(&[("host", host)]), loopback()),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "evil.example.com",
            "evil.example.com:9910",
            "127.0.0.1:9911",
            "127.0.0.1:",
            "127.0.0.2",
            "localhost.evil.com",
            "[::2]",
            "::1",
            "[127.0.0.1]",
            "",
            ":9910",
        ] {
            assert_eq!(
                admit(&request(&[("host", host)]), loopback()),
                Err(Code::ForbiddenHost),
                "{host}"
            );
        }
    }

    #[test]
    fn the_absolute_form_does_not_stand_in_for_the_host_header() {
        let absolute = |uri: &str, host: Option<&str>| {
            let mut request = Request::builder().uri(uri);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            admit(&request.body(()).unwrap(), loopback())
        };
        let ours = "http://127.0.0.1:9910/v1/credentials";
        assert_eq!(absolute(ours, Some("127.0.0.1:9910")), Ok(()));
        assert_eq!(absolute(ours, None), Err(Code::MalformedRequest));
        assert_eq!(absolute(ours, Some("evil")), Err(Code::ForbiddenHost));
        let theirs = "http://evil/v1/credentials";
        assert_eq!(
            absolute(theirs, Some("127.0.0.1")),
            Err(Code::ForbiddenHost)
        );
    }

    #[test]
    fn requests_are_judged_in_the_order_form_forwarding_peer_host() {
        let stranger = peer("10.0.0.9:1", "10.0.0.1:9910");
        let all_wrong = [("x-forwarded-for", "1.2.3.4"), ("host", "evil")];
        assert_eq!(admit(&request(&[]), stranger), Err(Code::MalformedRequest));
        let two_hosts = [("host", "127.0.0.1"), ("host", "127.0.0.1"), ("via", "x")];
        assert_eq!(
            admit(&request(&two_hosts), stranger),
            Err(Code::MalformedRequest)
        );
        assert_eq!(
            admit(&request(&all_wrong), stranger),
            Err(Code::ForwardedRequest)
        );
        assert_eq!(
            admit(&request(&[("host", "evil")]), stranger),
            Err(Code::ForbiddenPeer)
        );
        for header in ["forwarded", "via", "x-forwarded-for"] {
            assert_eq!(
                admit(
                    &request(&[("host", "127.0.0.1"), (header, "x")]),
                    loopback()
                ),
                Err(Code::ForwardedRequest)
            );
        }
    }

    #[test]
    fn a_peer_is_in_the_pod_by_loopback_or_by_our_own_address() {
        assert!(is_in_pod(loopback()));
        assert!(is_in_pod(peer("[::ffff:127.0.0.1]:1", "[::1]:2")));
        assert!(is_in_pod(peer("169.254.170.2:40000", "169.254.170.2:80")));
        assert!(!is_in_pod(peer("10.0.0.7:40000", "169.254.170.2:80")));
    }

    #[test]
    fn authorization_is_read_bare_or_as_bearer() {
        for (value, read) in [
            ("abc", "abc"),
            ("Bearer abc", "abc"),
            ("bearer abc", "abc"),
            ("Bearerabc", "Bearerabc"),
            ("Basic abc", "Basic abc"),
        ] {
            assert_eq!(
                shown(request(&[("authorization", value)]).headers()),
                Some(read.as_bytes())
            );
        }
        assert_eq!(shown(request(&[]).headers()), None);
    }

    #[test]
    fn methods_are_a_set_or_none() {
        for (text, shown) in [
            ("token", "token"),
            ("pod-uid,token", "token,pod-uid"),
            ("none", "none"),
        ] {
            assert_eq!(text.parse::<Methods>().unwrap().to_string(), shown);
        }
        for text in ["", "token,none", "tokens", "none,none"] {
            assert!(text.parse::<Methods>().is_err(), "{text}");
        }
    }
}
