//! What the running sidecar refuses is refused: its own words are the plugin's, so that they stand in kubectl's stderr.

use emulator::{TokenRequest, Volume};

use super::running::{FULL_URI, LISTEN, OWN_TOKEN_FILE, TOKEN, TOKEN_FILE};
use super::{DEMO, refused};
use crate::sidecar::{Launch, Pod};

#[test]
fn a_refusal_of_the_sidecar_is_printed_and_the_walk_is_not_tried() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let address = sidecar.credentials.to_string();
    let bare = format!("http://{address}/v1/credentials");
    let content = pod.path("content");
    let file = content.display().to_string();
    let shown = |bytes: &[u8]| std::fs::write(&content, bytes).expect("a file");
    let exchanges = pod.exchange_calls().len();
    let asked = |launch: Launch, words: &[&str]| {
        refused(&launch.output(), 1, words);
        assert_eq!(pod.exchange_calls().len(), exchanges, "it walked by itself");
    };
    let with_file = |pod: &Pod| {
        pod.alone(DEMO)
            .without(OWN_TOKEN_FILE)
            .env(FULL_URI, &bare)
            .env(TOKEN_FILE, &file)
    };
    let unread = [
        address.as_str(),
        "401 Unauthorized",
        "authorization token file",
        "/v2/credentials/$(POD_UID)",
    ];
    let missing = pod.path("missing").display().to_string();
    let launch = with_file(&pod).env(TOKEN_FILE, &missing);
    asked(launch, &[&unread[..], &[&missing, "No such file"]].concat());
    asked(
        with_file(&pod).env(TOKEN_FILE, pod.dir.path()),
        &[&unread[..], &["directory"]].concat(),
    );
    for empty in ["", "\n", "  \r\n"] {
        shown(empty.as_bytes());
        asked(
            with_file(&pod),
            &[&unread[..], &[&file, "is empty"]].concat(),
        );
    }
    shown(b"\xff\xfe\xfd");
    asked(with_file(&pod), &[&unread[..], &[&file, "UTF-8"]].concat());
    let no_header = [file.as_str(), "what no header can hold", "visible ASCII"];
    for bytes in [
        &b"two\nlines"[..],
        b"nul\0",
        "caf\u{e9}\u{1b}[2J".as_bytes(),
    ] {
        shown(bytes);
        asked(with_file(&pod), &no_header);
    }
    asked(
        with_file(&pod).env(TOKEN_FILE, "/dev/zero"),
        &[&unread[..], &["/dev/zero", "a device"]].concat(),
    );
    for wrong in ["wrong".to_owned(), "x".repeat(1 << 20)] {
        shown(wrong.as_bytes());
        asked(
            with_file(&pod),
            &["403 Forbidden", "Authorization header is wrong"],
        );
    }
    // A SECRET that is none is no place: the sidecar says so without saying whether there is another.
    let misspelt = format!("http://{address}/v2/credentials/wrong");
    asked(pod.alone(DEMO).env(FULL_URI, misspelt), &["403 Forbidden"]);
}

#[test]
fn a_pipe_in_the_place_of_the_authorization_does_not_hold_kubectl_up() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let pipe = pod.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let address = sidecar.credentials.to_string();
    let launch = pod
        .alone(DEMO)
        .env(LISTEN, &address)
        .env(OWN_TOKEN_FILE, &pipe);
    refused(&launch.ends(), 1, &["401 Unauthorized", "a pipe"]);
}

/// The plugin has a token that would get it credentials; the sidecar has not.
#[test]
fn a_sidecar_without_credentials_says_why_and_what_to_do() {
    let pod = Pod::new();
    let wrong = TokenRequest {
        audiences: vec!["sts.amazon.com".to_owned()],
        ..TokenRequest::default()
    };
    let wrong = pod.emulator.issuer().token(&wrong);
    let volume = Volume::create(&pod.path("wrong"), &wrong).expect("a volume");
    let launch = pod
        .serve()
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", volume.token_path());
    let sidecar = launch.start();
    sidecar.wait_finding("token-audience");
    let uri = format!("http://{}/v1/credentials", sidecar.credentials);
    let launch = pod
        .alone(DEMO)
        .env(FULL_URI, uri)
        .env(TOKEN, pod.request.pod_uid());
    let words = [
        "503 CredentialsUnavailable",
        "sts.amazon.com",
        "on the projected volume",
    ];
    refused(&launch.ends(), 1, &words);
    assert_eq!(pod.exchange_calls(), []);
}
