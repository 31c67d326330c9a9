//! Files that were asked for, kept fresh: for `kubectl` a token for each cluster and a kubeconfig, and the shared
//! credentials file. Two loops: a cluster's token may have to wait for STS, and credentials that are over must not.

mod attempts;
mod credentials;
mod freshness;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use self::credentials::KeptCredentials;
pub use self::freshness::FilesReader;
use self::freshness::{Freshness, all_files};
use self::tokens::KeptTokens;
use super::eks_tokens::EksTokens;
use super::kubeconfig_file::KubeconfigFile;
pub use super::kubeconfig_file::{FilesConfig, token_file};
use crate::clock::Clock;
use crate::store::Reader;

/// How often it is looked whether the files are still there: without them clients fail, or take another identity.
const LOOK: Duration = Duration::from_secs(5);
/// Between two looks, whatever chance says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The task that writes them.
pub struct Files {
    tokens: Option<(KeptTokens, Freshness)>,
    credentials: Option<(KeptCredentials, Freshness)>,
}

impl Files {
    /// Has written nothing yet.
    pub fn new(
        config: &FilesConfig,
        tokens: Arc<EksTokens>,
        pod: Reader,
        clock: Clock,
        kubeconfig: Option<KubeconfigFile>,
    ) -> (Self, FilesReader) {
        let credentials = KeptCredentials::new(config, pod.clone(), clock.clone());
        let tokens = KeptTokens::new(config, tokens, pod, clock.clone(), kubeconfig);
        let counts = [
            tokens.as_ref().map(KeptTokens::count),
            credentials.as_ref().map(|_| 1),
        ];
        let ([of_tokens, of_credentials], reader) = all_files(counts, clock);
        let files = Files {
            tokens: tokens.zip(of_tokens),
            credentials: credentials.zip(of_credentials),
        };
        (files, reader)
    }

    /// Keeps the files fresh; never returns.
    pub async fn run(self) {
        let tokens = async {
            if let Some((tokens, freshness)) = self.tokens {
                tokens.run(freshness).await;
            }
        };
        let credentials = async {
            if let Some((credentials, freshness)) = self.credentials {
                credentials.run(freshness).await;
            }
        };
        tokio::join!(tokens, credentials);
    }
}
