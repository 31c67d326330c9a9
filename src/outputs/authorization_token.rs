//! The authorization token file (`AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`): made when it is missing, watched when it is
//! there. A secret that only the pod's volume holds.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::watch::FileWatch;

const SHORTEST: usize = 16;
const LONGEST: usize = 4096;
const RANDOM_BYTES: usize = 32;
/// How long the previous content is still accepted: clients read the file at their own pace.
const PREVIOUS_IS_VALID_FOR: Duration = Duration::from_secs(60);

/// The token that clients have to show, and for a minute the one before.
#[derive(Debug)]
pub struct AuthorizationToken {
    path: PathBuf,
    accepted: RwLock<Accepted>,
}

#[derive(Debug)]
struct Accepted {
    current: Secret,
    previous: Option<(Secret, Instant)>,
}

/// Why there is no authorization token.
#[derive(Debug)]
pub enum AuthorizationTokenError {
    /// The file cannot be made.
    Create(PathBuf, io::Error),
    /// The file is there but cannot be read.
    Read(PathBuf, io::Error),
    /// The file is there, and its content will not do.
    Content(PathBuf, BadContent),
}

/// What is wrong with a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadContent {
    /// Too few bytes.
    Short(usize),
    /// Too many bytes.
    Long,
    /// A byte that no HTTP header may hold, at this offset.
    NotVisibleAscii(usize),
}

impl AuthorizationToken {
    /// The token in `path`; where there is none, a new one is written there with `mode`.
    pub fn open(path: &Path, mode: u32) -> Result<Self, AuthorizationTokenError> {
        let found = match read(path) {
            Err(AuthorizationTokenError::Read(_, error))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                create(path, mode)
                    .map_err(|error| AuthorizationTokenError::Create(path.to_owned(), error))?;
                read(path)?
            }
            result => result?,
        };
        found.warn(path);
        Ok(AuthorizationToken {
            path: path.to_owned(),
            accepted: RwLock::new(Accepted {
                current: found.content,
                previous: None,
            }),
        })
    }

    /// Whether `candidate` is the token, compared in constant time.
    pub fn accepts(&self, candidate: &[u8]) -> bool {
        let accepted = self.accepted.read().unwrap_or_else(PoisonError::into_inner);
        let previous = accepted
            .previous
            .as_ref()
            .is_some_and(|(secret, until)| Instant::now() < *until && secret.matches(candidate));
        accepted.current.matches(candidate) || previous
    }

    /// Follows the file; never returns. A content that will not do leaves the last good one in force.
    pub async fn follow(&self) {
        let mut watch = FileWatch::new(&self.path);
        let mut complained = false;
        loop {
            watch.changed().await;
            match read(&self.path) {
                Ok(found) => {
                    complained = false;
                    self.replace(found);
                }
                Err(error) if !complained => {
                    tracing::warn!(%error, "the authorization token stays as it was");
                    complained = true;
                }
                Err(_) => {}
            }
        }
    }

    fn replace(&self, found: Found) {
        let mut accepted = self
            .accepted
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if accepted.current == found.content {
            return;
        }
        found.warn(&self.path);
        let until = Instant::now() + PREVIOUS_IS_VALID_FOR;
        let previous = std::mem::replace(&mut accepted.current, found.content);
        accepted.previous = Some((previous, until));
        tracing::info!(
            "the authorization token changed; the previous one is valid for a minute more"
        );
    }
}

/// What stands in the file.
struct Found {
    content: Secret,
    /// Several SDKs send the file's content as it is, and fail on a newline.
    had_newline: bool,
}

impl Found {
    fn warn(&self, path: &Path) {
        if self.had_newline {
            tracing::warn!(
                file = %path.display(),
                "the authorization token ends in a newline; several SDKs fail on it: write the file without"
            );
        }
    }
}

fn read(path: &Path) -> Result<Found, AuthorizationTokenError> {
    let failed = |error| AuthorizationTokenError::Read(path.to_owned(), error);
    let bad = |content| AuthorizationTokenError::Content(path.to_owned(), content);
    let file = OpenOptions::new()
        .read(true)
        // A pipe at this path must not hang us.
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let trimmed = bytes.trim_ascii_end();
    match parse(trimmed) {
        Ok(text) => Ok(Found {
            content: Secret::new(text.to_owned()),
            had_newline: trimmed.len() != bytes.len(),
        }),
        Err(content) => Err(bad(content)),
    }
}

fn parse(bytes: &[u8]) -> Result<&str, BadContent> {
    if bytes.len() > LONGEST {
        return Err(BadContent::Long);
    }
    if bytes.len() < SHORTEST {
        return Err(BadContent::Short(bytes.len()));
    }
    if let Some(offset) = bytes.iter().position(|byte| !byte.is_ascii_graphic()) {
        return Err(BadContent::NotVisibleAscii(offset));
    }
    std::str::from_utf8(bytes).map_err(|error| BadContent::NotVisibleAscii(error.valid_up_to()))
}

/// Written beside its place and linked there, so that nobody ever reads half of it; a file that appears meanwhile wins.
fn create(path: &Path, mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)?;
    let token = random_token()?;
    let mut draft = path.as_os_str().to_owned();
    // By chance: what a killed predecessor left behind has another name.
    draft.push(format!(".{}", &random_token()?[..8]));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .custom_flags(libc::O_NOFOLLOW)
        .mode(0o600)
        .open(&draft)?;
    let written = file
        .write_all(token.as_bytes())
        // The mode that was asked for, whatever the umask.
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        });
    fs::remove_file(&draft)?;
    written
}

fn random_token() -> io::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0; RANDOM_BYTES]);
    getrandom::getrandom(&mut *random).map_err(io::Error::from)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*random)))
}

impl fmt::Display for AuthorizationTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthorizationTokenError::Create(path, error) => write!(
                f,
                "the authorization token file {} cannot be made: {error}; mount a volume there that this user may write to, name another place with --authorization-token-file, or do without with --authorization pod-uid",
                path.display()
            ),
            AuthorizationTokenError::Read(path, error) => write!(
                f,
                "the authorization token file {} cannot be read: {error}; make it readable for this user or name another with --authorization-token-file",
                path.display()
            ),
            AuthorizationTokenError::Content(path, content) => {
                write!(
                    f,
                    "the authorization token file {} will not do: ",
                    path.display()
                )?;
                match content {
                    BadContent::Short(0) => f.write_str("it is empty")?,
                    BadContent::Short(length) => write!(f, "it has {length} bytes")?,
                    BadContent::Long => write!(f, "it has more than {LONGEST} bytes")?,
                    BadContent::NotVisibleAscii(offset) => {
                        write!(f, "byte {offset} is not visible ASCII")?;
                    }
                }
                write!(
                    f,
                    "; expected at least {SHORTEST} visible ASCII characters; delete it to have a new one made"
                )
            }
        }
    }
}

impl std::error::Error for AuthorizationTokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/authorization-token");
        (dir, path)
    }

    #[test]
    fn a_missing_file_is_made_with_its_mode_and_without_a_newline() {
        let (_dir, path) = place();
        let token = AuthorizationToken::open(&path, 0o640).unwrap();
        let content = fs::read_to_string(&path).unwrap();
        assert_eq!(content.len(), 43, "32 bytes as URL-safe base64");
        assert!(content.bytes().all(|b| b.is_ascii_graphic()));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(token.accepts(content.as_bytes()));
        assert!(!token.accepts(b"") && !token.accepts(&content.as_bytes()[1..]));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_restart_keeps_the_token_that_the_app_already_has() {
        let (_dir, path) = place();
        AuthorizationToken::open(&path, 0o640).unwrap();
        let content = fs::read(&path).unwrap();
        assert!(
            AuthorizationToken::open(&path, 0o600)
                .unwrap()
                .accepts(&content)
        );
        assert_eq!(fs::read(&path).unwrap(), content);
    }

    #[test]
    fn a_symlink_in_the_place_of_the_file_is_not_written_through() {
        let (dir, path) = place();
        let target = dir.path().join("target");
        fs::create_dir(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(AuthorizationToken::open(&path, 0o640).is_err());
        assert!(!target.exists());
    }

    #[test]
    fn contents_that_no_client_could_send_are_refused() {
        for (content, reason) in [
            (&b""[..], BadContent::Short(0)),
            (b"\n", BadContent::Short(0)),
            (b"fifteen-letters", BadContent::Short(15)),
            (b"sixteen letters or more", BadContent::NotVisibleAscii(7)),
            (b"sixteen-letters-\xff", BadContent::NotVisibleAscii(16)),
            (&[b'x'; 5000], BadContent::Long),
        ] {
            assert_eq!(parse(content.trim_ascii_end()).unwrap_err(), reason);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_change_the_previous_token_is_valid_for_a_minute_more() {
        let (_dir, path) = place();
        let token = AuthorizationToken::open(&path, 0o640).unwrap();
        let old = fs::read(&path).unwrap();
        let new = "another-token-of-enough-letters";
        token.replace(Found {
            content: Secret::new(new.into()),
            had_newline: false,
        });
        assert!(token.accepts(&old) && token.accepts(new.as_bytes()));
        tokio::time::advance(PREVIOUS_IS_VALID_FOR).await;
        assert!(!token.accepts(&old) && token.accepts(new.as_bytes()));
    }
}
