//! `credential-process`: credentials for `credential_process` in an AWS config file.

use super::{Environment, Failure, Output, pod_credentials};
use crate::clock::Clock;
use crate::config::{CredentialProcess, FlagsOf};
use crate::diagnosis::quote;

/// The document, version 1, and a line end.
pub async fn run(asked: CredentialProcess, environment: Environment) -> Result<Output, Failure> {
    let clock = Clock::system();
    let role = asked.flags.get("role-arn").cloned();
    let obtained = pod_credentials::obtain(asked.flags, FlagsOf::Pod, environment, &clock).await?;
    let served = obtained.role_arn();
    // A profile that names a role must not sign as another.
    if let Some(role) = role.filter(|role| role != served) {
        return Err(Failure::Failed(format!(
            "the running sidecar has credentials of {served}; expected those of {}; leave --role-arn out, or run the sidecar with that role",
            quote(&role)
        )));
    }
    let mut product = obtained.process_document();
    product.push(b'\n');
    Ok(Output {
        product,
        words: Vec::new(),
        success: true,
    })
}
