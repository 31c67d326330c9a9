//! A URL as Go's `net/url` takes it apart, with its errors. What a pre-signed URL can never hold (IPv6
//! addresses, zones) is passed on as it stands: a rule further on refuses it as a host.

/// The parts that the rules look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    pub(super) host: String,
    /// Decoded.
    pub(super) path: String,
    /// As it stands.
    pub(super) query: String,
}

impl Url {
    /// `url.Parse`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let wrong = |text: &str, reason: String| format!("parse {}: {reason}", quote(text));
        let url = parse(before).map_err(|reason| wrong(before, reason))?;
        unescape(fragment, Place::Elsewhere).map_err(|reason| wrong(text, reason))?;
        Ok(url)
    }
}

fn parse(text: &str) -> Result<Url, String> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = split_scheme(text)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut url = Url {
        scheme: scheme.to_ascii_lowercase(),
        host: String::new(),
        path: String::new(),
        query: query.to_owned(),
    };
    if !rest.starts_with('/') && !scheme.is_empty() {
        // Opaque, like `mailto:`: neither host nor path.
        return Ok(url);
    }
    let first_segment = rest.split('/').next().unwrap_or_default();
    if first_segment.contains(':') {
        return Err("first path segment in URL cannot contain colon".to_owned());
    }
    let mut path = rest.to_owned();
    if let Some(after) = rest.strip_prefix("//")
        && (!scheme.is_empty() || !after.starts_with('/'))
    {
        let end = after.find('/').unwrap_or(after.len());
        url.host = host_of(&after[..end])?;
        after[end..].clone_into(&mut path);
    }
    url.path = unescape(&path, Place::Elsewhere)?;
    Ok(url)
}

/// Letters, then a colon; what begins otherwise has no scheme.
fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

/// The host with its port; who the user is does not matter, as long as he is well-formed.
fn host_of(authority: &str) -> Result<String, String> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    let in_user = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if let Some((_, port)) = host.split_once(':')
        && !host.starts_with('[')
        && !port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(format!(
            "invalid port {} after host",
            quote(&format!(":{port}"))
        ));
    }
    let host = unescape(host, Place::Host)?;
    if !user.bytes().all(in_user) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    unescape(user, Place::Elsewhere)?;
    Ok(host)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Only what is not ASCII is escaped here, and the percent sign itself.
    Host,
    Elsewhere,
}

/// Decodes `%XX`.
fn unescape(text: &str, place: Place) -> Result<String, String> {
    let in_host = |byte: u8| {
        !byte.is_ascii()
            || byte.is_ascii_alphanumeric()
            || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            if place == Place::Host && !in_host(byte) {
                let character = quote(&char::from(byte).to_string());
                return Err(format!("invalid character {character} in host name"));
            }
            decoded.push(byte);
            rest = after;
            continue;
        }
        let escape = &rest[..rest.len().min(3)];
        match escaped(escape) {
            Some(byte) if place == Place::Elsewhere || !byte.is_ascii() || byte == b'%' => {
                decoded.push(byte);
            }
            _ => {
                let escape = quote(&String::from_utf8_lossy(escape));
                return Err(format!("invalid URL escape {escape}"));
            }
        }
        rest = &rest[3..];
    }
    Ok(String::from_utf8_lossy(&decoded).into_owned())
}

/// The byte that `%XX` stands for.
fn escaped(escape: &[u8]) -> Option<u8> {
    let [b'%', high, low] = escape else {
        return None;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// `url.ParseQuery`: names and values in their order, or None if any of it is malformed.
pub(super) fn parse_query(query: &str) -> Option<Vec<(String, String)>> {
    let decode = |text: &str| unescape(&text.replace('+', " "), Place::Elsewhere).ok();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if pair.contains(';') {
                return None;
            }
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

/// `%q`.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            character if character.is_ascii_control() => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart_and_its_user_and_fragment_are_dropped() {
        let url = Url::parse("HTTPS://me:pass@sts.example:1/a%2Fb?x=%zz#part").unwrap();
        let expected = Url {
            scheme: "https".to_owned(),
            host: "sts.example:1".to_owned(),
            path: "/a/b".to_owned(),
            query: "x=%zz".to_owned(),
        };
        assert_eq!(url, expected);
        assert_eq!(Url::parse("https:sts.example/").unwrap().host, "");
        assert_eq!(Url::parse("sts.example/").unwrap().path, "sts.example/");
    }

    #[test]
    fn what_is_no_url_is_refused_in_the_words_of_go() {
        for (text, reason) in [
            (":ab:cd.af:/asda", "missing protocol scheme"),
            ("1:2", "first path segment in URL cannot contain colon"),
            ("https://a b/", "invalid character \" \" in host name"),
            ("https://a%zz/", "invalid URL escape \"%zz\""),
            ("https://a%41/", "invalid URL escape \"%41\""),
            ("https://a/%4", "invalid URL escape \"%4\""),
            ("https://a:b/", "invalid port \":b\" after host"),
            ("https://{@a/", "net/url: invalid userinfo"),
        ] {
            let expected = format!("parse {}: {reason}", quote(text));
            assert_eq!(Url::parse(text), Err(expected));
        }
        assert_eq!(
            Url::parse("https://a\n").unwrap_err(),
            "parse \"https://a\\n\": net/url: invalid control character in URL",
        );
    }

    #[test]
    fn a_query_is_good_as_a_whole_or_not_at_all() {
        let pairs = parse_query("a=1+2&&b=%3D&c").unwrap();
        let expected = [("a", "1 2"), ("b", "="), ("c", "")];
        assert_eq!(
            pairs,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(parse_query("a=1&b=%zz"), None);
        assert_eq!(parse_query("a=1;b=2"), None);
    }
}
