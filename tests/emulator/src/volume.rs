//! A projected service account token volume, written as the kubelet's atomic writer writes it
//! (Kubernetes 1.36, `pkg/volume/util/atomic_writer.go`).
//!
//! ```text
//! token  -> ..data/token                    what the pod opens
//! ..data -> ..2026_11_21_21_29_21.3958850997  swapped by one rename
//! ..2026_11_21_21_29_21.3958850997/token    the file of one rotation
//! ```

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::{clock, random};

const TOKEN: &str = "token";
const DATA: &str = "..data";
const DATA_TMP: &str = "..data_tmp";

/// A directory that holds one projected token.
#[derive(Clone, Debug)]
pub struct Volume {
    dir: PathBuf,
}

impl Volume {
    /// Writes the volume into `dir`, which is made if it is missing. A volume that is already
    /// there is rotated, as after a restart of the kubelet.
    pub fn create(dir: &Path, content: &str) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let volume = Self {
            dir: dir.to_owned(),
        };
        volume.rotate(content)?;
        Ok(volume)
    }

    /// The path that the pod opens.
    pub fn token_path(&self) -> PathBuf {
        self.dir.join(TOKEN)
    }

    /// Swaps the token. The same content again touches nothing.
    pub fn rotate(&self, content: &str) -> io::Result<()> {
        self.rotate_bytes(content.as_bytes())
    }

    /// Swaps the token for any bytes, UTF-8 or not.
    pub fn rotate_bytes(&self, content: &[u8]) -> io::Result<()> {
        let data = self.dir.join(DATA);
        let old = match fs::read_link(&data) {
            Ok(target) => Some(self.dir.join(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if old.as_ref().is_some_and(|old| holds(old, content)) {
            return Ok(());
        }

        let name = format!(
            "{}.{}",
            clock::volume_timestamp(clock::unix_now()),
            random::characters(b"0123456789", 10),
        );
        let new = self.dir.join(&name);
        fs::create_dir(&new)?;
        fs::set_permissions(&new, Permissions::from_mode(0o755))?;
        let file = new.join(TOKEN);
        fs::write(&file, content)?;
        fs::set_permissions(&file, Permissions::from_mode(0o644))?;

        // Left behind when a writer died between the next two lines.
        let data_tmp = self.dir.join(DATA_TMP);
        remove_if_there(&data_tmp)?;
        symlink(&name, &data_tmp)?;
        fs::rename(&data_tmp, &data)?;

        match symlink(Path::new(DATA).join(TOKEN), self.token_path()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // At once, as the kubelet does: a reader may have resolved `..data` and not yet opened.
        old.map_or(Ok(()), fs::remove_dir_all)
    }
}

fn holds(dir: &Path, content: &[u8]) -> bool {
    fs::read(dir.join(TOKEN)).is_ok_and(|found| found == content)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
