//! Where a sidecar runs it is found, shown what it wants to be shown, and its answer is the answer.

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use emulator::Fault;

use super::{DEMO, Printed, USERNAME, refused};
use crate::sidecar::{Launch, NOBODY, Pod, read};

pub(super) const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub(super) const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
pub(super) const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
pub(super) const LISTEN: &str = "IRSA_SIDECAR_LISTEN";
pub(super) const OWN_TOKEN_FILE: &str = "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE";

/// In the app's container, with what is told there of the sidecar and nothing else.
fn told(variables: &[(&str, &str)]) -> Launch {
    variables
        .iter()
        .fold(Launch::new(DEMO), |launch, (name, value)| {
            launch.env(*name, *value)
        })
}

#[test]
fn the_running_sidecar_is_found_as_an_sdk_finds_it_or_as_it_was_configured() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let address = sidecar.credentials.to_string();
    let port = sidecar.credentials.port();
    let file = pod.path("authorization-token");
    let (content, file) = (read(&file), file.display().to_string());
    let with_newline = pod.path("with-newline").display().to_string();
    std::fs::write(&with_newline, format!("{content}\n")).expect("a file");
    let elsewhere = pod.path("elsewhere").display().to_string();
    std::fs::write(&elsewhere, "the-token-of-another-agent").expect("a file");
    let settings = pod.path("settings.yaml").display().to_string();
    let yaml = format!("listen: {address}\nauthorizationTokenFile: {file}\n");
    std::fs::write(&settings, yaml).expect("a file");
    let uid = pod.request.pod_uid();
    let by_uid = format!("http://{address}/v2/credentials/{uid}");
    let encoded = format!("%{:02x}{}", content.as_bytes()[0], &content[1..]);
    let by_token = format!("http://{address}/v2/credentials/{encoded}?rel=1");
    let bare = format!("http://{address}/v1/credentials");
    let by_name = format!("http://LOCALHOST:{port}/v1/credentials");
    let bearer = format!("Bearer {content}");
    let flags = ["--listen", &address, "--authorization-token-file", &file];
    let by_flags = flags
        .into_iter()
        .fold(Launch::new(DEMO), |launch, flag| launch.arg(flag));
    let launches = [
        told(&[(FULL_URI, &by_uid)]),
        told(&[(FULL_URI, &by_token)]),
        // What is in the path is shown, whatever else there is.
        told(&[(FULL_URI, &by_uid), (TOKEN_FILE, &elsewhere)]),
        told(&[(FULL_URI, &bare), (TOKEN_FILE, &file)]),
        told(&[(FULL_URI, &by_name), (TOKEN_FILE, &with_newline)]),
        told(&[(FULL_URI, &bare), (TOKEN, &content)]),
        told(&[(FULL_URI, &bare), (TOKEN, &bearer)]),
        told(&[(FULL_URI, &bare), (TOKEN_FILE, &file), (TOKEN, "wrong")]),
        told(&[
            (FULL_URI, &bare),
            (OWN_TOKEN_FILE, &file),
            (TOKEN_FILE, &elsewhere),
        ]),
        told(&[(LISTEN, &address), (OWN_TOKEN_FILE, &file)]),
        // The address in the app's environment is newer knowledge than a setting for all of the pod.
        told(&[(FULL_URI, &by_uid), (LISTEN, NOBODY)]),
        // An empty variable is as if unset.
        told(&[(FULL_URI, ""), (LISTEN, &address), (OWN_TOKEN_FILE, &file)]),
        told(&[("IRSA_SIDECAR_CONFIG", &settings)]),
        by_flags,
    ];
    let first = Printed::of(&launches[0].output());
    assert_eq!(first.reviewed(&pod).username, USERNAME);
    for launch in launches {
        // The same token as the first: it is the sidecar's.
        let command = format!("{:?}", launch.command());
        let printed = launch.output();
        assert!(printed.status.success(), "{command}: {printed:?}");
        assert_eq!(Printed::of(&printed).token, first.token, "{command}");
    }
    assert_eq!(pod.exchange_calls().len(), 1);
}

#[test]
fn where_nothing_has_to_be_shown_no_file_has_to_be_there() {
    let pod = Pod::new();
    let launch = pod.serve().env("IRSA_SIDECAR_AUTHORIZATION", "none");
    let sidecar = launch.start();
    sidecar.wait_ready();
    let address = sidecar.credentials.to_string();
    let nowhere = pod.path("nowhere").display().to_string();
    let found = told(&[(LISTEN, &address), (OWN_TOKEN_FILE, &nowhere)]);
    Printed::of(&found.output()).reviewed(&pod);
}

#[test]
fn whoever_comes_before_the_first_credentials_waits_for_them() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.fail_next(1, Fault::Latency(Duration::from_secs(3)));
    let sidecar = pod.sidecar();
    let finished = pod.beside(&sidecar, DEMO).ends();
    Printed::of(&finished).reviewed(&pod);
    assert_eq!(pod.exchange_calls().len(), 1);
}

/// Every kubectl is one run of the plugin, and a script starts many.
#[test]
fn many_at_once_are_given_one_token_of_one_exchange() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.fail_next(1, Fault::Latency(Duration::from_secs(2)));
    let sidecar = pod.sidecar();
    let token = || Printed::of(&pod.beside(&sidecar, DEMO).ends()).token;
    let tokens: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = (0..20).map(|_| scope.spawn(token)).collect();
        let ended = runs.into_iter().map(|run| run.join());
        ended.map(|token| token.expect("a token")).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(pod.exchange_calls().len(), 1);
}

#[test]
fn a_sidecar_on_the_other_loopback_address_is_found() {
    let pod = Pod::new();
    if TcpListener::bind("[::1]:0").is_err() {
        // Nothing can listen there, and nothing does.
        let uri = "http://[::1]:9910/v2/credentials/secret";
        let finished = pod.alone(DEMO).env(FULL_URI, uri).output();
        refused(&finished, 1, &["[::1]:9910 cannot be asked"]);
        return;
    }
    let sidecar = pod.serve().env(LISTEN, "[::1]:0").start();
    sidecar.wait_ready();
    Printed::of(&pod.beside(&sidecar, DEMO).output()).reviewed(&pod);
}

/// Every address here leads to the listener; none of the hosts is loopback by its name.
#[test]
fn an_authorization_goes_to_no_host_that_is_not_loopback() {
    let pod = Pod::new();
    let agent = TcpListener::bind("0.0.0.0:0").expect("a free port");
    agent.set_nonblocking(true).expect("a listener");
    let port = agent.local_addr().expect("an address").port();
    let file = pod.path("authorization-token");
    std::fs::write(&file, "an-authorization-that-stays-here").expect("a file");
    let mut uris = vec![
        format!("http://0.0.0.0:{port}/v2/credentials/secret"),
        format!("http://[::ffff:127.0.0.1]:{port}/v2/credentials/secret"),
        format!("http://127.0.0.1.example.com:{port}/v2/credentials/secret"),
        format!("http://localhost.:{port}/v2/credentials/secret"),
        format!("https://127.0.0.1:{port}/v2/credentials/secret"),
        format!("ftp://127.0.0.1:{port}/v2/credentials/secret"),
        format!("//127.0.0.1:{port}/v2/credentials/secret"),
        format!("127.0.0.1:{port}"),
    ];
    if let Some(own) = own_address() {
        uris.push(format!("http://{own}:{port}/v1/credentials"));
    }
    for uri in uris {
        let launch = pod
            .alone(DEMO)
            .env(FULL_URI, &uri)
            .env(TOKEN_FILE, &file)
            .env(TOKEN, "an-authorization-that-stays-here");
        // As if it were not set: the walk goes on where `listen` is refused.
        Printed::of(&launch.output()).reviewed(&pod);
        let asked = agent.accept();
        assert!(asked.is_err(), "{uri} was asked");
    }
}

/// The address by which this machine would reach others, where it would. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}
