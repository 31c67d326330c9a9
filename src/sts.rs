//! STS: one exchange of a web identity token for credentials.
//!
//! `aws-sdk-sts` speaks the protocol; retries are not its business but the refresh loop's, which knows until when
//! credentials are still good. Nothing here logs a body: an answer may hold credentials.

mod endpoint;
mod error;
mod table;

use std::future::Future;
use std::time::Duration;

use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityOutput;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::http_client_fn;

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
pub struct AssumeRole<'a> {
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

/// The seam between the refresh loop and the network: real in the program, scripted under virtual time.
pub trait Exchange {
    /// Exchanges the token once. Learns the offset to STS's clock on the way.
    fn assume_role(
        &self,
        request: &AssumeRole<'_>,
    ) -> impl Future<Output = Result<Credentials, StsError>> + Send;

    /// Learns the offset to STS's clock with a request that carries nothing.
    fn ask_time(&self) -> impl Future<Output = ()> + Send;
}

/// Which STS, and how to get there.
#[derive(Debug)]
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

/// The real exchange.
pub struct Sts {
    client: aws_sdk_sts::Client,
    transport: Transport,
    endpoint: String,
    clock: Clock,
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
            endpoint: endpoint::base_url(config),
            clock,
        }
    }
}

impl Exchange for Sts {
    async fn assume_role(&self, request: &AssumeRole<'_>) -> Result<Credentials, StsError> {
        let sent = self
            .client
            .assume_role_with_web_identity()
            .role_arn(request.role.as_str())
            .role_session_name(request.session_name.as_str())
            .web_identity_token(request.token.expose())
            .duration_seconds(i32::try_from(request.duration.as_secs()).unwrap_or(i32::MAX))
            .send();
        match sent.await {
            Ok(answer) => credentials(answer, request, &self.clock),
            Err(error) => Err(StsError::from_sdk(&error, request, &self.endpoint)),
        }
    }

    async fn ask_time(&self) {
        self.transport.ask_time(&self.endpoint).await;
    }
}

fn credentials(
    answer: AssumeRoleWithWebIdentityOutput,
    request: &AssumeRole<'_>,
    clock: &Clock,
) -> Result<Credentials, StsError> {
    let found = answer
        .credentials
        .ok_or_else(|| StsError::useless("no Credentials"))?;
    let account_id = answer
        .assumed_role_user
        .as_ref()
        .and_then(|user| user.arn.split(':').nth(4))
        .unwrap_or_else(|| request.role.account())
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
        role_arn: request.role.as_str().to_owned(),
    };
    Credentials::new(session, clock.now(), request.duration)
        .map_err(|useless| StsError::useless(&useless.to_string()))
}
