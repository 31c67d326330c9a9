//! The bearer token by which an EKS cluster knows an AWS identity: a presigned `GetCallerIdentity` that the cluster
//! sends to STS itself.
//!
//! Byte for byte what `aws eks get-token` makes of the same keys at the same second. Pure: nothing leaves the pod, and
//! the host is always the regional one of the cluster's region, whatever endpoint this program itself talks to.

mod cluster;
mod error;
mod exec_credential;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::clock::{END_OF_TIME, Moment, distance, rfc3339, unix_seconds};
use crate::credentials::Credentials;
use crate::partition::Region;
use crate::secret::Secret;

pub use cluster::{ClusterName, NotAClusterName};
pub use error::EksTokenError;
pub use exec_credential::{ApiVersion, NotAnApiVersion, exec_credential};

/// What every token begins with.
pub const PREFIX: &str = "k8s-aws-v1.";
/// The longest token that the verifier takes, in bytes.
pub const LONGEST: usize = 4096;

/// What `X-Amz-Expires` says. Nobody minds it, but it has to be there.
const EXPIRES: Duration = Duration::from_secs(60);
/// The verifier takes a token for 15 minutes from its signature on; a minute is left for the way.
const LIFE: Duration = Duration::from_secs(14 * 60);
/// How long before its credentials a token counts as dead.
const MARGIN: Duration = Duration::from_secs(60);
/// Credentials that live this long shorten no token.
pub const ENOUGH: Duration = LIFE.saturating_add(MARGIN);
/// How long one token is given to all who ask: every new one costs the cluster a request to STS.
const REUSE: Duration = Duration::from_secs(7 * 60);
/// An `expirationTimestamp` that is off by as much misleads nobody.
const STEP: Duration = Duration::from_secs(5);

/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What signs.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// `ASIA…`, or `AKIA…` of a user.
    pub access_key_id: &'a str,
    /// The secret access key.
    pub secret_access_key: &'a Secret,
    /// The session token, which only a user's keys lack.
    pub session_token: Option<&'a Secret>,
}

impl<'a> From<&'a Credentials> for Keys<'a> {
    fn from(credentials: &'a Credentials) -> Self {
        Keys {
            access_key_id: credentials.access_key_id(),
            secret_access_key: credentials.secret_access_key(),
            session_token: Some(credentials.session_token()),
        }
    }
}

/// The token that `aws eks get-token` would make of these keys at this second of corrected time.
pub fn presign(
    keys: &Keys<'_>,
    region: &Region,
    cluster: &ClusterName,
    use_fips: bool,
    signed_at: SystemTime,
) -> Result<Secret, EksTokenError> {
    let url = presigned_url(keys, region, cluster, use_fips, signed_at)?;
    let bytes = PREFIX.len() + (url.len() * 4).div_ceil(3);
    if bytes > LONGEST {
        return Err(EksTokenError::TooLarge {
            bytes,
            session_token_length: keys.session_token.map_or(0, |token| token.expose().len()),
        });
    }
    let mut token = String::with_capacity(bytes);
    token.push_str(PREFIX);
    BASE64_URL_SAFE_NO_PAD.encode_string(url.as_bytes(), &mut token);
    Ok(Secret::new(token))
}

/// The URL, in the order in which the AWS CLI writes the parameters; STS takes any.
fn presigned_url(
    keys: &Keys<'_>,
    region: &Region,
    cluster: &ClusterName,
    use_fips: bool,
    signed_at: SystemTime,
) -> Result<Zeroizing<String>, EksTokenError> {
    if !(0..=END_OF_TIME).contains(&unix_seconds(signed_at)) {
        let reason = "the clock is before 1970 or after 9999";
        return Err(EksTokenError::Unsignable(reason.into()));
    }
    let unsignable = |error: &dyn fmt::Display| EksTokenError::Unsignable(error.to_string());
    let session_token = keys.session_token.map(Secret::expose);
    let identity = Identity::from(SigningCredentials::new(
        keys.access_key_id,
        keys.secret_access_key.expose(),
        session_token.map(str::to_owned),
        None,
        "irsa-sidecar",
    ));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name("sts")
        .time(signed_at)
        .settings(settings)
        .build()
        .map_err(|error| unsignable(&error))?
        .into();
    let host = region.sts_host(use_fips);
    let question = format!("https://{host}/?Action=GetCallerIdentity&Version=2011-06-15");
    let headers = [("x-k8s-aws-id", cluster.as_str())].into_iter();
    let request = SignableRequest::new("GET", &question, headers, SignableBody::empty())
        .map_err(|error| unsignable(&error))?;
    let (instructions, signature) = sign(request, &parameters)
        .map_err(|error| unsignable(&error))?
        .into_parts();
    // Room for all of it: a string that grows would leave copies of the session token behind.
    let room = 3 * session_token.map_or(0, str::len) + 3 * keys.access_key_id.len() + 1024;
    let mut url = Zeroizing::new(String::with_capacity(room));
    url.push_str(&question);
    for (name, value) in instructions.params() {
        if *name != "X-Amz-Signature" {
            push_parameter(&mut url, name, value);
        }
    }
    push_parameter(&mut url, "X-Amz-Signature", &signature);
    Ok(url)
}

fn push_parameter(url: &mut String, name: &str, value: &str) {
    url.push('&');
    url.push_str(name);
    url.push('=');
    url.extend(utf8_percent_encode(value, ENCODED));
}

/// A token and until when it is to be used.
pub struct EksToken {
    token: Secret,
    /// In the node's own clock, whole seconds.
    expiration: SystemTime,
    minted: Moment,
    /// What the node's own clock said then.
    minted_local: SystemTime,
    reuse: Duration,
    signer: Signer,
}

/// Which credentials signed, without holding them.
#[derive(PartialEq, Eq)]
struct Signer {
    access_key_id: String,
    obtained: Instant,
}

impl Signer {
    fn of(credentials: &Credentials) -> Self {
        Signer {
            access_key_id: credentials.access_key_id().to_owned(),
            obtained: credentials.obtained().tick,
        }
    }
}

/// Signs a token in corrected time and gives its end in `local`, the node's own: that is what others on the node
/// compare with. Credentials that would take the token with them within a minute are refused.
pub fn mint(
    credentials: &Credentials,
    region: &Region,
    cluster: &ClusterName,
    use_fips: bool,
    now: Moment,
    local: SystemTime,
) -> Result<EksToken, EksTokenError> {
    let remaining = credentials.remaining(now);
    let dying = EksTokenError::Dying { remaining };
    let Some(usable) = remaining.checked_sub(MARGIN) else {
        return Err(dying);
    };
    let signed_at = whole_second(local);
    // What is left was measured by two clocks that differ by microseconds, hence to the nearest second.
    let death_of_credentials = whole_second(local + usable + Duration::from_millis(500));
    let expiration = death_of_credentials.min(signed_at + LIFE);
    let life = match expiration.duration_since(signed_at) {
        Ok(life) if !life.is_zero() => life,
        _ => return Err(dying),
    };
    Ok(EksToken {
        token: presign(&credentials.into(), region, cluster, use_fips, now.wall)?,
        expiration,
        minted: now,
        minted_local: local,
        reuse: REUSE.min(life / 2),
        signer: Signer::of(credentials),
    })
}

/// Without the fraction; X-Amz-Date has none either.
fn whole_second(time: SystemTime) -> SystemTime {
    let fraction = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    time - Duration::from_nanos(fraction.into())
}

impl EksToken {
    /// The token itself.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// The `expirationTimestamp`, in the node's own clock.
    pub fn expiration(&self) -> SystemTime {
        self.expiration
    }

    /// For how much longer it is to be given out before another one is minted: 7 minutes from the start, or half of its
    /// life where that is shorter.
    pub fn reuse_left(&self, now: Moment) -> Duration {
        self.reuse.saturating_sub(now.since(self.minted))
    }

    /// Whether it may be given out again: the same credentials would sign, it is young enough, and the node's clock, in
    /// which its end is given, was not stepped since.
    pub fn reusable(&self, now: Moment, local: SystemTime, credentials: &Credentials) -> bool {
        let ticked = now.tick.saturating_duration_since(self.minted.tick);
        let was_stepped = distance(local, self.minted_local + ticked) > STEP;
        self.signer == Signer::of(credentials) && !self.reuse_left(now).is_zero() && !was_stepped
    }
}

impl fmt::Debug for EksToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EksToken")
            .field("token", &self.token)
            .field("expiration", &rfc3339(self.expiration))
            .finish_non_exhaustive()
    }
}
