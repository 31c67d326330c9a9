//! The wrong tokens: how each comes about, its finding, and what its sentence has to say.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use emulator::{TokenRequest, Volume};
use serde_json::{Value, json};

use crate::sidecar::{Pod, now, read};

/// Puts something where the token should be: into this directory, as `token`.
pub type Put = Box<dyn Fn(&Pod, &Path) + Send>;

/// What stands where the token should, what it is called, and parts of the sentence: found, expected, fix.
pub struct Wrong {
    pub put: Put,
    pub finding: &'static str,
    pub sentence: &'static [&'static str],
}

const PROJECT: &str = "volumes[].projected.sources[].serviceAccountToken";
const MOUNT: &str =
    "mount a projected volume with a serviceAccountToken source there, or set --token-file";

fn wrong(
    put: impl Fn(&Pod, &Path) + Send + 'static,
    finding: &'static str,
    sentence: &'static [&'static str],
) -> Wrong {
    Wrong {
        put: Box::new(put),
        finding,
        sentence,
    }
}

/// These bytes in the projected volume.
fn content(bytes: Vec<u8>, finding: &'static str, sentence: &'static [&'static str]) -> Wrong {
    let put = move |_: &Pod, dir: &Path| {
        let volume = Volume::create(dir, "before").expect("a volume");
        volume.rotate_bytes(&bytes).expect("a rotation");
    };
    wrong(put, finding, sentence)
}

/// The right token with something before it and behind it.
fn around(before: &'static str, behind: &'static str, sentence: &'static [&'static str]) -> Wrong {
    let put = move |pod: &Pod, dir: &Path| {
        let token = read(&pod.volume.token_path());
        let volume = Volume::create(dir, "before").expect("a volume");
        let bytes = format!("{before}{token}{behind}");
        volume.rotate_bytes(bytes.as_bytes()).expect("a rotation");
    };
    wrong(put, "token-not-a-jwt", sentence)
}

/// A well-signed token whose claims differ from the right one's by this JSON merge patch.
fn claims(patch: Value, finding: &'static str, sentence: &'static [&'static str]) -> Wrong {
    let put = move |pod: &Pod, dir: &Path| {
        let request = TokenRequest {
            claims_patch: patch.clone(),
            ..TokenRequest::default()
        };
        let token = pod.emulator.issuer().token(&request);
        Volume::create(dir, &token).expect("a volume");
    };
    wrong(put, finding, sentence)
}

pub fn wrong_files() -> Vec<Wrong> {
    vec![
        wrong(
            |_, dir| make(dir),
            "token-missing",
            &[
                "no web identity token file at ",
                "annotated before the pod was made",
                MOUNT,
            ],
        ),
        wrong(
            |pod, dir| {
                make(dir);
                fs::write(dir.join("token"), read(&pod.volume.token_path())).expect("a token");
                fs::set_permissions(dir.join("token"), Permissions::from_mode(0o000))
                    .expect("a mode");
            },
            "token-unreadable",
            &[
                "(mode 0000, owner ",
                "may not be read by user ",
                "set fsGroup in the pod's securityContext",
            ],
        ),
        wrong(
            |_, dir| make(&dir.join("token")),
            "token-not-a-file",
            &[
                "token is not a regular file",
                "expected the token file itself",
                "DIRECTORY/token",
            ],
        ),
        wrong(
            |_, dir| {
                make(dir);
                let made = Command::new("mkfifo").arg(dir.join("token")).status();
                assert!(made.expect("mkfifo, of coreutils, is needed").success());
            },
            "token-not-a-file",
            &["token is not a regular file"],
        ),
        content(
            vec![],
            "token-empty",
            &["token is empty; expected a token", MOUNT],
        ),
        content(b" \r\n\t\n".to_vec(), "token-empty", &["token is empty"]),
        content(
            vec![b'x'; 20_001],
            "token-too-large",
            &["holds 20001 characters", "at most 20000"],
        ),
        content(
            vec![b'x'; 5_000_000],
            "token-too-large",
            &["holds 5000000 characters"],
        ),
        content(
            b"eyJ\xff\xfe".to_vec(),
            "token-not-utf8",
            &["not UTF-8 from byte 3 on", "plain ASCII"],
        ),
        content(
            b"AKIA-something-else".to_vec(),
            "token-not-a-jwt",
            &[
                "19 characters in 1 dot-separated parts",
                "header.claims.signature",
                "--token-file",
            ],
        ),
        content(
            b"eyJhbGciOiJFUzI1NiJ9.!!!!.c2ln".to_vec(),
            "token-not-a-jwt",
            &["in 3 dot-separated parts"],
        ),
        around(
            "\"",
            "\"\n",
            &["do not decode: a quotation mark stands in it"],
        ),
        around("Bearer ", "", &["the word Bearer stands before it"]),
        around("\u{feff}", "", &["a byte order mark stands before it"]),
        around("eyJ9.e30.c2ln\n", "", &["there is a second line"]),
        // The claims are a list: `[]`.
        content(
            b"eyJhbGciOiJFUzI1NiJ9.W10.c2ln".to_vec(),
            "token-not-a-jwt",
            &["do not decode"],
        ),
    ]
}

fn make(dir: &Path) {
    fs::create_dir_all(dir).expect("a directory");
}

pub fn wrong_claims() -> Vec<Wrong> {
    let malformed = |patch, sentence| claims(patch, "claim-malformed", sentence);
    let missing = |patch, sentence| claims(patch, "claim-missing", sentence);
    vec![
        missing(
            json!({ "iss": null }),
            &["no claim iss", "the claims aud, iss, sub and exp", PROJECT],
        ),
        missing(json!({ "sub": null }), &["no claim sub", PROJECT]),
        missing(json!({ "sub": "" }), &["no claim sub"]),
        missing(json!({ "exp": null }), &["no claim exp"]),
        malformed(
            json!({ "aud": 7 }),
            &[
                "claim aud is a number",
                "a string or a list of strings",
                PROJECT,
            ],
        ),
        malformed(
            json!({ "aud": ["sts.amazonaws.com", 7] }),
            &["claim aud is a number"],
        ),
        malformed(
            json!({ "iss": ["x"] }),
            &["claim iss is a list", "expected a string"],
        ),
        malformed(json!({ "sub": true }), &["claim sub is a boolean"]),
        malformed(
            json!({ "exp": "tomorrow" }),
            &["claim exp is a string", "a number of seconds since 1970"],
        ),
        malformed(json!({ "nbf": {} }), &["claim nbf is an object"]),
        malformed(
            json!({ "kubernetes.io": "team" }),
            &["claim kubernetes.io is a string", "an object"],
        ),
    ]
}

pub fn wrong_tokens() -> Vec<Wrong> {
    let api = "https://kubernetes.default.svc";
    let iss = "https://issuer.example.com";
    let an_hour_ahead = unix_now() + 3600;
    vec![
        claims(
            json!({ "aud": ["sts.amazon.com"] }),
            "token-audience",
            &[
                "aud is \"sts.amazon.com\"; expected aud \"sts.amazonaws.com\"",
                "set audience: sts.amazonaws.com on the projected volume",
            ],
        ),
        claims(
            json!({ "aud": "one-string" }),
            "token-audience",
            &["aud is \"one-string\""],
        ),
        claims(
            json!({ "aud": null }),
            "token-audience",
            &["the token's aud is absent"],
        ),
        claims(
            json!({ "aud": [] }),
            "token-audience",
            &["the token's aud is absent"],
        ),
        claims(
            json!({ "aud": [api] }),
            "token-is-api-token",
            &[
                "the default Kubernetes API token: its aud is \"https://kubernetes.default.svc\"",
                "project a token of its own",
                PROJECT,
            ],
        ),
        claims(
            json!({ "aud": [format!("{api}.cluster.local"), "k3s"] }),
            "token-is-api-token",
            &["cluster.local\", \"k3s\""],
        ),
        claims(
            json!({ "aud": [iss], "iss": iss }),
            "token-is-api-token",
            &["its aud is \"https://issuer.example.com\""],
        ),
        claims(
            json!({ "iss": "kubernetes/serviceaccount", "aud": null, "exp": null, "iat": null, "nbf": null, "kubernetes.io": null }),
            "token-is-legacy-secret",
            &[
                "a legacy service account secret: its aud is absent",
                "project a token of its own",
            ],
        ),
        claims(
            json!({ "aud": ["pods.eks.amazonaws.com"] }),
            "token-is-pod-identity",
            &[
                "the one for EKS Pod Identity: its aud is \"pods.eks.amazonaws.com\"",
                "project a token of its own",
            ],
        ),
        wrong(
            |pod, dir| {
                let request = TokenRequest {
                    issued_ago: Duration::from_secs(7200),
                    ..TokenRequest::default()
                };
                Volume::create(dir, &pod.emulator.issuer().token(&request)).expect("a volume");
            },
            "token-expired",
            &[
                "the token expired at 20",
                "1h",
                " ago; expected a token that the kubelet has rotated",
                "subPath",
            ],
        ),
        claims(
            json!({ "nbf": an_hour_ahead, "iat": an_hour_ahead, "exp": an_hour_ahead + 3600 }),
            "token-not-yet-valid",
            &[
                "the token is valid from 20",
                "on, in 59m",
                "a token that is valid now",
                "set the clock of the node",
            ],
        ),
    ]
}

fn unix_now() -> u64 {
    let since = now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}
