//! `%q` of Go: text in double quotes, in which nothing can move a cursor.

use std::fmt::Write;

/// Go's `strconv.Quote`.
pub(super) fn quote(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(&mut quoted, c));
        for byte in chunk.invalid() {
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

fn push(quoted: &mut String, c: char) {
    let written = match c {
        '"' => quoted.write_str("\\\""),
        '\\' => quoted.write_str("\\\\"),
        '\u{7}' => quoted.write_str("\\a"),
        '\u{8}' => quoted.write_str("\\b"),
        '\u{c}' => quoted.write_str("\\f"),
        '\n' => quoted.write_str("\\n"),
        '\r' => quoted.write_str("\\r"),
        '\t' => quoted.write_str("\\t"),
        '\u{b}' => quoted.write_str("\\v"),
        c if is_shown(c) => quoted.write_char(c),
        c if c.is_ascii() => write!(quoted, "\\x{:02x}", u32::from(c)),
        c if u32::from(c) < 0x1_0000 => write!(quoted, "\\u{:04x}", u32::from(c)),
        c => write!(quoted, "\\U{:08x}", u32::from(c)),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// What leaves a mark of its own, roughly Go's `IsPrint`.
pub(super) fn is_shown(c: char) -> bool {
    let format = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let blank = c.is_whitespace() && c != ' ';
    let private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..);
    !(c.is_control() || format || blank || private)
}
