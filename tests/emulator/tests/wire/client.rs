//! An HTTP client of the tests' own: one request per connection, nothing hidden.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use emulator::{Cluster, Emulator, ROLE_ARN, TokenRequest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The text of the first XML element of this name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let (_, rest) = self
            .body
            .split_once(&open)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"));
        rest.split_once(&close)
            .unwrap_or_else(|| panic!("{name} has no end in {self:?}"))
            .0
    }

    /// Status, code and message of an error.
    pub(crate) fn error(&self) -> (u16, &str, &str) {
        (self.status, self.element("Code"), self.element("Message"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }
}

/// Sends one request to `http://HOST:PORT` and reads to the end.
pub(crate) fn send(
    url: &str,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> io::Result<Reply> {
    let address = url.strip_prefix("http://").expect("plain HTTP");
    let stream = TcpStream::connect(address)?;
    talk(stream, address, method, target, headers, body)
}

/// The same through TLS to `https://localhost:PORT`, trusting `ca_pem` alone.
pub(crate) fn send_tls(
    url: &str,
    name: &str,
    ca_pem: &str,
    method: &str,
    target: &str,
) -> io::Result<Reply> {
    talk(
        connect_tls(url, name, ca_pem)?,
        "localhost",
        method,
        target,
        "",
        "",
    )
}

/// One request to the Kubernetes API of a cluster.
pub(crate) fn send_to_cluster(
    emulator: &Emulator,
    cluster: &Cluster,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Reply {
    let stream = connect_tls(cluster.url(), "localhost", emulator.ca_pem()).unwrap();
    talk(stream, "localhost", method, target, headers, body).unwrap()
}

fn connect_tls(
    url: &str,
    name: &str,
    ca_pem: &str,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let port = url
        .strip_prefix("https://localhost:")
        .expect("TLS on localhost");
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    Ok(StreamOwned::new(connection, stream))
}

fn talk(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> io::Result<Reply> {
    let host = if headers.contains("host: ") {
        String::new()
    } else {
        format!("host: {host}\r\n")
    };
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len(),
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Reply {
        status: status.expect("a status line"),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// The exchange that a healthy sidecar asks for.
pub(crate) fn exchange(emulator: &Emulator) -> Reply {
    exchange_with(emulator, &TokenRequest::default(), &[])
}

/// The exchange of another token, with other parameters.
pub(crate) fn exchange_with(
    emulator: &Emulator,
    request: &TokenRequest,
    change: &[(&str, &str)],
) -> Reply {
    let token = emulator.issuer().token(request);
    try_exchange(emulator, &token, change).unwrap()
}

/// The exchange as far as it gets.
pub(crate) fn try_exchange(
    emulator: &Emulator,
    token: &str,
    change: &[(&str, &str)],
) -> io::Result<Reply> {
    let mut parameters = vec![
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE_ARN),
        ("RoleSessionName", "pod-1"),
        ("WebIdentityToken", token),
    ];
    for (name, value) in change {
        parameters.retain(|(kept, _)| kept != name);
        parameters.push((name, value));
    }
    // The values of these tests need no escaping but for the colon and the slash, which a form may hold.
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let headers = "content-type: application/x-www-form-urlencoded\r\n";
    send(emulator.url(), "POST", "/", headers, &pairs.join("&"))
}

/// The machine's time.
#[expect(clippy::disallowed_methods, reason = "real sockets live in real time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Tries until it holds, for what another thread does in its own time.
pub(crate) fn eventually(holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("still not so after 5 s");
}
