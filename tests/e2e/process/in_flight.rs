//! The end under load: whatever was sent whole before the signal is answered whole.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use emulator::Fault;
use tokio::time::Instant;

use crate::door::refusals::is_refused;
use crate::limits::fill;
use crate::sidecar::{Answer, Connection, Pod, connect, eventually, get_head};

/// One request of a client that hammers.
struct Asked {
    /// When all of it was sent.
    sent: Instant,
    got: io::Result<Option<Answer>>,
}

/// Asks until nobody is there any more. Each connection is used for `uses` requests.
fn hammer(address: SocketAddr, head: &str, uses: usize, asked: &Mutex<Vec<Asked>>) {
    while let Ok(mut connection) = Connection::try_open(address) {
        for _ in 0..uses {
            if connection.send(head.as_bytes()).is_err() {
                break;
            }
            let sent = Instant::now();
            let got = connection.receive();
            let over = !matches!(got, Ok(Some(_)));
            asked.lock().expect("the list").push(Asked { sent, got });
            if over {
                break;
            }
        }
    }
}

#[test]
fn under_load_no_request_sent_before_sigterm_is_reset_or_half_answered() {
    for _ in 0..3 {
        let pod = Pod::new();
        let mut sidecar = pod.ready_sidecar();
        let address = sidecar.credentials;
        let uid = [("authorization", pod.request.pod_uid())];
        let head = get_head(address, "/v1/credentials", &uid);
        let asked = Mutex::new(Vec::new());
        let signalled = std::thread::scope(|scope| {
            for uses in [1, 1, 1, 1, usize::MAX, usize::MAX, usize::MAX, 3] {
                scope.spawn({
                    let (head, asked) = (&head, &asked);
                    move || hammer(address, head, uses, asked)
                });
            }
            assert!(eventually(|| asked.lock().expect("the list").len() > 500));
            let signalled = Instant::now();
            sidecar.signal("TERM");
            assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
            signalled
        });
        for Asked { sent, got } in asked.into_inner().expect("the list") {
            let before = sent < signalled;
            match got {
                Ok(Some(answer)) => assert_eq!(answer.status, 200, "{answer:?}"),
                Ok(None) => assert!(!before, "no answer"),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    panic!("half an answer")
                }
                Err(error) => assert!(!before, "{error}"),
            }
        }
    }
}

/// The worst order of events, forced: the process is stopped while all of this happens.
#[test]
fn requests_that_were_still_unread_when_the_signal_came_are_answered() {
    let pod = Pod::new();
    let mut sidecar = pod.ready_sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid);
    let mut used: Vec<_> = (0..100)
        .map(|_| {
            let mut connection = Connection::open(sidecar.credentials);
            assert_eq!(connection.get("/v1/credentials", &uid).status, 200);
            connection
        })
        .collect();
    let mut silent: Vec<_> = (0..100)
        .map(|_| Connection::open(sidecar.credentials))
        .collect();
    // Whatever connects from here on is accepted by the kernel only.
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    sidecar.signal("STOP");
    let mut fresh: Vec<_> = (0..100)
        .map(|_| Connection::open(sidecar.credentials))
        .collect();
    for connection in used.iter_mut().chain(&mut silent).chain(&mut fresh) {
        connection.send(head.as_bytes()).expect("sent");
    }
    sidecar.signal("TERM");
    sidecar.signal("CONT");
    for (kind, connections) in [("used", used), ("silent", silent), ("fresh", fresh)] {
        for mut connection in connections {
            let answer = connection.receive();
            let status = answer
                .as_ref()
                .map(|answer| answer.as_ref().map(|answer| answer.status));
            assert!(matches!(status, Ok(Some(200))), "{kind}: {status:?}");
        }
    }
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
}

#[test]
fn a_request_that_is_held_is_answered_before_the_end() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let mut sidecar = pod.sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid);
    let mut connection = Connection::open(sidecar.credentials);
    connection.send(head.as_bytes()).expect("sent");
    sidecar.signal("TERM");
    let answer = connection.receive().expect("whole").expect("an answer");
    is_refused(&answer, 503, "CredentialsUnavailable");
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
}

#[test]
fn a_client_that_does_not_read_its_answers_cannot_keep_the_process() {
    let pod = Pod::new();
    let mut sidecar = pod.ready_sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid);
    let mut stream = connect(sidecar.credentials);
    fill(&mut stream, &head);
    let begun = Instant::now();
    sidecar.signal("TERM");
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(stream);
}
