//! The shared credentials file, for programs that know no other door: one profile of it is kept fresh, and everything
//! else in it is left as it is.
//!
//! No SDK learns from it when credentials expire, and most never read it again: the last resort. Credentials that are over
//! are taken out; when the program ends the file stays, and what is in it dies with its session.

mod edit;

use std::fmt;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;
use zeroize::Zeroizing;

use self::edit::{LARGEST, NotEditable, Values, edited};
use super::disk::off_the_loop;
use super::kubeconfig_file::not_written;
use crate::atomic_file::{self, AtomicFileError, Mode};
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, Remedy, findings};
use crate::store::{Reader, Unavailable};

/// Somebody who changed the file so short a time ago may not have finished.
const SETTLED: Duration = Duration::from_secs(2);

/// What is kept in it.
#[derive(Debug, Clone)]
pub struct CredentialsFileConfig {
    /// The profile.
    pub profile: Profile,
    /// Its region.
    pub region: String,
}

/// The name of a profile that every SDK finds under this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile(String);

impl Profile {
    /// As it stands between the brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "DEFAULT" {
            return Err(
                "what stands there holds for every profile in Python; expected a name such as default"
                    .to_owned(),
            );
        }
        let breaks = |c: char| c.is_control() || "[]#;".contains(c);
        match name.is_empty() || name.trim() != name || name.contains(breaks) {
            true => Err(
                "expected a name without [, ], #, ;, control characters, and blanks at its ends"
                    .to_owned(),
            ),
            false => Ok(Profile(name.to_owned())),
        }
    }
}

/// The file.
pub struct CredentialsFile {
    path: PathBuf,
    wanted: CredentialsFileConfig,
    clock: Clock,
    /// What is in the profile, and the file in which it is.
    written: Option<(Arc<Credentials>, Version)>,
    /// Whether it was ever known what there is to write. Until then what an earlier process wrote is left there.
    is_decided: bool,
}

/// Why the file is not as it should be.
#[derive(Debug)]
pub enum NoCredentialsFile {
    /// There are no credentials. If any were in it, they are no longer.
    Unavailable(Unavailable),
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It cannot be edited without harm to what else is in it.
    NotEditable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
        /// What to do.
        fix: &'static str,
    },
    /// It cannot be written.
    Write(AtomicFileError),
}

impl CredentialsFile {
    /// Not looked at yet.
    pub fn new(directory: &Path, wanted: &CredentialsFileConfig, clock: Clock) -> Self {
        CredentialsFile {
            path: directory.join("credentials"),
            wanted: wanted.clone(),
            clock,
            written: None,
            is_decided: false,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    pub fn written(&self) -> Option<&Credentials> {
        Some(&self.written.as_ref()?.0)
    }

    /// Has the newest credentials stand in it, or none where there are none.
    pub async fn write(&mut self, pod: &Reader, mode: Mode) -> Result<(), NoCredentialsFile> {
        loop {
            let found = self.settled().await;
            let is_as_written = |(_, version): &(_, Version)| Some(version) == found.as_ref();
            self.written = self.written.take().filter(is_as_written);
            let newest = pod.credentials();
            match (&newest, &self.written) {
                (Ok(newest), Some((written, _))) if Arc::ptr_eq(newest, written) => return Ok(()),
                // The first exchange is under way.
                (Err(unavailable), None) if !self.is_decided && !pod.is_failing() => {
                    return Err(NoCredentialsFile::Unavailable(unavailable.clone()));
                }
                _ => self.is_decided = true,
            }
            let (path, wanted) = (self.path.clone(), self.wanted.clone());
            let credentials = newest.as_ref().ok().cloned();
            let edit = off_the_loop(move || edit(&path, &wanted, credentials.as_deref(), mode));
            match (edit.await?, newest) {
                // Somebody changed it, or took it away, in between.
                (Edited::Overtaken, _) | (Edited::Done(None), Ok(_)) => {}
                (Edited::Done(Some(version)), Ok(newest)) => {
                    self.written = Some((newest, version));
                    return Ok(());
                }
                (Edited::Done(_), Err(unavailable)) => {
                    self.written = None;
                    return Err(NoCredentialsFile::Unavailable(unavailable));
                }
            }
        }
    }

    /// The file that is there now, if any, and a moment later where somebody else has just changed it.
    async fn settled(&self) -> Option<Version> {
        let look = || {
            let path = self.path.clone();
            off_the_loop(move || Version::at(&path))
        };
        let found = look().await?;
        let is_ours = matches!(&self.written, Some((_, version)) if *version == found);
        // A change in the future tells nothing of its age.
        match self.clock.local().duration_since(found.changed()) {
            Ok(age) if !is_ours && age < SETTLED => {
                sleep(SETTLED - age).await;
                look().await
            }
            _ => Some(found),
        }
    }
}

/// What became of an edit.
enum Edited {
    /// This is the file now.
    Done(Option<Version>),
    /// Somebody else changed it at the same time: nothing was written.
    Overtaken,
}

fn edit(
    path: &Path,
    wanted: &CredentialsFileConfig,
    credentials: Option<&Credentials>,
    mode: Mode,
) -> Result<Edited, NoCredentialsFile> {
    let not_editable = |error: NotEditable| NoCredentialsFile::NotEditable {
        path: path.to_owned(),
        found: error.to_string(),
        fix: error.fix(),
    };
    let (text, version) = read(path, not_editable)?;
    let values = credentials.map(|credentials| Values {
        access_key_id: credentials.access_key_id(),
        secret_access_key: credentials.secret_access_key().expose(),
        session_token: credentials.session_token().expose(),
        region: &wanted.region,
    });
    let edited = edited(&text, &wanted.profile, values.as_ref()).map_err(not_editable)?;
    let Some(content) = edited else {
        return Ok(Edited::Done(version));
    };
    let link = fs::read_link(path).ok();
    let is_as_read = |found: Option<&Metadata>| found.map(Version::of) == version;
    let content = content.expose().as_bytes();
    let is_written = atomic_file::write_if(path, content, mode, is_as_read);
    match is_written.map_err(NoCredentialsFile::Write)? {
        None => Ok(Edited::Overtaken),
        Some(written) => {
            if let Some(target) = link {
                let (file, target) = (path.display(), target.display());
                tracing::warn!(%file, %target, "a symlink stood in the place of a file in output-dir and was replaced; profiles in what it led to are left there, and are not in the new file");
            }
            Ok(Edited::Done(Some(Version::of(&written))))
        }
    }
}

/// Content and version of the file; nothing where there is none. A symlink is not followed, and what is no file is left to
/// whoever writes.
fn read(
    path: &Path,
    not_editable: impl Fn(NotEditable) -> NoCredentialsFile,
) -> Result<(Zeroizing<String>, Option<Version>), NoCredentialsFile> {
    let nothing = || Ok((Zeroizing::default(), None));
    if Version::at(path).is_none() {
        return nothing();
    }
    // What took the file's place just now must neither be followed nor hang us.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let unreadable = |error| NoCredentialsFile::Unreadable(path.to_owned(), error);
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return nothing(),
        opened => opened.map_err(unreadable)?,
    };
    let version = Version::of(&file.metadata().map_err(unreadable)?);
    let limit = LARGEST + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    file.take(limit as u64)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match std::str::from_utf8(&bytes) {
        _ if bytes.len() == limit => Err(not_editable(NotEditable::TooLarge)),
        Ok(text) => Ok((Zeroizing::new(text.to_owned()), Some(version))),
        Err(_) => Err(not_editable(NotEditable::NotUtf8)),
    }
}

/// Tells a file from what it was before somebody changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    file: (u64, u64),
    size: u64,
    /// Seconds and nanoseconds; nobody can set it.
    changed: (i64, i64),
}

impl Version {
    /// Of the file itself; what a symlink leads to is somebody else's.
    fn at(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok();
        found.filter(Metadata::is_file).as_ref().map(Version::of)
    }

    fn of(found: &Metadata) -> Self {
        Version {
            file: (found.dev(), found.ino()),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    fn changed(&self) -> SystemTime {
        let (seconds, nanoseconds) = self.changed;
        let since_epoch = u64::try_from(seconds).map(Duration::from_secs);
        let fraction = u64::try_from(nanoseconds).map(Duration::from_nanos);
        UNIX_EPOCH + since_epoch.unwrap_or_default() + fraction.unwrap_or_default()
    }
}

impl NoCredentialsFile {
    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        let file_not_written = |found, expected: &str, fix: &str| Diagnosis {
            finding: findings::FILE_NOT_WRITTEN,
            found,
            expected: expected.to_owned(),
            fix: fix.to_owned(),
        };
        match self {
            NoCredentialsFile::Unavailable(Unavailable(trouble)) => trouble.diagnosis.clone(),
            NoCredentialsFile::Write(error) => not_written(error),
            NoCredentialsFile::Unreadable(path, error) => file_not_written(
                format!("the file {} cannot be read: {error}", path.display()),
                "one that this user can read, since the other profiles in it are to stay",
                "let this user read it, or take it away",
            ),
            NoCredentialsFile::NotEditable { path, found, fix } => file_not_written(
                format!("the file {} is left alone: {found}", path.display()),
                "a shared credentials file that can be edited without harm to what else is in it",
                fix,
            ),
        }
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        match self {
            NoCredentialsFile::Unavailable(_) | NoCredentialsFile::Write(_) => Remedy::Wait,
            NoCredentialsFile::Unreadable(..) | NoCredentialsFile::NotEditable { .. } => {
                Remedy::Change
            }
        }
    }
}

impl fmt::Display for NoCredentialsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for NoCredentialsFile {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_a_name_that_every_sdk_reads_alike() {
        for name in ["default", "a", "my profile", "a.b/c@d:e=f", "é", "'quoted'"] {
            assert_eq!(name.parse::<Profile>().unwrap().as_str(), name);
        }
        for name in [
            "", " ", " a", "a ", "a\u{a0}", "a]", "[a", "a#b", "a;b", "a\nb", "a\tb", "a\u{1b}",
            "a\0",
        ] {
            let error = name.parse::<Profile>().unwrap_err();
            assert!(error.contains("blanks at its ends"), "{name:?}: {error}");
        }
        let error = "DEFAULT".parse::<Profile>().unwrap_err();
        assert!(error.contains("every profile"), "{error}");
    }
}
