//! Where the pod's sidecar listens and what it writes, as far as that is seen.

use std::net::{IpAddr, SocketAddr};

use super::Known;
use crate::doctor::pod::{Container, Pod, Said};
use crate::outputs::container_credentials::ADDRESS;

/// The sidecar of a pod.
pub(super) struct Sidecar<'a> {
    containers: Vec<&'a Container>,
    known: &'a Known<'a>,
}

impl<'a> Sidecar<'a> {
    /// `None` where no container is known to be one.
    pub(super) fn of(pod: &'a Pod, known: &'a Known<'a>) -> Option<Self> {
        let containers: Vec<&Container> = pod.ours().filter(|one| one.serves()).collect();
        (pod.given && !containers.is_empty()).then_some(Sidecar { containers, known })
    }

    /// Where the credentials are on loopback, and at link-local addresses; `None` where that is not seen.
    pub(super) fn addresses(&self) -> Option<Vec<SocketAddr>> {
        let listen = self.texts("listen", Some(ADDRESS))?;
        let near = self.texts("link-local-listen", None)?;
        let all = listen.iter().chain(&near).flat_map(|list| list.split(','));
        all.map(|address| address.trim().parse().ok()).collect()
    }

    /// Whether it writes credentials files, or may.
    pub(super) fn may_write_credentials(&self) -> bool {
        let is_on = |texts: Vec<&str>| texts.iter().any(|text| text.eq_ignore_ascii_case("true"));
        self.texts("credentials-file", None).is_none_or(is_on)
    }

    fn texts(&self, name: &str, default: Option<&'a str>) -> Option<Vec<&'a str>> {
        let mut found = Vec::new();
        for container in &self.containers {
            let own = self.known.in_sidecar && !container.has_file_flag();
            match container.setting(name) {
                Said::Texts(texts) => found.extend(texts),
                Said::Nothing => found.extend(default),
                // This process has the same variables, wherever they come from.
                Said::Elsewhere if own => {
                    found.extend(self.known.settings.get(name).copied().or(default));
                }
                Said::Elsewhere => return None,
            }
        }
        Some(found)
    }
}

/// Whether an address is this one. `127.0.0.1` brings `[::1]` along, and `localhost` is either.
pub(super) fn is_at(address: &SocketAddr, ip: IpAddr, port: u16) -> bool {
    let is_same = address.ip() == ip || address.ip().is_loopback() && ip.is_loopback();
    is_same && address.port() == port
}
