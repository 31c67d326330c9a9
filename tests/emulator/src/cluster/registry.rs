//! All clusters of an emulator, and how one is added: each has a port of its own.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use super::{Cluster, api};
use crate::door;
use crate::issuer::Issuer;
use crate::sts::Sts;

/// The clusters of the account; clones are the same.
#[derive(Clone)]
pub(crate) struct Clusters {
    shared: Arc<Shared>,
}

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().iter()).finish()
    }
}

struct Shared {
    sts: Sts,
    issuer: Issuer,
    ca_pem: String,
    acceptor: TlsAcceptor,
    runtime: Handle,
    all: Mutex<Vec<Cluster>>,
}

impl Clusters {
    /// None yet; their APIs will be served on this runtime.
    pub(crate) fn new(
        sts: Sts,
        issuer: Issuer,
        ca_pem: String,
        acceptor: TlsAcceptor,
        runtime: Handle,
    ) -> Self {
        let shared = Shared {
            sts,
            issuer,
            ca_pem,
            acceptor,
            runtime,
            all: Mutex::new(Vec::new()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A cluster whose API listens from now on; a name of a region is taken once.
    pub(crate) fn add(&self, name: &str, region: &str) -> io::Result<Cluster> {
        let Shared {
            sts,
            issuer,
            ca_pem,
            acceptor,
            runtime,
            ..
        } = &*self.shared;
        let mut all = self.all();
        if all
            .iter()
            .any(|other| other.name() == name && other.region() == region)
        {
            let reason = format!("Cluster already exists with name: {name}");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let cluster = Cluster::new(
            name,
            region,
            url,
            ca_pem.clone(),
            sts.clone(),
            issuer.clone(),
        );
        let (served, acceptor) = (cluster.clone(), acceptor.clone());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener);
            let listener = listener.expect("bound and non-blocking");
            let handle = move |request| api::answer(served.clone(), request);
            let never = door::serve(listener, Some(acceptor), || false, handle).await;
            match never {}
        });
        all.push(cluster.clone());
        Ok(cluster)
    }

    /// The cluster that DescribeCluster means.
    pub(super) fn find(&self, name: &str, region: &str) -> Option<Cluster> {
        let is = |cluster: &&Cluster| cluster.name() == name && cluster.region() == region;
        self.all().iter().find(is).cloned()
    }

    /// The first cluster of this name, wherever it is.
    pub(crate) fn named(&self, name: &str) -> Option<Cluster> {
        self.all()
            .iter()
            .find(|cluster| cluster.name() == name)
            .cloned()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Cluster>> {
        self.shared
            .all
            .lock()
            .expect("nobody panics while holding the list")
    }
}
