//! `link-local`: adds the link-local addresses to the pod's `lo`.

use super::{Failure, Output};
use crate::link_local::{Wanted, add};

/// A line about each address; nothing on stdout.
pub async fn run(wanted: Wanted) -> Result<Output, Failure> {
    let outcome = add(wanted)?;
    let mut output = Output::of([]);
    output.words = outcome.words;
    if let Some(trouble) = outcome.trouble {
        output.words.push(format!("irsa-sidecar: {trouble}"));
        output.success = false;
    }
    Ok(output)
}
