//! `NAME.eks-token` for each cluster, always fresh, and a kubeconfig that names them.
//!
//! First the tokens, then the kubeconfig, then ready: in a pod, `kubectl` with a missing kubeconfig silently takes the
//! service account's own token. Files stay when the program ends; a token in them is dead within 14 minutes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::attempts::{Attempts, FileError};
use super::freshness::{Freshness, Kept};
use super::{FilesConfig, LOOK, SHORTEST_PAUSE, token_file};
use crate::atomic_file::Mode;
use crate::clock::Clock;
use crate::eks_token::{ClusterName, EksToken};
use crate::outputs::disk::{is_file, put};
use crate::outputs::eks_tokens::{EksTokens, Subject};
use crate::outputs::kubeconfig_file::KubeconfigFile;
use crate::partition::Region;
use crate::store::Reader;

pub(super) struct KeptTokens {
    tokens: Arc<EksTokens>,
    pod: Reader,
    mode: Mode,
    clock: Clock,
    token_files: Vec<TokenFile>,
    kubeconfig: Option<(KubeconfigFile, Attempts)>,
}

struct TokenFile {
    subject: Subject,
    path: PathBuf,
    written: Option<Arc<EksToken>>,
    attempts: Attempts,
}

impl KeptTokens {
    /// `None` where there is no cluster to keep one for.
    pub(super) fn new(
        config: &FilesConfig,
        tokens: Arc<EksTokens>,
        pod: Reader,
        clock: Clock,
        kubeconfig: Option<KubeconfigFile>,
    ) -> Option<Self> {
        let token_file = |(cluster, region): &(ClusterName, Region)| TokenFile {
            path: token_file(&config.directory, cluster),
            subject: Subject {
                cluster: cluster.clone(),
                region: region.clone(),
                role: None,
            },
            written: None,
            attempts: Attempts::new(clock.clone()),
        };
        let token_files: Vec<TokenFile> = config.clusters.iter().map(token_file).collect();
        let kubeconfig = kubeconfig.map(|file| (file, Attempts::new(clock.clone())));
        (!token_files.is_empty()).then_some(KeptTokens {
            token_files,
            mode: Mode::Exactly(config.mode),
            tokens,
            pod,
            kubeconfig,
            clock,
        })
    }

    /// How many files.
    pub(super) fn count(&self) -> usize {
        self.token_files.len() + usize::from(self.kubeconfig.is_some())
    }

    /// Never returns.
    pub(super) async fn run(mut self, freshness: Freshness) {
        loop {
            self.write().await;
            freshness.tell(self.kept());
            tokio::select! {
                () = sleep(self.pause()) => {}
                // New credentials make new tokens.
                () = self.pod.changed() => self.attempts().for_each(Attempts::hurry),
            }
        }
    }

    /// Writes whatever is not there, or not as it should be. One file that fails keeps no other from being written, but
    /// for the kubeconfig, which waits for all tokens.
    async fn write(&mut self) {
        for file in &mut self.token_files {
            if file.attempts.is_due() {
                let outcome = file.write(&self.tokens, self.mode).await;
                file.attempts.note(&file.path, outcome);
            }
        }
        let are_written = self.token_files.iter().all(|file| file.written.is_some());
        match &mut self.kubeconfig {
            Some((kubeconfig, attempts)) if are_written && attempts.is_due() => {
                let outcome = kubeconfig.write(&self.pod, self.mode).await;
                attempts.note(kubeconfig.path(), outcome.map_err(FileError::Kubeconfig));
            }
            Some((kubeconfig, _)) if are_written => {
                // What is wrong with that, the next attempt says.
                let _ = kubeconfig.put(self.mode).await;
            }
            _ => {}
        }
    }

    fn attempts(&mut self) -> impl Iterator<Item = &mut Attempts> {
        let of_tokens = self.token_files.iter_mut().map(|file| &mut file.attempts);
        let of_kubeconfig = self.kubeconfig.iter_mut().map(|(_, attempts)| attempts);
        of_tokens.chain(of_kubeconfig)
    }

    /// How long to wait for the next look: at most until a token is half over, or a failed attempt may be repeated. A
    /// token that is half over already is in a file that cannot be written: that keeps its pace.
    fn pause(&mut self) -> Duration {
        let now = self.clock.now();
        let written = self.token_files.iter().flat_map(|file| &file.written);
        let left = written.map(|token| token.reuse_left(now));
        let token = left.filter(|left| !left.is_zero()).min();
        let attempt = self.attempts().filter_map(|it| it.pause_left()).min();
        let soonest = token.into_iter().chain(attempt).fold(LOOK, Duration::min);
        soonest.max(SHORTEST_PAUSE)
    }

    fn kept(&mut self) -> Kept {
        let trouble = self.attempts().find_map(|attempts| attempts.trouble());
        let ends = self.token_files.iter().map(|file| {
            let written = file.written.as_ref()?;
            Some(written.expiration())
        });
        let all: Option<Vec<SystemTime>> = ends.collect();
        let kubeconfig = self.kubeconfig.as_ref();
        let complete = kubeconfig.is_none_or(|(file, _)| file.is_there());
        let good_until = all
            .filter(|_| complete)
            .and_then(|ends| ends.into_iter().min());
        Kept {
            good_until,
            trouble,
        }
    }
}

impl TokenFile {
    async fn write(&mut self, tokens: &EksTokens, mode: Mode) -> Result<(), FileError> {
        if !is_file(&self.path).await {
            self.written = None;
        }
        let token = tokens
            .token(&self.subject)
            .await
            .map_err(FileError::Token)?;
        let is_in_it = |written: &Arc<_>| Arc::ptr_eq(written, &token);
        if !self.written.as_ref().is_some_and(is_in_it) {
            put(&self.path, token.token().clone(), mode)
                .await
                .map_err(FileError::Write)?;
            self.written = Some(token);
        }
        Ok(())
    }
}
