//! Instance metadata: what an SDK gets that knows no other door, and what nobody gets.

mod clients;
mod hops;
mod outage;
mod refusals;
mod session_token;

use std::net::SocketAddr;

use emulator::{ROLE_ARN, Role, TokenRequest};
use serde_json::{Value, json};

use crate::sidecar::{Answer, Launch, Pod, Sidecar, request};

const TOKEN: &str = "/latest/api/token";
const ROLE_NAME: &str = "/latest/meta-data/iam/security-credentials/";
/// Of the emulator's role.
const ROLE: &str = "/latest/meta-data/iam/security-credentials/app";
const INFO: &str = "/latest/meta-data/iam/info";
const REGION: &str = "/latest/meta-data/placement/region";
const ZONE: &str = "/latest/meta-data/placement/availability-zone";
const INSTANCE_ID: &str = "/latest/meta-data/instance-id";
const DOCUMENT: &str = "/latest/dynamic/instance-identity/document";

/// What takes credentials.
const OF_THE_ROLE: [&str; 5] = [ROLE_NAME, ROLE, INFO, INSTANCE_ID, DOCUMENT];

const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// A sidecar whose instance metadata is asked.
struct Imds {
    sidecar: Sidecar,
    address: SocketAddr,
}

impl Imds {
    fn start(launch: Launch) -> Self {
        Imds::start_at("127.0.0.1:0", launch)
    }

    fn start_at(address: &str, launch: Launch) -> Self {
        let sidecar = launch.env("IRSA_SIDECAR_IMDS_LISTEN", address).start();
        let event = sidecar.wait_event("listening", |event| {
            event["message"] == "listening" && event["door"] == "imds"
        });
        let address = event["address"].as_str().expect("an address");
        Imds {
            address: address.parse().expect("an address"),
            sidecar,
        }
    }

    /// With credentials.
    fn ready(launch: Launch) -> Self {
        let imds = Imds::start(launch);
        imds.sidecar.wait_ready();
        imds
    }

    fn put(&self, headers: &[(&str, &str)]) -> Answer {
        request(self.address, "PUT", TOKEN, headers)
    }

    /// A new token that outlives the test.
    fn token(&self) -> String {
        let answer = self.put(&[(TTL_HEADER, "21600")]);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// `GET path` with these headers and no others.
    fn bare(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        request(self.address, "GET", path, headers)
    }

    /// `GET path` with a good token.
    fn get(&self, path: &str) -> Answer {
        self.bare(path, &[(TOKEN_HEADER, &self.token())])
    }
}

/// With 200, never to be kept, and as long as it says.
fn is_whole(answer: &Answer, content_type: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], content_type, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
    let length = answer.body.len().to_string();
    assert_eq!(answer.headers["content-length"], length, "{answer:?}");
    assert!(!answer.headers.contains_key("content-encoding"));
}

#[test]
fn the_role_is_named_in_one_line_and_its_credentials_are_those_of_every_door() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let token = imds.token();
    let get = |path: &str| imds.bare(path, &[(TOKEN_HEADER, &token)]);
    let name = get(ROLE_NAME);
    is_whole(&name, "text/plain");
    assert_eq!(name.body, "app", "no line break");
    let answer = get(&format!("{ROLE_NAME}{}", name.body));
    is_whole(&answer, "application/json");
    assert_eq!(answer.body, imds.sidecar.get_credentials(&pod).body);
    let (body, issued) = (answer.json(), pod.emulator.sts().issued().remove(0));
    assert_eq!(
        (&body["Code"], &body["Type"]),
        (&"Success".into(), &"AWS-HMAC".into())
    );
    assert_eq!(body["AccessKeyId"], issued.access_key_id);
    assert_eq!(body["SecretAccessKey"], issued.secret_access_key);
    assert_eq!(body["Token"], issued.session_token);
    humantime::parse_rfc3339(body["LastUpdated"].as_str().expect("a time")).expect("a time");
}

#[test]
fn every_path_is_answered_alike_with_and_without_a_slash_at_its_end() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    for path in [ROLE_NAME, ROLE, INFO, REGION, ZONE, INSTANCE_ID, DOCUMENT] {
        let bare = path.trim_end_matches('/');
        let without = imds.get(bare);
        assert_eq!(without.status, 200, "{path}: {without:?}");
        // The last as of an endpoint that ends in a slash.
        for other in [
            format!("{bare}/"),
            format!("{bare}?x=y"),
            format!("/{bare}"),
        ] {
            assert_eq!(imds.get(&other).body, without.body, "{other}");
        }
    }
    for path in [TOKEN.to_owned(), format!("{TOKEN}/"), format!("/{TOKEN}")] {
        let answer = request(imds.address, "PUT", &path, &[(TTL_HEADER, "60")]);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[test]
fn a_role_with_a_path_is_named_by_the_last_part_of_its_arn() {
    let arn = "arn:aws:iam::111122223333:role/team/service/a+b=c,d.e@f-g_h";
    let pod = Pod::new();
    let emulator = &pod.emulator;
    let subject = "system:serviceaccount:team:app";
    let role = Role::trusting(arn, emulator.issuer().iss(), subject);
    emulator.sts().add_role(role);
    let imds = Imds::ready(pod.serve().env("AWS_ROLE_ARN", arn));
    assert_eq!(imds.get(ROLE_NAME).body, "a+b=c,d.e@f-g_h");
    for name in ["a+b=c,d.e@f-g_h", "a%2Bb%3Dc%2Cd.e%40f-g_h"] {
        let answer = imds.get(&format!("{ROLE_NAME}{name}"));
        assert_eq!(answer.json()["RoleArn"], arn, "{answer:?}");
    }
    let info = imds.get(INFO).json();
    assert_eq!(
        info["InstanceProfileArn"],
        "arn:aws:iam::111122223333:instance-profile/a+b=c,d.e@f-g_h"
    );
}

#[test]
fn the_instance_is_one_of_the_pods_account_and_region() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    for (path, text) in [(REGION, "eu-west-1"), (ZONE, "eu-west-1a")] {
        let answer = imds.get(path);
        is_whole(&answer, "text/plain");
        assert_eq!(answer.body, text);
    }
    let id = imds.get(INSTANCE_ID);
    is_whole(&id, "text/plain");
    let document = imds.get(DOCUMENT);
    is_whole(&document, "application/json");
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let expected = json!({
        "accountId": "111122223333",
        "architecture": architecture,
        "availabilityZone": "eu-west-1a",
        "instanceId": id.body,
        "region": "eu-west-1",
        "version": "2017-09-30",
    });
    assert_eq!(document.json(), expected);
    let info = imds.get(INFO);
    is_whole(&info, "application/json");
    let info = info.json();
    let profile = info["InstanceProfileId"].as_str().expect("an id");
    assert!(profile.starts_with("AIPA") && profile.len() == 21, "{info}");
    let expected = json!({
        "Code": "Success",
        "LastUpdated": imds.get(ROLE).json()["LastUpdated"],
        "InstanceProfileArn": "arn:aws:iam::111122223333:instance-profile/app",
        "InstanceProfileId": profile,
    });
    assert_eq!(info, expected);
}

fn instance_id(pod: &Pod) -> String {
    let id = Imds::ready(pod.serve()).get(INSTANCE_ID).body;
    let digits = id.strip_prefix("i-").unwrap_or_default();
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    assert!(digits.len() == 17 && digits.bytes().all(hex), "{id:?}");
    id
}

#[test]
fn an_instance_id_outlives_a_restart_is_another_in_another_pod_and_tells_nothing_of_the_uid() {
    let pod = Pod::new();
    let id = instance_id(&pod);
    assert_eq!(instance_id(&pod), id);
    let named = |name: &str, uid: &str| {
        Pod::with(TokenRequest {
            pod: Some((name.to_owned(), uid.to_owned())),
            ..TokenRequest::default()
        })
    };
    let (name, uid) = TokenRequest::default().pod.expect("a pod");
    let other_uid = "00000000-0000-4000-8000-000000000000";
    assert_eq!(instance_id(&named(&name, other_uid)), id);
    assert_ne!(instance_id(&named("app-7d9f8b6c5-zzzzz", &uid)), id);
}

#[test]
fn head_is_get_without_its_body() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let token = imds.token();
    let good = [(TOKEN_HEADER, token.as_str())];
    let cases = [
        (ROLE_NAME, &good[..], 200),
        (ROLE, &good, 200),
        (REGION, &good, 200),
        (ROLE, &[], 401),
        ("/latest/meta-data/hostname", &good, 404),
    ];
    for (path, headers, status) in cases {
        let mut get = imds.bare(path, headers);
        let mut head = request(imds.address, "HEAD", path, headers);
        assert_eq!((get.status, head.status), (status, status), "{path}");
        assert_eq!(head.body, "", "{path}");
        get.headers.remove("date");
        head.headers.remove("date");
        assert_eq!(head.headers, get.headers, "{path}");
    }
}

#[test]
fn requests_are_counted_by_their_door() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let count = |door: &str, code: u16| {
        let series = format!("requests_total{{door=\"{door}\",code=\"{code}\"}}");
        imds.sidecar.metric(&series)
    };
    let credentials = count("credentials", 200);
    assert_eq!(imds.get(ROLE).status, 200);
    assert_eq!(imds.put(&[]).status, 400);
    assert_eq!(imds.bare(ROLE, &[]).status, 401);
    assert_eq!(imds.put(&[("host", "evil")]).status, 403);
    assert_eq!(imds.get("/latest/user-data").status, 404);
    assert_eq!(request(imds.address, "GET", TOKEN, &[]).status, 405);
    let expected = [
        // The token that the 404 was asked with is one of them.
        (200, 3.0),
        (400, 1.0),
        (401, 1.0),
        (403, 1.0),
        (404, 1.0),
        (405, 1.0),
        (503, 0.0),
    ];
    for (code, number) in expected {
        assert_eq!(count("imds", code), number, "{code}");
    }
    assert_eq!(count("credentials", 200), credentials);
}

#[test]
fn nothing_that_is_secret_here_is_ever_logged() {
    let pod = Pod::new();
    let launch = pod.serve().env("IRSA_SIDECAR_LOG_LEVEL", "trace");
    let mut imds = Imds::ready(launch.env("IRSA_SIDECAR_IMDS_V1", "true"));
    let token = imds.token();
    let almost = format!("{token}x");
    for headers in [
        &[(TOKEN_HEADER, token.as_str())][..],
        &[(TOKEN_HEADER, &almost)],
        &[(TOKEN_HEADER, &token), ("via", &token)],
        &[(TOKEN_HEADER, &token), ("host", &token)],
        &[],
    ] {
        for path in [ROLE_NAME, ROLE, &format!("{ROLE_NAME}{token}"), &token] {
            imds.bare(path, headers);
        }
    }
    imds.put(&[(TTL_HEADER, &token)]);
    imds.sidecar.signal("TERM");
    let log = imds.sidecar.whole_log();
    assert!(
        log.contains("\"imds\"") && log.contains("\"trace\""),
        "{log}"
    );
    let issued = pod.emulator.sts().issued().remove(0);
    for secret in [
        &token,
        &issued.access_key_id,
        &issued.secret_access_key,
        &issued.session_token,
    ] {
        assert!(!log.contains(secret.as_str()), "{secret} is in\n{log}");
    }
}

/// The error of a refusal, as every SDK reads it.
fn is_refused(answer: &Answer, status: u16, code: &str, words: &str) {
    crate::door::refusals::is_refused(answer, status, code);
    let message = answer.message();
    assert!(message.contains(words), "{words:?} is not in {message:?}");
    assert!(answer.json().get("AccessKeyId").is_none());
    assert_ne!(answer.json(), Value::Null);
    assert!(!answer.body.contains(ROLE_ARN) || status == 503);
}
