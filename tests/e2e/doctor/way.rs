//! The way to STS: its name, a connection, TLS, what lies in between, and the clock.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use emulator::Fault;
use irsa_sidecar::diagnosis::findings;
use serde_json::Value;

use super::{Row, finding_of, findings_of, words};
use crate::clock::pod_on_a_node_with_a_wrong_clock;
use crate::sidecar::{Finished, Launch, NOBODY, Pod};
use crate::tls::{bundle, proxy_to, serve_through};

pub fn rows() -> Vec<Row> {
    let row = |finding, status, run| Row {
        finding,
        status,
        run,
    };
    vec![
        row(findings::PROXY_UNREACHABLE, "fail", || {
            doctor(through(&Pod::new(), &format!("http://{NOBODY}")))
        }),
        row(findings::PROXY_REFUSED, "fail", || {
            doctor(through(&Pod::new(), &proxy_answering(403)))
        }),
        row(findings::STS_DNS, "fail", || {
            doctor(serve(&Pod::new()).env("AWS_ENDPOINT_URL_STS", nowhere()))
        }),
        row(findings::STS_CONNECT, "fail", || {
            doctor(serve(&Pod::new()).env("AWS_ENDPOINT_URL_STS", format!("http://{NOBODY}")))
        }),
        row(findings::STS_TLS, "fail", || {
            let pod = Pod::new();
            doctor(over_tls(&pod, &Pod::new()))
        }),
        row(findings::STS_TIMEOUT, "fail", || {
            let pod = Pod::new();
            pod.emulator.sts().fail(Fault::Hang);
            doctor(serve(&pod))
        }),
        row(findings::CLOCK_WRONG, "warn", || {
            doctor(serve(&pod_on_a_node_with_a_wrong_clock(3600)))
        }),
    ]
}

/// `serve` of a pod in which no sidecar runs yet.
fn serve(pod: &Pod) -> Launch {
    pod.alone(["serve"])
}

fn doctor(launch: Launch) -> Finished {
    launch.with_arguments(["doctor", "--json"]).ends()
}

/// To the emulator's TLS, with the CA of another's.
fn over_tls(pod: &Pod, trusted: &Pod) -> Launch {
    serve(pod)
        .env("AWS_ENDPOINT_URL_STS", pod.emulator.tls_url())
        .env("AWS_CA_BUNDLE", bundle(trusted))
}

/// To the regional endpoint, which no test can reach but through a proxy.
fn through(pod: &Pod, proxy: &str) -> Launch {
    serve_through(pod, proxy).env("IRSA_SIDECAR_LISTEN", NOBODY)
}

/// Too long for a label: the resolver says no by itself, whatever network there is.
fn nowhere() -> String {
    format!("https://{}.invalid", "x".repeat(70))
}

/// A proxy that answers every CONNECT with this status.
fn proxy_answering(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = client.read(&mut head);
            let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
            let _ = client.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// The four steps: id, status, and what was found.
fn steps_of(finished: &Finished) -> Vec<(String, String, String)> {
    const TITLES: [&str; 4] = ["sts-address", "sts-connection", "sts-answer", "sts-clock"];
    let text = |finding: &Value, field| finding[field].as_str().expect("a text").to_owned();
    let all = findings_of(finished);
    let of_way = all.iter().filter(|finding| {
        let id = finding["id"].as_str().expect("an id");
        let of_rows = rows().iter().any(|row| row.finding.id == id);
        TITLES.contains(&id) || of_rows
    });
    of_way
        .map(|finding| {
            (
                text(finding, "id"),
                text(finding, "status"),
                text(finding, "found"),
            )
        })
        .collect()
}

fn assert_fine(finished: &Finished, wanted: [(&str, &str); 4]) {
    let found = steps_of(finished);
    assert_eq!(found.len(), 4, "{found:?}\n{}", finished.stdout);
    for ((id, status, words), (step, part)) in found.iter().zip(wanted) {
        assert_eq!((id.as_str(), status.as_str()), (step, "ok"), "{words}");
        assert!(words.contains(part), "{part:?} is not in {words:?}");
    }
}

#[test]
fn a_way_without_trouble_says_where_it_leads_and_by_whose_roots() {
    let pod = Pod::new();
    let agrees = ("sts-clock", "agrees with that of STS");
    let plain = doctor(serve(&pod));
    assert_fine(
        &plain,
        [
            ("sts-address", "127.0.0.1 is an address"),
            ("sts-connection", "took the connection in "),
            ("sts-answer", "plain http on loopback, without TLS"),
            agrees,
        ],
    );
    let over_tls = doctor(over_tls(&pod, &pod));
    let vouched = format!("the CA bundle {} vouch", bundle(&pod).display());
    assert_fine(
        &over_tls,
        [
            ("sts-address", "localhost is 127.0.0.1"),
            ("sts-connection", "took the connection in "),
            ("sts-answer", &vouched),
            agrees,
        ],
    );
    assert!(steps_of(&over_tls)[0].2.contains("loopback"));
}

#[test]
fn a_way_through_a_proxy_says_so_and_never_its_password() {
    let pod = Pod::new();
    let proxy = proxy_to(&pod);
    let url = proxy.url(Some("squid:open-sesame"));
    let finished = doctor(through(&pod, &url));
    let (shown, host) = (proxy.url(None), "https://sts.eu-west-1.amazonaws.com");
    assert_fine(
        &finished,
        [
            ("sts-address", &format!("the proxy on the way to {host}")),
            ("sts-connection", &format!("the proxy {shown}, took")),
            (
                "sts-answer",
                &format!("{host} through the proxy {shown} answered HTTP "),
            ),
            ("sts-clock", "agrees"),
        ],
    );
    // Of the step and of the exchange.
    let targets: Vec<String> = proxy.seen().into_iter().map(|seen| seen.target).collect();
    assert!(
        targets.len() > 1
            && targets
                .iter()
                .all(|to| to == "sts.eu-west-1.amazonaws.com:443"),
        "{targets:?}"
    );
    for output in [&finished.stdout, &finished.stderr] {
        assert!(
            !output.contains("sesame") && !output.contains("squid"),
            "{output}"
        );
    }
    assert!(finished.status.success(), "{}", finished.stdout);
}

/// One trouble is one failure, and what comes after it says where to look.
#[test]
fn what_comes_after_a_failure_is_skipped_and_names_it() {
    let pod = Pod::new();
    let hung = Pod::new();
    hung.emulator.sts().fail(Fault::Hang);
    for (launch, finding, fine) in [
        (
            serve(&pod).env("AWS_ENDPOINT_URL_STS", nowhere()),
            "sts-dns",
            0,
        ),
        (
            serve(&pod).env("AWS_ENDPOINT_URL_STS", format!("http://{NOBODY}")),
            "sts-connect",
            1,
        ),
        (over_tls(&pod, &Pod::new()), "sts-tls", 2),
        (serve(&hung), "sts-timeout", 2),
    ] {
        let finished = doctor(launch);
        let found = steps_of(&finished);
        assert_eq!(found.len(), 4, "{}", finished.stdout);
        for (place, (id, status, words)) in found.iter().enumerate() {
            match place {
                _ if place < fine => assert_eq!(status, "ok", "{words}"),
                _ if place == fine => {
                    assert_eq!((id.as_str(), status.as_str()), (finding, "fail"));
                }
                _ => {
                    assert_eq!(status, "skipped", "{id}: {words}");
                    let see = ["sts-address", "sts-connection", "sts-answer"][fine];
                    assert!(words.ends_with(&format!("see {see}")), "{words}");
                }
            }
        }
        let all = findings_of(&finished);
        let failures = all.iter().filter(|finding| finding["status"] == "fail");
        assert_eq!(failures.count(), 1, "{finding}: {}", finished.stdout);
    }
}

/// 503 of the sidecar and report of doctor.
#[test]
fn doctor_says_of_the_way_what_the_sidecar_says() {
    let (pod, stranger) = (Pod::new(), Pod::new());
    let wanted = [
        (
            through(&pod, &format!("http://{NOBODY}")),
            "proxy-unreachable",
            "HTTPS_PROXY (https_proxy) names the proxy's host",
        ),
        (
            through(&pod, &proxy_answering(407)),
            "proxy-refused",
            "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        ),
        (
            through(&pod, &proxy_answering(403)),
            "proxy-refused",
            "access rules pass CONNECT",
        ),
        (
            over_tls(&pod, &stranger),
            "sts-tls",
            "--ca-bundle (AWS_CA_BUNDLE)",
        ),
        (
            serve(&pod).env("AWS_ENDPOINT_URL_STS", nowhere()),
            "sts-dns",
            "see whether --sts-endpoint-url (AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL) is right, which names https://",
        ),
    ];
    for (launch, id, part) in wanted {
        let launch = launch.env("IRSA_SIDECAR_LISTEN", "127.0.0.1:0");
        let sidecar = launch.start();
        sidecar.wait_finding(id);
        let said = sidecar.get_credentials(&pod).message();
        let finished = doctor(launch.env("IRSA_SIDECAR_LISTEN", NOBODY));
        let finding = finding_of(&finished, id);
        assert!(words(&finding).contains(part), "{finding}");
        for field in ["expected", "fix"] {
            let words = finding[field].as_str().expect("a text");
            assert!(said.contains(words), "{words:?} is not in {said:?}");
        }
        // Doctor names the addresses that it tried, too.
        let (found, _) = said.split_once("; expected ").expect("three parts");
        let begin = found.trim_end_matches(|c: char| c != ':');
        let longer = finding["found"].as_str().expect("a text");
        assert!(
            longer.starts_with(begin) && begin.contains("no connection to https://"),
            "{longer:?} is not {found:?} and more"
        );
    }
}

#[test]
fn whose_roots_judged_a_certificate_stands_beside_what_is_wrong_with_it() {
    let (pod, stranger) = (Pod::new(), Pod::new());
    let finding = finding_of(&doctor(over_tls(&pod, &stranger)), "sts-tls");
    let found = finding["found"].as_str().expect("a text");
    let roots = format!("(judged by the CA bundle {})", bundle(&stranger).display());
    assert!(
        found.contains("invalid peer certificate: ") && found.ends_with(&roots),
        "{found}"
    );

    let roots = pod.path("roots");
    std::fs::create_dir(&roots).expect("a directory");
    std::fs::write(roots.join("other.pem"), stranger.emulator.ca_pem()).expect("a root");
    let launch = serve(&pod)
        .env("AWS_ENDPOINT_URL_STS", pod.emulator.tls_url())
        .env("SSL_CERT_DIR", &roots);
    let finding = finding_of(&doctor(launch), "sts-tls");
    let found = finding["found"].as_str().expect("a text");
    assert!(found.ends_with("(judged by the system's roots)"), "{found}");
    assert!(pod.emulator.sts().calls().is_empty(), "something was sent");
}

#[test]
fn a_host_of_no_proxy_is_looked_up_and_others_are_the_proxys_business() {
    let pod = Pod::new();
    for (no_proxy, id) in [(".invalid", "sts-dns"), ("example.com", "proxy-refused")] {
        let launch = through(&pod, &proxy_answering(502))
            .env("AWS_ENDPOINT_URL_STS", nowhere())
            .env("NO_PROXY", no_proxy);
        let finding = finding_of(&doctor(launch), id);
        assert_eq!(finding["status"], "fail", "{finding}");
    }
}

#[test]
fn a_clock_within_a_minute_is_fine_and_beyond_it_a_warning_with_the_side_it_is_on() {
    for (skew, status, side) in [
        (30, "ok", "behind that of STS; up to 60 s harm nothing"),
        (-30, "ok", "ahead of that of STS; up to 60 s harm nothing"),
        (90, "warn", "behind that of STS: "),
        (-90, "warn", "ahead of that of STS: "),
        (-86_400, "warn", "ahead of that of STS: "),
    ] {
        let finished = doctor(serve(&pod_on_a_node_with_a_wrong_clock(skew)));
        let found = steps_of(&finished);
        let (_, is, words) = &found[3];
        assert_eq!(is, status, "{skew}: {words}");
        assert!(words.contains(side), "{skew}: {words}");
        assert!(finished.status.success(), "{skew}: {}", finished.stdout);
    }
}

#[test]
fn serve_warns_of_a_wrong_clock_in_the_same_words() {
    let pod = pod_on_a_node_with_a_wrong_clock(-3600);
    let finding = finding_of(&doctor(serve(&pod)), "clock-wrong");
    let sidecar = pod.ready_sidecar();
    let event = sidecar.wait_event("clock-wrong", |event| {
        event["finding"] == "clock-wrong" && event["level"] == "WARN"
    });
    let said = event["message"].as_str().expect("words");
    assert!(said.starts_with("the node's clock is "), "{said}");
    assert!(said.contains(" ahead of that of STS: "), "{said}");
    for field in ["expected", "fix"] {
        let words = finding[field].as_str().expect("a text");
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
}

#[test]
fn an_answer_without_a_date_leaves_the_clock_unjudged() {
    let pod = Pod::new();
    pod.emulator.sts().fail(Fault::NoDate);
    let finished = doctor(serve(&pod));
    let clock = finding_of(&finished, "sts-clock");
    assert_eq!(clock["status"], "skipped", "{clock}");
    assert!(words(&clock).contains("no Date"), "{clock}");
}

/// Another endpoint, other roots or no proxy would be another way than the sidecar's.
#[test]
fn a_way_that_is_configured_wrongly_is_not_walked_by_guess() {
    let pod = Pod::new();
    for (variable, value) in [
        ("AWS_CA_BUNDLE", "/nonexistent"),
        ("HTTPS_PROXY", "ftp://10.0.0.1"),
        ("AWS_ENDPOINT_URL_STS", "http://sts.example.com"),
        ("AWS_REGION", "not a region"),
    ] {
        let finished = doctor(serve(&pod).env(variable, value));
        for (id, status, words) in steps_of(&finished) {
            assert_eq!(status, "skipped", "{variable}: {id}: {words}");
            assert!(words.ends_with("see configuration"), "{words}");
        }
        assert!(pod.emulator.sts().calls().is_empty(), "{variable}");
    }
}
