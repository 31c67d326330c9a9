//! `irsa-sidecar shutdown`: the sidecar of a Job ends when the work has, and nobody else's word ends it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use tokio::time::Instant;

use crate::sidecar::{Connection, Finished, Launch, NOBODY, Pod, Sidecar, get_head, read};

const COMMAND: [&str; 1] = ["shutdown"];

#[track_caller]
fn assert_accepted(finished: &Finished, sidecar: &Sidecar) {
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert_eq!(finished.stdout, "");
    let words = format!(
        "irsa-sidecar: the sidecar at {} stops\n",
        sidecar.credentials
    );
    assert_eq!(finished.stderr, words);
}

#[track_caller]
fn assert_refused(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stdout, "");
    for part in words {
        assert!(finished.stderr.contains(part), "{part:?}: {finished:?}");
    }
}

#[track_caller]
fn assert_ended(mut sidecar: Sidecar) {
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    assert!(sidecar.whole_log().contains("asked to stop by a client"));
}

/// The app's container: nothing is shared with the sidecar but the network, and no token file is anywhere.
#[test]
fn the_uri_of_the_app_with_the_pods_uid_is_all_that_it_needs() {
    let pod = Pod::new();
    let sidecar = pod
        .serve()
        .env("IRSA_SIDECAR_AUTHORIZATION", "pod-uid")
        .start();
    sidecar.wait_ready();
    assert!(!pod.path("authorization-token").exists());
    assert_accepted(&pod.beside(&sidecar, COMMAND).ends(), &sidecar);
    assert_ended(sidecar);
}

#[test]
fn the_token_file_is_found_as_the_sidecar_or_an_sdk_finds_it() {
    let pod = Pod::new();
    let file = pod.path("authorization-token");
    let by_settings = |sidecar: &Sidecar| {
        Launch::new(COMMAND)
            .env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string())
            .env("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", &file)
    };
    let by_flags = |sidecar: &Sidecar| {
        Launch::new(COMMAND)
            .arg("--listen")
            .arg(sidecar.credentials.to_string())
            .arg("--authorization-token-file")
            .arg(&file)
    };
    let as_an_sdk = |sidecar: &Sidecar| {
        let uri = format!("http://{}/v1/credentials", sidecar.credentials);
        Launch::new(COMMAND)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file)
    };
    for launch in [
        &by_settings as &dyn Fn(&Sidecar) -> Launch,
        &by_flags,
        &as_an_sdk,
    ] {
        let sidecar = pod.serve().env("IRSA_SIDECAR_AUTHORIZATION", "token");
        let sidecar = sidecar.start();
        assert_accepted(&launch(&sidecar).ends(), &sidecar);
        assert_ended(sidecar);
    }
}

/// Whoever asks for the end knows that the work is done.
#[test]
fn it_does_not_wait_for_the_drain_delay_and_ends_one_that_has_begun() {
    for drains in [false, true] {
        let pod = Pod::new();
        let sidecar = pod.serve().env("IRSA_SIDECAR_DRAIN_DELAY", "1h").start();
        sidecar.wait_ready();
        if drains {
            sidecar.signal("TERM");
            sidecar.wait_finding("draining");
        }
        assert_accepted(&pod.beside(&sidecar, COMMAND).ends(), &sidecar);
        let mut sidecar = sidecar;
        assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    }
}

#[test]
fn a_second_one_finds_nobody_and_says_so() {
    let pod = Pod::new();
    let mut sidecar = pod.ready_sidecar();
    let launch = pod.beside(&sidecar, COMMAND);
    assert_accepted(&launch.ends(), &sidecar);
    assert_eq!(sidecar.wait().code(), Some(0));
    let words = format!(
        "no sidecar answers at {}: it has ended",
        sidecar.credentials
    );
    assert_refused(&launch.ends(), &[&words]);
}

/// Of several at once each is told the truth: accepted, or gone.
#[test]
fn several_at_once_end_it_once() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let launch = pod.beside(&sidecar, COMMAND);
    let codes: Vec<Option<i32>> = thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| launch.ends())).collect();
        let ended = asking.into_iter().map(|it| it.join().expect("an end"));
        ended.map(|finished| finished.status.code()).collect()
    });
    assert!(codes.contains(&Some(0)), "{codes:?}");
    let known = |code: &Option<i32>| [Some(0), Some(1)].contains(code);
    assert!(codes.iter().all(known), "{codes:?}");
    assert_ended(sidecar);
}

#[test]
fn clients_that_hold_connections_do_not_keep_it_and_get_what_they_asked_for() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let uid = [("authorization", pod.request.pod_uid())];
    let mut used = Connection::open(sidecar.credentials);
    assert_eq!(used.get("/v1/credentials", &uid).status, 200);
    let mut silent = Connection::open(sidecar.credentials);
    let mut half = Connection::open(sidecar.credentials);
    half.send(b"GET /v1/cred").expect("sent");
    let mut asks = Connection::open(sidecar.credentials);
    let head = get_head(sidecar.credentials, "/v1/credentials", &uid);
    asks.send(head.as_bytes()).expect("sent");
    let begun = Instant::now();
    assert_accepted(&pod.beside(&sidecar, COMMAND).ends(), &sidecar);
    let answer = asks.receive().expect("whole").expect("an answer");
    assert_eq!(answer.status, 200);
    for (kind, connection) in [
        ("used", &mut used),
        ("silent", &mut silent),
        ("half", &mut half),
    ] {
        assert!(connection.is_closed(), "{kind}");
    }
    assert_ended(sidecar);
    let took = begun.elapsed();
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn a_refusal_is_printed_with_what_to_do_and_nothing_ends() {
    let pod = Pod::new();
    let mut sidecar = pod.ready_sidecar();
    let at = |path: &str| format!("http://{}{path}", sidecar.credentials);
    let full_uri =
        |uri: String| Launch::new(COMMAND).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
    let wrong = full_uri(at("/v2/credentials/not-the-secret-of-this-pod"));
    assert_refused(
        &wrong.ends(),
        &[
            "403 Forbidden",
            "the sidecar's authorization-token-file or the pod's UID",
        ],
    );
    let nowhere = pod.path("not-mounted").display().to_string();
    let none =
        full_uri(at("/v1/credentials")).env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &nowhere);
    assert_refused(
        &none.ends(),
        &[
            "401 Unauthorized",
            &nowhere,
            "cannot be read",
            "mount its volume",
            "$(POD_UID)",
        ],
    );
    let ops = Launch::new(COMMAND).env("IRSA_SIDECAR_LISTEN", sidecar.ops.to_string());
    assert_refused(&ops.ends(), &["404 NotFound"]);
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    assert!(!sidecar.has_ended());
}

#[test]
fn while_the_pods_uid_is_not_known_the_reason_is_what_keeps_it_from_being() {
    let pod = Pod::new();
    let missing = pod.path("comes-later");
    let sidecar = pod.serve().env("AWS_WEB_IDENTITY_TOKEN_FILE", &missing);
    let mut sidecar = sidecar.start();
    sidecar.wait_finding("token-missing");
    let words = ["503 CredentialsUnavailable", &missing.display().to_string()];
    assert_refused(&pod.beside(&sidecar, COMMAND).ends(), &words);
    assert!(!sidecar.has_ended());
    // The token file's content needs no claim.
    let by_file = Launch::new(COMMAND)
        .env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string())
        .env(
            "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE",
            pod.path("authorization-token"),
        );
    assert_accepted(&by_file.ends(), &sidecar);
    assert_ended(sidecar);
}

#[test]
fn with_authorization_none_the_token_files_content_ends_it_and_the_uid_does_not() {
    let pod = Pod::new();
    let sidecar = pod
        .serve()
        .env("IRSA_SIDECAR_AUTHORIZATION", "none")
        .start();
    sidecar.wait_ready();
    assert_refused(&pod.beside(&sidecar, COMMAND).ends(), &["403 Forbidden"]);
    let by_file = pod
        .beside(&sidecar, COMMAND)
        .arg("--listen")
        .arg(sidecar.credentials.to_string())
        .arg("--authorization-token-file")
        .arg(pod.path("authorization-token"));
    assert_accepted(&by_file.ends(), &sidecar);
    assert_ended(sidecar);
}

/// The address of another agent is not asked, and not shown anything.
#[test]
fn only_loopback_is_asked() {
    let finished = Launch::new(COMMAND)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://192.0.2.1/v2/credentials/secret",
        )
        .env("IRSA_SIDECAR_LISTEN", NOBODY)
        .ends();
    let words = format!("no sidecar answers at {NOBODY}: ");
    assert_refused(&finished, &[&words, "--listen"]);
    assert!(!finished.stderr.contains("192.0.2.1"), "{finished:?}");
    let listen = Launch::new(COMMAND).env("IRSA_SIDECAR_LISTEN", "10.0.0.1:9910");
    assert_eq!(listen.ends().status.code(), Some(78));
    assert_eq!(
        Launch::new(COMMAND).arg("now").ends().status.code(),
        Some(64)
    );
}

/// A stranger who says yes to everything has not ended a sidecar.
#[test]
fn only_202_is_a_yes_and_the_question_is_one_post() {
    for (answer, words) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "200 OK in words that are none",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", "204 No Content in words"),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            "307 Temporary Redirect",
        ),
        ("", "broke off"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stranger = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("somebody who asks");
            let mut heard = [0; 4096];
            let length = client.read(&mut heard).expect("a question");
            client.write_all(answer.as_bytes()).expect("an answer");
            drop(client);
            listener.set_nonblocking(true).expect("a listener");
            let again = listener.accept().is_ok();
            (
                String::from_utf8_lossy(&heard[..length]).into_owned(),
                again,
            )
        });
        let uri = format!("http://{address}/v2/credentials/a-secret-of-some-pod");
        let finished = Launch::new(COMMAND)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
            .ends();
        assert_refused(&finished, &[words]);
        let (heard, again) = stranger.join().expect("a stranger");
        assert!(
            heard.starts_with("POST /v1/shutdown HTTP/1.1\r\n"),
            "{heard}"
        );
        let shown = "authorization: a-secret-of-some-pod\r\n";
        assert!(heard.to_lowercase().contains(shown), "{heard}");
        assert!(!again, "asked twice");
        assert!(!finished.stderr.contains("a-secret"), "{finished:?}");
    }
}

/// As in a Job: the work is a shell with a trap, and its exit code is the Job's.
#[test]
fn a_trap_at_the_end_of_the_work_ends_the_sidecar_and_keeps_the_works_exit_code() {
    for (work, code) in [("true", 0), ("exit 7", 7)] {
        let pod = Pod::new();
        let sidecar = pod.ready_sidecar();
        let script = format!("trap '\"$0\" shutdown' EXIT; {work}");
        let shell = pod.beside(&sidecar, [""; 0]);
        let mut command = shell.wrapped("sh", &["-c", &script, env!("CARGO_BIN_EXE_irsa-sidecar")]);
        let run = command.output().expect("sh");
        assert_eq!(run.status.code(), Some(code), "{run:?}");
        assert_ended(sidecar);
    }
}

/// The file that the next sidecar of this volume will take over.
#[test]
fn the_authorization_token_file_is_left_where_it_is() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let before = read(&pod.path("authorization-token"));
    assert_accepted(&pod.beside(&sidecar, COMMAND).ends(), &sidecar);
    assert_ended(sidecar);
    assert_eq!(read(&pod.path("authorization-token")), before);
}
