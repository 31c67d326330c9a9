//! YAML read and written so that nothing changes its meaning on the way.
//!
//! A plain scalar keeps its letters: whether `0123`, `1e3`, `yes` or `2001-01-01` is a number, a truth or a text is for
//! each reader's version of YAML to say, not for a program that only passes it on. Text of our own is quoted wherever any
//! version would read something else. Comments and layout are not kept; neither kubectl nor the AWS CLI keeps them.
//!
//! Nothing here repeats a line of the file: kubeconfigs hold tokens and keys.

use std::collections::HashSet;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

/// The reason where it is the text that is wrong, and not what is made of it here.
pub(super) const NO_YAML: &str = "no YAML";

/// One node of the document. No `Debug`: it may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Scalar, Node)>),
}

/// A value without parts.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes: it may be more than text.
    plain: bool,
}

/// Why a document was not read, and in which line, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

impl Scalar {
    /// The parser gives `~` for what is left out.
    fn is_null(&self) -> bool {
        self.plain && ["~", "null", "Null", "NULL"].contains(&self.text.as_str())
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Scalar {
            text: text.into(),
            plain: false,
        }
    }
}

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Node::Scalar(Scalar::text(text))
    }

    /// The truth value that every version of YAML reads as false.
    pub(super) fn no() -> Self {
        Node::Scalar(Scalar {
            text: "false".to_owned(),
            plain: true,
        })
    }

    pub(super) fn mapping<'a>(pairs: impl IntoIterator<Item = (&'a str, Node)>) -> Self {
        Node::Mapping(
            pairs
                .into_iter()
                .map(|(key, value)| (Scalar::text(key), value))
                .collect(),
        )
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Node::Scalar(scalar) if scalar.is_null())
    }

    /// The value under `key`, where this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Node::Mapping(pairs) = self else {
            return None;
        };
        pairs
            .iter()
            .find(|(found, _)| found.text == key)
            .map(|(_, value)| value)
    }
}

/// Reads the one document in `text`; an empty stream is null.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    let options = granit_parser::options! { emit_comments: false };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        line: 1,
    };
    let null = Node::Scalar(Scalar {
        text: "null".to_owned(),
        plain: true,
    });
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(null),
            Event::DocumentStart(..) => break,
            _ => {}
        }
    }
    let first = reader.next()?;
    let node = reader.node(first)?;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(node),
            Event::DocumentEnd => {}
            _ => return Err(reader.refuse("a second document begins")),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, Unreadable> {
        match self.parser.next() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                Err(self.refuse(NO_YAML))
            }
            None => Err(self.refuse(NO_YAML)),
        }
    }

    fn refuse(&self, reason: &'static str) -> Unreadable {
        Unreadable {
            line: self.line,
            reason,
        }
    }

    /// The parser nests at most 510 deep.
    fn node(&mut self, event: Event<'a>) -> Result<Node, Unreadable> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                let plain = match tag {
                    None => style == ScalarStyle::Plain,
                    Some(tag) if is_text(&tag) => false,
                    Some(_) => return Err(self.refuse("a tag")),
                };
                let text = text.into_owned();
                Ok(Node::Scalar(Scalar { text, plain }))
            }
            Event::SequenceStart(_, _, None) => self.sequence(),
            Event::MappingStart(_, _, None) => self.mapping(),
            Event::SequenceStart(..) | Event::MappingStart(..) => Err(self.refuse("a tag")),
            Event::Alias(_) => Err(self.refuse("an alias")),
            _ => Err(self.refuse(NO_YAML)),
        }
    }

    fn sequence(&mut self) -> Result<Node, Unreadable> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Node::Sequence(items)),
                event => items.push(self.node(event)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Node, Unreadable> {
        let mut pairs: Vec<(Scalar, Node)> = Vec::new();
        let mut keys = HashSet::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Node::Mapping(pairs)),
                event => match self.node(event)? {
                    Node::Scalar(key) => key,
                    _ => return Err(self.refuse("a key that is a list or a mapping")),
                },
            };
            if !keys.insert(key.text.clone()) {
                return Err(self.refuse("a key for the second time"));
            }
            let event = self.next()?;
            pairs.push((key, self.node(event)?));
        }
    }
}

fn is_text(tag: &Tag) -> bool {
    tag.is_yaml_core_schema_tag("str") || tag.parts() == ("!", "") || tag.parts() == ("", "!")
}

/// The document in block style, laid out as the AWS CLI does it.
pub(super) fn write(node: &Node) -> String {
    let mut out = String::new();
    block(node, 0, &mut out);
    out
}

/// A node whose first line begins where `out` ends, and whose other lines are indented.
fn block(node: &Node, indent: usize, out: &mut String) {
    match node {
        Node::Mapping(pairs) if !pairs.is_empty() => {
            for (number, (key, value)) in pairs.iter().enumerate() {
                if number > 0 {
                    pad(indent, out);
                }
                key_and_colon(key, indent, out);
                under_key(value, indent, out);
            }
        }
        Node::Sequence(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    pad(indent, out);
                }
                out.push_str("- ");
                block(item, indent + 2, out);
            }
        }
        Node::Mapping(_) => out.push_str("{}\n"),
        Node::Sequence(_) => out.push_str("[]\n"),
        Node::Scalar(value) => {
            scalar(value, out);
            out.push('\n');
        }
    }
}

fn under_key(value: &Node, indent: usize, out: &mut String) {
    let deeper = match value {
        Node::Mapping(pairs) if !pairs.is_empty() => indent + 2,
        Node::Sequence(items) if !items.is_empty() => indent,
        _ => {
            out.push(' ');
            return block(value, indent, out);
        }
    };
    out.push('\n');
    pad(deeper, out);
    block(value, deeper, out);
}

fn key_and_colon(key: &Scalar, indent: usize, out: &mut String) {
    /// Readers look for the colon in the next 1024 characters.
    const LONG: usize = 128;
    if key.text.len() <= LONG {
        scalar(key, out);
    } else {
        out.push_str("? ");
        scalar(key, out);
        out.push('\n');
        pad(indent, out);
    }
    out.push(':');
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(scalar: &Scalar, out: &mut String) {
    if scalar.is_null() {
        out.push_str("null");
    } else if is_text_without_quotes(&scalar.text)
        || (scalar.plain && may_be_more_than_text(&scalar.text))
    {
        out.push_str(&scalar.text);
    } else {
        quoted(&scalar.text, out);
    }
}

/// Text that every version of YAML reads as this text. Narrow: quotes cost nothing.
fn is_text_without_quotes(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let first = text.strip_prefix("--").unwrap_or(text);
    first.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !text.ends_with(':')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./@+=,:".contains(&byte))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The letters of numbers, truths, nulls, times and merge keys. What has others is text, and may be quoted.
fn may_be_more_than_text(text: &str) -> bool {
    !text.ends_with([':', ' '])
        && !text.starts_with([':', ' '])
        && !text.contains(": ")
        && !text.starts_with("- ")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-+_.:~=< ".contains(&byte))
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // What some reader takes for a line break, a mark at the beginning, or not for text at all.
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => escaped(c, out),
            c if c.is_control() => escaped(c, out),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escaped(c: char, out: &mut String) {
    out.push_str(&format!("\\u{:04x}", u32::from(c)));
}

#[cfg(test)]
mod tests;
