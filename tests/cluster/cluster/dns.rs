//! The cluster's DNS: the names of AWS and of the API server, and nothing else. It remembers who asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use super::network;

const A: [u8; 2] = [0, 1];
const NOT_FOUND: u8 = 3;

/// Which address asked for which name.
#[derive(Clone, Default)]
pub struct Dns {
    asked: Arc<Mutex<Vec<(IpAddr, String)>>>,
}

impl Dns {
    pub(super) fn start() -> Self {
        let socket =
            UdpSocket::bind((network::NODE, 53)).expect("a port in a namespace of our own");
        let dns = Dns::default();
        let asked = dns.asked.clone();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            loop {
                let Ok((length, peer)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                if let Some((name, answer)) = answer(&buffer[..length]) {
                    remember(&asked, peer, name);
                    // An answer that gets lost is asked for again.
                    let _ = socket.send_to(&answer, peer);
                }
            }
        });
        dns
    }

    /// Whether somebody at this address asked for this name.
    pub fn was_asked(&self, by: IpAddr, name: &str) -> bool {
        let asked = self.asked.lock().expect("nobody panics while holding it");
        asked.iter().any(|(who, what)| *who == by && what == name)
    }
}

fn remember(asked: &Mutex<Vec<(IpAddr, String)>>, peer: SocketAddr, name: String) {
    let mut asked = asked.lock().expect("nobody panics while holding it");
    asked.push((peer.ip(), name));
}

fn address_of(name: &str) -> Option<Ipv4Addr> {
    let address = match name {
        "sts.eu-west-1.amazonaws.com" | "eks.eu-west-1.amazonaws.com" => network::EU_WEST_1,
        "sts.us-west-2.amazonaws.com" => network::US_WEST_2,
        "kubernetes.default.svc.cluster.local" => network::API_SERVER,
        _ => return None,
    };
    Some(address.parse().expect("an address"))
}

/// The name in a query of one question, and what to answer (RFC 1035, section 4).
fn answer(query: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut labels = Vec::new();
    let mut at = 12;
    while let length @ 1.. = usize::from(*query.get(at)?) {
        labels.push(std::str::from_utf8(query.get(at + 1..=at + length)?).ok()?);
        at += 1 + length;
    }
    let name = labels.join(".").to_lowercase();
    let question = query.get(12..at + 5)?;
    let kind = query.get(at + 1..at + 3)?;
    let address = address_of(&name);
    let found = address.filter(|_| kind == A);

    let mut answer = query.get(..2)?.to_vec();
    // An answer with recursion, the question, and one record where there is one.
    let code = if address.is_some() { 0 } else { NOT_FOUND };
    answer.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::from(found.is_some()),
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question);
    if let Some(address) = found {
        // The name of the question, class IN, for five seconds.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
        answer.extend(address.octets());
    }
    Some((name, answer))
}
