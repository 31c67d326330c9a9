//! Files for `kubectl`: `NAME.eks-token` for each cluster, always fresh, and a kubeconfig that names them.
//!
//! First the tokens, then the kubeconfig, then ready: in a pod, `kubectl` with a missing kubeconfig silently takes the
//! service account's own token. Files stay when the program ends; a token in them is dead within 14 minutes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::eks_tokens::{EksTokens, NoToken, Subject};
pub use super::kubeconfig_file::{FilesConfig, token_file};
use super::kubeconfig_file::{KubeconfigFile, NoKubeconfig, is_file, not_written};
use crate::atomic_file::{self, AtomicFileError, Mode};
use crate::backoff::retry_delay;
use crate::clock::Clock;
use crate::diagnosis::{Diagnosis, Finding, Remedy, findings};
use crate::eks_token::{ClusterName, EksToken};
use crate::partition::Region;
use crate::store::{Reader, Trouble, Unavailable};

/// How often it is looked whether the files are still there: without them clients fail, or take another identity.
const LOOK: Duration = Duration::from_secs(5);
/// Between two attempts, whatever chance says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The task that writes them.
pub struct Files {
    tokens: Arc<EksTokens>,
    pod: Reader,
    clock: Clock,
    rng: Rng,
    mode: Mode,
    token_files: Vec<TokenFile>,
    kubeconfig: Option<KubeconfigFile>,
    state: watch::Sender<State>,
    failing: Option<Failing>,
}

struct TokenFile {
    subject: Subject,
    path: PathBuf,
    written: Option<Arc<EksToken>>,
}

/// Failures in a row.
struct Failing {
    count: u32,
    since: Instant,
    since_local: SystemTime,
    finding: Finding,
}

/// Why a file could not be written.
#[derive(Debug)]
enum FileError {
    Token(NoToken),
    Kubeconfig(NoKubeconfig),
    Write(AtomicFileError),
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
            rng: Rng::new(),
            tokens,
            pod,
            clock,
            kubeconfig,
            state: sender,
            failing: None,
        };
        (files, reader)
    }

    /// Keeps the files fresh; never returns.
    pub async fn run(mut self) {
        loop {
            let pause = match self.write().await {
                Ok(()) => self.succeeded(),
                Err(error) => self.failed(&error),
            };
            tokio::select! {
                () = sleep(pause) => {}
                // New credentials make new tokens.
                () = self.pod.changed() => {}
            }
        }
    }

    /// Writes whatever is not there, or not as it should be. One file that fails keeps no other from being written.
    async fn write(&mut self) -> Result<(), FileError> {
        let mut outcome = Ok(());
        for file in &mut self.token_files {
            outcome = outcome.and(file.write(&self.tokens, self.mode).await);
        }
        match &mut self.kubeconfig {
            Some(kubeconfig) if outcome.is_ok() => {
                Ok(kubeconfig.write(&self.pod, self.mode).await?)
            }
            _ => outcome,
        }
    }

    /// Returns how long to wait for the next look.
    fn succeeded(&mut self) -> Duration {
        if self.failing.take().is_some() || self.state.borrow().good_until.is_none() {
            let files = self.token_files.len() + usize::from(self.kubeconfig.is_some());
            tracing::info!(files, "the files in output-dir are fresh");
        }
        self.tell(None);
        self.next_token().min(LOOK)
    }

    /// Until the next token is half over. One that is so already is in a file that cannot be written: that keeps its pace.
    fn next_token(&self) -> Duration {
        let now = self.clock.now();
        let written = self.token_files.iter().flat_map(|file| &file.written);
        let left = written.map(|token| token.reuse_left(now));
        left.filter(|left| !left.is_zero())
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// Returns how long to wait for the next attempt.
    fn failed(&mut self, error: &FileError) -> Duration {
        let (diagnosis, now) = (error.diagnosis(), Instant::now());
        let finding = diagnosis.finding;
        let failing = self.failing.get_or_insert(Failing {
            count: 0,
            since: now,
            since_local: self.clock.local(),
            finding: findings::FILES_PENDING,
        });
        failing.count = failing.count.saturating_add(1);
        let lasting = now.duration_since(failing.since);
        let delay = retry_delay(error.remedy(), failing.count, lasting, &mut self.rng);
        // The refresh task says what is wrong with credentials.
        let is_said = matches!(error, FileError::Token(NoToken::Unavailable(_)));
        if failing.finding != finding && !is_said {
            tracing::error!(%error, finding = finding.id, "cannot write the files in output-dir");
        }
        failing.finding = finding;
        let trouble = Trouble {
            diagnosis,
            since: failing.since_local,
            next_attempt: self.clock.local() + delay,
        };
        self.tell(Some(Arc::new(trouble)));
        delay.min(self.next_token()).max(SHORTEST_PAUSE)
    }

    fn tell(&self, trouble: Option<Arc<Trouble>>) {
        let ends = self.token_files.iter().map(|file| {
            let written = file.written.as_ref()?;
            Some(written.expiration())
        });
        let all: Option<Vec<SystemTime>> = ends.collect();
        let complete = self
            .kubeconfig
            .as_ref()
            .is_none_or(KubeconfigFile::is_written);
        let good_until = all
            .filter(|_| complete)
            .and_then(|ends| ends.into_iter().min());
        self.state.send_replace(State {
            good_until,
            trouble,
        });
    }
}

impl TokenFile {
    async fn write(&mut self, tokens: &EksTokens, mode: Mode) -> Result<(), FileError> {
        if !is_file(&self.path) {
            self.written = None;
        }
        let token = tokens.token(&self.subject).await?;
        let is_in_it = |written: &Arc<_>| Arc::ptr_eq(written, &token);
        if !self.written.as_ref().is_some_and(is_in_it) {
            let content = token.token().expose().as_bytes();
            atomic_file::write(&self.path, content, mode)?;
            self.written = Some(token);
        }
        Ok(())
    }
}

impl FileError {
    fn diagnosis(&self) -> Diagnosis {
        match self {
            FileError::Token(error) => error.diagnosis(),
            FileError::Kubeconfig(error) => error.diagnosis(),
            FileError::Write(error) => not_written(error),
        }
    }

    fn remedy(&self) -> Remedy {
        match self {
            FileError::Token(NoToken::Unavailable(_)) => Remedy::Wait,
            FileError::Token(_) => Remedy::Change,
            FileError::Kubeconfig(error) => error.remedy(),
            // A full disk may be emptied.
            FileError::Write(_) => Remedy::Wait,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl From<NoToken> for FileError {
    fn from(error: NoToken) -> Self {
        FileError::Token(error)
    }
}

impl From<NoKubeconfig> for FileError {
    fn from(error: NoKubeconfig) -> Self {
        FileError::Kubeconfig(error)
    }
}

impl From<AtomicFileError> for FileError {
    fn from(error: AtomicFileError) -> Self {
        FileError::Write(error)
    }
}
