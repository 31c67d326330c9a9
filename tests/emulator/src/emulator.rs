//! Puts the parts together: one thread, three doors, until it is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

use crate::certificate::Certificate;
use crate::cluster::{self, Cluster, Clusters};
use crate::door::Cut;
use crate::issuer::Issuer;
use crate::s3;
use crate::sts::{self, ROLE_ARN, Sts};
use crate::{control, door};

/// A running emulator; dropping it closes its doors and connections.
#[derive(Debug)]
pub struct Emulator {
    issuer: Issuer,
    sts: Sts,
    clusters: Clusters,
    cluster: Cluster,
    url: String,
    tls_url: String,
    control_url: String,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts on free ports of 127.0.0.1, on a thread and a runtime of its own.
    pub fn start() -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).expect("127.0.0.1 has free ports")
    }

    /// Starts with plain STS on this address and everything else on free ports.
    pub fn start_at(listen: SocketAddr) -> io::Result<Self> {
        let issuer = Issuer::new();
        let sts = Sts::new(issuer.clone());
        let certificate = Certificate::generate();
        let (plain, url) = bind(listen)?;
        let (tls, tls_url) = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let (control, control_url) = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let clusters = Clusters::new(
            sts.clone(),
            issuer.clone(),
            certificate.ca_pem.clone(),
            certificate.acceptor.clone(),
            runtime.handle().clone(),
        );
        let cluster = default_cluster(&clusters)?;
        let doors = Doors {
            plain,
            tls,
            control,
            issuer: issuer.clone(),
            sts: sts.clone(),
            clusters: clusters.clone(),
            ca_pem: certificate.ca_pem.clone(),
            acceptor: certificate.acceptor,
        };
        let thread = thread::Builder::new()
            .name("emulator".to_owned())
            .spawn(move || doors.serve_until(stopped, &runtime))?;
        Ok(Self {
            issuer,
            sts,
            clusters,
            cluster,
            url: format!("http://{url}"),
            tls_url: format!("https://localhost:{}", tls_url.port()),
            control_url: format!("http://{control_url}"),
            ca_pem: certificate.ca_pem,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// STS over plain HTTP: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same STS behind TLS: `https://localhost:PORT`, good for `127.0.0.1` too.
    pub fn tls_url(&self) -> &str {
        &self.tls_url
    }

    /// The CA that signed for [`Emulator::tls_url`] and for the API of every cluster.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The control door: what this API does, for other languages.
    pub fn control_url(&self) -> &str {
        &self.control_url
    }

    /// The cluster's issuer of service account tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The emulated STS.
    pub fn sts(&self) -> &Sts {
        &self.sts
    }

    /// The cluster that every emulator starts with: `demo` in `eu-west-1`. Its `aws-auth` maps [`ROLE_ARN`] to the user
    /// `job:SESSION` in the group `jobs`, which may get, list and watch pods in `default`.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Another cluster, on a port of its own, which lets nobody in. Panics when it is there already.
    pub fn add_cluster(&self, name: &str, region: &str) -> Cluster {
        let added = self.clusters.add(name, region);
        added.expect("a name that the region does not have yet")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Dropped unsent, the channel says the same: stop.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; a second one here would abort the test.
            let _ = thread.join();
        }
    }
}

struct Doors {
    plain: TcpListener,
    tls: TcpListener,
    control: TcpListener,
    issuer: Issuer,
    sts: Sts,
    clusters: Clusters,
    ca_pem: String,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl Doors {
    /// Leaving drops the runtime, and with it every connection.
    fn serve_until(self, stopped: oneshot::Receiver<()>, runtime: &Runtime) {
        runtime.block_on(async {
            let listen = |listener| {
                tokio::net::TcpListener::from_std(listener).expect("bound and non-blocking")
            };
            let turns_away = || self.sts.turns_away();
            let aws = Aws {
                sts: self.sts.clone(),
                clusters: self.clusters.clone(),
            };
            let answer = move |request| aws.clone().answer(request);
            let control =
                control::Control::new(self.issuer, self.sts.clone(), self.clusters, self.ca_pem);
            tokio::select! {
                never = door::serve(listen(self.plain), None, turns_away, answer.clone()) => match never {},
                never = door::serve(listen(self.tls), Some(self.acceptor), turns_away, answer) => match never {},
                never = door::serve(listen(self.control), None, || false, move |request| {
                    control.clone().answer(request)
                }) => match never {},
                _ = stopped => {}
            }
        });
    }
}

/// The services of AWS behind one door.
#[derive(Clone)]
struct Aws {
    sts: Sts,
    clusters: Clusters,
}

impl Aws {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        if cluster::is_for_eks(request.uri().path()) {
            cluster::describe(self.sts, self.clusters, request).await
        } else if s3::is_for_s3(&request) {
            s3::answer(self.sts, request).await
        } else {
            sts::answer(self.sts, request).await
        }
    }
}

fn default_cluster(clusters: &Clusters) -> io::Result<Cluster> {
    let cluster = clusters.add("demo", "eu-west-1")?;
    let roles =
        format!("- rolearn: {ROLE_ARN}\n  username: job:{{{{SessionName}}}}\n  groups: [jobs]\n");
    cluster.set_aws_auth(&roles, "");
    cluster.allow("jobs", &["get", "list", "watch"], "pods", Some("default"));
    Ok(cluster)
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
