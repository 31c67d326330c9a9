//! Notices that a file may have changed, whatever the volume: an inotify watch to be quick, a poll to be sure.
//!
//! The kubelet swaps a symlink beside the file, so the *directory* is watched (a watch on the file dies at the
//! second rotation). Watches die silently when the directory is replaced, are scarce on busy nodes and are absent
//! on some sandboxes: the poll is the promise, the watch only makes it quick.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How often a file is looked at when no event says so.
pub const POLL: Duration = Duration::from_secs(30);
/// The same where there is no watch: the directory may appear any moment.
const POLL_UNWATCHED: Duration = Duration::from_secs(5);

/// Watches the directory of one file.
pub struct FileWatch {
    directory: PathBuf,
    events: Arc<Notify>,
    armed: Option<Armed>,
    complained: bool,
}

/// A watch, and the directory that it is on: another one may have taken its name since.
struct Armed {
    directory: (u64, u64),
    _watcher: RecommendedWatcher,
}

impl FileWatch {
    /// Starts to watch the directory of `file`. A watch that cannot be had is logged once; the poll stays.
    pub fn new(file: &Path) -> Self {
        let directory = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut watch = FileWatch {
            directory,
            events: Arc::new(Notify::new()),
            armed: None,
            complained: false,
        };
        watch.arm();
        watch
    }

    /// Returns when the file may have changed: after an event, at the latest after [`POLL`]. Says nothing about whether
    /// it did.
    pub async fn changed(&mut self) {
        let poll = match self.armed {
            Some(_) => POLL,
            None => POLL_UNWATCHED,
        };
        if timeout(poll, self.events.notified()).await.is_err() {
            self.arm();
        }
    }

    /// Watches the directory that is there now, where that is not done yet.
    fn arm(&mut self) {
        let armed = match std::fs::metadata(&self.directory) {
            Ok(found) => {
                let directory = (found.dev(), found.ino());
                if self
                    .armed
                    .as_ref()
                    .is_some_and(|armed| armed.directory == directory)
                {
                    return;
                }
                self.watcher().map(|watcher| Armed {
                    directory,
                    _watcher: watcher,
                })
            }
            Err(error) => Err(notify::Error::io(error)),
        };
        self.armed = armed.map_err(|error| self.complain(&error)).ok();
    }

    fn watcher(&self) -> notify::Result<RecommendedWatcher> {
        let events = Arc::clone(&self.events);
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Our own reads are events too.
                let read = event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)));
                if !read {
                    events.notify_one();
                }
            })?;
        watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }

    fn complain(&mut self, error: &notify::Error) {
        if !self.complained {
            tracing::warn!(
                directory = %self.directory.display(),
                %error,
                "no inotify watch on this directory; polling every {} s", POLL_UNWATCHED.as_secs()
            );
        }
        self.complained = true;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Far below the poll: an event must have come.
    const SOON: Duration = Duration::from_secs(5);

    fn swap(dir: &Path, generation: usize) {
        let data = dir.join(format!("..generation_{generation}"));
        fs::create_dir(&data).unwrap();
        fs::write(data.join("token"), generation.to_string()).unwrap();
        symlink(&data, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    }

    #[tokio::test]
    async fn every_swap_of_the_kubelet_is_noticed_not_only_the_first() {
        let dir = tempfile::tempdir().unwrap();
        swap(dir.path(), 0);
        symlink("..data/token", dir.path().join("token")).unwrap();
        let mut watch = FileWatch::new(&dir.path().join("token"));
        for generation in 1..5 {
            swap(dir.path(), generation);
            let seen = async {
                while fs::read_to_string(dir.path().join("token")).unwrap()
                    != generation.to_string()
                {
                    watch.changed().await;
                }
                watch.changed().await;
            };
            timeout(SOON, seen).await.expect("an event within seconds");
        }
    }

    #[tokio::test]
    async fn our_own_reads_are_no_events() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        fs::write(&file, "x").unwrap();
        let mut watch = FileWatch::new(&file);
        for _ in 0..3 {
            fs::read(&file).unwrap();
        }
        let quiet = timeout(Duration::from_millis(300), watch.changed()).await;
        assert!(quiet.is_err(), "a read was reported as a change");
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_is_not_there_is_polled() {
        let mut watch = FileWatch::new(Path::new("/nonexistent/dir/token"));
        let start = tokio::time::Instant::now();
        watch.changed().await;
        assert_eq!(start.elapsed(), POLL_UNWATCHED);
    }
}
