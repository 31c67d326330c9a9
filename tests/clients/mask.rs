//! What varies from run to run in a client's words: paths, ids, addresses in memory, ports. The words stay.

/// The text in one line, with these paths under other names and everything that varies as `…`.
pub fn masked(text: &str, paths: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (path, name) in paths {
        text = text.replace(path.as_str(), name);
    }
    let lines = text.lines().map(|line| {
        let line = without_dates(line);
        let words = line.split_whitespace().map(without_ids);
        words.collect::<Vec<_>>().join(" ")
    });
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Dates of HTTP.
fn without_dates(line: &str) -> String {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let mut kept = line.to_owned();
    let mut from = 0;
    while let Some(found) = kept[from..].find(" GMT") {
        let end = from + found + " GMT".len();
        let date = end
            .checked_sub(DATE.len())
            .filter(|start| kept[*start..].get(3..5) == Some(", "));
        from = match date {
            Some(start) => {
                kept.replace_range(start..end, "…");
                start
            }
            None => end,
        };
    }
    kept
}

/// UUIDs, numbers of five digits and more, what follows `0x`, and times with a fraction.
fn without_ids(word: &str) -> String {
    let mut kept = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(next) = rest.chars().next() {
        let varying = [uuid, address, number, time].map(|length| length(rest));
        let varying = varying.into_iter().max().unwrap_or(0);
        if varying > 0 {
            kept.push('…');
            rest = &rest[varying..];
        } else {
            // Not the end of a name or of a longer number.
            let whole = rest.len()
                - rest
                    .trim_start_matches(|c: char| c.is_ascii_alphanumeric())
                    .len();
            let end = whole.max(next.len_utf8());
            kept.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    kept
}

const UUID: usize = 36;

/// How long the UUID is that it begins with: 0 where there is none.
fn uuid(text: &str) -> usize {
    let is = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    match text.as_bytes().get(..UUID) {
        Some(bytes) if bytes.iter().copied().enumerate().all(is) => UUID,
        _ => 0,
    }
}

fn address(text: &str) -> usize {
    let Some(digits) = text.strip_prefix("0x") else {
        return 0;
    };
    text.len()
        - digits
            .trim_start_matches(|c: char| c.is_ascii_hexdigit())
            .len()
}

fn number(text: &str) -> usize {
    let length = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if length >= 5 { length } else { 0 }
}

/// `1.25ms`, which nothing takes twice.
fn time(text: &str) -> usize {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let whole = digits(text);
    let Some(fraction) = text[whole..].strip_prefix('.').filter(|_| whole > 0) else {
        return 0;
    };
    let unit = &fraction[digits(fraction)..];
    let units = ["ms", "s", "\u{b5}s", "ns"];
    match units.iter().find(|known| unit.starts_with(**known)) {
        Some(found) => text.len() - unit.len() + found.len(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_masked_and_the_words_stay() {
        for (text, expected) in [
            (
                "HTTP 503 from 127.0.0.1:9910",
                "HTTP 503 from 127.0.0.1:9910",
            ),
            ("port 40123, 169.254.170.2:80", "port …, 169.254.170.2:80"),
            ("<Pool at 0x7f1e2a3b>: no", "<Pool at …>: no"),
            ("id: 0aef12bc-1111-2222-3333-44445555aaff;", "id: …;"),
            ("ASIAKPFS12345", "ASIAKPFS12345"),
            (
                "in 1.25ms, after 3.5s: 180s, v1.12.199",
                "in …, after …: 180s, v1.12.199",
            ),
            (
                "\"date\": \"Sun, 22 Nov 2026 05:45:32 GMT\", GMT",
                "\"date\": \"…\", GMT",
            ),
            ("one\n\n   two  three\n", "one\ntwo three"),
        ] {
            assert_eq!(masked(text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn paths_go_by_their_names() {
        let paths = [("/tmp/.tmpA1/home".to_owned(), "HOME")];
        assert_eq!(masked("no /tmp/.tmpA1/home/.aws", &paths), "no HOME/.aws");
    }
}
