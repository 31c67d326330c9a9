//! Who may have credentials: by the authorization token file, by the pod's UID, or by being in the pod at all.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::sidecar::{Answer, Launch, Pod, Sidecar, eventually, read, request};

const FILE: &str = "authorization-token";
const GIVEN: &str = "given-by-somebody-else-0123456789";

fn serve(pod: &Pod, authorization: &str) -> Launch {
    pod.serve().env("IRSA_SIDECAR_AUTHORIZATION", authorization)
}

fn ready(launch: &Launch) -> Sidecar {
    let sidecar = launch.start();
    sidecar.wait_ready();
    sidecar
}

fn by_header(sidecar: &Sidecar, value: &str) -> Answer {
    sidecar.get("/v1/credentials", &[("authorization", value)])
}

fn by_secret(sidecar: &Sidecar, secret: &str) -> Answer {
    sidecar.get(&format!("/v2/credentials/{secret}"), &[])
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Start-up must fail with exit code 1 and these words.
fn fails_to_start(launch: &Launch, words: &[&str]) {
    let ended = launch.ends();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    for word in words {
        assert!(
            ended.stderr.contains(word),
            "no {word:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn a_missing_token_file_is_made_whole_with_its_mode_and_nothing_beside_it() {
    for (setting, mode) in [(None, 0o640), (Some("0604"), 0o604)] {
        let pod = Pod::new();
        let file = pod.path("made/on/demand/authorization-token");
        let mut launch = pod
            .serve()
            .env("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", &file);
        if let Some(setting) = setting {
            launch = launch.env("IRSA_SIDECAR_AUTHORIZATION_TOKEN_MODE", setting);
        }
        let sidecar = ready(&launch);
        let token = read(&file);
        assert_eq!(token.len(), 43, "{token:?}");
        let url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(token.chars().all(url_safe), "{token:?}");
        let found = fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(found & 0o7777, mode);
        let beside = fs::read_dir(file.parent().expect("a directory")).expect("a directory");
        assert_eq!(beside.count(), 1, "drafts are left behind");
        assert_eq!(by_header(&sidecar, &token).status, 200);
    }
}

#[test]
fn token_and_uid_are_taken_from_header_and_path_in_every_form_that_clients_send() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let (token, uid) = (read(&pod.path(FILE)), pod.request.pod_uid().to_owned());
    for shown in [&token, &uid] {
        for value in [
            shown.clone(),
            format!("Bearer {shown}"),
            format!("bearer {shown}"),
            format!("  {shown}  "),
        ] {
            assert_eq!(by_header(&sidecar, &value).status, 200, "{value}");
        }
        assert_eq!(by_secret(&sidecar, shown).status, 200);
        assert_eq!(by_secret(&sidecar, &percent_encoded(shown)).status, 200);
        for wrong in [
            shown[..shown.len() - 1].to_owned(),
            shown[1..].to_owned(),
            format!("{shown}x"),
            format!("{shown},{shown}"),
            format!("Basic {shown}"),
            format!("Bearer Bearer {shown}"),
            percent_encoded(shown),
        ] {
            assert_eq!(by_header(&sidecar, &wrong).code(), "Forbidden", "{wrong}");
        }
    }
    assert_ne!(token, uid);
}

#[test]
fn a_token_file_that_is_there_is_kept_over_a_restart() {
    let pod = Pod::new();
    drop(pod.ready_sidecar());
    let token = read(&pod.path(FILE));
    let sidecar = pod.ready_sidecar();
    assert_eq!(read(&pod.path(FILE)), token);
    assert_eq!(by_header(&sidecar, &token).status, 200);
}

#[test]
fn a_token_file_from_somebody_else_is_used_and_left_as_it_is() {
    let pod = Pod::new();
    fs::write(pod.path(FILE), GIVEN).expect("a file");
    fs::set_permissions(pod.path(FILE), fs::Permissions::from_mode(0o444)).expect("a mode");
    let sidecar = pod.ready_sidecar();
    assert_eq!(by_header(&sidecar, GIVEN).status, 200);
    assert_eq!(read(&pod.path(FILE)), GIVEN);
    let mode = fs::metadata(pod.path(FILE))
        .expect("it")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o444);
}

#[test]
fn a_rotated_token_is_taken_and_the_one_before_stays_valid() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let first = read(&pod.path(FILE));
    // By rename as a careful writer does it, then in place as a careless one.
    let draft = pod.path("draft");
    fs::write(&draft, GIVEN).expect("a draft");
    fs::rename(&draft, pod.path(FILE)).expect("a rotation");
    assert!(eventually(|| by_header(&sidecar, GIVEN).status == 200));
    assert_eq!(by_header(&sidecar, &first).status, 200);
    assert_eq!(by_secret(&sidecar, &first).status, 200);
    let third = GIVEN.replace("given", "third");
    fs::write(pod.path(FILE), &third).expect("a rotation");
    assert!(eventually(|| by_header(&sidecar, &third).status == 200));
    assert_eq!(by_header(&sidecar, GIVEN).status, 200);
    assert_eq!(by_header(&sidecar, &first).status, 403, "two back");
}

#[test]
fn a_token_file_that_breaks_at_run_time_leaves_the_last_good_token_in_force() {
    let contents: [Option<&[u8]>; 5] = [
        Some(b""),
        Some(b"short"),
        Some(b"with a space in the middle"),
        Some(b"\xff\xfe\xfd0123456789abcdef"),
        None,
    ];
    for broken in contents {
        let pod = Pod::new();
        let sidecar = pod.ready_sidecar();
        let token = read(&pod.path(FILE));
        match broken {
            Some(content) => {
                fs::write(pod.path("draft"), content).expect("a draft");
                fs::rename(pod.path("draft"), pod.path(FILE)).expect("a change");
            }
            None => fs::remove_file(pod.path(FILE)).expect("the file"),
        }
        sidecar.wait_message("the authorization token stays as it was");
        assert_eq!(by_header(&sidecar, &token).status, 200, "{broken:?}");
        assert_eq!(by_header(&sidecar, "short").status, 403);
        assert_eq!(by_header(&sidecar, "").status, 401);
        // And it is followed again when it is good.
        fs::write(pod.path("draft"), GIVEN).expect("a draft");
        fs::rename(pod.path("draft"), pod.path(FILE)).expect("a change");
        assert!(eventually(|| by_header(&sidecar, GIVEN).status == 200));
    }
}

#[test]
fn a_token_file_that_will_not_do_ends_the_start_with_the_reason() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"fifteen-bytes-0", "it has 15 bytes"),
        (
            "sixteen-bytes-0\u{e9}".as_bytes(),
            "byte 15 is not visible ASCII",
        ),
        (b"two words, and more", "byte 3 is not visible ASCII"),
    ];
    for (content, words) in cases {
        let pod = Pod::new();
        fs::write(pod.path(FILE), content).expect("a file");
        let path = pod.path(FILE).display().to_string();
        fails_to_start(&pod.serve(), &[words, &path]);
    }
    let pod = Pod::new();
    fs::write(pod.path(FILE), "x".repeat(5_000)).expect("a file");
    fails_to_start(&pod.serve(), &["more than 4096 bytes"]);
}

#[test]
fn a_trailing_newline_is_trimmed_and_warned_about() {
    let pod = Pod::new();
    let mut file = OpenOptions::new();
    let mut file = file
        .create(true)
        .append(true)
        .open(pod.path(FILE))
        .expect("a file");
    writeln!(file, "{GIVEN}").expect("written");
    let sidecar = pod.ready_sidecar();
    let warning = sidecar.wait_event("a warning about the newline", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        event["level"] == "WARN" && message.contains("ends in a newline")
    });
    assert_eq!(warning["file"], pod.path(FILE).display().to_string());
    assert_eq!(by_header(&sidecar, GIVEN).status, 200);
}

#[test]
fn a_token_file_that_cannot_be_made_or_read_ends_the_start_and_says_what_to_do() {
    let pod = Pod::new();
    fs::write(pod.path("in-the-way"), "").expect("a file");
    let serve = |file: &str| {
        let serve = pod.serve();
        serve.env("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", file)
    };
    // Nobody can make a directory there, not even root.
    let file = "/proc/irsa-sidecar/authorization-token";
    let remedies = ["--authorization-token-file", "--authorization pod-uid"];
    fails_to_start(
        &serve(file),
        &[file, "cannot be made", remedies[0], remedies[1]],
    );
    let file = pod.path("in-the-way/authorization-token");
    let file = file.display().to_string();
    fails_to_start(&serve(&file), &[&file, "cannot be read", remedies[0]]);
}

#[test]
fn a_dangling_symlink_is_not_followed_to_make_the_token_file() {
    let pod = Pod::new();
    symlink(pod.path("elsewhere"), pod.path(FILE)).expect("a symlink");
    fails_to_start(&pod.serve(), &[&pod.path(FILE).display().to_string()]);
    assert!(!pod.path("elsewhere").exists());
}

#[test]
fn pod_uid_alone_makes_no_file_and_token_alone_refuses_the_uid() {
    let pod = Pod::new();
    let uid = pod.request.pod_uid();
    let sidecar = ready(&serve(&pod, "pod-uid"));
    assert_eq!(by_header(&sidecar, uid).status, 200);
    assert_eq!(by_secret(&sidecar, uid).status, 200);
    assert!(!pod.path(FILE).exists());
    drop(sidecar);
    let sidecar = ready(&serve(&pod, "token"));
    assert_eq!(by_header(&sidecar, uid).code(), "Forbidden");
    assert_eq!(by_secret(&sidecar, uid).code(), "NotFound");
    assert_eq!(by_header(&sidecar, &read(&pod.path(FILE))).status, 200);
}

#[test]
fn none_serves_whoever_asks_says_so_loudly_and_still_guards_the_shutdown() {
    let pod = Pod::new();
    let mut sidecar = ready(&serve(&pod, "none"));
    let warning = sidecar.wait_event("a warning about none", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        message.contains("authorization is none")
    });
    assert_eq!(warning["level"], "WARN");
    assert_eq!(sidecar.get("/v1/credentials", &[]).status, 200);
    assert_eq!(by_header(&sidecar, "anything").status, 200);
    assert_eq!(by_secret(&sidecar, "anything").status, 200);
    let shut_down = |headers: &[_]| request(sidecar.credentials, "POST", "/v1/shutdown", headers);
    assert_eq!(shut_down(&[]).code(), "Unauthorized");
    let uid = [("authorization", pod.request.pod_uid())];
    assert_eq!(shut_down(&uid).code(), "Forbidden");
    assert_eq!(sidecar.get("/v1/credentials", &[]).status, 200);
    let token = read(&pod.path(FILE));
    assert_eq!(shut_down(&[("authorization", &token)]).status, 202);
    assert_eq!(sidecar.wait().code(), Some(0));
}

#[test]
fn while_the_uid_is_not_known_it_is_503_and_not_a_refusal() {
    let pod = Pod::new();
    let token_file = pod.path("comes-later");
    let sidecar = pod
        .serve()
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token_file)
        .start();
    sidecar.wait_finding("token-missing");
    let uid = pod.request.pod_uid();
    for answer in [by_header(&sidecar, uid), by_secret(&sidecar, uid)] {
        assert_eq!(answer.code(), "CredentialsUnavailable", "{answer:?}");
        assert_eq!(answer.headers["retry-after"], "1");
        let path = token_file.display().to_string();
        assert!(answer.message().contains(&path), "{}", answer.message());
    }
    assert_eq!(sidecar.get("/v1/credentials", &[]).code(), "Unauthorized");
    let token = pod.emulator.issuer().token(&pod.request);
    fs::write(&token_file, token).expect("a token");
    assert!(eventually(|| by_header(&sidecar, uid).status == 200));
    assert_eq!(by_header(&sidecar, "wrong-wrong-wrong").code(), "Forbidden");
}

#[test]
fn a_refusal_asks_for_what_would_open_the_door() {
    for (methods, words) in [
        (
            "token",
            "the content of the sidecar's authorization-token-file",
        ),
        ("pod-uid", "the pod's UID"),
        (
            "token,pod-uid",
            "the content of the sidecar's authorization-token-file or the pod's UID",
        ),
    ] {
        let pod = Pod::new();
        let sidecar = ready(&serve(&pod, methods));
        let wrong = by_header(&sidecar, "wrong-0123456789");
        assert_eq!(wrong.status, 403);
        let message = wrong.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            message.ends_with(&format!("it has to be {words}")),
            "{message}"
        );
        let none = sidecar.get("/v1/credentials", &[]);
        assert_eq!(none.status, 401);
        let names_the_file = none.body.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        assert_eq!(names_the_file, methods != "pod-uid", "{none:?}");
    }
    // `none` is for credentials; to stop it the content of the file is wanted, and no UID.
    let pod = Pod::new();
    let sidecar = ready(&serve(&pod, "none"));
    let uid = pod.request.pod_uid().to_owned();
    let refused = request(
        sidecar.credentials,
        "POST",
        "/v1/shutdown",
        &[("authorization", &uid)],
    );
    assert_eq!(refused.status, 403);
    assert!(!refused.body.contains("pod's UID"), "{refused:?}");
}
