//! `X-Amz-Date` as Go's `time.Parse("20060102T150405Z", …)` reads it, with its errors.

use super::url::quote;
use crate::clock;

const LAYOUT: &str = "20060102T150405Z";

/// Unix seconds.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let mut reader = Reader { text, rest: text };
    let year = reader.number("2006", 4, 4)?;
    let month = reader.within("01", 2, 1..=12, "month")?;
    let day = reader.number("02", 2, 2)?;
    reader.literal("T")?;
    let hour = reader.within("15", 1, 0..=23, "hour")?;
    let minute = reader.within("04", 2, 0..=59, "minute")?;
    let second = reader.within("05", 2, 0..=59, "second")?;
    reader.skip_fraction();
    reader.literal("Z")?;
    if !reader.rest.is_empty() {
        let extra = quote(reader.rest);
        return Err(reader.wrong(&format!("extra text: {extra}")));
    }
    let unix = clock::unix_of((year, month, day), (hour, minute, second));
    // A day that the month does not have would come out as one of the next.
    if !clock::amz_date(unix).starts_with(&format!("{year:04}{month:02}{day:02}")) {
        return Err(reader.wrong("day out of range"));
    }
    Ok(unix)
}

/// `2025-01-02 03:04:05 +0000 UTC`: how Go writes a time.
pub(super) fn format(unix: i64) -> String {
    let text = clock::iso8601(unix);
    format!("{} {} +0000 UTC", &text[..10], &text[11..19])
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    /// A number of this many digits, for this part of the layout.
    fn number(&mut self, part: &str, least: usize, most: usize) -> Result<i64, String> {
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let digits = self.rest.bytes().take(most).take_while(is_digit).count();
        if digits < least {
            return Err(self.cannot_parse(part));
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Ok(number.parse().expect("a few digits are a number"))
    }

    /// A number of up to two digits in this range.
    fn within(
        &mut self,
        part: &str,
        least_digits: usize,
        range: std::ops::RangeInclusive<i64>,
        name: &str,
    ) -> Result<i64, String> {
        let number = self.number(part, least_digits, 2)?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(self.wrong(&format!("{name} out of range")))
        }
    }

    fn literal(&mut self, expected: &str) -> Result<(), String> {
        match self.rest.strip_prefix(expected) {
            Some(rest) => self.rest = rest,
            None => return Err(self.cannot_parse(expected)),
        }
        Ok(())
    }

    /// Go takes a fraction of a second also where the layout has none.
    fn skip_fraction(&mut self) {
        if let Some(fraction) = self.rest.strip_prefix(['.', ','])
            && fraction.starts_with(|character: char| character.is_ascii_digit())
        {
            self.rest = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
        }
    }

    fn cannot_parse(&self, part: &str) -> String {
        let (text, layout) = (quote(self.text), quote(LAYOUT));
        let (rest, part) = (quote(self.rest), quote(part));
        format!("parsing time {text} as {layout}: cannot parse {rest} as {part}")
    }

    fn wrong(&self, what: &str) -> String {
        format!("parsing time {}: {what}", quote(self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_aws_is_read_and_written() {
        assert_eq!(parse("20250102T030405Z"), Ok(1_735_787_045));
        assert_eq!(parse("20250102T030405.999Z"), Ok(1_735_787_045));
        assert_eq!(format(1_735_787_045), "2025-01-02 03:04:05 +0000 UTC");
    }

    #[test]
    fn what_is_none_is_refused_in_the_words_of_go() {
        for (text, error) in [
            ("", r#"cannot parse "" as "2006""#),
            ("2025-01-02", r#"cannot parse "-01-02" as "01""#),
            ("20250102 030405Z", r#"cannot parse " 030405Z" as "T""#),
            ("20250102T030405+", r#"cannot parse "+" as "Z""#),
        ] {
            let expected = format!("parsing time \"{text}\" as \"20060102T150405Z\": {error}");
            assert_eq!(parse(text), Err(expected));
        }
        for (text, error) in [
            ("20251302T030405Z", "month out of range"),
            ("20250230T030405Z", "day out of range"),
            ("20250102T240405Z", "hour out of range"),
            ("20250102T036005Z", "minute out of range"),
            ("20250102T030460Z", "second out of range"),
            ("20250102T030405Z!", "extra text: \"!\""),
        ] {
            assert_eq!(
                parse(text),
                Err(format!("parsing time \"{text}\": {error}"))
            );
        }
    }
}
