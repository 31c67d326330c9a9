//! Whatever may wait for a disk, away from the one thread that answers at every door.

use std::path::Path;

use crate::atomic_file::{self, AtomicFileError, Mode};
use crate::secret::Secret;

/// Whether the file itself stands there: what a symlink leads to is somebody else's.
pub(super) async fn is_file(path: &Path) -> bool {
    let path = path.to_owned();
    off_the_loop(move || std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())).await
}

/// Makes `content` the content of a file.
pub(super) async fn put(path: &Path, content: Secret, mode: Mode) -> Result<(), AtomicFileError> {
    let path = path.to_owned();
    off_the_loop(move || atomic_file::write(&path, content.expose().as_bytes(), mode)).await
}

/// Does it on another thread.
pub(super) async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is ending, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
