//! One command line, given to our program and to the AWS CLI.

use std::io::Write;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::clients::Client;
use crate::get_token::Printed;
use crate::sidecar::{Finished, Pod, Sidecar};

/// Keys, as STS could have made them.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: String,
}

impl Keys {
    /// Random, with the characters that have to be encoded in plenty.
    pub(super) fn random() -> Self {
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/+/";
        const TOKEN: &[u8] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=+/=";
        let random = |alphabet: &[u8], length: usize| -> String {
            let choice = |_| alphabet[fastrand::usize(..alphabet.len())];
            (0..length).map(choice).map(char::from).collect()
        };
        Keys {
            access_key_id: format!("ASIA{}", random(UPPER, 16)),
            secret_access_key: random(SECRET, 40),
            session_token: random(TOKEN, fastrand::usize(16..2000)),
        }
    }

    fn of(pod: &Pod, access_key_id: &str) -> Self {
        let issued = pod.emulator.sts().issued();
        let mut signed = issued
            .iter()
            .filter(|one| one.access_key_id == access_key_id);
        let issued = signed.next().expect("credentials of this STS");
        Keys {
            access_key_id: issued.access_key_id.clone(),
            secret_access_key: issued.secret_access_key.clone(),
            session_token: issued.session_token.clone(),
        }
    }
}

/// One command line, what it printed, and with which keys.
pub(super) struct Case {
    pub(super) keys: Keys,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(&'static str, &'static str)>,
    pub(super) ours: Finished,
}

impl Case {
    pub(super) fn printed(&self) -> Printed {
        assert!(
            self.ours.status.success(),
            "{:?}: {:?}",
            self.arguments,
            self.ours
        );
        Printed::read(&self.ours.stdout)
    }

    /// For the driver of the AWS CLI.
    fn for_the_aws_cli(&self) -> Value {
        let mut environment = json!({
            "AWS_ACCESS_KEY_ID": self.keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.keys.secret_access_key,
            "AWS_SESSION_TOKEN": self.keys.session_token,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": "/nonexistent",
        });
        for (name, value) in &self.variables {
            environment[name] = json!(value);
        }
        json!({
            "time": unix(self.printed().signed_at()),
            "environment": environment,
            "arguments": self.arguments,
        })
    }
}

/// Runs the AWS CLI on all of them, and compares.
pub(super) fn are_the_aws_clis(pod: &Pod, cases: &[Case]) {
    let input: Vec<Value> = cases.iter().map(Case::for_the_aws_cli).collect();
    let mut child = Client::Python("aws_cli_at.py")
        .command(pod)
        // It signs for the host that it would ask.
        .env_remove("AWS_ENDPOINT_URL_STS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs, and this test needs it");
    let mut stdin = child.stdin.take().expect("a pipe");
    let written = stdin.write_all(json!(input).to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{written:?} {complained}");
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(theirs.len(), cases.len());
    for (case, theirs) in cases.iter().zip(theirs) {
        assert_eq!(theirs["code"], 0, "{theirs}");
        let text = theirs["stdout"].as_str().expect("text");
        let (ours, theirs) = (case.printed(), Printed::read(text));
        assert_eq!(
            ours.token, theirs.token,
            "{:?} {:?}",
            case.arguments, case.keys
        );
        // All of stdout is the same but for the time, which ours gives in the clock of this node.
        let time =
            |printed: &Printed| humantime::format_rfc3339_seconds(printed.expiration).to_string();
        let expected = text.replace(&time(&theirs), &time(&ours));
        assert_eq!(case.ours.stdout, expected, "{:?}", case.arguments);
    }
}

/// One of a running sidecar, with the pod's own keys.
pub(super) fn case_beside(
    pod: &Pod,
    sidecar: &Sidecar,
    arguments: &[&str],
    variables: &[(&'static str, &'static str)],
) -> Case {
    let ours = pod.beside(sidecar, arguments.iter().copied()).output();
    Case {
        keys: Keys::of(pod, Printed::read(&ours.stdout).access_key_id()),
        arguments: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        variables: variables.to_vec(),
        ours,
    }
}

/// Whole seconds since 1970.
pub(super) fn unix(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
    since.as_secs()
}
