//! Random bytes in the alphabets of keys, ids and tokens.

use ring::rand::{SecureRandom, SystemRandom};

/// `count` characters drawn from `alphabet`.
pub(crate) fn characters(alphabet: &[u8], count: usize) -> String {
    let mut bytes = vec![0; count];
    fill(&mut bytes);
    // The modulo favours some letters slightly: nothing here has to withstand an attacker.
    let pick = |byte: u8| char::from(alphabet[usize::from(byte) % alphabet.len()]);
    bytes.into_iter().map(pick).collect()
}

/// A version 4 UUID.
pub(crate) fn uuid() -> String {
    let hex = characters(b"0123456789abcdef", 30);
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..15],
        &hex[15..18],
        &hex[18..],
    );
    format!("{a}-{b}-4{c}-a{d}-{e}")
}

fn fill(bytes: &mut [u8]) {
    SystemRandom::new()
        .fill(bytes)
        .expect("the operating system has random bytes");
}
