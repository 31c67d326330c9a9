//! Something else is where the ops port should be: never taken for a ready sidecar, never waited for beyond the time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::{assert_not_ready, wait_for_stranger};
use crate::sidecar::Pod;

/// What a time limit may be overrun by on a machine that is busy with other tests.
const STALL: Duration = Duration::from_secs(5);

/// Says this to whoever asks, and closes; counts who came. Its thread sleeps until the test process ends.
fn stranger(says: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            counter.fetch_add(1, Ordering::SeqCst);
            read_head(&mut client);
            let _ = client.write_all(&says);
        }
    });
    (address, asked)
}

fn read_head(client: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

#[test]
fn what_is_no_sidecar_is_called_so_whatever_it_answers() {
    let none = "is not the ops port of an irsa-sidecar: it answered";
    let hostile = format!(
        r#"{{"ready":false,"finding":"x\u001b[2J\n","reason":"{}"}}"#,
        r"\u001b[2J\n".repeat(2_000)
    );
    for (says, words) in [
        (http("200 OK", "<html>welcome</html>"), none),
        (http("200 OK", ""), none),
        (http("200 OK", r#"{"live":true}"#), none),
        (http("404 Not Found", "<html>nginx</html>"), "404 Not Found"),
        (http("302 Found\r\nlocation: http://127.0.0.1:1/", ""), none),
        (http("503 Service Unavailable", "no healthy upstream"), none),
        (http("503 Service Unavailable", &hostile), "says x2J: "),
        (http("200 OK", &" ".repeat(65 << 10)), "broke off"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec(), "broke off"),
        (Vec::new(), "broke off"),
    ] {
        let (address, _) = stranger(says);
        let (finished, _) = wait_for_stranger(address, "0s");
        assert_not_ready(&finished, &[words, &address.to_string()]);
        let line = finished.stderr.trim_end_matches('\n');
        let is_plain = !line.contains(char::is_control) && line.len() < 1_000;
        assert!(is_plain, "{finished:?}");
    }
}

#[test]
fn the_credentials_door_is_not_the_ops_port() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let (finished, _) = wait_for_stranger(sidecar.credentials, "0s");
    assert_not_ready(&finished, &["404 Not Found", "--ops-listen"]);
}

#[test]
fn what_accepts_and_never_answers_cannot_hold_it_beyond_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    for (timeout, time) in [("0s", 0), ("1s", 1), ("3s", 3)] {
        let (finished, took) = wait_for_stranger(address, timeout);
        assert_not_ready(&finished, &["did not answer in time"]);
        // What it waits for once, and the end.
        assert!(finished.stderr.lines().count() <= 2, "{finished:?}");
        let time = Duration::from_secs(time);
        assert!(took >= time && took < time + STALL, "{timeout}: {took:?}");
    }
}

/// An answer that never ends, byte by byte.
#[test]
fn what_answers_too_slowly_cannot_either() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n");
                while client.write_all(b" ").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    let (finished, took) = wait_for_stranger(address, "1s");
    assert_not_ready(&finished, &["did not answer in time"]);
    assert!(took < Duration::from_secs(1) + STALL, "{took:?}");
}

#[test]
fn it_asks_gently_and_less_often_as_time_goes_on() {
    let (address, asked) = stranger(http("503 Service Unavailable", "no"));
    let (finished, _) = wait_for_stranger(address, "4s");
    assert_not_ready(&finished, &["503 Service Unavailable"]);
    let asked = asked.load(Ordering::SeqCst);
    // Every 100 ms it would be 40; every second, 5.
    assert!((3..=12).contains(&asked), "{asked} times in 4 s");
    assert_eq!(finished.stderr.lines().count(), 2, "{finished:?}");
}
