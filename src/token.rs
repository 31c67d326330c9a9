//! The projected service account token file: read afresh for every exchange, never kept.
//!
//! Reads only; what stands in the token is the business of the claims. See "Projected service account tokens"
//! in the Kubernetes documentation for the layout that [`mount`] looks at.

use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::diagnosis::{Diagnosis, Finding, Remedy, findings};
use crate::regular_file;
use crate::secret::Secret;

/// STS takes no longer token.
const LONGEST_TOKEN: usize = 20_000;
/// A little room for blanks around the longest token.
const LONGEST_FILE: u64 = LONGEST_TOKEN as u64 + 64;
/// The kubelet removes the old directory right after the swap: a reader in between finds nothing for a moment.
const ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// A web identity token as it is sent to STS: trimmed, not empty, at most 20,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentityToken(Secret);

impl WebIdentityToken {
    /// The token itself, for STS.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A token, and what there was to see of its file.
#[derive(Debug)]
pub struct Seen {
    /// The token.
    pub token: WebIdentityToken,
    /// How many bytes of blanks and line breaks stood before it and behind it.
    pub around: (usize, usize),
    /// `(mode, uid, gid)` of the file.
    pub file: (u32, u32, u32),
}

/// Why there is no token to look at.
#[derive(Debug)]
pub struct TokenError {
    path: PathBuf,
    kind: TokenErrorKind,
}

/// The ways in which the file itself can be wrong.
#[derive(Debug)]
pub enum TokenErrorKind {
    /// Nothing at this path.
    Missing,
    /// There, but not for this user: mode, owner and group of the file where they can be seen, and our user id.
    Forbidden {
        /// `(mode, uid, gid)` of the file.
        file: Option<(u32, u32, u32)>,
        /// The user that this process runs as.
        user: u32,
    },
    /// Any other failure to read.
    Unreadable(io::Error),
    /// A directory, a pipe or a device.
    NotAFile,
    /// Nothing, or nothing but blanks.
    Empty,
    /// More characters than any token that STS takes.
    TooLarge(u64),
    /// Not UTF-8 from this byte on.
    NotUtf8(usize),
}

/// How the token came into the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// Through `..data`, which the kubelet swaps.
    Projected,
    /// A regular file: a `subPath` mount, which never rotates, or a copy.
    RegularFile,
    /// Not there, or something else that reading will complain about.
    Unknown,
}

/// Reads the token. What vanishes in the middle of the kubelet's swap is tried again for 80 ms.
pub async fn read(path: &Path) -> Result<WebIdentityToken, TokenError> {
    see(path).await.map(|seen| seen.token)
}

/// The same, with what there is to see of the file.
pub async fn see(path: &Path) -> Result<Seen, TokenError> {
    let mut attempt = 1;
    loop {
        match see_once(path) {
            Err(TokenError {
                kind: TokenErrorKind::Missing,
                ..
            }) if attempt < ATTEMPTS => tokio::time::sleep(BETWEEN_ATTEMPTS).await,
            result => return result,
        }
        attempt += 1;
    }
}

/// One attempt to read the token; for callers that cannot wait.
pub fn read_once(path: &Path) -> Result<WebIdentityToken, TokenError> {
    see_once(path).map(|seen| seen.token)
}

fn see_once(path: &Path) -> Result<Seen, TokenError> {
    let fail = |kind| TokenError {
        path: path.to_owned(),
        kind,
    };
    let file = regular_file::open(path).map_err(|error| fail(explain(path, error)))?;
    let file = file.ok_or_else(|| fail(TokenErrorKind::NotAFile))?;
    let metadata = file
        .metadata()
        .map_err(|error| fail(TokenErrorKind::Unreadable(error)))?;
    // Room for all at once: a buffer that grows would leave copies of the token behind.
    let room = usize::try_from(metadata.len().min(LONGEST_FILE)).unwrap_or(LONGEST_TOKEN) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(explain(path, error)))?;
    let (token, around) = parse(&bytes, metadata.len()).map_err(fail)?;
    Ok(Seen {
        token,
        around,
        file: mode_and_owner(&metadata),
    })
}

/// Looks at how the token is mounted.
pub fn mount(path: &Path) -> Mount {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Mount::Projected,
        Ok(metadata) if metadata.is_file() => Mount::RegularFile,
        _ => Mount::Unknown,
    }
}

/// What to say about a token that will never rotate.
pub fn not_rotating(path: &Path) -> Diagnosis {
    Diagnosis {
        finding: findings::TOKEN_NOT_ROTATING,
        found: format!("{} is a regular file", path.display()),
        expected: "a symlink through ..data, which the kubelet swaps when it rotates the token".into(),
        fix: "mount the whole projected volume instead of a subPath of it; a subPath mount keeps its first token until that expires"
            .into(),
    }
}

/// What to say about anything around the token in its file.
pub fn blanks(path: &Path, (before, behind): (usize, usize)) -> Diagnosis {
    Diagnosis {
        finding: findings::TOKEN_BLANKS,
        found: format!(
            "{} holds {before} bytes of blanks or line breaks before the token and {behind} behind it",
            path.display()
        ),
        expected: "the token alone, as the kubelet writes it".into(),
        fix: "mount the projected volume itself and set --token-file to the file in it: whatever has written this file will not rotate the token either; the sidecar leaves the blanks away, and other programs that read the file may send them to STS"
            .into(),
    }
}

fn explain(path: &Path, error: io::Error) -> TokenErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => TokenErrorKind::Missing,
        io::ErrorKind::IsADirectory => TokenErrorKind::NotAFile,
        io::ErrorKind::PermissionDenied => TokenErrorKind::Forbidden {
            file: fs::metadata(path).ok().map(|found| mode_and_owner(&found)),
            user: own_user(),
        },
        _ => TokenErrorKind::Unreadable(error),
    }
}

fn mode_and_owner(file: &Metadata) -> (u32, u32, u32) {
    (file.mode() & 0o7777, file.uid(), file.gid())
}

/// The effective user of this process, to whom `/proc/self` belongs: the id without a line of unsafe code.
pub fn own_user() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |me| me.uid())
}

fn parse(
    bytes: &[u8],
    file_size: u64,
) -> Result<(WebIdentityToken, (usize, usize)), TokenErrorKind> {
    let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if read > LONGEST_FILE {
        return Err(TokenErrorKind::TooLarge(file_size.max(read)));
    }
    let whole =
        std::str::from_utf8(bytes).map_err(|error| TokenErrorKind::NotUtf8(error.valid_up_to()))?;
    let text = whole.trim();
    let before = whole.len() - whole.trim_start().len();
    let behind = whole.len() - whole.trim_end().len();
    match text.len() {
        0 => Err(TokenErrorKind::Empty),
        length if length > LONGEST_TOKEN => {
            Err(TokenErrorKind::TooLarge(length.try_into().unwrap_or(read)))
        }
        _ => Ok((
            WebIdentityToken(Secret::new(text.to_owned())),
            (before, behind),
        )),
    }
}

impl TokenError {
    /// Whether there is nothing at the path.
    pub fn is_missing(&self) -> bool {
        matches!(self.kind, TokenErrorKind::Missing)
    }

    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        const MOUNT: &str = "mount a projected volume with a serviceAccountToken source there, or set --token-file to where it is";
        let path = self.path.display();
        let diagnose = |finding: Finding, found: String, expected: &str, fix: &str| Diagnosis {
            finding,
            found,
            expected: expected.to_owned(),
            fix: fix.to_owned(),
        };
        match &self.kind {
            TokenErrorKind::Missing => diagnose(
                findings::TOKEN_MISSING,
                format!("no web identity token file at {path}"),
                "the projected service account token",
                &format!(
                    "{MOUNT}; on EKS check that the service account was annotated before the pod was made, since the webhook never changes a running pod"
                ),
            ),
            TokenErrorKind::Forbidden { file, user } => {
                let shown = file.map_or(String::new(), |(mode, uid, gid)| {
                    format!(" (mode {mode:04o}, owner {uid}:{gid})")
                });
                diagnose(
                    findings::TOKEN_UNREADABLE,
                    format!("{path}{shown} may not be read by user {user}"),
                    "a token file that this container's user may read",
                    "set fsGroup in the pod's securityContext to any group, or run all containers as the same user",
                )
            }
            TokenErrorKind::Unreadable(error) => diagnose(
                findings::TOKEN_UNREADABLE,
                format!("{path} cannot be read: {error}"),
                "a readable token file",
                MOUNT,
            ),
            TokenErrorKind::NotAFile => diagnose(
                findings::TOKEN_NOT_A_FILE,
                format!("{path} is not a regular file"),
                "the token file itself",
                "set --token-file to the file in the projected volume, usually DIRECTORY/token",
            ),
            TokenErrorKind::Empty => diagnose(
                findings::TOKEN_EMPTY,
                format!("{path} is empty"),
                "a token",
                MOUNT,
            ),
            TokenErrorKind::TooLarge(length) => diagnose(
                findings::TOKEN_TOO_LARGE,
                format!("{path} holds {length} characters"),
                &format!("at most {LONGEST_TOKEN}"),
                MOUNT,
            ),
            TokenErrorKind::NotUtf8(offset) => diagnose(
                findings::TOKEN_NOT_UTF8,
                format!("{path} is not UTF-8 from byte {offset} on"),
                "a token in plain ASCII",
                MOUNT,
            ),
        }
    }

    /// The kubelet, or whoever wrote the pod spec, has to bring a token; the watch notices when it is there.
    pub fn remedy(&self) -> Remedy {
        Remedy::NewToken
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(content: &[u8]) -> Finding {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        read_once(file.path()).unwrap_err().diagnosis().finding
    }

    #[test]
    fn every_wrong_file_has_its_own_name() {
        assert_eq!(error_of(b""), findings::TOKEN_EMPTY);
        assert_eq!(error_of(b" \n\t"), findings::TOKEN_EMPTY);
        assert_eq!(error_of(b"ey\xff\xfe"), findings::TOKEN_NOT_UTF8);
        assert_eq!(error_of(&[b'x'; 20_001]), findings::TOKEN_TOO_LARGE);
        assert_eq!(error_of(&[b'x'; 1_000_000]), findings::TOKEN_TOO_LARGE);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            read_once(dir.path()).unwrap_err().diagnosis().finding,
            findings::TOKEN_NOT_A_FILE
        );
    }

    #[test]
    fn the_longest_token_that_sts_takes_is_read_and_blanks_are_trimmed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!(" {}\n\n", "x".repeat(LONGEST_TOKEN))).unwrap();
        let seen = see_once(file.path()).unwrap();
        assert_eq!(seen.token.expose().len(), LONGEST_TOKEN);
        assert_eq!(seen.around, (1, 2));
        assert_eq!(seen.file.1, own_user());
    }

    #[test]
    fn a_pipe_at_the_token_path_does_not_hang_us() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("token");
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        assert_eq!(
            read_once(&pipe).unwrap_err().diagnosis().finding,
            findings::TOKEN_NOT_A_FILE
        );
    }

    #[tokio::test]
    async fn a_file_that_vanishes_in_the_middle_of_a_swap_is_read_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let (writer, target) = (path.clone(), dir.path().join("new"));
        fs::write(&target, "the token").unwrap();
        let reading = tokio::spawn(async move { read(&path).await });
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
        fs::rename(target, writer).unwrap();
        assert_eq!(reading.await.unwrap().unwrap().expose(), "the token");
    }

    #[test]
    fn a_subpath_mount_is_told_from_a_projected_volume() {
        let dir = tempfile::tempdir().unwrap();
        let (regular, linked) = (dir.path().join("copy"), dir.path().join("token"));
        fs::write(&regular, "x").unwrap();
        std::os::unix::fs::symlink("copy", &linked).unwrap();
        assert_eq!(mount(&regular), Mount::RegularFile);
        assert_eq!(mount(&linked), Mount::Projected);
        assert_eq!(mount(&dir.path().join("absent")), Mount::Unknown);
    }
}
