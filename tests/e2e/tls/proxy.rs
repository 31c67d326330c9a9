//! A proxy that takes CONNECT: notes where a client wants to go, and leads it somewhere else.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Runs until the test process ends; the few threads that it leaves behind sleep in `accept` and `read`.
pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Connect>>>,
}

/// One request to be led somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// `HOST:PORT`, or the whole first line where it is no CONNECT.
    pub target: String,
    /// `Proxy-Authorization`.
    pub(super) authorization: Option<String>,
}

impl Proxy {
    /// Whatever the target, the tunnel ends at `there`.
    pub(super) fn leading_to(there: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let notes = Arc::clone(&notes);
                thread::spawn(move || {
                    // A client or an emulator that goes away ends the tunnel, and that is all.
                    let _ = tunnel(client, there, &notes);
                });
            }
        });
        Proxy { address, seen }
    }

    /// `http://[USER:PASSWORD@]HOST:PORT`.
    pub fn url(&self, user_and_password: Option<&str>) -> String {
        let address = self.address;
        match user_and_password {
            Some(both) => format!("http://{both}@{address}"),
            None => format!("http://{address}"),
        }
    }

    /// Everything so far.
    pub fn seen(&self) -> Vec<Connect> {
        self.seen.lock().expect("the notes").clone()
    }
}

fn tunnel(mut client: TcpStream, there: SocketAddr, notes: &Mutex<Vec<Connect>>) -> io::Result<()> {
    notes
        .lock()
        .expect("the notes")
        .push(connect(&head(&mut client)?));
    let mut server = TcpStream::connect(there)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(std::net::Shutdown::Both)
}

/// Byte by byte: what follows the head is the client's TLS.
fn head(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn connect(head: &str) -> Connect {
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let target = first
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    let authorization = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
    Connect {
        target: target.unwrap_or(first).to_owned(),
        authorization: authorization.map(|(_, value)| value.to_owned()),
    }
}
