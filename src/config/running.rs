//! Where a running sidecar is, for the subcommands that ask it, and what to show it.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use hyper::Uri;
use percent_encoding::percent_decode_str;

use super::resolver::Resolver;
use super::settings;
use super::sources::Flags;
use super::values::{loopback_address, ops_address, path};
use super::{ConfigErrors, OpsListen};
use crate::outputs::container_credentials::CREDENTIALS_BY_SECRET;
use crate::secret::Secret;

/// The variables by which an SDK in the app's container finds the sidecar.
pub(super) const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub(super) const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
pub(super) const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// Where the sidecar listens, if one runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Running {
    /// Its credentials door, on loopback.
    pub address: SocketAddr,
    /// What it wants to be shown.
    pub authorization: Shown,
    /// What an SDK asks it for, where the environment says so: path and query, which may hold the authorization.
    pub target: Option<Secret>,
    /// The region that this container's AWS SDKs use; `None`: the sidecar's.
    pub region: Option<String>,
}

/// An authorization, or where it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// This text.
    Text(Secret),
    /// The content of this file.
    File(PathBuf),
}

/// Resolves it. An address that is not loopback is some other agent's, and never gets the authorization.
pub fn running(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Running, ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    let running = resolver.running();
    resolver.finish(running)
}

/// Resolves where its ops door can be asked from inside the pod: the addresses to try, best first.
pub fn ops(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<SocketAddr>, ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    let listen = resolver.get("ops-listen", ops_address);
    resolver.finish(listen.map(from_inside))
}

/// All addresses have loopback among them; where the pod has IPv6 only, or IPv4, one of the two is not there.
pub(super) fn from_inside(listen: OpsListen) -> Vec<SocketAddr> {
    let port = match listen {
        OpsListen::All(port) => port,
        OpsListen::One(address) if address.ip().is_unspecified() => address.port(),
        OpsListen::One(address) => return vec![address],
    };
    vec![
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
}

impl Resolver {
    pub(super) fn running(&mut self) -> Option<Running> {
        let listen = self.get("listen", loopback_address);
        let file: Option<PathBuf> = self.get("authorization-token-file", path);
        let region = settings::find("region").and_then(|setting| self.sources.find(setting));
        let region = region.map(|(region, _)| region);
        // A flag beats any variable.
        let named = match self.sources.is_flag("listen") {
            true => None,
            false => self.sources.variable(FULL_URI),
        };
        Some(match named.and_then(|(uri, _)| loopback(&uri)) {
            Some(named) => Running {
                address: named.address,
                authorization: match named.secret {
                    Some(secret) => Shown::Text(secret),
                    None => self.shown(file?),
                },
                target: Some(named.target),
                region,
            },
            None => Running {
                address: listen?,
                authorization: Shown::File(file?),
                target: None,
                region,
            },
        })
    }

    /// What goes with a FULL_URI without a secret in it: our own setting first, then what an SDK would show.
    fn shown(&self, file: PathBuf) -> Shown {
        let own = settings::find("authorization-token-file");
        if own.is_some_and(|setting| self.sources.find(setting).is_some()) {
            return Shown::File(file);
        }
        match (
            self.sources.variable(TOKEN_FILE),
            self.sources.variable(TOKEN),
        ) {
            (Some((path, _)), _) => Shown::File(path.into()),
            (None, Some((token, _))) => Shown::Text(Secret::new(token)),
            (None, None) => Shown::File(file),
        }
    }
}

/// Whether this is an address that only the pod's own programs can have.
pub(super) fn is_loopback(url: &str) -> bool {
    loopback(url).is_some()
}

/// A URL on loopback.
struct Named {
    address: SocketAddr,
    secret: Option<Secret>,
    target: Secret,
}

fn loopback(url: &str) -> Option<Named> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
        Err(_) => return None,
    };
    if uri.scheme_str() != Some("http") || !ip.is_loopback() {
        return None;
    }
    let secret = uri.path().strip_prefix(CREDENTIALS_BY_SECRET);
    let secret = secret.map(|secret| percent_decode_str(secret).decode_utf8_lossy().into_owned());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    Some(Named {
        address: (ip, uri.port_u16().unwrap_or(80)).into(),
        secret: secret.map(Secret::new),
        target: Secret::new(target.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(variables: &[(&str, &str)]) -> Running {
        let environment = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        running(Flags::new(), environment).unwrap()
    }

    #[test]
    fn the_uri_of_the_app_says_where_the_sidecar_is_and_what_to_show_it() {
        let by_secret = resolved(&[(FULL_URI, "http://127.0.0.1:9999/v2/credentials/a%2Fb")]);
        assert_eq!(by_secret.address.to_string(), "127.0.0.1:9999");
        assert_eq!(
            by_secret.authorization,
            Shown::Text(Secret::new("a/b".into()))
        );
        let by_file = resolved(&[
            (FULL_URI, "http://localhost:9999/v1/credentials"),
            (TOKEN_FILE, "/token"),
        ]);
        assert_eq!(by_file.address.to_string(), "127.0.0.1:9999");
        assert_eq!(by_file.authorization, Shown::File("/token".into()));
        let own = resolved(&[
            (FULL_URI, "http://[::1]:9999/v1/credentials"),
            (TOKEN_FILE, "/token"),
            ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", "/own"),
        ]);
        assert_eq!(own.authorization, Shown::File("/own".into()));
    }

    #[test]
    fn the_ops_door_is_asked_on_loopback_where_it_listens_on_all_addresses() {
        let asked = |listen: &str| {
            let flags = Flags::from([("ops-listen", listen.to_owned())]);
            let doors = ops(flags, []).unwrap();
            doors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for all in [":9911", "0.0.0.0:9911", "[::]:9911"] {
            assert_eq!(asked(all), ["127.0.0.1:9911", "[::1]:9911"], "{all}");
        }
        assert_eq!(asked("10.1.2.3:99"), ["10.1.2.3:99"]);
        assert_eq!(asked("[fd00::1]:99"), ["[fd00::1]:99"]);
        let default = ops(Flags::new(), []).unwrap();
        assert_eq!(default[0].to_string(), "127.0.0.1:9911");
    }

    #[test]
    fn a_flag_beats_the_uri_of_the_app() {
        let flags = Flags::from([("listen", "127.0.0.1:1234".to_owned())]);
        let uri = "http://127.0.0.1:9999/v2/credentials/secret";
        let found = running(flags, [(FULL_URI.into(), uri.into())]).unwrap();
        assert_eq!(found.address.to_string(), "127.0.0.1:1234");
        assert!(matches!(found.authorization, Shown::File(_)));
    }

    #[test]
    fn an_address_that_is_not_loopback_is_never_asked() {
        for uri in [
            "http://169.254.170.23/v1/credentials",
            "http://127.0.0.1.evil.com:9910/v2/credentials/secret",
            "https://127.0.0.1:9910/v1/credentials",
            "http://10.0.0.1:9910/v1/credentials",
            "nonsense",
        ] {
            let running = resolved(&[(FULL_URI, uri), (TOKEN, "token")]);
            assert_eq!(running.address.to_string(), "127.0.0.1:9910", "{uri}");
            assert_eq!(
                running.authorization,
                Shown::File("/var/run/irsa-sidecar/authorization-token".into()),
                "{uri}"
            );
        }
    }
}
