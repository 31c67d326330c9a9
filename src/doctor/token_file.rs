//! The token file: there, readable, mounted so that it rotates, and with nothing around the token.

use std::fs;
use std::path::{Path, PathBuf};

use super::Entry;
use crate::diagnosis::steps;
use crate::token::{self, Mount, Seen, TokenError, WebIdentityToken};

/// What there is at the token's path.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    seen: Result<Seen, TokenError>,
    mount: Mount,
    /// Where the path leads, if it is a symlink.
    target: Option<PathBuf>,
    /// The user that looked.
    user: u32,
}

/// Looks, and waits for nothing but the file system and a swap of the kubelet's.
pub async fn look(path: &Path) -> TokenFile {
    TokenFile {
        path: path.to_owned(),
        seen: token::see(path).await,
        mount: token::mount(path),
        target: fs::read_link(path).ok(),
        user: token::own_user(),
    }
}

impl TokenFile {
    /// The token, where there is one.
    pub fn token(&self) -> Option<&WebIdentityToken> {
        self.seen.as_ref().ok().map(|seen| &seen.token)
    }

    /// Whether it does so at all.
    pub fn rotates(&self) -> bool {
        self.mount == Mount::Projected
    }

    /// The file, the mount and the text, each judged.
    pub fn entries(&self) -> [Entry; 3] {
        [self.file(), self.mounted(), self.text()]
    }

    fn file(&self) -> Entry {
        match &self.seen {
            Err(error) => Entry::failed(steps::TOKEN_FILE, error.diagnosis()),
            Ok(Seen { token, file, .. }) => {
                let (path, user, (mode, uid, gid)) = (self.path.display(), self.user, file);
                let length = token.expose().len();
                Entry::fine(
                    steps::TOKEN_FILE,
                    format!(
                        "{path} holds {length} characters and can be read by user {user} (mode {mode:04o}, owner {uid}:{gid})"
                    ),
                )
            }
        }
    }

    fn mounted(&self) -> Entry {
        let path = self.path.display();
        match (self.mount, &self.target) {
            (Mount::RegularFile, _) => {
                Entry::warned(steps::TOKEN_MOUNT, token::not_rotating(&self.path))
            }
            (Mount::Projected, Some(target)) => Entry::fine(
                steps::TOKEN_MOUNT,
                match target.starts_with("..data") {
                    true => format!(
                        "{path} is a symlink through ..data, which the kubelet swaps when it rotates the token"
                    ),
                    false => format!("{path} is a symlink to {}", target.display()),
                },
            ),
            _ => Entry::skipped(
                steps::TOKEN_MOUNT,
                format!("not judged: there is no file at {path}; see token-file"),
            ),
        }
    }

    fn text(&self) -> Entry {
        match &self.seen {
            Err(_) => Entry::skipped(
                steps::TOKEN_TEXT,
                "not judged: there is no token to look at; see token-file",
            ),
            Ok(seen) if seen.around != (0, 0) => {
                Entry::warned(steps::TOKEN_TEXT, token::blanks(&self.path, seen.around))
            }
            Ok(_) => Entry::fine(
                steps::TOKEN_TEXT,
                "nothing: no blanks and no line breaks, as the kubelet writes it",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::diagnosis::{Finding, findings};
    use crate::doctor::Verdict;

    /// Of the file, the mount and the text.
    fn found(entries: [Entry; 3]) -> [Option<Finding>; 3] {
        entries.map(|entry| match entry.verdict {
            Verdict::Warned(diagnosis) | Verdict::Failed(diagnosis) => Some(diagnosis.finding),
            Verdict::Fine(_) | Verdict::Skipped(_) => None,
        })
    }

    fn words(entry: &Entry) -> &str {
        match &entry.verdict {
            Verdict::Fine(words) | Verdict::Skipped(words) => words,
            Verdict::Warned(diagnosis) | Verdict::Failed(diagnosis) => &diagnosis.found,
        }
    }

    #[tokio::test]
    async fn a_projected_token_has_nothing_to_find_fault_with() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("..data")).unwrap();
        fs::write(dir.path().join("..data/token"), "the token").unwrap();
        let path = dir.path().join("token");
        symlink("..data/token", &path).unwrap();
        let file = look(&path).await;
        let entries = file.entries();
        assert!(
            words(&entries[0]).contains("token holds 9 characters and can be read by user "),
            "{entries:?}"
        );
        assert!(words(&entries[0]).contains("(mode 06"), "{entries:?}");
        assert!(words(&entries[1]).contains("through ..data"), "{entries:?}");
        assert!(!format!("{file:?}").contains("the token"));
        assert_eq!(found(entries), [None; 3]);
    }

    #[tokio::test]
    async fn a_copy_with_a_line_break_is_read_and_warned_about_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "the token\n").unwrap();
        let file = look(&path).await;
        assert_eq!(file.token().unwrap().expose(), "the token");
        let entries = file.entries();
        assert!(
            words(&entries[2])
                .ends_with("0 bytes of blanks or line breaks before the token and 1 behind it"),
            "{entries:?}"
        );
        let wanted = [findings::TOKEN_NOT_ROTATING, findings::TOKEN_BLANKS];
        assert_eq!(found(entries), [None, Some(wanted[0]), Some(wanted[1])]);
    }

    #[tokio::test]
    async fn what_is_not_there_is_one_failure_and_not_three() {
        let dir = tempfile::tempdir().unwrap();
        let entries = look(&dir.path().join("token")).await.entries();
        for (entry, step) in
            entries
                .iter()
                .zip([steps::TOKEN_FILE, steps::TOKEN_MOUNT, steps::TOKEN_TEXT])
        {
            assert_eq!(entry.step, step);
        }
        assert!(words(&entries[1]).contains("see token-file"));
        assert_eq!(found(entries), [Some(findings::TOKEN_MISSING), None, None]);
    }
}
