//! Tokens that somebody made to be looked at: whatever they hold, it stays in its line, and nothing breaks.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::presigned::{Presigned, assert_nothing_shown, token_of};
use super::{inspect, line};
use crate::sidecar::Pod;

#[test]
fn what_is_in_a_token_cannot_move_a_cursor_or_forge_a_line() {
    let pod = Pod::new();
    let url = Presigned::now().url();
    const ESCAPES: [&str; 5] = [
        "%1B%5B2J",                    // clears the screen
        "%1B%5D0%3Btitle%07",          // names the window
        "%0Arules%20%20%20all%20hold", // a line of ours
        "%C2%9B31m",                   // a control character of Latin-1
        "%E2%80%AEdloh%20lla",         // text that runs backwards
    ];
    for escape in ESCAPES {
        let within = |name: &str| url.replace(&format!("{name}="), &format!("{name}={escape}"));
        for hostile in [
            within("X-Amz-Date"),
            within("X-Amz-Expires"),
            within("X-Amz-SignedHeaders"),
            within("X-Amz-Credential"),
            within("Action"),
            within("Version"),
            within("X-Amz-Security-Token"),
            url.replace("%2Feu-west-1%2F", &format!("%2F{escape}%2F")),
            url.replace("X-Amz-Date=", &format!("{escape}=x&X-Amz-Date=")),
            url.replace("sts.eu-west-1", &format!("sts{escape}.eu-west-1")),
            url.replace("https:", &format!("{escape}:")),
            format!("{url}#{escape}"),
        ] {
            let token = token_of(&hostile);
            let ended = inspect(&pod, &[&token]).output();
            assert!(matches!(ended.status.code(), Some(0 | 1)), "{ended:?}");
            assert_nothing_shown(&ended, &token);
            let lines = ended
                .stdout
                .lines()
                .filter(|line| line.starts_with("rules "));
            assert_eq!(lines.count(), 1, "{}", ended.stdout);
        }
    }
    // Not encoded at all: as bytes in the URL.
    let raw = url.replace("X-Amz-Date=", "X-Amz-Date=\u{1b}[2J\u{202e}");
    let ended = inspect(&pod, &[]).given(token_of(&raw).as_bytes());
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_nothing_shown(&ended, &token_of(&raw));
    // And in what is no token.
    for given in [
        "\u{1b}[2Jk8s-aws-v1.\u{1b}",
        "k8s-aws-v1.\u{1b}]0;x\u{7}",
        "{\"status\":{\"token\":\"\\u001b[2J\"}}",
    ] {
        let ended = inspect(&pod, &[given]).output();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert_nothing_shown(&ended, given);
    }
}

/// One level of encoding more or less, and names become values: what is shown as a name must not be the rest of the query.
#[test]
fn a_token_that_was_encoded_once_too_often_shows_none_of_its_secrets() {
    let pod = Pod::new();
    let url = Presigned::now().url();
    let (head, query) = url.split_once('?').expect("a query");
    let backwards: Vec<&str> = query.split('&').rev().collect();
    let again = query
        .replace('%', "%25")
        .replace('&', "%26")
        .replace('=', "%3D");
    for broken in [
        format!("{head}?{again}"),
        format!("{head}?{}", query.replace('&', "%26")),
        format!("{head}?{}", query.replace('=', "%3D")),
        format!("{head}?{}", backwards.join("&").replace('=', "%3D")),
        format!("{head}?{}", query.replace('&', ";")),
        format!("{head}%3F{query}"),
        format!("{head}{query}"),
        format!("{}{query}", head.trim_end_matches('/')),
        query.to_owned(),
        format!("{url}&{query}"),
        format!("{head}?x={query}"),
        url.replace("X-Amz-Signature=", "X-Amz-Date=")
            .replacen("X-Amz-Date=", "Y=", 1),
        url.to_uppercase(),
    ] {
        let token = token_of(&broken);
        for arguments in [
            &[token.as_str()] as &[&str],
            &[&token, "--cluster-name", "demo"],
        ] {
            let ended = inspect(&pod, arguments).output();
            assert_eq!(ended.status.code(), Some(1), "{broken}: {ended:?}");
            assert_nothing_shown(&ended, &token);
        }
    }
    assert_eq!(pod.emulator.sts().calls(), []);
}

#[test]
fn what_is_no_token_at_all_is_told_and_ends() {
    let pod = Pod::new();
    for (given, words) in [
        (b"" as &[u8], "stdin is empty"),
        (b"\n \t\r\n", "stdin is empty"),
        (b"k8s-aws-v1.\xff\xfe", "stdin is not text"),
        (&[0xff; 70_000], "stdin holds more than 65536 bytes"),
        (&[b'A'; 70_000], "stdin holds more than 65536 bytes"),
    ] {
        let ended = inspect(&pod, &[]).given(given);
        assert_eq!(
            (ended.status.code(), ended.stdout.as_str()),
            (Some(1), ""),
            "{ended:?}"
        );
        assert!(
            ended.stderr.contains(words),
            "{words:?} is not in {}",
            ended.stderr
        );
    }
    let large = "A".repeat(60_000);
    for (given, rules) in [
        (large.as_str(), "token is too large"),
        ("\0\0\0", "token is missing expected"),
        ("{\"kind\":\"ExecCredential\"}", "token is missing expected"),
        ("k8s-aws-v1.", "unexpected scheme \"\""),
        (
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
            "token is missing expected",
        ),
    ] {
        let ended = inspect(&pod, &[]).given(given.as_bytes());
        assert_eq!(
            (ended.status.code(), ended.stderr.as_str()),
            (Some(1), ""),
            "{ended:?}"
        );
        assert!(
            line(&ended, "rules").contains(rules),
            "{rules:?} is not in {}",
            ended.stdout
        );
        assert!(ended.stdout.len() < 2000, "it repeats what it was given");
    }
    // Linux passes no longer arguments.
    let longest = "A".repeat(128 * 1024 - 1);
    let ended = inspect(&pod, &[&longest]).output();
    assert_eq!(ended.status.code(), Some(1), "{:?}", ended.status);
    assert!(line(&ended, "rules").contains("token is too large"));
    assert!(ended.stdout.len() < 2000);

    let bytes = OsStr::from_bytes(b"k8s-aws-v1.\xff\xfe");
    let ended = inspect(&pod, &[]).arg(bytes).output();
    assert_eq!(
        (ended.status.code(), ended.stdout.as_str()),
        (Some(64), ""),
        "{ended:?}"
    );
    assert_eq!(pod.emulator.sts().calls(), []);
}

/// A name that runs on into the session token, or has a piece of it in its place.
#[test]
fn names_that_are_none_are_shown_only_as_far_as_they_could_be_some() {
    let pod = Pod::new();
    let url = Presigned::now().url();
    let piece = "FwoGZXIvYXdzEBYaDExampleToken";
    let credential = format!("X-Amz-Credential=ASIAX%26X-Amz-Security-Token%3D{piece}");
    let header =
        format!("X-Amz-SignedHeaders=x-k8s-aws-id%3Bhost%3Bhost%26X-Amz-Security-Token={piece}&x=");
    for broken in [
        url.replace("X-Amz-Credential=", &format!("{credential}&x=")),
        url.replace("X-Amz-SignedHeaders=", &header),
        url.replace("X-Amz-Credential=", &format!("X-Amz-Credential={piece}")),
        url.replace("%3Bx-k8s", &format!("%3B{piece}%3Bx-k8s")),
        url.replace("%2Feu-west-1", &format!("%2F{piece}")),
        url.replace("X-Amz-Date=", &format!("X-Amz-Date={piece}")),
        url.replace("&Version=", &format!("&{piece}=")),
        url.replace("https:", &format!("{piece}:")),
        url.replace(".com/", &format!(".com:{piece}/")),
        url.replace("sts.", &format!("sts.{piece}.")),
    ] {
        assert_ne!(broken, url);
        let token = token_of(&broken);
        assert_nothing_shown(&inspect(&pod, &[&token]).output(), &token);
    }
}
