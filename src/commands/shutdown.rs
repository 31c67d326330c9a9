//! `shutdown`: asks the running sidecar to stop.

use super::{Environment, Failure, Output, sidecar};
use crate::config::{self, Shutdown};
use crate::outputs::container_credentials::SHUTDOWN;

/// A line when it has accepted; nothing on stdout.
pub async fn run(asked: Shutdown, environment: Environment) -> Result<Output, Failure> {
    let running = config::running(asked.flags, environment)?;
    let address = running.address;
    match sidecar::post(&running, SHUTDOWN).await? {
        Some(_) => Ok(Output {
            words: vec![format!("irsa-sidecar: the sidecar at {address} stops")],
            ..Output::of([])
        }),
        None => Err(Failure::Failed(format!(
            "no sidecar answers at {address}: it has ended, has not started, or listens elsewhere; expected one that can be asked to stop; set AWS_CONTAINER_CREDENTIALS_FULL_URI as in the app's container, or --listen as it has it"
        ))),
    }
}
