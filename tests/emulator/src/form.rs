//! Names and values in query strings and form bodies: percent-encoding both ways.

/// Parameters in their order; names may repeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

impl Form {
    /// Reads `a=1&b=x+y%2F`.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(decoded.collect())
    }

    /// The first value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// As SigV4 wants it: everything but `A-Za-z0-9-_.~` becomes `%XX`, in upper case.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A part of a path, where a `+` is a plus.
pub(crate) fn decode_segment(text: &str) -> String {
    decode(&text.replace('+', "%2B"))
}

/// Lenient where a server has to be: a `%` that begins no escape stands for itself.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).and_then(hex_byte);
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_back_what_encode_wrote() {
        let value = "a b+c/d=e&f%g~é\u{0}";
        let form = Form::parse(&format!("x=1&y={}&z", encode(value)));
        assert_eq!(form.get("y"), Some(value));
        assert_eq!(form.get("z"), Some(""));
        assert_eq!(form.get("w"), None);
    }

    #[test]
    fn a_plus_is_a_space_and_a_stray_percent_is_itself() {
        assert_eq!(Form::parse("x=a+b%2").get("x"), Some("a b%2"));
        assert_eq!(Form::parse("x=%zz%").get("x"), Some("%zz%"));
    }
}
