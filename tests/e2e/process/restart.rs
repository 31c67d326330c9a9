//! A restart under a running app is harmless: what the app shows stays right, and whoever asks again gets credentials.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::sidecar::{Connection, Launch, Pod, addresses, eventually, get_head, read};

/// One that is where its predecessor was.
fn at_one_address(pod: &Pod) -> Launch {
    let (credentials, ops) = addresses();
    pod.serve()
        .env("IRSA_SIDECAR_LISTEN", credentials.to_string())
        .env("IRSA_SIDECAR_OPS_LISTEN", ops.to_string())
}

/// As Kubernetes or the kernel ends it.
const ENDS: [&str; 2] = ["TERM", "KILL"];

#[test]
fn the_authorization_of_a_running_app_is_still_right_after_a_restart() {
    for end in ENDS {
        let pod = Pod::new();
        let launch = at_one_address(&pod);
        let mut sidecar = launch.start();
        sidecar.wait_ready();
        // Read once, at the app's start, as the older SDKs do.
        let token = read(&pod.path("authorization-token"));
        let shown = [("authorization", token.as_str())];
        let mut kept = Connection::open(sidecar.credentials);
        assert_eq!(kept.get("/v1/credentials", &shown).status, 200);
        sidecar.signal(end);
        sidecar.wait();
        assert!(kept.is_closed(), "{end}: the client is told");
        let sidecar = launch.start();
        sidecar.wait_ready();
        assert_eq!(read(&pod.path("authorization-token")), token, "{end}");
        assert_eq!(sidecar.get("/v1/credentials", &shown).status, 200, "{end}");
        assert_eq!(sidecar.get_credentials(&pod).status, 200, "{end}");
    }
}

/// The status of one answer; `None` where nobody listens, or the process ended in between.
fn ask(address: SocketAddr, token: &str) -> Option<u16> {
    let mut connection = Connection::try_open(address).ok()?;
    let head = get_head(address, "/v1/credentials", &[("authorization", token)]);
    connection.send(head.as_bytes()).ok()?;
    connection.receive().ok()?.map(|answer| answer.status)
}

/// Every answer is credentials, or a 503 that says "again".
#[test]
fn a_client_that_asks_again_gets_credentials_over_a_restart_and_never_anything_wrong() {
    for end in ENDS {
        let pod = Pod::new();
        let launch = at_one_address(&pod);
        let mut sidecar = launch.start();
        sidecar.wait_ready();
        let address = sidecar.credentials;
        let token = read(&pod.path("authorization-token"));
        let (over, good) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut wrong = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    match ask(address, &token) {
                        Some(200) => drop(good.fetch_add(1, Ordering::SeqCst)),
                        Some(503) | None => thread::sleep(Duration::from_millis(10)),
                        Some(status) => wrong.push(status),
                    }
                }
                wrong
            });
            let more = |than: usize| eventually(|| good.load(Ordering::SeqCst) > than);
            let before = more(20);
            sidecar.signal(end);
            sidecar.wait();
            let between = good.load(Ordering::SeqCst);
            let again = launch.start();
            let after = more(between + 20);
            over.store(true, Ordering::SeqCst);
            let wrong = asking.join().expect("a client");
            assert_eq!(
                (before, after, wrong),
                (true, true, vec![]),
                "{end}: {}",
                again.log()
            );
        });
    }
}
