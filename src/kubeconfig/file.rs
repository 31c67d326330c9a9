//! Which file, what it holds, and how it is written.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::KubeconfigError;
use super::holds_cluster;
use crate::atomic_file::{self, AtomicFileError, Mode};

/// A thousand clusters take about 3 MiB.
const LARGEST: u64 = 16 * 1024 * 1024;
/// As many symlinks in a row as Linux follows.
const MOST_LINKS: usize = 40;

/// The file to write to, as the AWS CLI chooses it: the one named, else the first of `$KUBECONFIG` that has the cluster
/// already, else the first of `$KUBECONFIG`, else `~/.kube/config`; `None` where there is no home either.
pub fn target(
    explicit: Option<&Path>,
    kubeconfig_variable: Option<&OsStr>,
    home: Option<&Path>,
    cluster_entry: &str,
) -> Option<PathBuf> {
    if let Some(path) = explicit {
        return Some(path.to_owned());
    }
    let named = named(kubeconfig_variable);
    let holding = named.iter().find(|path| {
        let text = read(path).ok().flatten();
        text.is_some_and(|text| holds_cluster(&text, cluster_entry))
    });
    match holding.or(named.first()) {
        Some(path) => Some(path.clone()),
        None => home.map(by_default),
    }
}

/// The files of `$KUBECONFIG`.
pub(super) fn named(kubeconfig_variable: Option<&OsStr>) -> Vec<PathBuf> {
    std::env::split_paths(kubeconfig_variable.unwrap_or_default())
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

/// Where there is no such variable.
pub(super) fn by_default(home: &Path) -> PathBuf {
    home.join(".kube/config")
}

/// The content of a kubeconfig; `None` where there is no file.
pub fn read(path: &Path) -> Result<Option<String>, KubeconfigError> {
    let failed = |error| KubeconfigError::Unreadable(path.to_owned(), error);
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.map_err(failed)?,
    };
    // A pipe would hang us, and what is read from it is gone.
    if !found.is_file() {
        return Err(KubeconfigError::NotAFile(path.to_owned()));
    }
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
        .map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(KubeconfigError::TooLarge(path.to_owned()));
    }
    Ok(Some(text))
}

/// Writes a kubeconfig: a new file for its owner only, an existing one with the mode that it has. Where a symlink
/// stands, a user keeps the file elsewhere: it stays, and the file that it points to is replaced.
pub fn write(path: &Path, content: &str) -> Result<(), AtomicFileError> {
    atomic_file::write(&behind_links(path), content.as_bytes(), Mode::KeptOr(0o600))
}

/// Links in a circle are nobody's file: the first of them is replaced.
fn behind_links(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&place) {
            Ok(next) => place = place.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return place,
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    const HOLDS_DEMO: &str = "clusters:\n- name: demo\n";

    fn file(dir: &TempDir, name: &str, content: &str) -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_is_chosen_as_the_aws_cli_chooses_it() {
        let dir = tempfile::tempdir().unwrap();
        let empty = file(&dir, "empty", "");
        let broken = file(&dir, "broken", "{");
        let other = file(&dir, "other", "clusters:\n- name: other\n");
        let demo = file(&dir, "demo", HOLDS_DEMO);
        let missing = dir.path().join("missing");
        let home = Path::new("/home/me");
        let target = |explicit: Option<&Path>, variable: &[&Path]| {
            let variable = std::env::join_paths(variable).unwrap();
            target(explicit, Some(&variable), Some(home), "demo").unwrap()
        };
        let all: [&Path; 5] = [&missing, &broken, &empty, &other, &demo];
        assert_eq!(target(Some(&other), &all), other);
        assert_eq!(target(None, &all), demo);
        assert_eq!(target(None, &all[..4]), missing);
        assert_eq!(target(None, &[Path::new(""), &other]), other);
        assert_eq!(target(None, &[dir.path(), &demo]), demo);
        let by_default = home.join(".kube/config");
        assert_eq!(target(None, &[Path::new("")]), by_default);
        let by_home = super::target(None, None, Some(home), "demo");
        assert_eq!(by_home, Some(by_default));
        assert_eq!(super::target(None, None, None, "demo"), None);
    }

    #[test]
    fn a_missing_file_is_none_and_what_is_no_file_is_an_error_that_ends() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&dir.path().join("missing")).unwrap().is_none());
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success(), "mkfifo is missing");
        for path in [dir.path(), &pipe] {
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_new_kubeconfig_is_for_its_owner_and_an_old_one_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/.kube/config");
        write(&path, "a: 1\n").unwrap();
        assert_eq!(mode_of(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, "a: 2\n").unwrap();
        assert_eq!(mode_of(&path), 0o644);
        assert_eq!(read(&path).unwrap().as_deref(), Some("a: 2\n"));
    }

    #[test]
    fn a_kubeconfig_behind_symlinks_is_replaced_where_it_really_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("dotfiles")).unwrap();
        let real = file(&dir, "dotfiles/kubeconfig", "a: 1\n");
        symlink("dotfiles/kubeconfig", dir.path().join("second")).unwrap();
        let first = dir.path().join("first");
        symlink(dir.path().join("second"), &first).unwrap();
        write(&first, "a: 2\n").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"a: 2\n");
        assert!(fs::symlink_metadata(&first).unwrap().is_symlink());
        fs::remove_file(&real).unwrap();
        write(&first, "a: 3\n").unwrap();
        assert_eq!(
            fs::read(&real).unwrap(),
            b"a: 3\n",
            "behind a link to nothing"
        );
    }

    #[test]
    fn links_in_a_circle_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        symlink("config", &path).unwrap();
        write(&path, "a: 1\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a: 1\n");
    }
}
