//! The attempts to write one file: what went wrong, when it is tried again, and what is said of it, once.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::atomic_file::AtomicFileError;
use crate::backoff::retry_delay;
use crate::clock::Clock;
use crate::diagnosis::{Diagnosis, Remedy, findings};
use crate::outputs::credentials_file::NoCredentialsFile;
use crate::outputs::eks_tokens::NoToken;
use crate::outputs::kubeconfig_file::{NoKubeconfig, not_written};
use crate::store::Trouble;

/// Why a file could not be written.
#[derive(Debug)]
pub(super) enum FileError {
    Token(NoToken),
    Kubeconfig(NoKubeconfig),
    Credentials(NoCredentialsFile),
    Write(AtomicFileError),
}

/// Of one file.
pub(super) struct Attempts {
    clock: Clock,
    rng: Rng,
    failing: Option<Failing>,
}

/// Failures in a row.
struct Failing {
    count: u32,
    since: Instant,
    next: Instant,
    trouble: Arc<Trouble>,
}

impl Attempts {
    /// None yet.
    pub(super) fn new(clock: Clock) -> Self {
        Attempts {
            clock,
            rng: Rng::new(),
            failing: None,
        }
    }

    /// Whether it may be tried now.
    pub(super) fn is_due(&self) -> bool {
        self.pause_left().is_none_or(|left| left.is_zero())
    }

    /// How long not to try again; `None` where nothing failed.
    pub(super) fn pause_left(&self) -> Option<Duration> {
        let failing = self.failing.as_ref()?;
        Some(failing.next.saturating_duration_since(Instant::now()))
    }

    /// What was in the way may be gone.
    pub(super) fn hurry(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.next = Instant::now();
        }
    }

    /// What is in the way.
    pub(super) fn trouble(&self) -> Option<Arc<Trouble>> {
        Some(Arc::clone(&self.failing.as_ref()?.trouble))
    }

    /// Whether this is not what was in the way the last time. A file that cannot be written has many causes under one
    /// finding, and each is put right in its own way; what AWS says twice differs in its request ids.
    pub(super) fn is_another(&self, diagnosis: &Diagnosis) -> bool {
        self.failing.as_ref().is_none_or(|failing| {
            let before = &failing.trouble.diagnosis;
            before.finding != diagnosis.finding
                || diagnosis.finding == findings::FILE_NOT_WRITTEN
                    && before.found != diagnosis.found
        })
    }

    /// Takes in what became of an attempt to write `path`. The log hears of each cause once in a row.
    pub(super) fn note(&mut self, path: &Path, outcome: Result<(), FileError>) {
        let Err(error) = outcome else {
            self.failing = None;
            return;
        };
        let (diagnosis, now) = (error.diagnosis(), Instant::now());
        let finding = diagnosis.finding;
        let is_new = self.is_another(&diagnosis);
        if is_new && !error.is_said_by_the_refresh_task() {
            let path = path.display();
            tracing::error!(%error, finding = finding.id, file = %path, "cannot write a file in output-dir");
        }
        let before = self.failing.take();
        let (since, since_local) = match &before {
            Some(before) => (before.since, before.trouble.since),
            None => (now, self.clock.local()),
        };
        let count = before.map_or(0, |before| before.count).saturating_add(1);
        let lasting = now.duration_since(since);
        let delay = retry_delay(error.remedy(), count, lasting, &mut self.rng);
        self.failing = Some(Failing {
            count,
            since,
            next: now + delay,
            trouble: Arc::new(Trouble {
                diagnosis,
                since: since_local,
                next_attempt: self.clock.local() + delay,
            }),
        });
    }
}

impl FileError {
    fn diagnosis(&self) -> Diagnosis {
        match self {
            FileError::Token(error) => error.diagnosis(),
            FileError::Kubeconfig(error) => error.diagnosis(),
            FileError::Credentials(error) => error.diagnosis(),
            FileError::Write(error) => not_written(error),
        }
    }

    fn remedy(&self) -> Remedy {
        match self {
            FileError::Token(NoToken::Unavailable(_)) => Remedy::Wait,
            FileError::Token(_) => Remedy::Change,
            FileError::Kubeconfig(error) => error.remedy(),
            FileError::Credentials(error) => error.remedy(),
            // A full disk may be emptied.
            FileError::Write(_) => Remedy::Wait,
        }
    }

    /// What is wrong with credentials is that task's to say.
    fn is_said_by_the_refresh_task(&self) -> bool {
        matches!(
            self,
            FileError::Token(NoToken::Unavailable(_))
                | FileError::Kubeconfig(NoKubeconfig::Unavailable(_))
                | FileError::Credentials(NoCredentialsFile::Unavailable(_))
        )
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Unavailable;

    fn clock() -> Clock {
        Clock::reading(|| std::time::UNIX_EPOCH)
    }

    fn full() -> FileError {
        let nowhere = Path::new("/proc/nowhere/file");
        let written =
            crate::atomic_file::write(nowhere, b"", crate::atomic_file::Mode::Exactly(0o600));
        FileError::Write(written.unwrap_err())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_attempt_is_repeated_after_its_pause_or_when_something_has_changed() {
        let mut attempts = Attempts::new(clock());
        assert!(attempts.is_due() && attempts.pause_left().is_none());
        for _ in 0..8 {
            attempts.note(Path::new("file"), Err(full()));
        }
        let left = attempts.pause_left().unwrap();
        let next = attempts.trouble().unwrap().next_attempt;
        assert_eq!(next, std::time::UNIX_EPOCH + left);
        assert!(!left.is_zero() && !attempts.is_due());
        tokio::time::advance(left).await;
        assert!(attempts.is_due());
        for _ in 0..8 {
            attempts.note(Path::new("file"), Err(full()));
        }
        attempts.hurry();
        assert!(attempts.is_due() && attempts.trouble().is_some());
        attempts.note(Path::new("file"), Ok(()));
        assert!(attempts.is_due() && attempts.trouble().is_none());
    }

    #[test]
    fn what_is_wrong_with_credentials_is_not_said_again() {
        let clock = clock();
        let (_writer, reader) = crate::store::store(clock);
        let Unavailable(trouble) = reader.trouble();
        let unavailable = || Unavailable(Arc::clone(&trouble));
        for (error, said) in [
            (FileError::Token(NoToken::Unavailable(unavailable())), true),
            (
                FileError::Kubeconfig(NoKubeconfig::Unavailable(unavailable())),
                true,
            ),
            (
                FileError::Credentials(NoCredentialsFile::Unavailable(unavailable())),
                true,
            ),
            (full(), false),
        ] {
            assert_eq!(error.is_said_by_the_refresh_task(), said, "{error}");
        }
    }
}
