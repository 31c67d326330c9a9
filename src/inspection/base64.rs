//! base64url as Go's `encoding/base64` decodes it without padding: line ends are passed over, nothing else is, and the
//! place of what is wrong is counted as Go counts it.

/// The bytes, or the offset that Go reports.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for (place, byte) in text.iter().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return Err(place),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    // One character alone holds no byte. What two or three hold beyond whole bytes Go does not look at.
    if held == 6 {
        return Err(text.len() - 1);
    }
    Ok(bytes)
}
