//! The whole walk, once: from the token file to credentials, where no sidecar runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Failure;
use crate::clock::Clock;
use crate::config::Walk;
use crate::credentials::Credentials;
use crate::diagnosis::Remedy;
use crate::metrics::Metrics;
use crate::refresh::Source;
use crate::refresh::assumed_role::AssumedRole;
use crate::refresh::web_identity::WebIdentity;
use crate::role::RoleArn;
use crate::store::store;
use crate::sts::Sts;

/// What can pass is tried this often,
const ATTEMPTS: u32 = 3;
/// … so far apart.
const PAUSE: Duration = Duration::from_secs(1);

/// Credentials of the pod's role, or of `role` assumed from it.
pub(super) async fn credentials(
    walk: &Walk,
    role: Option<&RoleArn>,
    clock: &Clock,
) -> Result<Arc<Credentials>, Failure> {
    let sts = Sts::new(&walk.sts, clock.clone());
    let (writer, reader) = store(clock.clone());
    let writer = Arc::new(writer);
    let mut pod = WebIdentity::new(
        walk.web_identity.clone(),
        walk.api.clone(),
        sts.clone(),
        clock.clone(),
        Arc::clone(&writer),
        Arc::new(Metrics::new()),
    );
    let credentials = obtain(&mut pod).await?;
    writer.refreshed(Arc::clone(&credentials));
    match role {
        None => Ok(credentials),
        Some(role) => obtain(&mut AssumedRole::new(role.clone(), reader, sts)).await,
    }
}

async fn obtain(source: &mut impl Source) -> Result<Arc<Credentials>, Failure> {
    let mut attempt = 1;
    loop {
        match source.obtain().await {
            Ok(credentials) => return Ok(Arc::new(credentials)),
            Err(error) if error.remedy() == Remedy::Wait && attempt < ATTEMPTS => {
                attempt += 1;
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.diagnosis().into()),
        }
    }
}
