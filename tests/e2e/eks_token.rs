//! `GET /v1/eks-token`: what it gives out is held against the verifier that clusters run, and against the AWS CLI.

mod assumed_roles;
mod clock;
mod door;
mod golden;
mod held;
mod hosts;
mod life;
mod parameters;
mod renewal;
mod roles_in_need;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use emulator::{Issued, Reviewed, TokenRequest};
use serde_json::json;

use crate::sidecar::{Answer, Pod, Sidecar};

/// The cluster that every emulator starts with.
const DEMO: &str = "cluster-name=demo";
/// What a pod of the harness is called, and so its sessions.
const SESSION: &str = "app-7d9f8b6c5-x2x4q";

const MINUTE: Duration = Duration::from_secs(60);
/// How long a token is used that was signed with credentials that live longer.
const LIFE: Duration = Duration::from_secs(14 * 60);

/// `GET /v1/eks-token` with the pod's UID as authorization.
fn ask(pod: &Pod, sidecar: &Sidecar, query: &str) -> Answer {
    let headers = [("authorization", pod.request.pod_uid())];
    sidecar.get(&path(query), &headers)
}

fn path(query: &str) -> String {
    format!("/v1/eks-token?{query}")
}

/// The same, with an answer that has to be good.
fn token(pod: &Pod, sidecar: &Sidecar, query: &str) -> EksToken {
    let answer = ask(pod, sidecar, query);
    assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.log());
    EksToken::read(&answer)
}

/// An ExecCredential, and what the token in it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EksToken {
    text: String,
    expiration: SystemTime,
    host: String,
    access_key_id: String,
    /// The region that it was signed for.
    scope: String,
    signed_at: SystemTime,
}

impl EksToken {
    fn read(answer: &Answer) -> Self {
        let status = &answer.json()["status"];
        let text = status["token"].as_str().expect("a token").to_owned();
        let expiration = status["expirationTimestamp"].as_str().expect("a time");
        let url = url_of(&text);
        let (host, query) = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once("/?"))
            .expect("an https URL of the root");
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(found, _)| *found == name);
            found.unwrap_or_else(|| panic!("no {name} in {url}")).1
        };
        let credential: Vec<&str> = parameter("X-Amz-Credential").split("%2F").collect();
        EksToken {
            expiration: time(expiration),
            host: host.to_owned(),
            access_key_id: credential[0].to_owned(),
            scope: credential[2].to_owned(),
            signed_at: amz_date(parameter("X-Amz-Date")),
            text,
        }
    }

    /// The credentials that signed.
    fn signer(&self, pod: &Pod) -> Issued {
        let issued = pod.emulator.sts().issued();
        let mut signed = issued
            .into_iter()
            .filter(|issued| issued.access_key_id == self.access_key_id);
        signed.next().expect("credentials of this STS")
    }
}

/// What a token is made of.
pub fn url_of(token: &str) -> String {
    let encoded = token.strip_prefix("k8s-aws-v1.").expect("the prefix");
    let url = BASE64_URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
    String::from_utf8(url).expect("ASCII")
}

/// `20250102T030405Z`
pub fn amz_date(text: &str) -> SystemTime {
    let (day, clock) = text.split_once('T').expect("a date and a time");
    let [day, clock] = [day, clock].map(|digits| digits.trim_end_matches('Z'));
    time(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        &day[..4],
        &day[4..6],
        &day[6..],
        &clock[..2],
        &clock[2..4],
        &clock[4..]
    ))
}

fn time(rfc3339: &str) -> SystemTime {
    humantime::parse_rfc3339(rfc3339).unwrap_or_else(|error| panic!("{rfc3339}: {error}"))
}

fn whole_second(time: SystemTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(unix(time).unsigned_abs())
}

fn unix(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("not that late")
}

/// The demo cluster lets the pod in by this token.
fn let_in(pod: &Pod, token: &EksToken) -> Reviewed {
    let reviewed = pod.emulator.cluster().review(&token.text);
    reviewed.unwrap_or_else(|refusal| panic!("{refusal}: {token:?}"))
}

/// A pod whose token is good at this time, which need not be the node's.
fn pod_at(there: SystemTime) -> Pod {
    let there = unix(there);
    Pod::with(TokenRequest {
        claims_patch: json!({ "iat": there, "nbf": there, "exp": there + 3600 }),
        ..TokenRequest::default()
    })
}

fn session_lifetime(pod: &Pod, lifetime: Duration) {
    pod.emulator.sts().set_session_lifetime(Some(lifetime));
}

/// So long after the start, all at once: the clock of STS is set on, and the sidecar learns of it from the `Date` of an
/// answer, which is that there is no such role. What it tells in this node's time lies so much earlier from then on.
fn travel(pod: &Pod, sidecar: &Sidecar, to: Duration) {
    let seconds = to.as_secs();
    let nobody = format!("arn:aws:iam::111122223333:role/nobody-{seconds}");
    let skew = i64::try_from(seconds).expect("not that far");
    pod.emulator.sts().set_clock_skew(skew);
    let answer = ask(pod, sidecar, &format!("{DEMO}&role-arn={nobody}"));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.message().contains(&nobody), "{answer:?}");
}

/// After a journey: its length is known to the sidecar by a `Date`, which has whole seconds.
fn is_nearly(time: SystemTime, expected: SystemTime) {
    let distance = (unix(time) - unix(expected)).abs();
    assert!(distance <= 1, "{time:?}, not {expected:?}");
}
