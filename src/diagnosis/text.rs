//! Text from outside, made fit to be shown: in a log, in a ticket, on a shell's command line.
//!
//! Who puts a secret into the wrong place shall not find it in a log. So no JSON Web Token is ever repeated, of a URL
//! nothing but where it leads, and of a value that was refused no long word that could be a key.

/// Text from outside, made safe for one line of a log: quoted, control characters escaped, cut at 200 characters.
pub fn quote(text: &str) -> String {
    let text = without_tokens(text);
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!(
            "{:?} and {} more characters",
            &text[..end],
            text[end..].chars().count()
        ),
    }
}

const LONGEST: usize = 200;

/// A value that was refused, quoted. Names, addresses, paths and ARNs are repeated as they are; of any other long word,
/// which may be a key or a password, there is as much as tells it from others.
pub fn refused(value: &str) -> String {
    const LONGEST_WORD: usize = 16;
    const BEGINNING: usize = 4;
    let cut = |word: &str| {
        let length = word.chars().count();
        let is_place = word.starts_with('/') || word.contains(['.', ':']);
        if length <= LONGEST_WORD || (is_place && length <= LONGEST) || has_token(word) {
            return word.to_owned();
        }
        let beginning: String = word.chars().take(BEGINNING).collect();
        format!("{beginning}… ({length} characters)")
    };
    let plain = plain_url(value);
    let words: Vec<String> = plain.split(',').map(cut).collect();
    quote(&words.join(","))
}

/// A URL without user name, password, query and fragment; any other text as it is.
pub fn plain_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // A password may hold any character, and a query none that would end the password.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{place}")
}

/// Whether a JSON Web Token stands in it.
pub fn has_token(text: &str) -> bool {
    find_token(text).is_some()
}

/// The text with each JSON Web Token's length in its place.
pub fn without_tokens(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((begin, end)) = find_token(rest) {
        shown.push_str(&rest[..begin]);
        shown.push_str(&format!("[JSON Web Token of {} characters]", end - begin));
        rest = &rest[end..];
    }
    shown + rest
}

/// Where the first one begins and ends. They all begin with `{"` in base64url, and go on behind a dot.
fn find_token(text: &str) -> Option<(usize, usize)> {
    const BEGINNING: &str = "eyJ";
    let belongs = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let begins = text.match_indices(BEGINNING).map(|(begin, _)| begin);
    let mut tokens = begins.filter_map(|begin| {
        let length = text[begin..].find(|c| !belongs(c));
        let end = length.map_or(text.len(), |length| begin + length);
        let (header, rest) = text[begin..end].split_once('.')?;
        (header.len() > BEGINNING.len() && !rest.is_empty()).then_some((begin, end))
    });
    tokens.next()
}

/// A code or a status from outside: a word. Whatever else stands there is not worth repeating.
pub fn word(text: &str) -> String {
    const LONGEST: usize = 64;
    let wordy = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    text.chars().filter(wordy).take(LONGEST).collect()
}

/// One word of a shell's command line, to be pasted.
pub fn shell_word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@+=,".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJzdHMifQ.c2lnbmF0dXJl";

    #[test]
    fn quoted_text_cannot_break_a_line_or_fill_a_log() {
        assert_eq!(quote("a\nb\u{1b}[31m"), r#""a\nb\u{1b}[31m""#);
        let long = "é".repeat(5_000);
        assert!(quote(&long).ends_with("and 4800 more characters"));
    }

    #[test]
    fn a_json_web_token_is_never_repeated_wherever_it_stands() {
        let hidden = "[JSON Web Token of 52 characters]";
        for (text, shown) in [
            (TOKEN.to_owned(), hidden.to_owned()),
            (format!("Bearer {TOKEN}\n"), format!("Bearer {hidden}\n")),
            (
                format!("a={TOKEN}, b={TOKEN}"),
                format!("a={hidden}, b={hidden}"),
            ),
            (format!("x{TOKEN}"), format!("x{hidden}")),
            (format!("é{TOKEN}é"), format!("é{hidden}é")),
        ] {
            assert_eq!(without_tokens(&text), shown);
            assert_eq!(quote(&text), format!("{shown:?}"));
            assert!(!refused(&text).contains("c2ln"), "{text}");
        }
        let cut = &TOKEN[..30];
        assert_eq!(without_tokens(cut), "[JSON Web Token of 30 characters]");
        for text in ["eyJ", "eyJ.", "eyJa.", "keyJar", "eyJhbGciOiJSUzI1NiJ9", ""] {
            assert_eq!(without_tokens(text), text);
        }
    }

    #[test]
    fn of_a_refused_value_nothing_that_could_be_a_key_is_repeated() {
        for (value, shown) in [
            (
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                r#""wJal… (40 characters)""#,
            ),
            (
                "token,0123456789abcdef0",
                r#""token,0123… (17 characters)""#,
            ),
            ("https://host/path?x=hunter2", r#""https://host/path""#),
        ] {
            assert_eq!(refused(value), shown);
        }
        let eks = format!("k8s-aws-v1.{}", "a".repeat(1_000));
        assert_eq!(refused(&eks), r#""k8s-… (1011 characters)""#);
        for value in [
            "ap-southeast-2a",
            "arn:aws:sts::111122223333:assumed-role/app/x",
            "169.254.170.2:80,10.0.0.1:80",
            "/nonexistent/certificates/ca-bundle",
            "http://sts.eu-west-1.example.com",
            "token,pod-uid,all",
            "",
        ] {
            assert_eq!(refused(value), format!("{value:?}"));
        }
    }

    #[test]
    fn of_a_url_only_the_place_is_shown() {
        for (url, shown) in [
            ("http://user:p@ss@proxy:3128", "http://proxy:3128"),
            ("http://user:p?s#s@proxy:3128", "http://proxy:3128"),
            ("https://sts.example.com", "https://sts.example.com"),
            ("https://sts/p?password=x#y", "https://sts/p"),
            ("https://sts?a=x@y", "https://y"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(plain_url(url), shown);
        }
    }

    #[test]
    fn what_is_pasted_into_a_shell_is_one_word_and_no_more() {
        for (text, written) in [
            ("demo", "demo"),
            ("my cluster", "'my cluster'"),
            ("a;b", "'a;b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), written);
        }
    }

    #[test]
    fn a_word_is_one() {
        assert_eq!(word("Access\nDenied <b>"), "AccessDeniedb");
        assert_eq!(word(&"a".repeat(500)).len(), 64);
    }
}
