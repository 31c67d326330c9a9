//! `credential-process`: credentials for `credential_process` in an AWS config file.

use super::{Environment, Failure, Output, pod_credentials};
use crate::clock::Clock;
use crate::config::{CredentialProcess, FlagsOf};

/// The document, version 1, and a line end.
pub async fn run(asked: CredentialProcess, environment: Environment) -> Result<Output, Failure> {
    let clock = Clock::system();
    let obtained = pod_credentials::obtain(asked.flags, FlagsOf::Pod, environment, &clock).await?;
    let mut product = obtained.process_document();
    product.push(b'\n');
    Ok(Output {
        product,
        words: Vec::new(),
        success: true,
    })
}
