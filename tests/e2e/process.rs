//! The process: exit codes, signals, draining, its log.

mod in_flight;
mod start_up;

use std::net::TcpListener;
use std::time::Duration;

use irsa_sidecar::config::SETTINGS;
use tokio::time::Instant;

use crate::sidecar::{Connection, Launch, Pod, eventually, is_root, read, request};

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
    for signal in ["TERM", "INT"] {
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
        assert!(
            took < Duration::from_secs(1),
            "{signal}: ended after {took:?}"
        );
        drop((used, silent, half));
    }
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

fn shut_down(pod: &Pod, sidecar: &crate::sidecar::Sidecar) -> u16 {
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

#[test]
fn as_pid_1_it_ends_with_0_on_sigterm() {
    const BINARY: &str = env!("CARGO_BIN_EXE_irsa-sidecar");
    let pod = Pod::new();
    let mut before = vec!["--fork", "--pid", "--kill-child"];
    if !is_root() {
        before.push("--map-root-user");
    }
    before.push(BINARY);
    let mut unshare = crate::sidecar::Sidecar::spawn(pod.serve().wrapped("unshare", &before));
    unshare.wait_ready();
    let first = child_of(unshare.id());
    let inside = read(format!("/proc/{first}/status").as_ref());
    let numbers = inside.lines().find(|line| line.starts_with("NSpid:"));
    assert!(
        numbers.is_some_and(|line| line.ends_with("\t1")),
        "{inside}"
    );
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &first.to_string()])
        .status();
    assert!(sent.is_ok_and(|sent| sent.success()));
    // unshare ends as its child did.
    let status = unshare.wait();
    assert_eq!(status.code(), Some(0), "{}", unshare.log());
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
