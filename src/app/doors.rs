//! The doors of the pod's clients: the credentials door, the same on link-local addresses, and instance metadata.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::listeners::ClientListeners;
use crate::config::DoorsConfig;
use crate::http::{self, Registry, Respond};
use crate::link_local::CONTAINER_CREDENTIALS;
use crate::metrics::{Door, Metrics};
use crate::outputs::authorization::{Authorization, Methods};
use crate::outputs::authorization_token::AuthorizationToken;
use crate::outputs::container_credentials::ContainerCredentials;
use crate::outputs::eks_tokens::EksTokens;
use crate::outputs::imds::{Imds, ImdsConfig};
use crate::store::Reader;

/// What they have in common.
pub(super) struct ClientDoors {
    pub(super) reader: Reader,
    pub(super) token: Option<Arc<AuthorizationToken>>,
    pub(super) eks_tokens: Arc<EksTokens>,
    pub(super) region: String,
    pub(super) metrics: Arc<Metrics>,
    pub(super) registry: Arc<Registry>,
}

impl ClientDoors {
    /// Answers from now on. The error is that there is no key for the session tokens of instance metadata.
    pub(super) fn open(
        self,
        listeners: ClientListeners,
        config: &DoorsConfig,
        shutdown: &Arc<Notify>,
        doors: &mut JoinSet<&'static str>,
    ) -> Result<(), getrandom::Error> {
        let methods = config.authorization;
        let door = self.credentials(methods, Door::Credentials, Some(shutdown));
        open(
            "credentials",
            listeners.credentials,
            door,
            &self.registry,
            doors,
        );
        for listener in listeners.link_local {
            let methods = methods_at(listener.local_addr().ok(), methods);
            let door = self.credentials(methods, Door::LinkLocal, None);
            open("link_local", vec![listener], door, &self.registry, doors);
        }
        if let (Some(listener), Some(imds)) = (listeners.imds, config.imds) {
            let config = ImdsConfig {
                region: self.region,
                v1: imds.v1,
            };
            let counters = self.metrics.requests(Door::Imds);
            let door = Imds::new(config, self.reader.over_imds(), counters)?;
            open(
                "imds",
                vec![listener],
                Arc::new(door),
                &self.registry,
                doors,
            );
        }
        Ok(())
    }

    fn credentials(
        &self,
        methods: Methods,
        door: Door,
        shutdown: Option<&Arc<Notify>>,
    ) -> Arc<ContainerCredentials> {
        Arc::new(ContainerCredentials::new(
            self.reader.clone(),
            Authorization::new(methods, self.token.clone(), self.reader.clone()),
            Arc::clone(&self.eks_tokens),
            self.region.clone(),
            self.metrics.requests(door),
            shutdown.map(Arc::clone),
        ))
    }
}

/// The SDKs that know no address but this one send no authorization.
fn methods_at(address: Option<SocketAddr>, configured: Methods) -> Methods {
    match address {
        Some(address) if address.ip() == CONTAINER_CREDENTIALS => Methods::NONE,
        _ => configured,
    }
}

/// Answers on all of these by one door.
pub(super) fn open<R: Respond>(
    name: &'static str,
    listeners: Vec<TcpListener>,
    door: Arc<R>,
    registry: &Arc<Registry>,
    doors: &mut JoinSet<&'static str>,
) {
    for listener in listeners {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(door = name, %address, "listening");
        }
        let (door, registry) = (Arc::clone(&door), Arc::clone(registry));
        doors.spawn(async move {
            http::serve(listener, door, registry).await;
            name
        });
    }
}
