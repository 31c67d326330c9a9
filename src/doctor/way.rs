//! The way to STS: its name, a connection, an answer over TLS, and what the answer says of the node's clock.
//!
//! Looked at one after the other as the sidecar's own requests go, proxy and roots included; nothing that is sent here
//! carries a token.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::Entry;
use crate::clock::{Clock, HARMLESS, aside, wrong};
use crate::diagnosis::{Diagnosis, steps};
use crate::sts::{Endpoint, StsConfig, StsError, StsErrorKind, first_hop};
use crate::transport::{FirstHop, OPERATION_TIMEOUT, PROXY_UNREACHABLE, Transport, TransportError};

/// A reader wants to see where a name leads to, not all of it.
const SHOWN: usize = 3;
/// Of each family: whichever answers first is taken, as the HTTP client does where one family leads nowhere.
const TRIED: usize = 2;

/// What a look came to: what it was for, or why not.
pub type Looked<T, E> = Result<T, Trouble<E>>;

/// Why a look came to nothing.
#[derive(Debug)]
pub enum Trouble<E> {
    /// It failed: the cause.
    Failed(E),
    /// Nothing came of it in its time.
    Hung,
}

/// The way, as configured.
#[derive(Debug)]
pub struct Way {
    endpoint: Endpoint,
    hop: FirstHop,
    transport: Transport,
}

impl Way {
    /// Connects to nothing yet. The clock learns from the answer what time STS has.
    pub fn of(config: &StsConfig, clock: Clock) -> Self {
        Way {
            endpoint: Endpoint::of(config),
            hop: first_hop(config),
            transport: Transport::new(&config.network, config.endpoint_url.as_ref(), clock),
        }
    }

    /// The addresses of the first host on the way.
    pub async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found = lookup_host((self.hop.host.as_str(), self.hop.port)).await?;
        let found: Vec<SocketAddr> = found.collect();
        match found.is_empty() {
            true => Err(io::Error::other("the lookup gave no address")),
            false => Ok(found),
        }
    }

    /// The first of the addresses that takes a connection.
    pub async fn connect(&self, addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
        let mut connecting = JoinSet::new();
        for address in tried(addresses) {
            connecting.spawn(async move { TcpStream::connect(address).await.map(|_| address) });
        }
        let mut last = io::Error::other("there is no address to connect to");
        while let Some(connected) = connecting.join_next().await {
            match connected {
                Ok(Ok(address)) => return Ok(address),
                Ok(Err(error)) => last = error,
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    /// The HTTP status of whatever answers a request that carries nothing.
    pub async fn ask(&self) -> Result<u16, TransportError> {
        let reply = self.transport.get(self.endpoint.url(), &[]).await?;
        Ok(reply.status)
    }

    /// Judges the name.
    pub fn address(&self, resolved: &Looked<Vec<SocketAddr>, io::Error>, took: Duration) -> Entry {
        let host = &self.hop.host;
        let addresses = match resolved {
            Ok(addresses) => addresses,
            Err(trouble) => {
                let cause = match trouble {
                    Trouble::Failed(cause) => format!("{cause}, for {host}"),
                    Trouble::Hung => {
                        format!("the lookup of {host} had no end within {}", seconds(took))
                    }
                };
                return Entry::failed(steps::STS_ADDRESS, self.before_tls(&cause));
            }
        };
        let what = match &self.hop.proxy {
            Some(_) => format!(", the proxy on the way to {}", self.endpoint.url()),
            None => String::new(),
        };
        let found = match host.parse::<IpAddr>() {
            Ok(address) => format!("{address} is an address{what}"),
            Err(_) => format!("{host} is {}{what}", shown(addresses)),
        };
        Entry::fine(steps::STS_ADDRESS, found)
    }

    /// Judges the connection.
    pub fn connection(
        &self,
        addresses: &[SocketAddr],
        connected: &Looked<SocketAddr, io::Error>,
        took: Duration,
    ) -> Entry {
        let all: Vec<String> = tried(addresses)
            .map(|address| address.to_string())
            .collect();
        let all = all.join(", ");
        let diagnosis = match connected {
            Ok(address) => {
                let took = took.as_millis();
                let found = match &self.hop.proxy {
                    Some(proxy) => {
                        format!("{address}, the proxy {proxy}, took the connection in {took} ms")
                    }
                    None => format!("{address} took the connection in {took} ms"),
                };
                return Entry::fine(steps::STS_CONNECTION, found);
            }
            Err(Trouble::Failed(cause)) => self.before_tls(&format!("{cause} at {all}")),
            Err(Trouble::Hung) => {
                let cause = format!("{all} took no connection within {}", seconds(took));
                match &self.hop.proxy {
                    Some(_) => self.before_tls(&cause),
                    None => and(self.endpoint.timed_out(), &cause),
                }
            }
        };
        Entry::failed(steps::STS_CONNECTION, diagnosis)
    }

    /// Judges what came back. Any answer over TLS will do: what STS says is the exchange's business.
    pub fn answer(&self, answered: &Looked<u16, TransportError>, took: Duration) -> Entry {
        let diagnosis = match answered {
            Ok(status) => {
                let how = match self.endpoint.roots() {
                    Some(roots) => format!("{roots} vouch for its certificate"),
                    None => "plain http on loopback, without TLS".to_owned(),
                };
                let took = took.as_millis();
                let found = format!(
                    "{} answered HTTP {status} in {took} ms; {how}",
                    self.endpoint
                );
                return Entry::fine(steps::STS_ANSWER, found);
            }
            Err(Trouble::Failed(TransportError::Unreachable(cause))) => {
                self.endpoint.unreachable(cause)
            }
            Err(Trouble::Failed(TransportError::Unreadable)) => {
                StsError::of(StsErrorKind::Garbled { status: None }).diagnosis()
            }
            Err(Trouble::Failed(TransportError::TimedOut)) => {
                let silence = format!(
                    "the connection is made, and nothing came back within {}",
                    seconds(took)
                );
                and(self.endpoint.timed_out(), &silence)
            }
            Err(Trouble::Hung) => return self.impatient(took),
        };
        Entry::failed(steps::STS_ANSWER, diagnosis)
    }

    /// It was this look that ended first: a request of the sidecar's would have waited longer.
    fn impatient(&self, took: Duration) -> Entry {
        let (took, whole) = (seconds(took), OPERATION_TIMEOUT.as_secs());
        let unended =
            format!("the connection is made, and no whole answer came back within {took}");
        let diagnosis = and(self.endpoint.timed_out(), &unended);
        let expected = format!(
            "a whole answer within {took}, which is all the time that doctor has for it; the sidecar waits up to {whole} s"
        );
        Entry::warned(
            steps::STS_ANSWER,
            Diagnosis {
                expected,
                ..diagnosis
            },
        )
    }

    /// No connection, for a cause that is the first host's: where that is a proxy, it is the proxy's.
    fn before_tls(&self, cause: &str) -> Diagnosis {
        match &self.hop.proxy {
            Some(_) => self
                .endpoint
                .unreachable(&format!("{PROXY_UNREACHABLE}: {cause}")),
            None => self.endpoint.unreachable(cause),
        }
    }
}

/// Judges the node's clock, which shows `local`, by how far that of STS is ahead of it.
pub fn clock(offset_millis: Option<i64>, local: SystemTime) -> Entry {
    let Some(millis) = offset_millis else {
        return Entry::skipped(
            steps::STS_CLOCK,
            "the answer of STS had no Date to compare the node's clock with",
        );
    };
    if let Some(wrong) = wrong(millis, local) {
        return Entry::warned(steps::STS_CLOCK, wrong);
    }
    let found = match aside(millis) {
        Some(aside) => format!("{aside}; up to {} s harm nothing", HARMLESS.as_secs()),
        None => "the node's clock agrees with that of STS".to_owned(),
    };
    Entry::fine(steps::STS_CLOCK, found)
}

/// The first few of each family.
fn tried(addresses: &[SocketAddr]) -> impl Iterator<Item = SocketAddr> {
    let of = |v6: bool| {
        let family = addresses.iter().filter(move |one| one.is_ipv6() == v6);
        family.take(TRIED).copied()
    };
    of(false).chain(of(true)).collect::<Vec<_>>().into_iter()
}

fn shown(addresses: &[SocketAddr]) -> String {
    let mut ips: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    ips.dedup();
    let first: Vec<String> = ips.iter().take(SHOWN).map(IpAddr::to_string).collect();
    let rest = match ips.len().saturating_sub(SHOWN) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    let kind = if ips.iter().all(IpAddr::is_loopback) {
        "loopback"
    } else if ips.iter().all(is_private) {
        "private, as those of a VPC endpoint are"
    } else if ips.iter().any(is_private) {
        "private and public"
    } else {
        "public"
    };
    format!("{}{rest} ({kind})", first.join(", "))
}

/// Of a network of one's own. 100.64.0.0/10 is what EKS gives to pods where a VPC runs out of addresses.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn and(mut diagnosis: Diagnosis, more: &str) -> Diagnosis {
    diagnosis.found.push_str(": ");
    diagnosis.found.push_str(more);
    diagnosis
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::doctor::Verdict;

    fn addresses(all: &[&str]) -> Vec<SocketAddr> {
        let parsed = all
            .iter()
            .map(|one| SocketAddr::new(one.parse().unwrap(), 443));
        parsed.collect()
    }

    #[test]
    fn where_a_name_leads_tells_a_vpc_endpoint_from_the_internet() {
        for (all, expected) in [
            (
                &["127.0.0.1", "::1"] as &[&str],
                "127.0.0.1, ::1 (loopback)",
            ),
            (
                &["10.0.3.4", "172.31.0.9", "100.64.3.1", "fd00:ec2::1"],
                "10.0.3.4, 172.31.0.9, 100.64.3.1 and 1 more (private, as those of a VPC endpoint are)",
            ),
            (&["52.94.1.2"], "52.94.1.2 (public)"),
            (&["100.128.0.1"], "100.128.0.1 (public)"),
            (
                &["10.0.0.1", "52.94.1.2"],
                "10.0.0.1, 52.94.1.2 (private and public)",
            ),
        ] {
            assert_eq!(shown(&addresses(all)), expected);
        }
    }

    #[test]
    fn both_families_are_tried_whichever_leads_nowhere() {
        let all = addresses(&["fd00::1", "fd00::2", "fd00::3", "10.0.0.1"]);
        let ips: Vec<String> = tried(&all).map(|one| one.ip().to_string()).collect();
        assert_eq!(ips, ["10.0.0.1", "fd00::1", "fd00::2"]);
    }

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_and_not_by_what_date_cannot_tell() {
        let local = UNIX_EPOCH + Duration::from_secs(1_735_787_045);
        let judged = |offset| clock(offset, local).verdict;
        assert!(matches!(judged(None), Verdict::Skipped(_)));
        assert_eq!(
            judged(Some(-700)),
            Verdict::Fine("the node's clock agrees with that of STS".into())
        );
        for fine in [0, 60_000, -60_000] {
            assert!(matches!(judged(Some(fine)), Verdict::Fine(_)), "{fine}");
        }
        for (off, found) in [
            (
                61_000,
                "the node's clock is 1m 1s behind that of STS: 2025-01-02T03:04:05Z here, 2025-01-02T03:05:06Z there",
            ),
            (
                -3_600_000,
                "the node's clock is 1h ahead of that of STS: 2025-01-02T03:04:05Z here, 2025-01-02T02:04:05Z there",
            ),
        ] {
            let Verdict::Warned(diagnosis) = judged(Some(off)) else {
                panic!("{off} is not warned of");
            };
            assert_eq!(diagnosis.found, found);
        }
    }
}
