//! `get-token`: takes what `aws eks get-token` takes, asks the running sidecar, and does the whole walk where none runs.

mod alone;
mod arguments;
mod aws_cli;
mod exec_info;
mod impostors;
mod options;
mod refusals;
mod running;

use std::time::SystemTime;

use emulator::Reviewed;
use serde_json::{Value, json};

use crate::eks_token::{amz_date, url_of};
use crate::sidecar::{Finished, Pod};

/// For the cluster that every emulator starts with.
const DEMO: [&str; 3] = ["get-token", "--cluster-name", "demo"];
/// What a pod of the harness is called in that cluster.
const USERNAME: &str = "job:app-7d9f8b6c5-x2x4q";

/// What kubectl got on stdout.
pub struct Printed {
    pub token: String,
    pub expiration: SystemTime,
    api_version: String,
    url: String,
}

impl Printed {
    /// Exactly one document, and of it exactly what an ExecCredential has.
    pub fn read(stdout: &str) -> Self {
        let document: Value = serde_json::from_str(stdout)
            .unwrap_or_else(|error| panic!("not one document of JSON: {error}: {stdout:?}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (token, expiration) = (
            text(&document["status"]["token"]),
            text(&document["status"]["expirationTimestamp"]),
        );
        let api_version = text(&document["apiVersion"]);
        assert_eq!(
            document,
            json!({
                "kind": "ExecCredential",
                "apiVersion": api_version,
                "spec": {},
                "status": { "expirationTimestamp": expiration, "token": token },
            })
        );
        Printed {
            url: url_of(&token),
            expiration: humantime::parse_rfc3339(&expiration).expect("a time"),
            token,
            api_version,
        }
    }

    /// Of a run that has nothing else to say.
    fn of(finished: &Finished) -> Self {
        assert!(finished.status.success(), "{finished:?}");
        assert_eq!(finished.stderr, "");
        Printed::read(&finished.stdout)
    }

    fn host(&self) -> &str {
        let rest = self.url.strip_prefix("https://").expect("https");
        rest.split_once('/').expect("a path").0
    }

    fn signed_at(&self) -> SystemTime {
        amz_date(self.parameter("X-Amz-Date"))
    }

    fn access_key_id(&self) -> &str {
        let credential = self.parameter("X-Amz-Credential");
        credential.split_once("%2F").expect("a scope").0
    }

    fn parameter(&self, name: &str) -> &str {
        let mut pairs = self
            .url
            .split(['?', '&'])
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(found, _)| *found == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {}", self.url))
            .1
    }

    /// The demo cluster knows whose token it is.
    fn reviewed(&self, pod: &Pod) -> Reviewed {
        let reviewed = pod.emulator.cluster().review(&self.token);
        reviewed.unwrap_or_else(|refusal| panic!("{refusal}: {}", self.url))
    }
}

/// Nothing for kubectl, and these words for whoever reads what the plugin says.
fn refused(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(code), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    for part in words {
        let found = finished.stderr.contains(part);
        assert!(found, "no {part:?} in {:?}", finished.stderr);
    }
}
