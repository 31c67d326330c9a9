//! Something else listens where the sidecar should. Only a refused connection means that none runs: whatever else comes
//! of asking is printed, and the plugin does nothing by itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::Instant;

use super::{DEMO, refused};
use crate::sidecar::{Finished, Launch, Pod, is_root};

/// All that the walk needs is there, and the address is somebody else's.
fn asked_of(pod: &Pod, address: SocketAddr) -> Launch {
    pod.alone(DEMO)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://{address}/v1/credentials"),
        )
        .env(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "an-authorization-for-the-sidecar",
        )
}

/// Says this to whoever asks, and closes. Its thread sleeps until the test process ends.
fn impostor(says: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // The whole question first: a close with unread bytes is a reset, and takes the answer with it.
            read_head(&mut client);
            let _ = client.write_all(&says);
        }
    });
    address
}

fn read_head(client: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

#[test]
fn what_listens_there_and_is_no_sidecar_is_named_and_nothing_of_it_reaches_kubectl() {
    let pod = Pod::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a free port");
    elsewhere.set_nonblocking(true).expect("a listener");
    let redirect = format!(
        "location: http://{}/v1/eks-token\r\n",
        elsewhere.local_addr().expect("an address")
    );
    let good = r#"{"kind":"ExecCredential","status":{"token":"k8s-aws-v1.aHR0cHM6"}}"#;
    let cases = [
        (Vec::new(), "broke off"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec(), "broke off"),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), "broke off"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(),
            "broke off",
        ),
        (http("200 OK", "", &" ".repeat(65 << 10)), "broke off"),
        (http("200 OK", "", ""), "no ExecCredential"),
        (http("200 OK", "", "<html></html>"), "no ExecCredential"),
        (http("200 OK", "", "{}"), "no ExecCredential"),
        (
            http("200 OK", "", "{\"status\":{\"token\":\"eyJhbGciOi\"}}"),
            "no ExecCredential",
        ),
        (
            http("200 OK", "", &format!("{good}{good}")),
            "no ExecCredential",
        ),
        (
            http("200 OK", "", &format!("hello\n{good}")),
            "no ExecCredential",
        ),
        (
            http("204 No Content", "", ""),
            "204 No Content in words that are none",
        ),
        (
            http("302 Found", &redirect, ""),
            "302 Found in words that are none",
        ),
        (
            http("401 Unauthorized", "", "no"),
            "401 Unauthorized in words that are none",
        ),
        (
            http("403 Forbidden", "", "{}"),
            "403 Forbidden in words that are none",
        ),
        (
            http("404 Not Found", "", "nginx"),
            "404 Not Found in words that are none",
        ),
        (
            http("502 Bad Gateway", "", good),
            "502 Bad Gateway in words that are none",
        ),
    ];
    for (says, words) in cases {
        let address = impostor(says.clone());
        let finished = asked_of(&pod, address).ends();
        let said = String::from_utf8_lossy(&says).into_owned();
        assert!(
            finished.stderr.contains(words),
            "not {words:?} of {said:?} but {finished:?}"
        );
        refused(&finished, 1, &[]);
        let names_place = finished.stderr.contains(&address.to_string())
            || finished
                .stderr
                .contains("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        assert!(names_place, "{finished:?}");
    }
    let followed = elsewhere.accept();
    assert!(followed.is_err(), "a redirect was followed");
    assert_eq!(pod.exchange_calls(), []);
}

/// client-go has no time limit of its own: it would wait with the user for ever.
#[test]
fn what_accepts_and_never_answers_is_given_up() {
    let pod = Pod::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    let (finished, took) = patiently(asked_of(&pod, address));
    refused(&finished, 1, &["did not answer within 15 s"]);
    assert!(took >= Duration::from_secs(15), "{took:?}");
    assert_eq!(pod.exchange_calls(), []);
}

#[test]
fn what_does_not_even_accept_is_given_up() {
    let pod = Pod::new();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().build().expect("a runtime");
    let full = runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(([127, 0, 0, 1], 0).into())
            .expect("a free port");
        socket.listen(1).expect("a listener")
    });
    let address = full.local_addr().expect("an address");
    let mut waiting = Vec::new();
    let error = loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let (finished, _) = patiently(asked_of(&pod, address));
    refused(&finished, 1, &["did not answer within 15 s"]);
    assert_eq!(pod.exchange_calls(), []);
}

/// A network in which not even loopback is up: that is trouble, and does not prove that no sidecar runs.
#[test]
fn what_cannot_be_asked_is_named() {
    let pod = Pod::new();
    let address = ([127, 0, 0, 1], 9910).into();
    let mut isolated = vec!["--net"];
    if !is_root() {
        isolated.push("--map-root-user");
    }
    isolated.push(env!("CARGO_BIN_EXE_irsa-sidecar"));
    let mut command = asked_of(&pod, address).wrapped("unshare", &isolated);
    let output = command
        .output()
        .expect("unshare runs, and this test needs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("127.0.0.1:9910 cannot be asked"), "{said}");
    assert_eq!(output.stdout, b"");
}

/// Longer than a test waits for what has no limit of its own.
fn patiently(launch: Launch) -> (Finished, Duration) {
    let start = Instant::now();
    let finished = launch.ends_within(Duration::from_secs(60));
    (finished, start.elapsed())
}
