//! What is shown of a token: names, to the end of what a name can be, and nothing that could be a piece of a secret.
//!
//! A token that was put together badly has its secrets anywhere: in the name of a header, in the host, in the key id.

/// In a row, of the characters of a session token or a signature, however they are encoded. No name and no word of the
/// verifier's has as many, and nobody can do anything with so few of a secret.
const LONGEST_ROW: usize = 19;
/// This much is left of a longer row.
const KEPT: usize = 8;
/// The longest name: a host of a VPC endpoint has 80 characters.
const LONGEST: usize = 100;
/// Of all access key ids.
const KEY_ID: usize = 20;
/// Stands where something is left out.
const CUT: char = '…';

/// A host with its port, a region, a scheme, a day or the name of a header.
pub(super) fn name(text: &str) -> String {
    let of_names = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    without_secrets(&up_to(text, LONGEST, of_names))
}

/// An access key id.
pub(super) fn key_id(text: &str) -> String {
    up_to(text, KEY_ID, |c| {
        c.is_ascii_uppercase() || c.is_ascii_digit()
    })
}

/// Any text: long rows of a secret's characters are cut.
pub(super) fn without_secrets(text: &str) -> String {
    let mut rest = text;
    let mut shown = String::with_capacity(text.len());
    while !rest.is_empty() {
        let (row, after) = rest.split_at(rest.find(|c| !of_secrets(c)).unwrap_or(rest.len()));
        match row.len() > LONGEST_ROW {
            true => shown.extend([&row[..KEPT], "…"]),
            false => shown.push_str(row),
        }
        let others = after.find(of_secrets).unwrap_or(after.len());
        shown.push_str(&after[..others]);
        rest = &after[others..];
    }
    shown
}

/// Base64, hexadecimal digits, and what is percent-encoded of them.
fn of_secrets(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=%".contains(c)
}

fn up_to(text: &str, longest: usize, allowed: impl Fn(char) -> bool) -> String {
    let mut shown: String = text
        .chars()
        .take_while(|c| allowed(*c))
        .take(longest)
        .collect();
    if shown.len() < text.len() {
        shown.push(CUT);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_and_what_follows_them_is_left_out() {
        for whole in [
            "sts.us-west-2.amazonaws.com",
            "sts.cn-north-1.api.amazonwebservices.com.cn",
            "vpce-0123456789abcdef0-abcdefgh.sts.us-east-1.vpce.amazonaws.com:443",
            "x-amz-content-sha256",
            "",
        ] {
            assert_eq!(name(whole), whole);
        }
        assert_eq!(name("x-k8s-aws-id&X-Amz-Security-Token=F"), "x-k8s-aws-id…");
        assert_eq!(name("FwoGZXIvYXdzEBYaDExa"), "FwoGZXIv…");
        assert_eq!(name(&"a.".repeat(60)).chars().count(), 101);
        assert_eq!(key_id("ASIAIOSFODNN7EXAMPLE"), "ASIAIOSFODNN7EXAMPLE");
        assert_eq!(key_id("ASIAX&X-Amz-Security-Token=F"), "ASIAX…");
        assert_eq!(key_id("ASIAIOSFODNN7EXAMPLEASIAIOSFODNN7EXAMPLE").len(), 23);
    }

    #[test]
    fn a_long_row_is_cut_wherever_it_stands() {
        let secret = "FwoGZXIvYXdzEBYaDExampleToken%2Bwith%2Fslash";
        assert_eq!(without_secrets(secret), "FwoGZXIv…");
        assert_eq!(
            without_secrets(&format!("é\"{secret}\": -")),
            "é\"FwoGZXIv…\": -"
        );
        assert_eq!(
            without_secrets("0123456789abcdef012-0"),
            "0123456789abcdef012-0"
        );
        assert_eq!(without_secrets("0123456789abcdef0123"), "01234567…");
    }
}
