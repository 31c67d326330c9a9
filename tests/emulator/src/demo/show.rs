//! The steps and the events, in the order in which they are shown.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use emulator::{Call, Emulator, Volume};
use serde_json::Value;
use tokio::time::timeout;

use super::client::Served;
use super::events::{Event, Events};
use super::page::{Page, utc};
use super::sidecar::{self, Sidecar};
use super::{PATIENCE, SESSION_LIFETIME, Stop};

/// The page, and what is shown on it.
pub(super) struct Show<'a> {
    pub(super) page: Page,
    pub(super) emulator: &'a Emulator,
    pub(super) volume: &'a Volume,
    /// For files of clients.
    pub(super) dir: &'a Path,
}

impl Show<'_> {
    /// From the first step to the last; then, unless `once`, whatever happens, for ever.
    pub(super) async fn all(
        &self,
        once: bool,
        sidecar: &mut Sidecar,
        events: &mut Events,
    ) -> Result<(), Stop> {
        self.page.title(
            "irsa-sidecar: from a projected token to AWS and into an EKS cluster, on this machine alone",
        );
        self.token()?;
        self.until_ready(sidecar, events).await?;
        self.exchange()?;
        let url = sidecar.credentials_url()?;
        self.served(&url, &sidecar.get_credentials()?);
        self.watch(sidecar, events).await?;
        self.exports(&url, sidecar);
        self.kubectl(sidecar, events).await?;
        if once {
            return Ok(());
        }
        self.page
            .step("And so on, a line for each event, until Ctrl-C");
        loop {
            let event = events.next().await?;
            self.event(&event, events, sidecar)?;
        }
    }

    fn token(&self) -> Result<(), Stop> {
        self.page
            .step("1  The token that the kubelet put into the pod");
        let path = self.volume.token_path();
        let token = std::fs::read_to_string(&path)?;
        let claims = claims(&token)
            .ok_or_else(|| Stop::Failed(format!("{} holds no JWT", path.display())))?;
        let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let kubernetes = &claims["kubernetes.io"];
        let lifetime = claims["exp"].as_i64().unwrap_or(0) - claims["iat"].as_i64().unwrap_or(0);
        let field = |name: &str, value: &str| self.page.field(name, value);
        field("file", &path.display().to_string());
        field("iss", &text(&claims["iss"]));
        field("sub", &text(&claims["sub"]));
        field("aud", &text(&claims["aud"]));
        field("pod", &text(&kubernetes["pod"]["name"]));
        field("pod UID", &text(&kubernetes["pod"]["uid"]));
        field("node", &text(&kubernetes["node"]["name"]));
        field("iat, nbf", &utc(&claims["iat"]));
        field(
            "exp",
            &format!("{} ({lifetime} s later)", utc(&claims["exp"])),
        );
        let signature = token.rsplit('.').next().unwrap_or_default().trim().len();
        field("signature", &format!("{signature} characters, not shown"));
        Ok(())
    }

    /// The sidecar's first credentials, and the files that it makes with them.
    async fn until_ready(&self, sidecar: &mut Sidecar, events: &mut Events) -> Result<(), Stop> {
        let ready = async {
            loop {
                match events.next().await? {
                    Event::Listening { door, address } => sidecar.listens(&door, address),
                    // Never before it has credentials.
                    Event::Wrote => return Ok(()),
                    _ => {}
                }
            }
        };
        within(
            "the sidecar has no credentials, or wrote no files with them",
            ready,
        )
        .await
    }

    fn exchange(&self) -> Result<(), Stop> {
        self.page
            .step("2  The exchange: AssumeRoleWithWebIdentity at STS");
        let sts = self.emulator.sts();
        let (Some(call), Some(issued)) = (sts.calls().pop(), sts.issued().pop()) else {
            return Err(Stop::Failed("STS was not asked".to_owned()));
        };
        let field = |name: &str, value: &str| self.page.field(name, value);
        let known = |value: Option<String>| value.unwrap_or_else(|| "not given".to_owned());
        field("STS", &format!("{} (emulated)", self.emulator.url()));
        field("RoleArn", &known(call.role_arn));
        field(
            "RoleSessionName",
            &format!("{} (the pod's name)", known(call.session_name)),
        );
        field(
            "DurationSeconds",
            &format!(
                "{}; the demo's STS gives {} s, so that one sees refreshes",
                known(call.duration_seconds.map(|seconds| seconds.to_string())),
                SESSION_LIFETIME.as_secs()
            ),
        );
        field(
            "verified",
            "signature by the issuer's keys, aud, exp, trust policy on sub and aud",
        );
        field("answer", &call.result);
        field("Expiration", &httpdate::fmt_http_date(issued.expiration));
        Ok(())
    }

    fn served(&self, url: &str, served: &Served) {
        self.page.step("3  The credentials, as a client gets them");
        let field = |name: &str, value: &str| self.page.field(name, value);
        field("request", &format!("GET {url}"));
        field("answer", &format!("200 {}", served.content_type));
        field(
            "AccessKeyId",
            &format!("{} (20 characters)", served.key_id_prefix),
        );
        field(
            "SecretAccessKey",
            &format!("{} characters, not shown", served.secret_length),
        );
        field(
            "Token",
            &format!("{} characters, not shown", served.token_length),
        );
        field("Expiration", &served.expiration);
        field("AccountId", &served.account_id);
        field("RoleArn", &served.role_arn);
    }

    /// A rotation of the token, and the first refresh after it.
    async fn watch(&self, sidecar: &mut Sidecar, events: &mut Events) -> Result<(), Stop> {
        self.page.step(
            "4  A rotation of the token, then a refresh, as they happen (half a minute at most)",
        );
        let seen = async {
            let mut rotated = false;
            loop {
                let event = events.next().await?;
                self.event(&event, events, sidecar)?;
                match event {
                    Event::Rotated => rotated = true,
                    Event::Refreshed if rotated => return Ok(()),
                    _ => {}
                }
            }
        };
        within("no refresh after a rotation", seen).await
    }

    /// One line; after a refresh another, with what a client gets now.
    pub(super) fn event(
        &self,
        event: &Event,
        events: &Events,
        sidecar: &Sidecar,
    ) -> Result<(), Stop> {
        let line = |who: &str, what: &str| self.page.event(events.elapsed(), who, what);
        match event {
            Event::Rotated => line("kubelet", "a new token, by one rename of ..data"),
            Event::Noticed { expires } => {
                line("sidecar", &format!("noticed it; it expires {expires}"))
            }
            Event::Called(call) if call.action == "GetCallerIdentity" => line(
                "cluster",
                &format!("asked STS whose token that is: {}", call.result),
            ),
            Event::Called(call) => line("sts", &called(call)),
            Event::Refreshed => {
                line("sidecar", "new credentials");
                let served = sidecar.get_credentials()?;
                let (id, expiration) = (&served.key_id_prefix, &served.expiration);
                line("client", &format!("200, {id}, expires {expiration}"));
            }
            Event::Listening { .. } | Event::Wrote => {}
            Event::Other { level, message } => line("sidecar", &format!("{level}: {message}")),
        }
        Ok(())
    }

    fn exports(&self, url: &str, sidecar: &Sidecar) {
        self.page
            .step("5  The same with a real AWS CLI: paste this into another terminal");
        let token_file = sidecar.authorization_token_file().display().to_string();
        for (name, value) in [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token_file),
            ("AWS_ENDPOINT_URL_STS", self.emulator.url()),
            ("AWS_DEFAULT_REGION", sidecar::REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("NO_PROXY", "127.0.0.1,localhost"),
        ] {
            self.page.command(&format!("export {name}={value}"));
        }
        // Each of these goes before container credentials in the CLI's chain.
        self.page
            .command("export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null");
        self.page
            .command("unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN");
        self.page.command("aws sts get-caller-identity");
    }
}

fn called(call: &Call) -> String {
    let session = call.session_name.as_deref();
    let session = session.map_or(String::new(), |name| format!(", session {name}"));
    format!("{}: {}{session}", call.action, call.result)
}

pub(super) async fn within<T>(
    otherwise: &str,
    wanted: impl Future<Output = Result<T, Stop>>,
) -> Result<T, Stop> {
    let too_late = |_| Stop::Failed(format!("{otherwise}, after {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, wanted).await.map_err(too_late)?
}

/// The claims, unverified.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64URL.decode(payload).ok()?).ok()
}
