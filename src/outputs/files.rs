//! Files for `kubectl`: `NAME.eks-token` for each cluster, always fresh, and a kubeconfig that names them.
//!
//! First the tokens, then the kubeconfig, then ready: in a pod, `kubectl` with a missing kubeconfig silently takes the
//! service account's own token. Files stay when the program ends; a token in them is dead within 14 minutes.

mod attempts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use self::attempts::{Attempts, FileError};
use super::disk::{is_file, put};
use super::eks_tokens::{EksTokens, Subject};
use super::kubeconfig_file::KubeconfigFile;
pub use super::kubeconfig_file::{FilesConfig, token_file};
use crate::atomic_file::Mode;
use crate::clock::Clock;
use crate::diagnosis::{Diagnosis, findings};
use crate::eks_token::{ClusterName, EksToken};
use crate::partition::Region;
use crate::store::{Reader, Trouble, Unavailable};

/// How often it is looked whether the files are still there: without them clients fail, or take another identity.
const LOOK: Duration = Duration::from_secs(5);
/// Between two looks, whatever chance says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The task that writes them.
pub struct Files {
    tokens: Arc<EksTokens>,
    pod: Reader,
    mode: Mode,
    clock: Clock,
    token_files: Vec<TokenFile>,
    kubeconfig: Option<(KubeconfigFile, Attempts)>,
    state: watch::Sender<State>,
    are_fresh: bool,
}

struct TokenFile {
    subject: Subject,
    path: PathBuf,
    written: Option<Arc<EksToken>>,
    attempts: Attempts,
}

#[derive(Debug, Clone)]
struct State {
    /// When the first token in the files is over, in local time; `None` until all files are there.
    good_until: Option<SystemTime>,
    trouble: Option<Arc<Trouble>>,
}

/// Whether the files are there and fresh.
#[derive(Debug, Clone)]
pub struct FilesReader {
    state: watch::Receiver<State>,
    clock: Clock,
    started: SystemTime,
}

impl FilesReader {
    /// What keeps them from being there and fresh.
    pub fn check(&self) -> Result<(), Unavailable> {
        let state = self.state.borrow();
        if state.good_until.is_some_and(|end| end > self.clock.local()) {
            return Ok(());
        }
        let pending = || {
            Arc::new(Trouble {
                diagnosis: Diagnosis {
                    finding: findings::FILES_PENDING,
                    found: "the files in output-dir are being written".to_owned(),
                    expected: "their end within seconds".to_owned(),
                    fix: "ask again".to_owned(),
                },
                since: self.started,
                next_attempt: self.clock.local(),
            })
        };
        Err(Unavailable(state.trouble.clone().unwrap_or_else(pending)))
    }
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
        let (sender, receiver) = watch::channel(State {
            good_until: None,
            trouble: None,
        });
        let reader = FilesReader {
            state: receiver,
            started: clock.local(),
            clock: clock.clone(),
        };
        let files = Files {
            token_files: config.clusters.iter().map(token_file).collect(),
            mode: Mode::Exactly(config.mode),
            tokens,
            pod,
            kubeconfig: kubeconfig.map(|file| (file, Attempts::new(clock.clone()))),
            clock,
            state: sender,
            are_fresh: false,
        };
        (files, reader)
    }

    /// Keeps the files fresh; never returns.
    pub async fn run(mut self) {
        loop {
            self.write().await;
            self.tell();
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

    fn tell(&mut self) {
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
        let are_fresh = trouble.is_none() && good_until.is_some();
        if are_fresh && !self.are_fresh {
            let files = self.attempts().count();
            tracing::info!(files, "the files in output-dir are fresh");
        }
        self.are_fresh = are_fresh;
        self.state.send_replace(State {
            good_until,
            trouble,
        });
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
