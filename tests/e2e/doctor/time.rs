//! Whatever hangs, `doctor` ends within 10 s, says what hung, and judges what does not hang.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use emulator::{ApiFault, Fault};
use irsa_sidecar::diagnosis::findings;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

use super::{Row, finding_of, findings_of, words};
use crate::annotation::Annotated;
use crate::namespace::in_private_network_and_files;
use crate::sidecar::{Finished, Launch, PATIENCE, Pod, eventually_within};
use crate::tls::serve_through;

/// The contract.
const AT_MOST: Duration = Duration::from_secs(10);

/// Runs it, and holds it to its time.
fn in_time(mut command: Command) -> Finished {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let ended = eventually_within(PATIENCE, || child.try_wait().expect("a child").is_some());
    let took = begun.elapsed();
    if !ended {
        child.kill().expect("a child that still runs");
    }
    let output = child.wait_with_output().expect("its output");
    let finished = Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(ended && took <= AT_MOST, "it took {took:?}: {finished:?}");
    finished
}

fn doctor(launch: Launch) -> Finished {
    in_time(launch.command())
}

fn with_json(pod: &Pod) -> Launch {
    pod.alone(["doctor", "--json"])
}

/// Takes connections, or so it seems to a client, and never says a word.
fn silent() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// Takes no connection and refuses none, as where a firewall drops what comes: its queue is full.
fn black_hole() -> (Socket, Vec<TcpStream>, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).expect("a free port");
    socket.listen(0).expect("a queue for one");
    let address = socket.local_addr().expect("an address").as_socket();
    let address = address.expect("of IP");
    let mut waiting = Vec::new();
    while let Ok(one) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(one);
        assert!(waiting.len() < 10, "its queue is never full");
    }
    (socket, waiting, address)
}

fn pipe(pod: &Pod, name: &str) -> PathBuf {
    let path = pod.path(name);
    let made = Command::new("mkfifo").arg(&path).status();
    let made = made.expect("mkfifo (of coreutils) cannot be run, and this test needs it");
    assert!(made.success(), "mkfifo {}", path.display());
    path
}

/// It failed, with this finding, and these words among its.
fn assert_fails(finished: &Finished, id: &str, part: &str) {
    let finding = finding_of(finished, id);
    assert_eq!(finding["status"], "fail", "{finding}");
    assert!(
        words(&finding).contains(part),
        "{part:?} is not in {finding}"
    );
    assert_eq!(finished.status.code(), Some(1));
}

fn status_of(finished: &Finished, id: &str) -> Value {
    finding_of(finished, id)["status"].clone()
}

#[test]
fn an_sts_that_takes_the_connection_and_never_answers_is_waited_for_and_that_is_said() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::Hang);
    let finished = doctor(with_json(&pod));
    // As long as the sidecar's own requests wait.
    assert_fails(&finished, "sts-timeout", "nothing came back within 6.0 s");
    let said = "irsa-sidecar: waiting: an answer of STS, over TLS (up to 5.5 s more)\n";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
    assert_eq!(status_of(&finished, "claims"), "ok", "{}", finished.stdout);
}

#[test]
fn a_firewall_that_drops_what_comes_is_told_from_a_server_that_is_silent() {
    let pod = Pod::new();
    let (_socket, _waiting, address) = black_hole();
    let launch = with_json(&pod).env("AWS_ENDPOINT_URL_STS", format!("http://{address}"));
    let finished = doctor(launch);
    let part = format!("{address} took no connection within 3.0 s");
    assert_fails(&finished, "sts-timeout", &part);
}

#[test]
fn a_proxy_that_is_silent_is_named() {
    let pod = Pod::new();
    let (_listener, address) = silent();
    let launch = serve_through(&pod, &format!("http://{address}"));
    let finished = doctor(launch.with_arguments(["doctor", "--json"]));
    let part = format!("through the proxy http://{address}");
    assert_fails(&finished, "sts-timeout", &part);

    let (_socket, _waiting, address) = black_hole();
    let launch = serve_through(&pod, &format!("http://{address}"));
    let finished = doctor(launch.with_arguments(["doctor", "--json"]));
    assert_fails(&finished, "proxy-unreachable", "took no connection");
}

#[test]
fn a_resolver_that_is_silent_is_named() {
    in_private_network_and_files(|| {
        let pod = Pod::new();
        // Reads nothing: what is asked is lost.
        let _resolver = UdpSocket::bind("127.0.0.1:53").expect("nobody else is here");
        let settings = pod.path("resolv.conf");
        std::fs::write(&settings, "nameserver 127.0.0.1\n").expect("a file");
        mount(&settings, "/etc/resolv.conf");
        let launch = serve_through(&pod, "http://proxy.example.com:3128");
        let launch = launch.with_arguments(["doctor", "--json"]);
        let finished = doctor(launch);
        assert_fails(
            &finished,
            "proxy-unreachable",
            "the lookup of proxy.example.com had no end within 3.5 s",
        );
        let finished = doctor(with_json(&pod).env(
            "AWS_ENDPOINT_URL_STS",
            "https://sts.eu-west-1.amazonaws.com",
        ));
        assert_fails(&finished, "sts-dns", "sts.eu-west-1.amazonaws.com");
    });
}

fn mount(file: &Path, over: &str) {
    let run = Command::new("mount")
        .arg("--bind")
        .arg(file)
        .arg(over)
        .status();
    let run = run.expect("mount (of util-linux) cannot be run, and this test needs it");
    assert!(run.success(), "mount --bind {} {over}", file.display());
}

#[test]
fn a_door_that_is_silent_keeps_nothing_else_waiting() {
    let pod = Pod::new();
    let (_listener, address) = silent();
    let uri = format!("http://{address}/v1/credentials");
    let launch = with_json(&pod).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
    let finished = doctor(launch);
    assert_fails(&finished, "sidecar-hangs", "did not answer in time");
    assert_eq!(
        status_of(&finished, "exchange"),
        "ok",
        "{}",
        finished.stdout
    );
}

#[test]
fn a_pipe_in_place_of_a_file_ends_in_a_finding() {
    let pod = Pod::new();
    let pipe = pipe(&pod, "pipe");
    let (_listener, address) = silent();
    for (variable, id) in [
        ("IRSA_SIDECAR_CONFIG", "file-hangs"),
        ("AWS_CA_BUNDLE", "configuration-invalid"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "token-not-a-file"),
        ("KUBECONFIG", "kubeconfig-unreadable"),
        // The door gets no request then, and is silent all the same.
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", "sidecar-hangs"),
    ] {
        let launch = with_json(&pod)
            .env("IRSA_SIDECAR_LISTEN", address.to_string())
            .env(variable, &pipe);
        assert_fails(&doctor(launch), id, "");
    }
    let finished = doctor(with_json(&pod).arg("--pod").arg(&pipe));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let said = "did not come to an end in time";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

#[test]
fn a_pipe_in_place_of_what_the_kubelet_mounts_for_the_api_ends_in_a_finding() {
    for name in ["ca.crt", "token"] {
        let annotated = Annotated::new();
        annotated.unmount(name);
        pipe(&annotated.pod, &format!("api/{name}"));
        let launch = annotated.serve().with_arguments(["doctor", "--json"]);
        let finished = in_time(annotated.command(&launch));
        assert_fails(&finished, "api-token-missing", "is not a regular file");
        assert_eq!(status_of(&finished, "sts-answer"), "ok");
    }
}

/// The sidecar would wait for it: its own requests have ten seconds.
#[test]
fn an_answer_that_doctor_has_no_time_for_is_a_warning_that_says_whose_limit_it_was() {
    let pod = Pod::new();
    let (listener, address) = silent();
    std::thread::spawn(move || {
        let mut clients = Vec::new();
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(b"HTTP/1.1 302 Found\r\nContent-Length: 9\r\n\r\n<html");
            clients.push(client);
        }
    });
    let finished = doctor(with_json(&pod).env("AWS_ENDPOINT_URL_STS", format!("http://{address}")));
    let finding = finding_of(&finished, "sts-timeout");
    assert_eq!(finding["status"], "warn", "{finding}");
    for part in [
        "no whole answer came back within 6.",
        "which is all the time that doctor has for it; the sidecar waits up to 10 s",
    ] {
        assert!(words(&finding).contains(part), "{part:?}: {finding}");
    }
    assert!(finished.status.success(), "{}", finished.stdout);
}

/// With an answer after so long the sidecar gets its credentials.
#[test]
fn an_sts_that_takes_five_seconds_for_each_answer_fails_nothing() {
    let pod = Pod::new();
    let latency = Duration::from_secs(5);
    pod.emulator.sts().fail(Fault::Latency(latency));
    let finished = doctor(with_json(&pod));
    assert_eq!(status_of(&finished, "sts-answer"), "ok");
    assert!(finished.status.success(), "{}", finished.stdout);
}

#[test]
fn an_api_server_that_is_silent_keeps_the_way_to_sts_from_nothing() {
    let annotated = Annotated::new();
    annotated.cluster().set_api_fault(Some(ApiFault::Hang));
    let launch = annotated.serve().with_arguments(["doctor", "--json"]);
    let finished = in_time(annotated.command(&launch));
    assert_fails(&finished, "api-unreachable", "");
    assert_eq!(status_of(&finished, "sts-answer"), "ok");
    assert_eq!(status_of(&finished, "exchange"), "skipped");
}

#[test]
fn an_eks_endpoint_that_is_silent_is_named_and_so_is_one_behind_a_firewall() {
    let pod = Pod::new();
    let (_listener, address) = silent();
    let (_socket, _waiting, hole) = black_hole();
    for endpoint in [address, hole] {
        let launch = with_json(&pod)
            .arg("--cluster-name")
            .arg("demo")
            .env("AWS_ENDPOINT_URL_EKS", format!("http://{endpoint}"));
        let finished = doctor(launch);
        assert_fails(&finished, "eks-unreachable", &endpoint.to_string());
        assert_eq!(
            status_of(&finished, "eks-replay"),
            "ok",
            "{}",
            finished.stdout
        );
    }
}

/// An answer that takes its time is an answer.
#[test]
fn a_slow_sts_is_no_failure() {
    let pod = Pod::new();
    let latency = Duration::from_millis(2_000);
    pod.emulator.sts().fail(Fault::Latency(latency));
    let finished = doctor(with_json(&pod));
    for id in ["sts-answer", "exchange", "credentials"] {
        assert_eq!(status_of(&finished, id), "ok", "{}", finished.stdout);
    }
    assert!(finished.status.success());
}

/// Three answers of STS come, and then all the time is up.
fn out_of_time() -> Finished {
    let pod = Pod::new();
    let latency = Duration::from_millis(2_700);
    pod.emulator.sts().fail(Fault::Latency(latency));
    let (_listener, address) = silent();
    let launch = with_json(&pod)
        .arg("--cluster-name")
        .arg("demo")
        .env("AWS_ENDPOINT_URL_EKS", format!("http://{address}"));
    doctor(launch)
}

pub fn rows() -> Vec<Row> {
    vec![Row {
        finding: findings::OUT_OF_TIME,
        status: "warn",
        run: out_of_time,
    }]
}

/// What was not come to is no failure, and says so.
#[test]
fn what_there_is_no_time_left_for_says_that_and_fails_nothing() {
    let finished = out_of_time();
    assert_eq!(
        status_of(&finished, "exchange"),
        "ok",
        "{}",
        finished.stdout
    );
    let all = findings_of(&finished);
    let late = all.iter().filter(|finding| finding["id"] == "out-of-time");
    let late: Vec<String> = late.map(words).collect();
    assert_eq!(late.len(), 2, "{}", finished.stdout);
    for said in late {
        assert!(said.contains("that all steps have together"), "{said}");
    }
    assert!(finished.status.success(), "{}", finished.stdout);
}

#[test]
fn everything_hangs_at_once() {
    let annotated = Annotated::new();
    annotated.cluster().set_api_fault(Some(ApiFault::Hang));
    let (_listener, address) = silent();
    let (_socket, _waiting, hole) = black_hole();
    let launch = annotated
        .serve()
        .with_arguments(["doctor", "--json", "--cluster-name", "demo"])
        .env("AWS_ENDPOINT_URL_STS", format!("http://{address}"))
        .env("AWS_ENDPOINT_URL_EKS", format!("http://{hole}"))
        .env("IRSA_SIDECAR_LISTEN", hole.to_string())
        .env("IRSA_SIDECAR_OPS_LISTEN", address.to_string())
        .env("KUBECONFIG", pipe(&annotated.pod, "kubeconfig"));
    let finished = in_time(annotated.command(&launch));
    assert_fails(&finished, "sts-timeout", "nothing came back");
    assert_fails(&finished, "api-unreachable", "");
    assert_fails(&finished, "sidecar-hangs", "");
    assert_fails(&finished, "kubeconfig-unreadable", "");
    assert_eq!(status_of(&finished, "claims"), "ok", "{}", finished.stdout);
    // Whatever was not come to says why.
    for finding in findings_of(&finished) {
        assert_ne!(finding["found"], "", "{finding}");
    }
}
