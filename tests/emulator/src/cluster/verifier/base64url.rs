//! Unpadded base64url as Go's `base64.RawURLEncoding` decodes it: line ends are skipped, bits left over are
//! not looked at, and an error names the byte.

/// The bytes, or the offset of the byte that is none of base64url.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, usize> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut sextets) = (0_u32, 0);
    for (offset, byte) in text.bytes().enumerate() {
        if matches!(byte, b'\r' | b'\n') {
            continue;
        }
        bits = bits << 6 | sextet(byte).ok_or(offset)?;
        sextets += 1;
        if sextets == 4 {
            decoded.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, sextets) = (0, 0);
        }
    }
    match sextets {
        // Six bits are no byte.
        1 => return Err(text.len() - 1),
        2 => decoded.push((bits >> 4) as u8),
        3 => decoded.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => {}
    }
    Ok(decoded)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn what_was_encoded_without_padding_reads_back() {
        for length in 0..=70_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37)).collect();
            assert_eq!(decode(&URL_SAFE_NO_PAD.encode(&bytes)), Ok(bytes));
        }
    }

    #[test]
    fn line_ends_are_skipped_and_all_else_is_named() {
        assert_eq!(decode("Zm\r\n9v\n"), Ok(b"foo".to_vec()));
        for (text, offset) in [
            ("Zm8=", 3),
            ("Zm9v ", 4),
            ("Zm+v", 2),
            ("Zm/v", 2),
            ("Z", 0),
        ] {
            assert_eq!(decode(text), Err(offset), "{text}");
        }
        assert_eq!(decode("Zm9vZ"), Err(4));
    }
}
