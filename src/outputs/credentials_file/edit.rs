//! Edits a shared credentials file: the keys of one profile that are ours, and not a byte of the rest. Pure.
//!
//! Lines mean what Python's configparser takes them for (boto, botocore, the AWS CLI). Where the parsers of other SDKs
//! take one for something else, and that matters to the profile, nothing is edited.

use std::fmt;

use zeroize::Zeroizing;

use super::Profile;
use crate::secret::Secret;

/// Larger files are somebody's mistake.
pub(super) const LARGEST: usize = 1024 * 1024;

/// What stands in the profile while there are credentials.
pub(super) struct Values<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
    pub(super) session_token: &'a str,
    pub(super) region: &'a str,
}

impl<'a> Values<'a> {
    /// In the order in which they are written. boto 2 knows the session token as `aws_security_token` only, and botocore
    /// takes that before the other.
    fn keys(&self) -> [(&'static str, &'a str); 5] {
        [
            ("aws_access_key_id", self.access_key_id),
            ("aws_secret_access_key", self.secret_access_key),
            ("aws_session_token", self.session_token),
            ("aws_security_token", self.session_token),
            (REGION, self.region),
        ]
    }
}

/// Of our keys the one that is no credential: it stays when the others go.
const REGION: &str = "region";

/// The text with these values in the profile, and none of its keys twice; without values, with the profile's credentials
/// taken out. `None` where that is what stands there already.
pub(super) fn edited(
    text: &str,
    profile: &Profile,
    values: Option<&Values<'_>>,
) -> Result<Option<Secret>, NotEditable> {
    let keys = values.map_or(Vec::new(), |values| values.keys().to_vec());
    let plain = |value: &str| value.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some((key, _)) = keys.iter().find(|(_, value)| !plain(value)) {
        return Err(NotEditable::Value(key));
    }
    let mut edit = Edit::new(text, profile, keys);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        edit.line(line).map_err(|wrong| wrong.at(index + 1))?;
    }
    let mut edited = edit.finish();
    match edited.len() > LARGEST {
        true => Err(NotEditable::TooLarge),
        false if *edited == text => Ok(None),
        false => Ok(Some(Secret::new(std::mem::take(&mut *edited)))),
    }
}

/// An edit under way.
struct Edit<'a> {
    profile: &'a Profile,
    /// What is to stand there and does not yet.
    missing: Vec<(&'static str, &'a str)>,
    is_taking_out: bool,
    edited: Zeroizing<String>,
    line_ending: &'static str,
    place: Place,
    owner: Option<Owner>,
    /// Of the last line that was no continuation, blank or comment.
    indent: usize,
    /// Behind the last line of the section in which the values stand.
    end_of_target: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeAnyHeader,
    AnotherProfile,
    /// The first section that is called exactly like the profile.
    Target,
    /// More of the profile, which parsers merge or refuse.
    Again,
}

/// The option that an indented line would continue.
#[derive(Clone, Copy)]
struct Owner {
    is_ours: bool,
    is_empty: bool,
}

impl<'a> Edit<'a> {
    fn new(text: &str, profile: &'a Profile, missing: Vec<(&'static str, &'a str)>) -> Self {
        let added = |(key, value): &(&str, &str)| key.len() + value.len() + " = \r\n".len();
        let room: usize = missing.iter().map(added).sum();
        let header = profile.as_str().len() + "\r\n\r\n[]\r\n".len();
        let ends_in_crlf = |line: &str| line.ends_with("\r\n");
        Edit {
            profile,
            is_taking_out: missing.is_empty(),
            missing,
            // Room for all at once: a buffer that grows would leave copies of the secrets behind.
            edited: Zeroizing::new(String::with_capacity(text.len() + room + header + 2)),
            line_ending: match text.split_inclusive('\n').next().is_some_and(ends_in_crlf) {
                true => "\r\n",
                false => "\n",
            },
            place: Place::BeforeAnyHeader,
            owner: None,
            indent: 0,
            end_of_target: None,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let content = content.strip_suffix('\r').unwrap_or(content);
        if content.contains(|c: char| c.is_control() && c != '\t') {
            return Err(Wrong::ControlCharacter);
        }
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            self.edited.push_str(line);
            return Ok(());
        }
        let indent = content.chars().take_while(|c| c.is_whitespace()).count();
        if trimmed.starts_with('[') && (indent == 0 || trimmed.contains(']')) {
            return match header(trimmed) {
                Some(name) if indent == 0 => {
                    self.header(line, name);
                    Ok(())
                }
                _ => Err(Wrong::Header),
            };
        }
        match self.owner {
            _ if self.place == Place::BeforeAnyHeader => Err(Wrong::BeforeAnyHeader),
            Some(owner) if indent > self.indent => self.continuation(line, trimmed, owner),
            _ => {
                self.indent = indent;
                self.option(line, trimmed)
            }
        }
    }

    fn header(&mut self, line: &str, name: &str) {
        (self.owner, self.indent) = (None, 0);
        self.place = match name.trim() == self.profile.as_str() {
            false => Place::AnotherProfile,
            // Some parsers trim the name, and for others this would be another profile.
            true if name != self.profile.as_str() || self.end_of_target.is_some() => Place::Again,
            true => Place::Target,
        };
        self.keep(line);
    }

    fn option(&mut self, line: &str, trimmed: &str) -> Result<(), Wrong> {
        let option = key_and_value(trimmed);
        let is_ours = option.is_some_and(|(key, _)| self.is_ours(key));
        self.owner = option.map(|(_, value)| Owner {
            is_ours,
            is_empty: value.is_empty(),
        });
        match option {
            Some((key, value)) if is_ours => self.replace(line, key, value),
            None if self.is_in_profile() => return Err(Wrong::Neither),
            _ => self.keep(line),
        }
        Ok(())
    }

    /// In its place where it stands there for the first time, and not indented: it would be a continuation to some.
    fn replace(&mut self, line: &str, key: &str, value: &str) {
        let is_missing = |(name, _): &(&str, _)| key.eq_ignore_ascii_case(name);
        let missing = self.missing.iter().position(is_missing);
        let stays = self.place == Place::Target && self.indent == 0;
        if let Some(index) = missing.filter(|_| stays) {
            let (name, wanted) = self.missing.remove(index);
            if key == name && value == wanted && line.ends_with('\n') {
                return self.keep(line);
            }
            let crlf = line.ends_with("\r\n");
            self.write(name, wanted, if crlf { "\r\n" } else { self.line_ending });
            self.end_of_target = Some(self.edited.len());
        }
    }

    fn continuation(&mut self, line: &str, trimmed: &str, owner: Owner) -> Result<(), Wrong> {
        if let Some((key, _)) = key_and_value(trimmed).filter(|_| self.is_in_profile())
            && (owner.is_ours || !owner.is_empty && self.is_ours(key))
        {
            return Err(Wrong::Continuation);
        }
        if !owner.is_ours {
            self.keep(line);
        }
        Ok(())
    }

    fn is_ours(&self, key: &str) -> bool {
        const KEYS: [&str; 5] = [
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
            "aws_security_token",
            REGION,
        ];
        let known = KEYS.iter().find(|name| key.eq_ignore_ascii_case(name));
        self.is_in_profile() && known.is_some_and(|&name| !(self.is_taking_out && name == REGION))
    }

    fn is_in_profile(&self) -> bool {
        matches!(self.place, Place::Target | Place::Again)
    }

    fn keep(&mut self, line: &str) {
        self.edited.push_str(line);
        if self.place == Place::Target {
            self.end_of_target = Some(self.edited.len());
        }
    }

    fn write(&mut self, key: &str, value: &str, line_ending: &str) {
        for part in [key, " = ", value, line_ending] {
            self.edited.push_str(part);
        }
    }

    /// What is missing goes to the end of the profile's section, or into a new one at the end of the file.
    fn finish(mut self) -> Zeroizing<String> {
        if self.missing.is_empty() {
            return self.edited;
        }
        let end = self.end_of_target.unwrap_or(self.edited.len());
        let rest = Zeroizing::new(self.edited[end..].to_owned());
        self.edited.truncate(end);
        let line_ending = self.line_ending;
        if !self.edited.is_empty() && !self.edited.ends_with('\n') {
            self.edited.push_str(line_ending);
        }
        if self.end_of_target.is_none() {
            let gap = if self.edited.is_empty() {
                ""
            } else {
                line_ending
            };
            for part in [gap, "[", self.profile.as_str(), "]", line_ending] {
                self.edited.push_str(part);
            }
        }
        for (key, value) in std::mem::take(&mut self.missing) {
            self.write(key, value, line_ending);
        }
        self.edited.push_str(&rest);
        self.edited
    }
}

/// What stands between the brackets; `None` where not all parsers take the line for a header.
fn header(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    let comment = rest.trim_start();
    let is_comment = comment.len() < rest.len() && comment.starts_with(['#', ';']);
    let is_header = !name.is_empty() && !rest.contains(']') && (rest.is_empty() || is_comment);
    is_header.then_some(name)
}

fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(['=', ':'])?;
    let key = key.trim_end();
    (!key.is_empty()).then_some((key, value.trim_start()))
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    ControlCharacter,
    BeforeAnyHeader,
    /// A header to some parsers, and not to others.
    Header,
    /// A key of ours to some parsers, and a continuation to others.
    Continuation,
    /// No header, key, continuation or comment; in another profile it does no harm.
    Neither,
}

impl Wrong {
    fn at(self, line: usize) -> NotEditable {
        NotEditable::Line(line, self)
    }
}

/// Why a file is better left alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotEditable {
    TooLarge,
    NotUtf8,
    Line(usize, Wrong),
    /// The value of this key would not be the same when it is read.
    Value(&'static str),
}

impl NotEditable {
    pub(super) fn fix(&self) -> &'static str {
        match self {
            NotEditable::TooLarge | NotEditable::NotUtf8 => {
                "take the file away, or name another output-dir"
            }
            NotEditable::Line(
                _,
                Wrong::ControlCharacter | Wrong::BeforeAnyHeader | Wrong::Neither,
            ) => "put the line right, or take the file away",
            NotEditable::Line(_, Wrong::Header) => {
                "write [NAME] at the beginning of the line and nothing behind it"
            }
            NotEditable::Line(_, Wrong::Continuation) => "take the indentation away, or the line",
            NotEditable::Value(_) => "report it: no value of AWS is like that",
        }
    }
}

impl fmt::Display for NotEditable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = match self {
            NotEditable::TooLarge => {
                return write!(f, "it is larger than {} KiB", LARGEST / 1024);
            }
            NotEditable::NotUtf8 => return f.write_str("it is not UTF-8 text"),
            NotEditable::Value(key) => {
                return write!(f, "the new {key} holds a blank or a control character");
            }
            NotEditable::Line(line, wrong) => {
                write!(f, "line {line} ")?;
                wrong
            }
        };
        f.write_str(match wrong {
            Wrong::ControlCharacter => "holds a control character",
            Wrong::BeforeAnyHeader => "stands before the first [profile]",
            Wrong::Neither => "has no = and begins no profile",
            Wrong::Header => "begins a profile for some SDKs and not for others",
            Wrong::Continuation => {
                "is indented, a key by itself for some SDKs and a part of the key before it for others"
            }
        })
    }
}

#[cfg(test)]
mod tests;
