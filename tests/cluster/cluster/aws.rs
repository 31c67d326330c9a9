//! AWS, where pods look for it: the emulator's TLS door behind the names of STS and EKS, on port 443.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use emulator::Emulator;

/// Leads connections to the emulator, which is on loopback alone.
pub(super) fn serve(address: &str, emulator: &Emulator) {
    let door = emulator.tls_url().replace("https://localhost", "127.0.0.1");
    let listener = TcpListener::bind((address, 443)).expect("a port in a namespace of our own");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let door = door.clone();
            thread::spawn(move || {
                // A connection that breaks is its client's business.
                let _ = forward(&stream, &door);
            });
        }
    });
}

fn forward(client: &TcpStream, door: &str) -> io::Result<()> {
    let server = TcpStream::connect(door)?;
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    let answers = thread::spawn(move || copy(&server_too, &client_too));
    copy(client, &server);
    // It returns once the other side is through as well.
    let _ = answers.join();
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
