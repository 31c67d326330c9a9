//! What can be said of an address of the sidecar without the authorization that it may hold.

use std::net::{IpAddr, Ipv4Addr};

use hyper::Uri;

/// Where a URL points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Name or address, without brackets.
    pub(super) host: String,
    /// By its own number, or that of the scheme.
    pub(super) port: u16,
    /// Whether it is `http`, and nothing else.
    pub(super) is_plain: bool,
    /// Host and port, as they stand there.
    pub(super) shown: String,
}

/// `None` where it is no URL.
pub(super) fn place(url: &str) -> Option<Place> {
    // What was not filled in stands in the path and would do no harm there, but for braces.
    let end = url
        .match_indices('/')
        .nth(2)
        .map_or(url.len(), |(end, _)| end);
    let uri: Uri = url[..end].parse().ok()?;
    let is_plain = uri.scheme_str()? == "http";
    let authority = uri.authority()?;
    let shown = authority.as_str();
    Some(Place {
        host: authority
            .host()
            .trim_matches(['[', ']'])
            .to_ascii_lowercase(),
        port: authority
            .port_u16()
            .unwrap_or(if is_plain { 80 } else { 443 }),
        is_plain,
        shown: shown
            .rsplit_once('@')
            .map_or(shown, |(_, place)| place)
            .to_owned(),
    })
}

impl Place {
    /// Its address, where that needs no name server.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self.host.as_str() {
            "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            host => host.parse().ok(),
        }
    }
}

/// Whether clients show what is meant for the sidecar there: on loopback, or where only the node's own agents are.
pub(super) fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.segments()[..2] == [0xfd00, 0xec2] || ip.is_loopback(),
    }
}

/// The variables that a value refers to, as the kubelet finds them: `$(NAME)`, and `$$` is a dollar.
pub(super) fn references(value: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('$') {
        rest = match after.strip_prefix('$') {
            Some(after) => after,
            None => match after
                .strip_prefix('(')
                .and_then(|after| after.split_once(')'))
            {
                Some((name, after)) => {
                    found.push(name);
                    after
                }
                None => after,
            },
        };
    }
    found
}

/// Whether a list of hosts that go around the proxy has this one, for clients of every kind: many know no ranges, but who
/// writes one has thought of it.
pub(super) fn goes_around(no_proxy: &str, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    no_proxy.split(',').map(str::trim).any(|entry| {
        let name = entry
            .rsplit_once(':')
            .map_or(entry, |(name, port)| match port.parse::<u16>() {
                Ok(_) if !name.contains(':') || name.ends_with(']') => name,
                _ => entry,
            });
        let name = name.trim_matches(['[', ']']);
        name == "*"
            || name.eq_ignore_ascii_case(host)
            || address.is_some_and(|address| in_range(entry, address))
    })
}

fn in_range(range: &str, address: IpAddr) -> bool {
    let Some((start, length)) = range.split_once('/') else {
        return false;
    };
    let (Ok(start), Ok(length)) = (start.parse::<IpAddr>(), length.parse::<u32>()) else {
        return false;
    };
    let (start, address, bits) = match (start, address) {
        (IpAddr::V4(start), IpAddr::V4(address)) => (
            u128::from(start.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(start), IpAddr::V6(address)) => (start.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    length <= bits && (length == 0 || (start ^ address) >> (bits - length) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_host_and_port_and_nothing_that_is_secret() {
        let shown = |url| place(url).map(|place| (place.host, place.shown));
        let found = |host: &str, shown: &str| Some((host.to_owned(), shown.to_owned()));
        assert_eq!(
            shown("http://127.0.0.1:9910/v2/credentials/hunter2"),
            found("127.0.0.1", "127.0.0.1:9910")
        );
        assert_eq!(
            shown("http://127.0.0.1:9910/v2/credentials/$(POD_UID)"),
            found("127.0.0.1", "127.0.0.1:9910")
        );
        assert_eq!(
            shown("http://a:hunter2@[::1]:9910/{x}"),
            found("::1", "[::1]:9910")
        );
        assert_eq!(shown("http://LOCALHOST"), found("localhost", "LOCALHOST"));
        assert_eq!(shown("hunter2"), None);
        assert_eq!(shown(""), None);
    }

    #[test]
    fn references_are_those_that_the_kubelet_fills_in() {
        assert_eq!(references("http://h/$(A)/$$(B)/$(C)"), ["A", "C"]);
        assert_eq!(references("$(A"), [""; 0]);
        assert_eq!(references("$A$$"), [""; 0]);
    }

    #[test]
    fn a_host_goes_around_the_proxy_by_name_by_range_or_with_all() {
        for list in [
            "127.0.0.1",
            ".svc, 127.0.0.1",
            "127.0.0.1:9910",
            "127.0.0.0/8",
            "*",
            "0.0.0.0/0",
            "127.0.0.1/32",
        ] {
            assert!(goes_around(list, "127.0.0.1"), "{list}");
        }
        for list in [
            "",
            ".svc",
            "localhost",
            "10.0.0.0/8",
            "127.0.0.11",
            "127.0.0.1/33",
            "::/0",
            "1",
            "128.0.0.0/1",
        ] {
            assert!(!goes_around(list, "127.0.0.1"), "{list}");
        }
        for list in ["::1", "[::1]", "[::1]:9910", "::/0"] {
            assert!(goes_around(list, "::1"), "{list}");
        }
        assert!(goes_around("LOCALHOST", "localhost"));
    }
}
