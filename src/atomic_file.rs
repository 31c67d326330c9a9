//! Files that are whole or not there: written beside their place, flushed, and renamed into it. Whoever reads sees the
//! content before or the content after, never half of one.
//!
//! A symlink at the place is replaced, never followed: in a shared volume another container could have laid it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A draft so much older than the one being written was left behind by a killed predecessor.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// The permissions of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// These, whatever the umask and whatever stood there before.
    Exactly(u32),
    /// Those of the file that is replaced, with its owner and group; these where there is none.
    KeptOr(u32),
}

/// Why a file could not be written. What stood there before stands there still.
#[derive(Debug)]
pub struct AtomicFileError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    /// The path ends in no name.
    Nameless,
    /// A directory, a pipe or a device stands there.
    NotAFile,
    /// The file belongs to this user and group, and it cannot be kept so.
    Foreign { owner: u32, group: u32 },
    /// The system refused.
    System(io::Error),
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Reason::System(error)
    }
}

/// Makes `content` the content of the file at `path`. Missing directories are made.
pub fn write(path: &Path, content: &[u8], mode: Mode) -> Result<(), AtomicFileError> {
    write_if(path, content, mode, |_| true).map(|_| ())
}

/// Copies `source`, from where it stands to its end, without holding it in memory.
pub fn copy(path: &Path, mut source: &File, mode: Mode) -> Result<(), AtomicFileError> {
    let fill = |mut draft: &File| io::copy(&mut source, &mut draft).map(|_| ());
    let written = replace(path, fill, mode, |_| true);
    written.map(|_| ()).map_err(of(path))
}

/// As `write`, and what the new file is; `None` where at the last moment the file that would be replaced was not the right
/// one, and nothing was done. To `is_right`, `None` stands for no file.
pub fn write_if(
    path: &Path,
    content: &[u8],
    mode: Mode,
    is_right: impl FnOnce(Option<&Metadata>) -> bool,
) -> Result<Option<Metadata>, AtomicFileError> {
    let fill = |mut draft: &File| draft.write_all(content);
    replace(path, fill, mode, is_right).map_err(of(path))
}

fn of(path: &Path) -> impl FnOnce(Reason) -> AtomicFileError {
    |reason| AtomicFileError {
        path: path.to_owned(),
        reason,
    }
}

fn replace(
    path: &Path,
    fill: impl FnOnce(&File) -> io::Result<()>,
    mode: Mode,
    is_right: impl FnOnce(Option<&Metadata>) -> bool,
) -> Result<Option<Metadata>, Reason> {
    let name = path.file_name().ok_or(Reason::Nameless)?;
    let directory = directory_of(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)?;
    let found = replaced(path)?;
    let draft = Draft::new(directory, name)?;
    sweep(directory, name, &draft.file)?;
    fill(&draft.file)?;
    draft.finish(mode, found.as_ref())?;
    if !is_right(replaced(path)?.as_ref()) {
        return Ok(None);
    }
    let written = draft.become_file(path)?;
    sync_directory(directory)?;
    Ok(Some(written))
}

/// The file to be, which nobody else can read. Removed when it is dropped.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn new(directory: &Path, name: &OsStr) -> io::Result<Self> {
        let path = directory.join(draft_name(name)?);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(libc::O_NOFOLLOW)
            .mode(0o600)
            .open(&path)?;
        Ok(Draft { path, file })
    }

    fn finish(&self, mode: Mode, replaced: Option<&Metadata>) -> Result<(), Reason> {
        let bits = match (mode, replaced) {
            (Mode::KeptOr(_), Some(replaced)) => {
                self.keep_owner(replaced)?;
                replaced.mode() & 0o777
            }
            (Mode::Exactly(bits) | Mode::KeptOr(bits), _) => bits,
        };
        self.file.set_permissions(Permissions::from_mode(bits))?;
        Ok(self.file.sync_all()?)
    }

    /// Root must not take a user's file away, nor a kept mode let another group read.
    fn keep_owner(&self, replaced: &Metadata) -> Result<(), Reason> {
        let own = self.file.metadata()?;
        let (owner, group) = (replaced.uid(), replaced.gid());
        let wanted = |found: u32, kept: u32| (found != kept).then_some(kept);
        match (wanted(own.uid(), owner), wanted(own.gid(), group)) {
            (None, None) => Ok(()),
            (uid, gid) => {
                fchown(&self.file, uid, gid).map_err(|_| Reason::Foreign { owner, group })
            }
        }
    }

    /// What is told is of this file, even where somebody has put another in its place by now. It is closed for writing
    /// before it has its name: the kernel runs no program that is being written.
    fn become_file(mut self, path: &Path) -> io::Result<Metadata> {
        self.file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
            .open(&self.path)?;
        fs::rename(&self.path, path)?;
        self.file.metadata()
    }
}

impl Drop for Draft {
    /// After the rename nothing has this name any more.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The file that the new one will replace. What is no file is not replaced: `/dev/null` would be gone for everybody.
fn replaced(path: &Path) -> Result<Option<Metadata>, Reason> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(found) if found.is_symlink() => Ok(None),
        Ok(_) => Err(Reason::NotAFile),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `.NAME.`, 16 digits by chance, `.draft`.
fn draft_name(name: &OsStr) -> io::Result<OsString> {
    let mut random = [0; 8];
    getrandom::getrandom(&mut random).map_err(io::Error::from)?;
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{:016x}.draft", u64::from_ne_bytes(random)));
    Ok(draft)
}

fn is_draft_of(name: &OsStr, candidate: &OsStr) -> bool {
    let digits = candidate
        .as_encoded_bytes()
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_prefix(name.as_encoded_bytes()))
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(b".draft"));
    digits.is_some_and(|digits| digits.len() == 16 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// Removes what killed predecessors left. Compared with the new draft's time, not with a clock: both come from one
/// file system. That something cannot be removed is no reason not to write.
fn sweep(directory: &Path, name: &OsStr, draft: &File) -> Result<(), Reason> {
    let now = draft.metadata()?.modified()?;
    let left_behind =
        |time: SystemTime| now.duration_since(time).is_ok_and(|age| age > LEFT_BEHIND);
    // By name first: in a directory of many files it is the looking that takes time.
    let drafts = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_draft_of(name, &entry.file_name()));
    for draft in drafts {
        let modified = draft.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(left_behind) {
            let _ = fs::remove_file(draft.path());
        }
    }
    Ok(())
}

/// The rename itself has happened: where a directory cannot be flushed at all, that is no failure.
fn sync_directory(directory: &Path) -> Result<(), Reason> {
    match File::open(directory).and_then(|opened| opened.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => Ok(result?),
    }
}

impl fmt::Display for AtomicFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, directory) = (self.path.display(), directory_of(&self.path).display());
        write!(f, "the file {path} cannot be written: ")?;
        match &self.reason {
            Reason::Nameless => f.write_str("this names no file; name one"),
            Reason::NotAFile => f.write_str(
                "a directory, a pipe or a device stands there; remove it, or name another file",
            ),
            Reason::Foreign { owner, group } => write!(
                f,
                "it belongs to user {owner} and group {group}, and this user cannot keep it so; run as that user, or name another file"
            ),
            Reason::System(error) => {
                write!(f, "{error}; ")?;
                match error.kind() {
                    ErrorKind::PermissionDenied => write!(
                        f,
                        "let this user write to {directory} (in a pod with fsGroup), or name another place"
                    ),
                    ErrorKind::ReadOnlyFilesystem => write!(
                        f,
                        "mount a volume that can be written to at {directory}, an emptyDir for example"
                    ),
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => write!(
                        f,
                        "make room at {directory}, or raise the sizeLimit of its volume"
                    ),
                    ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                        write!(
                            f,
                            "a part of {directory} is no directory; name another place"
                        )
                    }
                    _ => write!(
                        f,
                        "see what is wrong with {directory}, or name another place"
                    ),
                }
            }
        }
    }
}

impl std::error::Error for AtomicFileError {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn directory() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn names_in(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_has_content_and_mode_and_nothing_lies_beside_it() {
        let dir = directory();
        let path = dir.path().join("a/b/demo.eks-token");
        write(&path, b"one", Mode::Exactly(0o640)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(mode_of(&path), 0o640);
        assert_eq!(names_in(path.parent().unwrap()), ["demo.eks-token"]);
    }

    #[test]
    fn a_mode_that_any_umask_would_cut_is_set_all_the_same() {
        let dir = directory();
        let path = dir.path().join("file");
        write(&path, b"", Mode::Exactly(0o666)).unwrap();
        assert_eq!(mode_of(&path), 0o666);
        write(&path, b"", Mode::Exactly(0o604)).unwrap();
        assert_eq!(mode_of(&path), 0o604);
    }

    #[test]
    fn a_mode_is_kept_where_a_file_was_and_given_where_none_was() {
        let dir = directory();
        let path = dir.path().join("config");
        write(&path, b"one", Mode::KeptOr(0o600)).unwrap();
        assert_eq!(mode_of(&path), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write(&path, b"two", Mode::KeptOr(0o600)).unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), mode_of(&path)),
            (b"two".to_vec(), 0o644)
        );
    }

    #[test]
    fn a_reader_keeps_what_it_opened_and_the_next_sees_the_new() {
        use std::io::Read;
        let dir = directory();
        let path = dir.path().join("file");
        write(&path, b"before", Mode::Exactly(0o600)).unwrap();
        let mut opened = File::open(&path).unwrap();
        write(&path, b"after", Mode::Exactly(0o600)).unwrap();
        let mut read = String::new();
        opened.read_to_string(&mut read).unwrap();
        assert_eq!(
            (read.as_str(), fs::read(&path).unwrap()),
            ("before", b"after".to_vec())
        );
    }

    #[test]
    fn a_symlink_is_replaced_and_what_it_points_to_is_left_alone() {
        let dir = directory();
        let (victim, path) = (dir.path().join("victim"), dir.path().join("token"));
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, &path).unwrap();
        write(&path, b"token", Mode::KeptOr(0o600)).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"mine");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(mode_of(&path), 0o600);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let dir = directory();
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [&socket, dir.path()] as [&Path; 2] {
            let error = write(path, b"x", Mode::Exactly(0o600)).unwrap_err();
            assert!(matches!(error.reason, Reason::NotAFile), "{error}");
        }
        assert_eq!(names_in(dir.path()), ["socket"]);
    }

    #[test]
    fn a_program_can_be_run_from_the_moment_it_has_its_name() {
        use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
        use notify::{Event, RecursiveMode, Watcher};
        let dir = directory();
        let (sender, events) = std::sync::mpsc::channel::<notify::Result<Event>>();
        let mut watcher = notify::recommended_watcher(sender).unwrap();
        watcher
            .watch(dir.path(), RecursiveMode::NonRecursive)
            .unwrap();
        let path = dir.path().join("program");
        write(&path, b"x", Mode::Exactly(0o755)).unwrap();
        let mut order = Vec::new();
        while order.len() < 2 {
            let event = events.recv_timeout(Duration::from_secs(20)).unwrap();
            match event.unwrap().kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => order.push("closed"),
                EventKind::Modify(ModifyKind::Name(_)) => order.push("renamed"),
                _ => {}
            }
        }
        assert_eq!(order, ["closed", "renamed"]);
    }

    #[test]
    fn a_failure_leaves_what_was_there_and_no_draft() {
        let dir = directory();
        let place = dir.path().join("place");
        fs::create_dir_all(place.join("full")).unwrap();
        let draft = Draft::new(dir.path(), OsStr::new("place")).unwrap();
        write!(&draft.file, "x").unwrap();
        draft.finish(Mode::Exactly(0o644), None).unwrap();
        assert_eq!(names_in(dir.path()).len(), 2);
        draft.become_file(&place).unwrap_err();
        assert_eq!(names_in(dir.path()), ["place"]);
    }

    #[test]
    fn a_file_that_somebody_else_has_just_changed_is_not_replaced() {
        let dir = directory();
        let path = dir.path().join("credentials");
        let as_read = |read: Option<u64>| {
            move |found: Option<&Metadata>| found.map(MetadataExt::size) == read
        };
        let write_if = |content: &[u8], read| {
            write_if(&path, content, Mode::Exactly(0o600), as_read(read))
                .unwrap()
                .is_some()
        };
        assert!(!write_if(b"new", Some(5)) && !path.exists());
        assert!(write_if(b"new", None));
        assert!(!write_if(b"newer", None) && !write_if(b"newer", Some(5)));
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(write_if(b"newer", Some(3)));
        assert_eq!(names_in(dir.path()), ["credentials"], "no draft is left");
    }

    #[test]
    fn a_draft_is_for_nobody_else_until_it_is_whole() {
        let dir = directory();
        let draft = Draft::new(dir.path(), OsStr::new("place")).unwrap();
        assert_eq!(mode_of(&draft.path), 0o600);
    }

    #[test]
    fn errors_say_what_and_why_and_what_to_do() {
        let dir = directory();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let nowhere = file.join("token");
        let error = write(&nowhere, b"x", Mode::Exactly(0o600))
            .unwrap_err()
            .to_string();
        assert!(error.contains(nowhere.to_str().unwrap()), "{error}");
        assert!(error.contains("name another place"), "{error}");
        let system = |code| {
            let reason = Reason::System(io::Error::from_raw_os_error(code));
            AtomicFileError {
                path: "/out/token".into(),
                reason,
            }
            .to_string()
        };
        assert_eq!(
            system(libc::EROFS),
            "the file /out/token cannot be written: Read-only file system (os error 30); mount a volume that can be written to at /out, an emptyDir for example"
        );
        assert!(system(libc::EACCES).contains("let this user write to /out"));
        assert!(system(libc::ENOSPC).contains("make room at /out"));
    }

    #[test]
    fn drafts_of_killed_predecessors_go_and_everything_else_stays() {
        let dir = directory();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let dead = ".config.0123456789abcdef.draft";
        let kept = [
            ".config.original",
            ".config.0123456789abcdef",
            ".config.0123456789abcdeg.draft",
            ".other.0123456789abcdef.draft",
            "config.0123456789abcdef.draft",
        ];
        for name in kept.iter().chain([&dead]) {
            File::create(dir.path().join(name))
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        let young = ".config.fedcba9876543210.draft";
        File::create(dir.path().join(young)).unwrap();
        write(&dir.path().join("config"), b"x", Mode::Exactly(0o600)).unwrap();
        let mut expected: Vec<&str> = kept.into_iter().chain([young, "config"]).collect();
        expected.sort_unstable();
        assert_eq!(names_in(dir.path()), expected);
    }

    #[test]
    fn drafts_are_recognized_by_their_own_name_only() {
        let draft = draft_name(OsStr::new("a.b")).unwrap();
        assert!(is_draft_of(OsStr::new("a.b"), &draft));
        assert!(!is_draft_of(OsStr::new("a"), &draft));
        assert_ne!(draft, draft_name(OsStr::new("a.b")).unwrap());
    }
}
