//! The credentials of the pod's role: from the running sidecar, or by the whole walk.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Environment, Failure, alone, sidecar};
use crate::clock::{Clock, Moment};
use crate::config::{self, Flags, FlagsOf};
use crate::credentials::{Credentials, Session};
use crate::outputs::container_credentials::CREDENTIALS;
use crate::secret::Secret;
use crate::telemetry;

/// The longest that STS gives to anybody.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// Obtains them.
pub(super) async fn obtain(
    flags: Flags,
    flags_of: FlagsOf,
    environment: Environment,
    clock: &Clock,
) -> Result<Arc<Credentials>, Failure> {
    let running = config::running(flags.clone(), environment.clone())?;
    if let Some(answer) = sidecar::get(&running, CREDENTIALS).await? {
        return parse(&answer).map(Arc::new).ok_or_else(|| {
            let address = running.address;
            Failure::Failed(format!(
                "what listens at {address} answered 200 with no credentials; see what it is"
            ))
        });
    }
    let walked = async {
        let (walk, log) = config::walk(flags, environment, flags_of)?;
        telemetry::init(log);
        alone::credentials(&walk, None, clock).await
    };
    walked
        .await
        .map_err(|failure| failure.where_none_runs(running.address))
}

/// The one body that every door gives out. Whether it is alive the sidecar has judged, by the clock of STS; this process
/// knows only the node's, which may be wrong, until EKS tells its own.
pub(super) fn parse(document: &[u8]) -> Option<Credentials> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document {
        access_key_id: String,
        secret_access_key: String,
        token: String,
        expiration: String,
        account_id: String,
        role_arn: String,
    }
    let found: Document = serde_json::from_slice(document).ok()?;
    let expiration = DateTime::from_str(&found.expiration, Format::DateTime).ok()?;
    let expiration: SystemTime = expiration.try_into().ok()?;
    let handed_out = Moment {
        wall: expiration.checked_sub(LONGEST)?,
        tick: Instant::now(),
    };
    let session = Session {
        access_key_id: found.access_key_id,
        secret_access_key: Secret::new(found.secret_access_key),
        session_token: Secret::new(found.token),
        expiration,
        account_id: found.account_id,
        role_arn: found.role_arn,
        // Not in the document, and nothing is made up: STS tells it whoever needs it.
        session_name: String::new(),
    };
    Credentials::new(session, handed_out, LONGEST).ok()
}
