//! `irsa-sidecar wait`: 0 as soon as the sidecar is ready, otherwise 1 with the reason when the time is up.

mod strangers;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use emulator::Fault;
use tokio::time::Instant;

use crate::namespace::in_private_network;
use crate::sidecar::{Finished, Launch, NOBODY, Pod, Sidecar, addresses};

/// So long that whatever ends earlier did not end for want of time.
const LONG: &str = "1h";

/// `wait` for what listens there.
fn wait(ops: impl ToString, timeout: &str) -> Launch {
    Launch::new(["wait", "--timeout", timeout]).env("IRSA_SIDECAR_OPS_LISTEN", ops.to_string())
}

#[track_caller]
fn assert_ready(finished: &Finished) {
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert_eq!(finished.stdout, "");
}

/// Failed with these words on stderr, which is no dump of what was answered.
#[track_caller]
fn assert_not_ready(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stdout, "");
    for part in words {
        assert!(finished.stderr.contains(part), "{part:?}: {finished:?}");
    }
    for raw in ["{\"", "HTTP/1.1", "<html"] {
        assert!(!finished.stderr.contains(raw), "{finished:?}");
    }
}

#[test]
fn a_sidecar_that_is_ready_ends_it_at_once_and_without_a_word() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for launch in [
        wait(sidecar.ops, LONG),
        wait(sidecar.ops, "0s"),
        Launch::new(["wait", "--ops-listen"]).arg(sidecar.ops.to_string()),
    ] {
        let finished = launch.ends();
        assert_ready(&finished);
        assert_eq!(finished.stderr, "");
    }
}

/// The life of a pod: nobody listens yet, the exchange fails, it succeeds.
#[test]
fn it_waits_through_the_start_and_says_each_reason_once() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Throttle);
    let (credentials, ops) = addresses();
    let mut waiting = Sidecar::unlocated(wait(ops, LONG).command());
    let said = |words: &str| {
        let said = crate::sidecar::eventually(|| waiting.log().contains(words));
        assert!(said, "not {words:?}: {}", waiting.log());
    };
    said(&format!(
        "irsa-sidecar: waiting up to 1h: no sidecar answers at {ops}: Connection refused"
    ));
    let launch = pod
        .serve()
        .env("IRSA_SIDECAR_LISTEN", credentials.to_string())
        .env("IRSA_SIDECAR_OPS_LISTEN", ops.to_string());
    let _sidecar = launch.start();
    said(&format!(
        "irsa-sidecar: still waiting: the sidecar at {ops} says sts-throttled: STS throttled the request"
    ));
    // Several more polls find nothing new.
    std::thread::sleep(Duration::from_secs(3));
    pod.emulator.sts().clear_faults();
    assert_eq!(waiting.wait().code(), Some(0), "{}", waiting.whole_log());
    let log = waiting.whole_log();
    let lines: Vec<&str> = log.lines().collect();
    // The first exchange may or may not be seen under way.
    assert!((2..=3).contains(&lines.len()), "{log}");
    let mut once = lines.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), lines.len(), "{log}");
}

#[test]
fn when_the_time_is_up_the_reason_is_the_finding_and_its_sentence() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::error("AccessDenied"));
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    let begun = Instant::now();
    let finished = wait(sidecar.ops, "1500ms").ends();
    assert!(begun.elapsed() >= Duration::from_millis(1500), "too early");
    let reason = format!(
        "the sidecar at {} says sts-access-denied: STS does not let this service account assume the role",
        sidecar.ops
    );
    let last = format!("irsa-sidecar: not ready within 1s 500ms: {reason}");
    assert_not_ready(&finished, &[&last, "see its log"]);
}

#[test]
fn zero_asks_once() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let sidecar = pod.sidecar();
    let before = sidecar.metric("requests_total{door=\"ops\",code=\"503\"}");
    let finished = wait(sidecar.ops, "0s").ends();
    let words = "says starting: the first exchange is under way";
    assert_not_ready(&finished, &[words]);
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    let after = sidecar.metric("requests_total{door=\"ops\",code=\"503\"}");
    assert_eq!(after, before + 1.0);
}

#[test]
fn while_it_drains_a_sidecar_is_not_ready() {
    let pod = Pod::new();
    let sidecar = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "1h").start();
    sidecar.wait_ready();
    sidecar.signal("TERM");
    sidecar.wait_finding("draining");
    let words = "says draining: the sidecar was asked to stop";
    assert_not_ready(&wait(sidecar.ops, "0s").ends(), &[words]);
}

#[test]
fn where_nobody_listens_it_says_so_and_names_the_setting() {
    let begun = Instant::now();
    let finished = wait(NOBODY, "1s").ends();
    assert!(begun.elapsed() >= Duration::from_secs(1), "too early");
    let words = format!("no sidecar answers at {NOBODY}: Connection refused");
    assert_not_ready(&finished, &["not ready within 1s", &words, "--ops-listen"]);
}

#[test]
fn times_are_durations_with_a_unit_and_all_else_is_bad_usage() {
    for timeout in ["30", "-1s", "soon", "", "1x"] {
        let finished = Launch::new(["wait".to_owned(), format!("--timeout={timeout}")]).ends();
        assert_eq!(finished.status.code(), Some(64), "{timeout}: {finished:?}");
        let names_it = finished.stderr.contains("--timeout");
        assert!(names_it && finished.stdout.is_empty(), "{finished:?}");
    }
    let finished = wait(NOBODY, "soon").ends();
    assert!(finished.stderr.contains("such as 90s"), "{finished:?}");
    let arguments: [&[&str]; 2] = [&["wait", "now"], &["wait", "--listen=127.0.0.1:1"]];
    for arguments in arguments {
        let finished = Launch::new(arguments).ends();
        assert_eq!(finished.status.code(), Some(64), "{finished:?}");
    }
    let finished = wait("nowhere", "0s").ends();
    assert_eq!(finished.status.code(), Some(78), "{finished:?}");
    assert!(finished.stderr.contains("IRSA_SIDECAR_OPS_LISTEN"));
    // Longer than any clock goes.
    let mut forever = Sidecar::unlocated(wait(NOBODY, "500000000000y").command());
    let waits = crate::sidecar::eventually(|| forever.log().contains("waiting up to"));
    assert!(waits && !forever.has_ended(), "{}", forever.log());
}

/// With the defaults of both, as in a pod.
#[test]
fn by_default_it_finds_the_ops_port_of_a_sidecar_by_default() {
    in_private_network(|| {
        let pod = Pod::new();
        let launch = pod
            .serve()
            .without("IRSA_SIDECAR_LISTEN")
            .without("IRSA_SIDECAR_OPS_LISTEN");
        let _sidecar = launch.start();
        assert_ready(&Launch::new(["wait"]).ends());
    });
}

/// In a pod with IPv6 only, or where a sysctl gives each family a socket of its own.
#[test]
fn a_sidecar_on_ipv6_alone_is_found_behind_a_port_on_all_addresses() {
    let pod = Pod::new();
    if TcpListener::bind("[::1]:0").is_err() {
        // This machine has no IPv6, and nobody could listen there.
        return;
    }
    let sidecar = pod
        .serve()
        .env("IRSA_SIDECAR_OPS_LISTEN", "[::1]:0")
        .start();
    sidecar.wait_ready();
    for all in [":{}", "0.0.0.0:{}", "[::]:{}"] {
        let all = all.replace("{}", &sidecar.ops.port().to_string());
        assert_ready(&wait(all, "20s").ends());
    }
}

/// The hook of a container whose image has nothing but the binary: no shell, no `PATH`, no writable place.
#[test]
fn it_needs_nothing_but_itself() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let mut command = wait(sidecar.ops, LONG).command();
    command.env_remove("PATH").current_dir("/");
    let run = command.output().expect("the binary runs");
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
}

/// `wait` for something at this address that is no sidecar.
fn wait_for_stranger(address: SocketAddr, timeout: &str) -> (Finished, Duration) {
    let begun = Instant::now();
    let finished = wait(address, timeout).ends();
    (finished, begun.elapsed())
}
