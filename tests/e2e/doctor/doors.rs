//! A running sidecar, asked by `doctor` from its own container and from the app's.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use emulator::{Fault, Role};
use irsa_sidecar::diagnosis::findings;

use super::{Row, finding_of, findings_of, words};
use crate::sidecar::{Finished, Launch, NOBODY, Pod, Sidecar};

pub fn rows() -> Vec<Row> {
    let row = |finding, status, run| Row {
        finding,
        status,
        run,
    };
    vec![
        row(findings::STARTING, "warn", || {
            let pod = Pod::new();
            pod.emulator.sts().fail(Fault::Hang);
            let sidecar = pod.sidecar();
            sidecar.wait_finding("starting");
            in_the_app(&pod, &sidecar).ends()
        }),
        row(findings::DRAINING, "warn", || {
            let pod = Pod::new();
            let sidecar = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "1h").start();
            sidecar.wait_ready();
            sidecar.signal("TERM");
            sidecar.wait_finding("draining");
            in_the_app(&pod, &sidecar).ends()
        }),
        row(findings::FILES_PENDING, "fail", || {
            let pod = Pod::new();
            pod.emulator.cluster().fail_describe(Fault::Hang);
            let sidecar = with_files(&pod).arg("--kubeconfig").start();
            sidecar.wait_finding("files-pending");
            in_the_app(&pod, &sidecar).ends()
        }),
        row(findings::FILE_NOT_WRITTEN, "fail", || {
            let pod = Pod::new();
            std::fs::write(pod.path("out"), "in the way").expect("a file");
            let sidecar = with_files(&pod).start();
            sidecar.wait_finding("file-not-written");
            in_the_app(&pod, &sidecar).ends()
        }),
        row(findings::SIDECAR_NOT_RUNNING, "fail", || {
            pointed_to(NOBODY.parse().expect("an address")).ends()
        }),
        row(findings::SIDECAR_STRANGER, "fail", || {
            let stranger = Stranger::answering(|_| "hello".to_owned());
            pointed_to(stranger.0).ends()
        }),
        row(findings::SIDECAR_HANGS, "fail", || {
            let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
            pointed_to(silent.local_addr().expect("its address")).ends()
        }),
        row(findings::SIDECAR_REFUSED, "fail", || {
            let pod = Pod::new();
            let sidecar = pod.ready_sidecar();
            pointed_to(sidecar.credentials).ends()
        }),
        row(findings::SIDECAR_UNAVAILABLE, "fail", || {
            let pod = Pod::new();
            deny(&pod);
            let sidecar = pod.sidecar();
            sidecar.wait_finding("sts-access-denied");
            in_the_app(&pod, &sidecar)
                .env("IRSA_SIDECAR_OPS_LISTEN", NOBODY)
                .ends()
        }),
        row(findings::SIDECAR_DIFFERS, "fail", || {
            let two_faced = Stranger::answering(|target| {
                let by_secret = target.starts_with("/v2/");
                credentials(if by_secret { "ASIATWO" } else { "ASIAONE" })
            });
            pointed_to(two_faced.0).ends()
        }),
        row(findings::SIDECAR_OTHER_ROLE, "warn", || {
            let pod = Pod::new();
            let sidecar = pod.ready_sidecar();
            in_the_app(&pod, &sidecar)
                .env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/other")
                .ends()
        }),
        row(findings::SIDECAR_EXPIRING, "warn", || {
            let pod = Pod::new();
            let minutes = Duration::from_secs(10 * 60);
            pod.emulator.sts().set_session_lifetime(Some(minutes));
            let sidecar = pod.ready_sidecar();
            in_the_app(&pod, &sidecar).ends()
        }),
    ]
}

/// Where the sidecar is, and nothing else.
fn in_the_app(pod: &Pod, sidecar: &Sidecar) -> Launch {
    pod.beside(sidecar, ["doctor", "--json"])
        .env("IRSA_SIDECAR_OPS_LISTEN", sidecar.ops.to_string())
}

/// With the sidecar's own surroundings, as `kubectl exec -c irsa-sidecar` has them.
fn in_the_sidecar(pod: &Pod, sidecar: &Sidecar) -> Launch {
    pod.serve()
        .with_arguments(["doctor", "--json"])
        .env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string())
        .env("IRSA_SIDECAR_OPS_LISTEN", sidecar.ops.to_string())
}

/// An app that was told of somebody there.
fn pointed_to(address: SocketAddr) -> Launch {
    let uri = format!("http://{address}/v2/credentials/not-the-uid");
    Launch::new(["doctor", "--json"])
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        .env("IRSA_SIDECAR_OPS_LISTEN", NOBODY)
}

fn with_files(pod: &Pod) -> Launch {
    pod.serve()
        .arg("--eks-cluster=demo")
        .arg("--output-dir")
        .arg(pod.path("out"))
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
}

fn deny(pod: &Pod) {
    let issuer = pod.emulator.issuer().iss().to_owned();
    let nobody = "system:serviceaccount:team:nobody";
    let role = Role::trusting(emulator::ROLE_ARN, &issuer, nobody);
    pod.emulator.sts().add_role(role);
}

/// A server that is no sidecar.
struct Stranger(SocketAddr);

impl Stranger {
    /// 200 with this body for each target; ends with the test process.
    fn answering(body: fn(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let rest: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                assert!(!rest.is_empty(), "a request has headers");
                let body = body(first.split(' ').nth(1).unwrap_or_default());
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = (&stream).write_all((head + &body).as_bytes());
            }
        });
        Stranger(address)
    }
}

fn credentials(key: &str) -> String {
    serde_json::json!({
        "AccessKeyId": key,
        "SecretAccessKey": "secret",
        "Token": key,
        "Expiration": "2999-01-01T00:00:00Z",
        "AccountId": "111122223333",
        "RoleArn": emulator::ROLE_ARN,
    })
    .to_string()
}

fn troubles(finished: &Finished) -> Vec<String> {
    let of_interest = |status: &str| ["warn", "fail"].contains(&status);
    let all = findings_of(finished);
    let troubles = all
        .iter()
        .filter(|finding| of_interest(finding["status"].as_str().expect("a status")));
    troubles
        .map(|finding| finding["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[test]
fn an_apps_container_that_a_sidecar_answers_lacks_nothing() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let finished = in_the_app(&pod, &sidecar).ends();
    assert_eq!(troubles(&finished), [""; 0], "{}", finished.stdout);
    assert_eq!(finished.status.code(), Some(0));
    let served = finding_of(&finished, "sidecar-credentials");
    let found = served["found"].as_str().expect("a text");
    assert!(
        found.contains(emulator::ROLE_ARN) && found.ends_with("the same at 2 more doors"),
        "{found}"
    );
    let walk = finding_of(&finished, "exchange");
    assert_eq!(walk["status"], "skipped");
    assert!(
        words(&walk).contains("in the sidecar's container"),
        "{walk}"
    );
}

#[test]
fn without_the_sidecar_that_an_app_is_pointed_to_that_is_all_that_it_lacks() {
    let finished = pointed_to(NOBODY.parse().expect("an address")).ends();
    assert_eq!(troubles(&finished), ["sidecar-not-running"]);
    assert_eq!(finished.status.code(), Some(1));
}

#[test]
fn a_container_that_nobody_points_anywhere_lacks_the_webhook_and_the_rest_follows() {
    let finished = Launch::new(["doctor", "--json"])
        .env("IRSA_SIDECAR_LISTEN", NOBODY)
        .env("IRSA_SIDECAR_OPS_LISTEN", NOBODY)
        .ends();
    assert_eq!(troubles(&finished), ["webhook-not-run"]);
    for step in ["configuration", "token-file"] {
        let follows = words(&finding_of(&finished, step));
        assert!(
            follows.contains("follows from webhook-not-run"),
            "{follows}"
        );
    }
}

#[test]
fn beside_a_healthy_sidecar_nothing_is_wrong_and_both_walks_are_judged() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let finished = in_the_sidecar(&pod, &sidecar).ends();
    assert_eq!(troubles(&finished), [""; 0], "{}", finished.stdout);
    for id in [
        "exchange",
        "sidecar",
        "sidecar-door",
        "sidecar-credentials",
        "sidecar-expiry",
    ] {
        assert_eq!(finding_of(&finished, id)["status"], "ok", "{id}");
    }
}

#[test]
fn one_trouble_of_walk_and_sidecar_is_one_failure() {
    let pod = Pod::new();
    deny(&pod);
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    let finished = in_the_sidecar(&pod, &sidecar).ends();
    assert_eq!(
        troubles(&finished),
        ["sts-access-denied"],
        "{}",
        finished.stdout
    );
    let echo = finding_of(&finished, "sidecar");
    assert!(
        words(&echo).contains("for the same reason: sts-access-denied"),
        "{echo}"
    );
}

#[test]
fn an_address_with_a_wrong_path_is_asked_as_an_sdk_would_ask_it() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for path in ["/v1/credential", "/", "/v1/credentials/"] {
        let uri = format!("http://{}{path}", sidecar.credentials);
        let finished = in_the_app(&pod, &sidecar)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", pod.request.pod_uid())
            .ends();
        assert_eq!(troubles(&finished), ["sidecar-refused"], "{path}");
    }
    let uri = format!("http://{}/v1/credentials", sidecar.credentials);
    let finished = in_the_app(&pod, &sidecar)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", pod.request.pod_uid())
        .ends();
    assert_eq!(troubles(&finished), [""; 0], "{}", finished.stdout);
}

#[test]
fn doors_on_other_addresses_give_the_same_or_are_named() {
    let pod = Pod::new();
    let other = || {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("its address").to_string()
    };
    let imds = other();
    let sidecar = pod.serve().env("IRSA_SIDECAR_IMDS_LISTEN", &imds).start();
    sidecar.wait_ready();
    let doctor = |imds: &str| {
        in_the_sidecar(&pod, &sidecar)
            .env("IRSA_SIDECAR_IMDS_LISTEN", imds)
            .ends()
    };
    let fine = doctor(&imds);
    assert_eq!(troubles(&fine), [""; 0], "{}", fine.stdout);
    assert!(words(&finding_of(&fine, "sidecar-credentials")).contains("the same at 3 more doors"));
    let closed = doctor(&other());
    assert_eq!(troubles(&closed), ["sidecar-differs"], "{}", closed.stdout);
}

#[test]
fn an_address_that_is_not_the_pods_own_is_shown_nothing() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let finished = in_the_sidecar(&pod, &sidecar)
        .env("IRSA_SIDECAR_LINK_LOCAL_LISTEN", "169.254.170.2:80")
        .ends();
    let found = words(&finding_of(&finished, "sidecar-differs"));
    assert!(
        found.contains("http://169.254.170.2:80/v1/credentials has nobody who listens"),
        "{found}"
    );
}

#[test]
fn a_door_that_hangs_is_named() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("its address");
    let hangs = words(&finding_of(&pointed_to(address).ends(), "sidecar-hangs"));
    assert!(
        hangs.contains(&format!("credentials door at {address}")),
        "{hangs}"
    );
}

#[test]
fn a_door_that_has_nothing_while_the_sidecar_calls_itself_ready_is_a_failure() {
    let two_minds = Stranger::answering(|target| match target {
        "/readyz" => r#"{"ready":true}"#.to_owned(),
        _ => String::new(),
    });
    let finished = pointed_to(two_minds.0)
        .env("IRSA_SIDECAR_OPS_LISTEN", two_minds.0.to_string())
        .ends();
    assert_eq!(troubles(&finished), ["sidecar-stranger"]);
}

#[test]
fn the_app_reads_the_sidecars_own_words() {
    let pod = Pod::new();
    deny(&pod);
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    let finished = in_the_app(&pod, &sidecar).ends();
    let denied = finding_of(&finished, "sts-access-denied");
    let fix = denied["fix"].as_str().expect("a text");
    assert!(
        fix.contains("system:serviceaccount:team:app") && fix.contains("\"Version\""),
        "{fix}"
    );
    assert_eq!(finished.status.code(), Some(1));
}
