//! Starting, stopping, TLS: what holds for an emulator as a whole.

use std::net::TcpStream;
use std::thread;

use emulator::Emulator;

use crate::client::{exchange, send_tls};

#[test]
fn many_emulators_run_side_by_side() {
    let threads: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(|| {
                let emulator = Emulator::start();
                assert_eq!(exchange(&emulator).status, 200);
                assert_eq!(emulator.sts().exchanges(), 1);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_dropped_emulator_has_closed_its_doors() {
    let emulator = Emulator::start();
    let address = emulator.url().strip_prefix("http://").unwrap().to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    drop(emulator);
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn the_tls_door_is_the_same_sts_for_those_who_trust_the_ca() {
    let emulator = Emulator::start();
    for name in ["localhost", "127.0.0.1"] {
        let reply = send_tls(emulator.tls_url(), name, emulator.ca_pem(), "GET", "/").unwrap();
        assert_eq!(reply.status, 403);
    }
    assert_eq!(emulator.sts().calls().len(), 2);
}

#[test]
fn no_other_ca_and_no_other_name_is_trusted() {
    let (emulator, other) = (Emulator::start(), Emulator::start());
    let url = emulator.tls_url();
    assert!(send_tls(url, "localhost", other.ca_pem(), "GET", "/").is_err());
    assert!(send_tls(url, "sts.amazonaws.com", emulator.ca_pem(), "GET", "/").is_err());
}
