//! `install`: copies this program into a directory, for containers whose image does not have it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Failure, Output};
use crate::atomic_file::{self, Mode};

/// Its name there.
const NAME: &str = "irsa-sidecar";
/// Read and run by all, as other containers have other users; written by nobody else.
const MODE: u32 = 0o755;
/// Whatever has become of the file that the process was started from.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// So much of it is held in memory.
const PIECE: usize = 16 << 10;

/// A line about what was done; nothing on stdout.
pub async fn run(directory: PathBuf) -> Result<Output, Failure> {
    is_directory(&directory)?;
    let program = File::open(THIS_PROGRAM).map_err(|error| {
        Failure::Failed(format!(
            "this program cannot be read: {error}; expected {THIS_PROGRAM} to be there; see whether /proc is mounted"
        ))
    })?;
    let place = directory.join(NAME);
    let (shown, version) = (place.display(), env!("CARGO_PKG_VERSION"));
    let done = match is_copy(&place, &program) {
        true => format!("{shown} is this program already, version {version}; left as it is"),
        false => {
            atomic_file::copy(&place, &program, Mode::Exactly(MODE))
                .map_err(|error| Failure::Failed(error.to_string()))?;
            format!("installed {shown}, version {version}")
        }
    };
    let mut words = vec![format!("irsa-sidecar: {done}")];
    if let Err(error) = try_out(&place) {
        words.push(format!(
            "irsa-sidecar: {shown} cannot be run from here: {error}; where it is to be run {} must not be mounted noexec",
            directory.display()
        ));
    }
    Ok(Output {
        words,
        ..Output::of([])
    })
}

/// None is made: a volume that somebody forgot would go unnoticed until the app looks for the program.
fn is_directory(directory: &Path) -> Result<(), Failure> {
    let shown = directory.display();
    let cure = "mount a volume there, an emptyDir for example";
    match directory.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Failure::Failed(format!(
            "{shown} is no directory; expected the one to install into; {cure}, or name another place"
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::Failed(format!(
            "{shown} is not there; expected the directory to install into; {cure}"
        ))),
        Err(error) => Err(Failure::Failed(format!(
            "{shown} cannot be looked at: {error}; expected the directory to install into; {cure}, or name another place"
        ))),
    }
}

/// Whether there is nothing to do. What cannot be read is not what it should be.
fn is_copy(place: &Path, program: &File) -> bool {
    // A pipe in its place must not hang us, and a symlink leads who knows where.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(place);
    let (Ok(file), Ok(wanted)) = (opened, program.metadata()) else {
        return false;
    };
    file.metadata().is_ok_and(|found| {
        found.is_file()
            && found.mode() & 0o7777 == MODE
            && found.len() == wanted.len()
            && hold_the_same(&file, program, wanted.len()).unwrap_or(false)
    })
}

/// Piece by piece: the container may not have the memory for a program. Neither file is moved along.
fn hold_the_same(one: &File, other: &File, length: u64) -> io::Result<bool> {
    let (mut here, mut there) = ([0; PIECE], [0; PIECE]);
    let mut at = 0;
    while at < length {
        let piece = usize::try_from(length - at).map_or(PIECE, |left| left.min(PIECE));
        one.read_exact_at(&mut here[..piece], at)?;
        other.read_exact_at(&mut there[..piece], at)?;
        if here[..piece] != there[..piece] {
            return Ok(false);
        }
        at += piece as u64;
    }
    Ok(true)
}

/// The volume may be mounted such that nothing on it can be run.
fn try_out(place: &Path) -> io::Result<()> {
    let place = std::path::absolute(place)?;
    Command::new(place)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(|_| ())
}
