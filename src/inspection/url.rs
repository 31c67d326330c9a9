//! URLs as Go's `net/url` parses them, as far as a token can hold one: the verifier judges what Go makes of it.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::quote::quote;
use super::shown;

/// A URL in Go's parts.
pub(super) struct Url {
    /// Lower-case; empty where there is none.
    pub(super) scheme: String,
    /// With the port, in the case in which it is written.
    pub(super) host: String,
    /// Whether the path is a single slash.
    pub(super) is_root: bool,
    /// As it is written.
    pub(super) raw_query: Zeroizing<String>,
}

/// The parameters in their order, decoded.
pub(super) type Parameters = Vec<(Vec<u8>, Zeroizing<Vec<u8>>)>;

impl Url {
    /// Go's `url.Parse`, or its reason.
    pub(super) fn parse(raw: &str) -> Result<Url, String> {
        let (raw, fragment) = raw.split_once('#').unwrap_or((raw, ""));
        if raw.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err("net/url: invalid control character in URL".into());
        }
        let (scheme, rest) = scheme(raw)?;
        let scheme = scheme.to_ascii_lowercase();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut url = Url {
            scheme,
            host: String::new(),
            is_root: rest == "/",
            raw_query: Zeroizing::new(query.to_owned()),
        };
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                return checked(fragment).map(|()| url);
            }
            if rest.split('/').next().is_some_and(|one| one.contains(':')) {
                return Err("first path segment in URL cannot contain colon".into());
            }
        }
        let has_authority = !url.scheme.is_empty() || !rest.starts_with("///");
        let mut path = rest;
        if let Some(after) = rest.strip_prefix("//").filter(|_| has_authority) {
            let end = after.find('/').unwrap_or(after.len());
            url.host = authority(&after[..end])?;
            path = &after[end..];
            url.is_root = path == "/";
        }
        checked(path)?;
        checked(fragment)?;
        Ok(url)
    }

    /// Go's `url.ParseQuery`; `None` where it has something to object to.
    pub(super) fn parameters(&self) -> Option<Parameters> {
        let pairs = self.raw_query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let sound = !pair.contains(';') && checked(pair).is_ok();
                sound.then(|| (form_decoded(key), Zeroizing::new(form_decoded(value))))
            })
            .collect()
    }
}

fn form_decoded(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

/// What stands before the first colon, if it can be a scheme, and the rest.
fn scheme(raw: &str) -> Result<(&str, &str), String> {
    for (place, byte) in raw.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if place > 0 => {}
            b':' if place == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok((&raw[..place], &raw[place + 1..])),
            _ => break,
        }
    }
    Ok(("", raw))
}

/// The host, with its port, out of what stands between `//` and the path.
fn authority(text: &str) -> Result<String, String> {
    let Some((user, host)) = text.rsplit_once('@') else {
        return host(text);
    };
    let host = self::host(host)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
    if !user.bytes().all(allowed) {
        return Err("net/url: invalid userinfo".into());
    }
    // Name and password are decoded one by one.
    user.splitn(2, ':').try_for_each(checked)?;
    Ok(host)
}

fn host(text: &str) -> Result<String, String> {
    let port = match text.rfind('[') {
        Some(0) => {
            let end = text.rfind(']').ok_or("missing ']' in host")?;
            let address = &text[1..end];
            if address.parse::<Ipv6Addr>().is_err() && !address.contains("%25") {
                return Err("invalid host".into());
            }
            &text[end + 1..]
        }
        Some(_) => return Err("invalid IP-literal".into()),
        None => text.find(':').map_or("", |colon| &text[colon..]),
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(digits) {
        return Err(format!(
            "invalid port {} after host",
            quote(shown::name(port).as_bytes())
        ));
    }
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let allowed = first.is_ascii_alphanumeric() || "!$&'()*+,;=:[]<>\"-_.~".contains(first);
        if first == '%' {
            checked(rest.get(..3).unwrap_or(rest))?;
            // Only what is not ASCII, and the percent sign itself, may be encoded in a host.
            if rest.as_bytes()[1] < b'8' && &rest[..3] != "%25" {
                return Err(invalid_escape(rest));
            }
        } else if first.is_ascii() && !allowed {
            return Err(format!(
                "invalid character {} in host name",
                quote(&[first as u8])
            ));
        }
        rest = &rest[first.len_utf8()..];
    }
    Ok(percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// Whether two hexadecimal digits follow every percent sign.
fn checked(text: &str) -> Result<(), String> {
    for (place, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(place + 1..place + 3);
        if !digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
            return Err(invalid_escape(&text[place..]));
        }
    }
    Ok(())
}

/// `text` begins with the percent sign.
fn invalid_escape(text: &str) -> String {
    let shown = &text.as_bytes()[..text.len().min(3)];
    format!("invalid URL escape {}", quote(shown))
}
