//! The kubeconfig of this container: whether kubectl can use it, and what it would run or show.

mod judged;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use self::judged::judge;
use crate::claims;
use crate::kubeconfig::{self, KubeconfigError, Login, Unusable, Used};
use crate::secret::Secret;
use crate::token;

/// Far more than any token.
const LARGEST: u64 = 256 * 1024;

/// What decides which kubeconfig kubectl takes, and what it finds.
#[derive(Debug, Clone, Default)]
pub struct OfKubectl {
    /// `KUBECONFIG`.
    pub kubeconfig: Option<OsString>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// The cluster that matters, where one is named.
    pub cluster: Option<String>,
}

/// What there is.
#[derive(Debug)]
pub enum Looked {
    /// No file, and nobody said that there should be one.
    Nothing,
    /// None of the files of `KUBECONFIG`.
    Missing(Vec<PathBuf>),
    /// One that cannot be read.
    Unreadable(KubeconfigError),
    /// Files that kubectl cannot use.
    Unusable(Vec<PathBuf>, Unusable),
    /// What kubectl uses.
    Used {
        /// By what the files say.
        used: Used,
        /// By what that leads to.
        login: LookedLogin,
    },
}

/// What the login leads to.
#[derive(Debug)]
pub enum LookedLogin {
    /// The command that kubectl would run, or where it looked in vain.
    Command(Result<PathBuf, NoCommand>),
    /// The token that it would show.
    Token(Result<FoundToken, NoToken>),
    /// Nothing to look at.
    Other,
}

/// Why there is no command.
#[derive(Debug, PartialEq, Eq)]
pub enum NoCommand {
    /// In none of these directories.
    NotInPath(OsString),
    /// Not there.
    NotThere(PathBuf),
    /// A directory, or a file that nobody may run.
    NotExecutable(PathBuf),
}

/// A token for a cluster.
#[derive(Debug)]
pub struct FoundToken {
    /// As it stands there, without blanks around it.
    pub text: Secret,
    /// Who it is for, where it is a service account's.
    pub audiences: Option<Vec<String>>,
}

/// Why there is no token.
#[derive(Debug)]
pub enum NoToken {
    /// Nothing at this path.
    NotThere,
    /// A directory, a pipe or a device.
    NotAFile,
    /// It cannot be read.
    Unreadable(io::Error),
    /// Nothing, or nothing but blanks.
    Empty,
    /// No text, or far too much.
    NotText,
}

/// Looks, and waits for nothing but the file system.
pub fn look(given: &OfKubectl) -> Looked {
    let files = kubeconfig::files(given.kubeconfig.as_deref(), given.home.as_deref());
    let mut there = Vec::new();
    for file in &files {
        match kubeconfig::read(file) {
            Ok(Some(text)) => there.push((file.clone(), text)),
            Ok(None) => {}
            Err(error) => return Looked::Unreadable(error),
        }
    }
    let is_named = given
        .kubeconfig
        .as_ref()
        .is_some_and(|files| !files.is_empty());
    if there.is_empty() {
        return match is_named {
            true => Looked::Missing(files),
            false => Looked::Nothing,
        };
    }
    match kubeconfig::used(&there, given.cluster.as_deref()) {
        Ok(used) => Looked::Used {
            login: look_behind(&used.login, given.path.as_deref()),
            used,
        },
        Err(error) => Looked::Unusable(there.into_iter().map(|(file, _)| file).collect(), error),
    }
}

fn look_behind(login: &Login, path: Option<&OsStr>) -> LookedLogin {
    match login {
        Login::Exec(exec) => LookedLogin::Command(command(&exec.command, path.unwrap_or_default())),
        Login::TokenFile(file) => LookedLogin::Token(token_in(file)),
        Login::Token(token) => LookedLogin::Token(Ok(FoundToken {
            text: token.clone(),
            audiences: None,
        })),
        Login::Other => LookedLogin::Other,
    }
}

/// As Go looks for it: what is in a relative directory of `PATH` is not run.
fn command(command: &Path, path: &OsStr) -> Result<PathBuf, NoCommand> {
    let may_run = |file: &Path| {
        let found = fs::metadata(file);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if command.components().count() > 1 {
        return match (may_run(command), command.exists()) {
            (true, _) => Ok(command.to_owned()),
            (false, true) => Err(NoCommand::NotExecutable(command.to_owned())),
            (false, false) => Err(NoCommand::NotThere(command.to_owned())),
        };
    }
    let places = std::env::split_paths(path).filter(|place| place.is_absolute());
    let found = places
        .map(|place| place.join(command))
        .find(|file| may_run(file));
    found.ok_or_else(|| NoCommand::NotInPath(path.to_owned()))
}

fn token_in(file: &Path) -> Result<FoundToken, NoToken> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => NoToken::NotThere,
        _ => NoToken::Unreadable(error),
    };
    // A pipe would hang us, and what is read from it is gone.
    if !fs::metadata(file).map_err(failed)?.is_file() {
        return Err(NoToken::NotAFile);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    read.map_err(failed)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| NoToken::NotText)?
        .trim();
    if text.is_empty() {
        return Err(NoToken::Empty);
    }
    let claims = token::read_once(file)
        .ok()
        .and_then(|token| claims::decode(&token).ok());
    Ok(FoundToken {
        text: Secret::new(text.to_owned()),
        audiences: claims.map(|claims| claims.audiences),
    })
}
