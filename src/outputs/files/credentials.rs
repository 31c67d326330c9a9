//! The shared credentials file: never without the newest credentials for longer than a look, and never with dead ones.

use std::time::Duration;

use tokio::time::sleep;

use super::attempts::{Attempts, FileError};
use super::freshness::{Freshness, Kept};
use super::{FilesConfig, LOOK, SHORTEST_PAUSE};
use crate::atomic_file::Mode;
use crate::clock::Clock;
use crate::outputs::credentials_file::CredentialsFile;
use crate::store::{Reader, served_for};

pub(super) struct KeptCredentials {
    file: CredentialsFile,
    attempts: Attempts,
    pod: Reader,
    mode: Mode,
    clock: Clock,
}

impl KeptCredentials {
    /// `None` where nobody asked for it.
    pub(super) fn new(config: &FilesConfig, pod: Reader, clock: Clock) -> Option<Self> {
        let wanted = config.credentials.as_ref()?;
        Some(KeptCredentials {
            file: CredentialsFile::new(&config.directory, wanted, clock.clone()),
            attempts: Attempts::new(clock.clone()),
            pod,
            mode: Mode::Exactly(config.mode),
            clock,
        })
    }

    /// Never returns.
    pub(super) async fn run(mut self, freshness: Freshness) {
        loop {
            let is_due = self.attempts.is_due();
            let outcome = self.file.write(&self.pod, self.mode).await;
            let is_news = match &outcome {
                Ok(()) => true,
                Err(error) => self.attempts.is_another(&error.diagnosis()),
            };
            // A look costs nothing; what is still wrong is said at the pace of the attempts.
            if is_due || is_news {
                let outcome = outcome.map_err(FileError::Credentials);
                self.attempts.note(self.file.path(), outcome);
            }
            freshness.tell(self.kept());
            tokio::select! {
                () = sleep(self.pause()) => {}
                () = self.pod.changed() => self.attempts.hurry(),
            }
        }
    }

    /// How long what is in the file may still be given out.
    fn left(&self) -> Option<Duration> {
        let now = self.clock.now();
        self.file.written().map(|written| served_for(written, now))
    }

    /// At most until what is in the file is over. What is over already is in a file that cannot be written: that keeps
    /// its pace.
    fn pause(&self) -> Duration {
        let left = self.left().filter(|left| !left.is_zero());
        let left = left.unwrap_or(LOOK);
        let attempt = self.attempts.pause_left().unwrap_or(LOOK);
        LOOK.min(left).min(attempt).max(SHORTEST_PAUSE)
    }

    fn kept(&self) -> Kept {
        Kept {
            good_until: self.left().map(|left| self.clock.local() + left),
            trouble: self.attempts.trouble(),
        }
    }
}
