//! STS: one exchange of a web identity token, or of one role's credentials, for credentials.
//!
//! `aws-sdk-sts` speaks the protocol; retries are not its business but the refresh loop's, which knows until when
//! credentials are still good. Nothing here logs a body: an answer may hold credentials.

mod endpoint;
mod error;
mod fix;
mod table;
mod trust_policy;

use std::future::Future;
use std::time::Duration;

use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{
    self as sdk, BehaviorVersion, IdentityCache, Region, SharedCredentialsProvider,
    retry::RetryConfig,
};
use aws_sdk_sts::types::{AssumedRoleUser, Credentials as SdkCredentials};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::http_client_fn;

pub use self::endpoint::{Endpoint, first_hop};
use self::error::{Asked, By};
pub use self::error::{StsError, StsErrorKind};
use crate::claims::Claims;
use crate::clock::Clock;
use crate::credentials::{Credentials, Session};
use crate::role::{RoleArn, SessionName};
use crate::secret::Secret;
use crate::token::WebIdentityToken;
use crate::transport::{EndpointUrl, Network, OPERATION_TIMEOUT, Transport};

/// What is asked for.
#[derive(Debug)]
pub struct AssumeRoleWithWebIdentity<'a> {
    /// A token whose claims were checked.
    pub token: &'a WebIdentityToken,
    /// Its claims, for an error that has to name them.
    pub claims: &'a Claims,
    /// The role.
    pub role: &'a RoleArn,
    /// What CloudTrail shall show.
    pub session_name: &'a SessionName,
    /// 15 minutes to 12 hours; longer than the role allows is an error, not a clamp.
    pub duration: Duration,
}

/// What is asked for with credentials instead of a token.
#[derive(Debug)]
pub struct AssumeRole<'a> {
    /// Of the role that assumes the other one.
    pub credentials: &'a Credentials,
    /// Theirs, to be kept: it is what audit logs are searched for.
    pub session_name: &'a str,
    /// The role to assume.
    pub role: &'a RoleArn,
    /// At most an hour.
    pub duration: Duration,
}

/// The seam between the refresh loop and the network: real in the program, scripted under virtual time.
pub trait Exchange {
    /// Exchanges the token once. Learns the offset to STS's clock on the way.
    fn assume_role_with_web_identity(
        &self,
        request: &AssumeRoleWithWebIdentity<'_>,
    ) -> impl Future<Output = Result<Credentials, StsError>> + Send;

    /// Learns the offset to STS's clock with a request that carries nothing.
    fn ask_time(&self) -> impl Future<Output = ()> + Send;
}

/// Which STS, and how to get there.
#[derive(Debug, Clone)]
pub struct StsConfig {
    /// The region whose endpoint is used.
    pub region: String,
    /// Another address than the regional endpoint's.
    pub endpoint_url: Option<EndpointUrl>,
    /// The FIPS endpoint of the region.
    pub use_fips: bool,
    /// The dual-stack endpoint of the region.
    pub use_dualstack: bool,
    /// How to get there.
    pub network: Network,
}

/// The real exchange; clones share connections.
#[derive(Clone)]
pub struct Sts {
    client: aws_sdk_sts::Client,
    transport: Transport,
    endpoint: Endpoint,
    region: String,
    clock: Clock,
}

/// Who STS says that the credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Of the session.
    pub arn: String,
    /// Twelve digits.
    pub account: String,
}

impl Caller {
    /// The role session name; `None` of whom is no session of a role.
    pub fn session_name(&self) -> Option<&str> {
        let (_, session) = self.arn.split_once(":assumed-role/")?;
        session.rsplit_once('/').map(|(_, name)| name)
    }
}

impl Sts {
    /// Builds the client; connects to nothing.
    pub fn new(config: &StsConfig, clock: Clock) -> Self {
        let endpoint = config.endpoint_url.as_ref();
        let transport = Transport::new(&config.network, endpoint, clock.clone());
        let connector = transport.connector();
        let mut sdk = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region.clone()))
            .use_fips(config.use_fips)
            .use_dual_stack(config.use_dualstack)
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(TokioSleep::new())
            .time_source(SharedTimeSource::new(clock.clone()))
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            );
        sdk.set_endpoint_url(endpoint.map(ToString::to_string));
        Sts {
            client: aws_sdk_sts::Client::from_conf(sdk.build()),
            transport,
            endpoint: Endpoint::of(config),
            region: config.region.clone(),
            clock,
        }
    }
}

impl Sts {
    /// Assumes another role. The request is signed at corrected time, so a wrong clock does not matter.
    pub async fn assume_role(&self, request: &AssumeRole<'_>) -> Result<Credentials, StsError> {
        let own = request.credentials;
        let sent = self
            .client
            .assume_role()
            .role_arn(request.role.as_str())
            .role_session_name(request.session_name)
            .duration_seconds(seconds(request.duration))
            .customize()
            .config_override(signed_by(own))
            .send();
        let by = By::Role(own.role_arn().to_owned());
        let asked = self.asked(request.role, request.duration, by);
        match sent.await {
            Ok(answer) => Answer {
                credentials: answer.credentials,
                user: answer.assumed_role_user,
                role: request.role,
                session_name: request.session_name,
                duration: request.duration,
            }
            .credentials(&self.clock),
            Err(error) => {
                let sent = own.session_token().expose();
                Err(StsError::from_sdk(&error, asked, sent))
            }
        }
    }

    /// Asks whose these credentials of `role` are. No policy of the role can forbid it.
    pub async fn caller(&self, own: &Credentials, role: &RoleArn) -> Result<Caller, StsError> {
        let sent = self
            .client
            .get_caller_identity()
            .customize()
            .config_override(signed_by(own))
            .send();
        match sent.await {
            Ok(answer) => answer
                .arn
                .zip(answer.account)
                .map(|(arn, account)| Caller { arn, account })
                .ok_or_else(|| StsError::of(StsErrorKind::Garbled { status: Some(200) })),
            Err(error) => {
                let by = By::Itself(own.access_key_id().to_owned());
                let asked = self.asked(role, own.lifetime(), by);
                let sent = own.session_token().expose();
                Err(StsError::from_sdk(&error, asked, sent))
            }
        }
    }

    /// The error of an exchange for which nobody waits any longer.
    pub fn late(&self, request: &AssumeRoleWithWebIdentity<'_>) -> StsError {
        let by = By::token(request.claims);
        StsError::late(self.asked(request.role, request.duration, by))
    }

    fn asked(&self, role: &RoleArn, duration: Duration, by: By) -> Asked {
        Asked {
            role: role.clone(),
            duration,
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            by,
        }
    }
}

fn signed_by(own: &Credentials) -> sdk::Builder {
    let signer = sdk::Credentials::new(
        own.access_key_id(),
        own.secret_access_key().expose(),
        Some(own.session_token().expose().to_owned()),
        None,
        "irsa-sidecar",
    );
    aws_sdk_sts::Config::builder().credentials_provider(SharedCredentialsProvider::new(signer))
}

impl Exchange for Sts {
    async fn assume_role_with_web_identity(
        &self,
        request: &AssumeRoleWithWebIdentity<'_>,
    ) -> Result<Credentials, StsError> {
        let sent = self
            .client
            .assume_role_with_web_identity()
            .role_arn(request.role.as_str())
            .role_session_name(request.session_name.as_str())
            .web_identity_token(request.token.expose())
            .duration_seconds(seconds(request.duration))
            .send();
        let by = By::token(request.claims);
        let asked = self.asked(request.role, request.duration, by);
        match sent.await {
            Ok(answer) => Answer {
                credentials: answer.credentials,
                user: answer.assumed_role_user,
                role: request.role,
                session_name: request.session_name.as_str(),
                duration: request.duration,
            }
            .credentials(&self.clock),
            Err(error) => Err(StsError::from_sdk(&error, asked, request.token.expose())),
        }
    }

    async fn ask_time(&self) {
        self.transport.ask_time(self.endpoint.url()).await;
    }
}

/// A 200 of STS, and what it answers.
struct Answer<'a> {
    credentials: Option<SdkCredentials>,
    user: Option<AssumedRoleUser>,
    role: &'a RoleArn,
    session_name: &'a str,
    duration: Duration,
}

impl Answer<'_> {
    fn credentials(self, clock: &Clock) -> Result<Credentials, StsError> {
        let found = self
            .credentials
            .ok_or_else(|| StsError::useless("no Credentials"))?;
        let account_id = self
            .user
            .as_ref()
            .and_then(|user| user.arn.split(':').nth(4))
            .unwrap_or_else(|| self.role.account())
            .to_owned();
        let session = Session {
            access_key_id: found.access_key_id,
            secret_access_key: Secret::new(found.secret_access_key),
            session_token: Secret::new(found.session_token),
            expiration: found
                .expiration
                .try_into()
                .map_err(|_| StsError::useless("an Expiration out of range"))?,
            account_id,
            role_arn: self.role.as_str().to_owned(),
            session_name: self.session_name.to_owned(),
        };
        Credentials::new(session, clock.now(), self.duration)
            .map_err(|useless| StsError::useless(&useless.to_string()))
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
