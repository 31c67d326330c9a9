//! Nothing that a client does makes another wait: crowds, dawdlers, and those who hang up.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::sidecar::{Answer, Connection, Pod, Sidecar, connect, eventually, get_head};

const BINARY: &str = env!("CARGO_BIN_EXE_irsa-sidecar");
/// After this, clients give up.
const CLIENTS_PATIENCE: Duration = Duration::from_secs(1);

/// A ready sidecar that may have no more than this many files open.
fn with_open_files(pod: &Pod, most: u32) -> Sidecar {
    let limit = format!("--nofile={most}:{most}");
    let sidecar = Sidecar::spawn(pod.serve().wrapped("prlimit", &[&limit, BINARY]));
    sidecar.wait_ready();
    sidecar
}

/// Clients need file descriptors too, more than the usual 1,024.
fn raise_our_own_limit() {
    let us = std::process::id().to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &us, "--nofile=8192:"])
        .status();
    assert!(
        raised.is_ok_and(|status| status.success()),
        "prlimit (util-linux) is missing, or the hard limit on open files is under 8192"
    );
}

fn uid(pod: &Pod) -> [(&'static str, &str); 1] {
    [("authorization", pod.request.pod_uid())]
}

/// A connection that has been answered once and lies idle now.
fn idle(pod: &Pod, sidecar: &Sidecar) -> Connection {
    let mut connection = Connection::open(sidecar.credentials);
    assert_eq!(connection.get("/v1/credentials", &uid(pod)).status, 200);
    connection
}

fn in_time(ask: impl Fn() -> Answer) {
    let begun = Instant::now();
    let answer = ask();
    let took = begun.elapsed();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(took < CLIENTS_PATIENCE, "answered after {took:?}");
}

#[test]
fn half_a_request_behind_a_whole_one_gets_no_more_time_than_any_other() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid);
    let mut connection = Connection::open(sidecar.credentials);
    connection
        .send(format!("{head}GET /v1/cred").as_bytes())
        .expect("sent");
    let whole = connection.receive().expect("whole").expect("an answer");
    assert_eq!(whole.status, 200);
    let refused = connection.receive().expect("whole").expect("an answer");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (408, "RequestTimeout")
    );
}

#[test]
fn a_thousand_idle_and_two_hundred_slow_connections_make_nobody_wait() {
    raise_our_own_limit();
    let pod = Pod::new();
    // What most container runtimes allow.
    let sidecar = with_open_files(&pod, 1024);
    let idle: Vec<_> = (0..1_000).map(|_| idle(&pod, &sidecar)).collect();
    let open_slow = || {
        let mut stream = connect(sidecar.credentials);
        let _ = stream.write_all(b"GET /v1/credentials HTTP/1.1\r\nx: ");
        stream
    };
    let mut slow: Vec<TcpStream> = (0..200).map(|_| open_slow()).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for stream in &mut slow {
                    // Whoever was shown the door comes back.
                    if stream.write_all(b"x").is_err() {
                        *stream = open_slow();
                    }
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        for _ in 0..100 {
            in_time(|| sidecar.get_credentials(&pod));
            in_time(|| sidecar.ops_get("/readyz"));
        }
        done.store(true, Ordering::Relaxed);
    });
    drop((idle, slow));
    assert!(
        !sidecar.log().contains("cannot accept"),
        "{}",
        sidecar.log()
    );
}

#[test]
fn beyond_512_connections_the_longest_idle_gives_way() {
    raise_our_own_limit();
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let mut idle: Vec<_> = (0..520).map(|_| idle(&pod, &sidecar)).collect();
    in_time(|| sidecar.get_credentials(&pod));
    for connection in &mut idle[..8] {
        assert!(connection.is_closed(), "the first ones had to go");
    }
    for connection in &mut idle[20..] {
        let answer = connection.get("/v1/credentials", &uid(&pod));
        assert_eq!(answer.status, 200, "the last ones could stay");
    }
}

#[test]
fn whoever_is_slow_to_ask_gives_way_before_those_who_were_served() {
    raise_our_own_limit();
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let mut idle_ones: Vec<_> = (0..500).map(|_| idle(&pod, &sidecar)).collect();
    let mut slow: Vec<_> = (0..12)
        .map(|_| {
            let mut connection = Connection::open(sidecar.credentials);
            connection.send(b"GET /v1/cred").expect("sent");
            connection
        })
        .collect();
    for _ in 0..12 {
        idle_ones.push(idle(&pod, &sidecar));
    }
    for connection in &mut slow {
        assert!(connection.is_closed(), "it had to go");
    }
    for connection in &mut idle_ones {
        let answer = connection.get("/v1/credentials", &uid(&pod));
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    raise_our_own_limit();
    let pod = Pod::new();
    let mut sidecar = with_open_files(&pod, 64);
    let mut crowd: Vec<_> = (0..200).map(|_| connect(sidecar.credentials)).collect();
    sidecar.wait_event("the shortage", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        message.starts_with("cannot accept connections")
    });
    // Room is made: by us for half of them, by the sidecar for the newcomer.
    crowd.truncate(100);
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    drop(crowd);
    for _ in 0..50 {
        in_time(|| sidecar.get_credentials(&pod));
    }
    // Files can be opened again too: a rotation is noticed and exchanges go on.
    assert!(!sidecar.has_ended());
    assert_eq!(sidecar.ops_get("/readyz").status, 200);
}

#[test]
fn a_crowd_at_the_credentials_door_does_not_keep_the_kubelet_out() {
    raise_our_own_limit();
    let pod = Pod::new();
    let sidecar = with_open_files(&pod, 64);
    // One after the other: in the end all files are open, and nobody at that door is waiting.
    let crowd: Vec<_> = (0..80).map(|_| idle(&pod, &sidecar)).collect();
    in_time(|| sidecar.ops_get("/livez"));
    drop(crowd);
}

/// Sends requests until neither direction takes any more, and reads nothing.
pub fn fill(stream: &mut TcpStream, head: &str) {
    const STUCK_AFTER: usize = 10;
    let requests = head.repeat(1_000).into_bytes();
    stream.set_nonblocking(true).expect("a socket");
    let (mut offset, mut refused) = (0, 0);
    while refused < STUCK_AFTER {
        match stream.write(&requests[offset..]) {
            Ok(sent) => (offset, refused) = ((offset + sent) % requests.len(), 0),
            Err(_) => refused += 1,
        }
        if refused > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_client_that_does_not_read_its_answers_harms_nobody() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid(&pod));
    let mut full: Vec<TcpStream> = (0..4).map(|_| connect(sidecar.credentials)).collect();
    std::thread::scope(|scope| {
        for stream in &mut full {
            scope.spawn(|| fill(stream, &head));
        }
        for _ in 0..100 {
            in_time(|| sidecar.get_credentials(&pod));
        }
    });
    for _ in 0..100 {
        in_time(|| sidecar.get_credentials(&pod));
    }
    drop(full);
    in_time(|| sidecar.get_credentials(&pod));
}

#[test]
fn five_hundred_clients_that_hang_up_at_once_leave_no_trace() {
    let pod = Pod::new();
    let mut sidecar = pod.ready_sidecar();
    let open_files = || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", sidecar.id()));
        open.expect("its open files").count()
    };
    let before = open_files();
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid(&pod));
    for number in 0..500 {
        let mut stream = connect(sidecar.credentials);
        // Nothing, a part, the whole, or several at once.
        let bytes = head.repeat(3);
        let sent = [0, 7, head.len(), bytes.len()][number % 4];
        let _ = stream.write_all(&bytes.as_bytes()[..sent]);
    }
    in_time(|| sidecar.get_credentials(&pod));
    assert!(
        eventually(|| open_files() <= before),
        "{before} files were open before, {} are now",
        open_files()
    );
    assert!(!sidecar.has_ended());
}
