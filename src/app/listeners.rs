//! The sockets that the doors are behind, all bound before anything is served.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::config::{DoorsConfig, OpsListen};
use crate::link_local;
use crate::outputs::imds;

/// Bound, and nobody is answered yet.
pub(super) struct Listeners {
    pub(super) of_clients: ClientListeners,
    pub(super) ops: TcpListener,
}

/// Those that the pod's clients come to.
pub(super) struct ClientListeners {
    pub(super) credentials: Vec<TcpListener>,
    pub(super) link_local: Vec<TcpListener>,
    pub(super) imds: Option<TcpListener>,
}

/// A door cannot be opened.
#[derive(Debug)]
pub struct BindError {
    setting: &'static str,
    address: SocketAddr,
    error: io::Error,
}

impl Listeners {
    pub(super) async fn bind(doors: &DoorsConfig) -> Result<Self, BindError> {
        let credentials = listen(doors.listen).await?;
        let link_local = listen_link_local(&doors.link_local_listen).await?;
        let imds = match doors.imds {
            Some(imds) => Some(listen_imds(imds.address).await?),
            None => None,
        };
        let of_clients = ClientListeners {
            credentials,
            link_local,
            imds,
        };
        Ok(Listeners {
            of_clients,
            ops: listen_ops(doors.ops_listen).await?,
        })
    }
}

async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| BindError {
        setting,
        address,
        error,
    })
}

/// One manifest for pods with IPv6 and without: an IPv6 address that is not there may be left out where another is bound.
async fn listen_link_local(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let (mut listeners, mut absent) = (Vec::new(), None);
    for address in addresses {
        match bind("link-local-listen", *address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_ipv6() && error.has_no_such_address() => {
                tracing::info!(%address, error = %error.error, "not listening where the pod has no IPv6");
                absent.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match absent {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

async fn listen_imds(address: SocketAddr) -> Result<TcpListener, BindError> {
    const SETTING: &str = "imds-listen";
    let listener = bind(SETTING, address).await?;
    imds::limit_hops(&listener).map_err(|error| BindError {
        setting: SETTING,
        address,
        error,
    })?;
    Ok(listener)
}

/// The address that was asked for, and with 127.0.0.1 its twin `[::1]` where there is one.
async fn listen(address: SocketAddr) -> Result<Vec<TcpListener>, BindError> {
    let bind_error = |error| BindError {
        setting: "listen",
        address,
        error,
    };
    let first = TcpListener::bind(address).await.map_err(bind_error)?;
    let port = first.local_addr().map_err(bind_error)?.port();
    let mut listeners = vec![first];
    if address.ip() == Ipv4Addr::LOCALHOST {
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(twin) => listeners.push(twin),
            // Somebody else there would be shown the authorization by whoever resolves localhost to it.
            Err(error) if address.port() != 0 && error.kind() == io::ErrorKind::AddrInUse => {
                return Err(BindError {
                    setting: "listen",
                    address: (Ipv6Addr::LOCALHOST, port).into(),
                    error,
                });
            }
            Err(error) => tracing::info!(%error, "not listening on [::1]"),
        }
    }
    Ok(listeners)
}

async fn listen_ops(listen: OpsListen) -> Result<TcpListener, BindError> {
    let mut last = None;
    for address in listen.candidates() {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let in_use = error.kind() == io::ErrorKind::AddrInUse;
                last = Some((address, error));
                if in_use {
                    break;
                }
            }
        }
    }
    let (address, error) = last.unwrap_or((
        (Ipv4Addr::UNSPECIFIED, 0).into(),
        io::ErrorKind::AddrNotAvailable.into(),
    ));
    Err(BindError {
        setting: "ops-listen",
        address,
        error,
    })
}

impl BindError {
    fn has_no_such_address(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrNotAvailable
            || self.error.raw_os_error() == Some(libc::EAFNOSUPPORT)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError {
            setting,
            address,
            error,
        } = self;
        write!(f, "cannot listen on {address} ({setting}): {error}; ")?;
        match (error.kind(), link_local::command_for(address.ip())) {
            (io::ErrorKind::PermissionDenied, _) => write!(
                f,
                "ports below 1024 are root's unless the pod says otherwise: set its securityContext.sysctls to [{{name: net.ipv4.ip_unprivileged_port_start, value: \"0\"}}], which Pod Security restricted allows"
            ),
            (_, Some(command)) if self.has_no_such_address() && address.is_ipv4() => write!(
                f,
                "the pod has no such address: run `{command}` in an init container before this one"
            ),
            (_, Some(command)) if self.has_no_such_address() => write!(
                f,
                "the pod has no such address: run `{command}` in an init container before this one, or leave this address out where the pod has no IPv6"
            ),
            _ => write!(
                f,
                "choose another address with --{setting}, or stop what listens there"
            ),
        }
    }
}

impl std::error::Error for BindError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stranger_at_the_ipv6_twin_of_our_port_is_an_error() {
        let Ok(stranger) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            // Without IPv6 there is no twin, and nobody who could be there.
            return;
        };
        let port = stranger.local_addr().unwrap().port();
        let error = listen((Ipv4Addr::LOCALHOST, port).into())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("[::1]:{port}")), "{error}");
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_setting_that_changes_it() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).await.unwrap_err().to_string();
        assert!(
            error.contains(&address.to_string()) && error.contains("--listen"),
            "{error}"
        );
        let error = listen_ops(OpsListen::One(address))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("--ops-listen"), "{error}");
    }
}
