//! Puts the parts together: one thread, three doors, until it is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::certificate::Certificate;
use crate::issuer::Issuer;
use crate::sts::{self, Sts};
use crate::{control, door};

/// A running emulator; dropping it closes its doors and connections.
#[derive(Debug)]
pub struct Emulator {
    issuer: Issuer,
    sts: Sts,
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
        let doors = Doors {
            plain,
            tls,
            control,
            issuer: issuer.clone(),
            sts: sts.clone(),
            ca_pem: certificate.ca_pem.clone(),
            acceptor: certificate.acceptor,
        };
        let thread = thread::Builder::new()
            .name("emulator".to_owned())
            .spawn(move || doors.serve_until(stopped))?;
        Ok(Self {
            issuer,
            sts,
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

    /// The CA that signed for [`Emulator::tls_url`].
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
    ca_pem: String,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl Doors {
    /// Leaving drops the runtime, and with it every connection.
    fn serve_until(self, stopped: oneshot::Receiver<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the operating system has a file descriptor for epoll");
        runtime.block_on(async {
            let listen = |listener| {
                tokio::net::TcpListener::from_std(listener).expect("bound and non-blocking")
            };
            let turns_away = || self.sts.turns_away();
            let sts = self.sts.clone();
            let answer = move |request| sts::answer(sts.clone(), request);
            let control = control::Control::new(self.issuer, self.sts.clone(), self.ca_pem);
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

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
