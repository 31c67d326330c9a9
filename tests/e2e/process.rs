//! The process: exit codes, signals, draining, its log.

mod in_flight;
mod restart;
mod start_up;

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use emulator::Fault;
use irsa_sidecar::config::SETTINGS;
use tokio::time::Instant;

use crate::sidecar::{
    Connection, Launch, Pod, Sidecar, eventually, eventually_within, is_root, read, request,
};

#[test]
fn exit_codes_tell_bad_usage_from_bad_configuration_from_help() {
    let help = Launch::new(["--help"]).ends();
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stdout.contains("--role-arn") && help.stderr.is_empty());
    let usage = Launch::new(["serve", "--no-such-flag"]).ends();
    assert_eq!(usage.status.code(), Some(64), "{}", usage.stderr);
    assert!(usage.stderr.contains("--no-such-flag") && usage.stdout.is_empty());
    let nothing_set = Launch::new(["serve"]).ends();
    assert_eq!(
        nothing_set.status.code(),
        Some(78),
        "{}",
        nothing_set.stderr
    );
    for name in [
        "--role-arn",
        "IRSA_SIDECAR_ROLE_ARN",
        "--region",
        "AWS_REGION",
    ] {
        assert!(nothing_set.stderr.contains(name), "{}", nothing_set.stderr);
    }
}

#[test]
fn a_port_in_use_ends_the_start_and_names_address_and_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for (variable, setting) in [
        ("IRSA_SIDECAR_LISTEN", "--listen"),
        ("IRSA_SIDECAR_OPS_LISTEN", "--ops-listen"),
    ] {
        let pod = Pod::new();
        let ended = pod.serve().env(variable, &address).ends();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        let names_both = ended.stderr.contains(&address) && ended.stderr.contains(setting);
        assert!(names_both, "{}", ended.stderr);
    }
}

#[test]
fn sigterm_and_sigint_end_an_idle_process_with_0_within_a_second() {
    /// How often the machine may stall before it is the sidecar's fault.
    const ATTEMPTS: usize = 5;
    for signal in ["TERM", "INT"] {
        let mut took = Vec::new();
        let in_time = (0..ATTEMPTS).any(|_| {
            took.push(end_of_an_idle_process(signal));
            took.last() < Some(&Duration::from_secs(1))
        });
        assert!(in_time, "{signal}: ended after {took:?}");
    }
}

/// How long it takes.
fn end_of_an_idle_process(signal: &str) -> Duration {
    let pod = Pod::new();
    let mut sidecar = pod.ready_sidecar();
    // Open connections on which nothing is asked are idle too.
    let mut used = Connection::open(sidecar.credentials);
    assert_eq!(used.get("/nowhere", &[]).status, 404);
    let silent = Connection::open(sidecar.credentials);
    let mut half = Connection::open(sidecar.ops);
    half.send(b"GET /livez HT").expect("sent");
    let begun = Instant::now();
    sidecar.signal(signal);
    let status = sidecar.wait();
    assert_eq!(status.code(), Some(0), "{}", sidecar.log());
    let took = begun.elapsed();
    drop((used, silent, half));
    took
}

#[test]
fn while_draining_credentials_are_served_and_readyz_says_so() {
    let pod = Pod::new();
    let mut sidecar = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "2s").start();
    sidecar.wait_ready();
    let begun = Instant::now();
    sidecar.signal("TERM");
    sidecar.wait_finding("draining");
    let readyz = sidecar.ops_get("/readyz");
    assert_eq!(
        (readyz.status, &readyz.json()["ready"]),
        (503, &false.into())
    );
    assert_eq!(sidecar.ops_get("/livez").status, 200);
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    assert!(!sidecar.has_ended());
    let status = sidecar.wait();
    assert_eq!(status.code(), Some(0), "{}", sidecar.log());
    assert!(begun.elapsed() >= Duration::from_secs(2), "not drained");
}

#[test]
fn a_second_signal_or_a_shutdown_ends_the_drain() {
    for second in ["TERM", "INT", "shutdown"] {
        let pod = Pod::new();
        let mut sidecar = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "1h").start();
        sidecar.wait_ready();
        sidecar.signal("TERM");
        sidecar.wait_finding("draining");
        if second == "shutdown" {
            assert_eq!(shut_down(&pod, &sidecar), 202);
        } else {
            sidecar.signal(second);
        }
        let status = sidecar.wait();
        assert_eq!(status.code(), Some(0), "{second}: {}", sidecar.log());
    }
}

fn shut_down(pod: &Pod, sidecar: &Sidecar) -> u16 {
    let token = read(&pod.path("authorization-token"));
    let headers = [("authorization", token.as_str())];
    request(sidecar.credentials, "POST", "/v1/shutdown", &headers).status
}

#[test]
fn a_shutdown_is_accepted_and_does_not_drain() {
    let pod = Pod::new();
    let mut sidecar = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "1h").start();
    sidecar.wait_ready();
    assert_eq!(shut_down(&pod, &sidecar), 202);
    let status = sidecar.wait();
    assert_eq!(status.code(), Some(0), "{}", sidecar.log());
}

/// A pod that is deleted as soon as it was made.
#[test]
fn sigterm_during_the_first_exchange_ends_it_with_0() {
    for signal in ["TERM", "INT"] {
        let pod = Pod::new();
        pod.emulator.sts().fail(Fault::Hang);
        let mut sidecar = pod.sidecar();
        assert!(eventually(|| !pod.emulator.sts().calls().is_empty()));
        let begun = Instant::now();
        sidecar.signal(signal);
        assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
        // An exchange is given up after 5 s at the earliest, and this does not wait for it.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{signal}: {took:?}");
    }
}

/// An app that was just started and has to clean up needs them all the same.
#[test]
fn while_draining_the_first_exchange_goes_on() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let sidecar = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "1h").start();
    assert!(eventually(|| !pod.emulator.sts().calls().is_empty()));
    sidecar.signal("TERM");
    sidecar.wait_finding("draining");
    pod.emulator.sts().clear_faults();
    let served = eventually_within(Duration::from_secs(60), || {
        sidecar.get_credentials(&pod).status == 200
    });
    assert!(served, "{}", sidecar.log());
    sidecar.wait_finding("draining");
}

#[test]
fn as_pid_1_it_ends_with_0_on_sigterm() {
    let pod = Pod::new();
    let mut unshare = as_pid_1(&pod.serve());
    unshare.wait_ready();
    signal_pid_1(&unshare);
    // unshare ends as its child did.
    let status = unshare.wait();
    assert_eq!(status.code(), Some(0), "{}", unshare.log());
}

/// The kernel drops a signal to PID 1 that has no handler yet.
#[test]
fn as_pid_1_it_ends_with_0_during_the_first_exchange_too() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let mut unshare = as_pid_1(&pod.serve());
    signal_pid_1(&unshare);
    assert_eq!(unshare.wait().code(), Some(0), "{}", unshare.log());
}

#[test]
fn as_pid_1_it_drains_and_a_second_sigterm_ends_that() {
    let pod = Pod::new();
    let launch = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "1h");
    let mut unshare = as_pid_1(&launch);
    unshare.wait_ready();
    signal_pid_1(&unshare);
    unshare.wait_finding("draining");
    assert_eq!(unshare.get_credentials(&pod).status, 200);
    signal_pid_1(&unshare);
    assert_eq!(unshare.wait().code(), Some(0), "{}", unshare.log());
}

#[test]
fn as_pid_1_wait_ends_on_sigterm_too() {
    let waiting = Launch::new(["wait", "--timeout", "1h", "--ops-listen", "127.0.0.1:1"]);
    let mut unshare = Sidecar::unlocated(in_pid_namespace(&waiting));
    assert!(eventually(|| unshare.log().contains("waiting up to 1h")));
    signal_pid_1(&unshare);
    assert_eq!(unshare.wait().code(), Some(1), "{}", unshare.log());
    let log = unshare.whole_log();
    assert!(log.contains("SIGTERM came before"), "{log}");
}

/// The first process of a PID namespace of its own, behind unshare.
fn as_pid_1(launch: &Launch) -> Sidecar {
    Sidecar::spawn(in_pid_namespace(launch))
}

fn in_pid_namespace(launch: &Launch) -> Command {
    const BINARY: &str = env!("CARGO_BIN_EXE_irsa-sidecar");
    let mut before = vec!["--fork", "--pid", "--kill-child"];
    if !is_root() {
        before.push("--map-root-user");
    }
    before.push(BINARY);
    launch.wrapped("unshare", &before)
}

fn signal_pid_1(unshare: &Sidecar) {
    let first = child_of(unshare.id());
    let inside = read(format!("/proc/{first}/status").as_ref());
    let numbers = inside.lines().find(|line| line.starts_with("NSpid:"));
    assert!(
        numbers.is_some_and(|line| line.ends_with("\t1")),
        "{inside}"
    );
    let sent = Command::new("kill")
        .args(["-TERM", &first.to_string()])
        .status();
    assert!(sent.is_ok_and(|sent| sent.success()));
}

fn child_of(parent: u32) -> u32 {
    let wanted = format!("PPid:\t{parent}");
    let processes = std::fs::read_dir("/proc").expect("/proc");
    let mut numbers = processes.flatten().filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        status.lines().any(|line| line == wanted).then_some(number)
    });
    numbers.next().expect("a child")
}

#[test]
fn every_setting_and_its_origin_is_logged_once_and_every_line_is_json() {
    let pod = Pod::new();
    let launch = pod.serve().arg("--log-level").arg("debug");
    let sidecar = launch.start();
    sidecar.wait_ready();
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    let log = sidecar.log();
    assert_eq!(sidecar.events().len(), log.lines().count(), "{log}");
    for event in sidecar.events() {
        for member in ["timestamp", "level", "message"] {
            assert!(event[member].is_string(), "{member} of {event}");
        }
    }
    let mut settings = sidecar.events();
    settings.retain(|event| event["message"] == "configuration");
    let origin = |name: &str| {
        let mut origins = settings.iter().filter(|event| event["setting"] == name);
        let origin = origins.next().map(|event| event["origin"].clone());
        assert!(origins.next().is_none(), "{name} is logged twice");
        origin
    };
    for setting in SETTINGS {
        assert!(origin(setting.name).is_some(), "{}", setting.name);
    }
    for (name, expected) in [
        ("role-arn", "variable AWS_ROLE_ARN"),
        ("listen", "variable IRSA_SIDECAR_LISTEN"),
        ("log-level", "flag"),
        ("duration", "default"),
    ] {
        assert_eq!(origin(name), Some(expected.into()));
    }
}

#[test]
fn text_is_logged_for_those_who_ask_for_it() {
    let pod = Pod::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    // One that ends by itself: the harness reads JSON.
    let launch = pod.serve().arg("--log-format").arg("text");
    let log = launch.env("IRSA_SIDECAR_LISTEN", address).ends().stderr;
    assert!(log.contains("irsa-sidecar starts"), "{log}");
    assert!(log.lines().all(|line| !line.starts_with('{')), "{log}");
    assert!(!log.contains('\u{1b}'), "colours off a terminal: {log:?}");
    assert!(eventually(|| pod.emulator.sts().calls().is_empty()));
}
