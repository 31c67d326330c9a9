//! Pre-signs GetCallerIdentity, well or badly, and has the sessions to do it with.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hyper::Method;
use hyper::header::HeaderMap;
use ring::{digest, hmac};

use crate::clock;
use crate::form::encode;
use crate::issuer::Issuer;
use crate::sts::{AwsRequest, Replay, Role, Sts};
use crate::token_request::TokenRequest;

pub(super) const ACCESS_KEY_ID: &str = "ASIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(super) const SESSION_TOKEN: &str =
    "FwoGZXIvYXdzEBYaDExampleToken+with/slash+and+plus/and==padding==";

/// The sessions whose tokens are long, by case: access key id and how long.
const LONG: [(&str, &str, usize); 2] = [
    ("4096 limit", "ASIAIOSFODNN7EXAMPL1", 2700),
    ("near limit", "ASIAIOSFODNN7EXAMPL2", 2600),
];

/// An STS whose clock stands, and which knows the sessions.
pub(super) struct Sessions {
    pub(super) sts: Sts,
    pub(super) now: i64,
}

impl Sessions {
    pub(super) fn open() -> Self {
        let issuer = Issuer::new();
        let sts = Sts::new(issuer.clone());
        let role = "arn:aws:iam::111122223333:role/demo";
        let subject = "system:serviceaccount:team:app";
        sts.add_role(Role::trusting(role, issuer.iss(), subject));
        let token = issuer.token(&TokenRequest::default());
        let exchange = |access_key_id: &str, session_token: &str| {
            sts.issue_next(access_key_id, SECRET, session_token);
            let body = format!(
                "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={role}\
                 &RoleSessionName=sess@x&WebIdentityToken={token}"
            );
            let headers = HeaderMap::new();
            let request = AwsRequest::new(Method::POST, "/", None, headers, body.as_bytes());
            let replay = sts.replay(&request);
            assert!(matches!(replay, Replay::Answered(answer, _) if answer.status == 200));
        };
        exchange(ACCESS_KEY_ID, SESSION_TOKEN);
        for (_, access_key_id, length) in LONG {
            exchange(access_key_id, &"A".repeat(length));
        }
        let now = clock::unix_now();
        sts.stop_clock_at(clock::system_time(now));
        Self { sts, now }
    }
}

/// A request about to be signed.
pub(super) struct Presigned {
    host: String,
    region: String,
    day: String,
    cluster: String,
    access_key_id: String,
    parameters: Vec<(String, String)>,
}

impl Presigned {
    /// A good one.
    pub(super) fn at(signed_at: i64) -> Self {
        let date = clock::amz_date(signed_at);
        let parameters = [
            ("Action", "GetCallerIdentity"),
            ("Version", "2011-06-15"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Date", &date),
            ("X-Amz-Expires", "60"),
            ("X-Amz-Security-Token", SESSION_TOKEN),
            ("X-Amz-SignedHeaders", "host;x-k8s-aws-id"),
        ];
        Self {
            host: "sts.us-west-2.amazonaws.com".to_owned(),
            region: "us-west-2".to_owned(),
            day: date[..8].to_owned(),
            cluster: "demo".to_owned(),
            access_key_id: ACCESS_KEY_ID.to_owned(),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        }
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(found, _)| found != name);
        self
    }

    pub(super) fn with(self, name: &str, value: &str) -> Self {
        let mut changed = self.without(name);
        changed.parameters.push((name.to_owned(), value.to_owned()));
        changed
    }

    pub(super) fn expires(self, value: &str) -> Self {
        self.with("X-Amz-Expires", value)
    }

    pub(super) fn signed_headers(self, names: &str) -> Self {
        self.with("X-Amz-SignedHeaders", names)
    }

    pub(super) fn host(self, host: &str) -> Self {
        Self {
            host: host.to_owned(),
            ..self
        }
    }

    pub(super) fn scope(self, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            ..self
        }
    }

    pub(super) fn cluster(self, cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            ..self
        }
    }

    /// Signs with the session of the long token that this case is about.
    pub(super) fn of_session(self, case: &str) -> Self {
        let (_, access_key_id, length) =
            LONG.into_iter().find(|(found, ..)| *found == case).unwrap();
        Self {
            access_key_id: access_key_id.to_owned(),
            ..self.with("X-Amz-Security-Token", &"A".repeat(length))
        }
    }

    /// The signed URL, its parameters sorted.
    pub(super) fn url(mut self) -> String {
        let scope = format!("{}/{}/sts/aws4_request", self.day, self.region);
        let credential = format!("{}/{scope}", self.access_key_id);
        self = self.with("X-Amz-Credential", &credential);
        self.parameters.sort();
        let value = |name: &str| {
            let found = self.parameters.iter().find(|(found, _)| found == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let (date, names) = (value("X-Amz-Date"), value("X-Amz-SignedHeaders"));
        let pairs: Vec<_> = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let query = pairs.join("&");
        let header = |name: &str| match name {
            "host" => self.host.as_str(),
            "x-k8s-aws-id" => self.cluster.as_str(),
            _ => "of another client",
        };
        let headers: String = names
            .split(';')
            .map(|name| format!("{name}:{}\n", header(name)))
            .collect();
        let canonical = format!("GET\n/\n{query}\n{headers}\n{names}\n{}", sha256(""));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(&canonical));
        let key = scope
            .split('/')
            .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| {
                mac(&key, part)
            });
        let signature = hex(&mac(&key, &to_sign));
        format!("https://{}/?{query}&X-Amz-Signature={signature}", self.host)
    }
}

/// The token of a URL, encoded as the case wants it.
pub(super) fn token(case: &str, url: &str) -> String {
    let encoded = match case {
        "padded base64" => URL_SAFE.encode(url),
        "std base64 alphabet" => STANDARD.encode(url),
        _ => URL_SAFE_NO_PAD.encode(url),
    };
    match case {
        "no prefix" => encoded,
        "v2 prefix" => format!("k8s-aws-v2.{encoded}"),
        "trailing newline" => format!("k8s-aws-v1.{encoded}\n"),
        "trailing space" => format!("k8s-aws-v1.{encoded} "),
        _ => format!("k8s-aws-v1.{encoded}"),
    }
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
