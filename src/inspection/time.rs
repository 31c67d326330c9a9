//! X-Amz-Date as Go's `time.Parse` reads it, with Go's words for what is wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The layout, in Go's notation.
pub(super) const LAYOUT: &str = "20060102T150405Z";

/// A point in time and how Go's `Time.String` writes it, or Go's error text.
pub(super) fn parse(text: &str) -> Result<(SystemTime, String), String> {
    let mut reader = Reader {
        whole: text,
        rest: text,
    };
    let year = reader.year()?;
    let month = reader.number("01", true)?;
    reader.in_range(month, 1..=12, "month")?;
    let day = reader.number("02", true)?;
    reader.literal("T")?;
    // A single digit will do for the hour.
    let hour = reader.number("15", false)?;
    reader.in_range(hour, 0..=23, "hour")?;
    let minute = reader.number("04", true)?;
    reader.in_range(minute, 0..=59, "minute")?;
    let second = reader.number("05", true)?;
    reader.in_range(second, 0..=59, "second")?;
    let nanos = reader.fraction();
    reader.literal("Z")?;
    if !reader.rest.is_empty() {
        let message = format!("extra text: {}", quote(reader.rest));
        return Err(reader.error(&message));
    }
    reader.in_range(day, 1..=days_in(month, year), "day")?;
    let seconds = (days_since_1970(year, month, day) * 24 + i64::from(hour)) * 3600
        + i64::from(minute) * 60
        + i64::from(second);
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let whole = if seconds < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    };
    let fraction = format!(".{nanos:09}");
    let fraction = fraction.trim_end_matches(['0', '.']);
    let shown = format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction} +0000 UTC"
    );
    Ok((whole + Duration::from_nanos(nanos), shown))
}

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn error(&self, message: &str) -> String {
        format!("parsing time {}: {message}", quote(self.whole))
    }

    fn cannot_parse(&self, element: &str) -> String {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(self.whole),
            quote(LAYOUT),
            quote(self.rest),
            quote(element)
        )
    }

    fn digits(&self) -> usize {
        self.rest.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// The next so many characters, which are known to be digits.
    fn take(&mut self, length: usize) -> u32 {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
            .bytes()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    }

    fn year(&mut self) -> Result<u32, String> {
        if self.digits() < 4 {
            return Err(self.cannot_parse("2006"));
        }
        Ok(self.take(4))
    }

    fn number(&mut self, element: &str, fixed: bool) -> Result<u32, String> {
        match self.digits() {
            0 => Err(self.cannot_parse(element)),
            1 if fixed => Err(self.cannot_parse(element)),
            found => Ok(self.take(found.min(2))),
        }
    }

    fn literal(&mut self, expected: &str) -> Result<(), String> {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.cannot_parse(expected)),
        }
    }

    /// Go takes a fraction of seconds where the layout has none; beyond nanoseconds it is not looked at.
    fn fraction(&mut self) -> u64 {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else {
            return 0;
        };
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return 0;
        }
        self.rest = &after[length..];
        let digits = after[..length].bytes().chain(std::iter::repeat(b'0'));
        digits
            .take(9)
            .fold(0, |nanos, digit| nanos * 10 + u64::from(digit - b'0'))
    }

    fn in_range(
        &self,
        number: u32,
        range: std::ops::RangeInclusive<u32>,
        name: &str,
    ) -> Result<(), String> {
        if range.contains(&number) {
            return Ok(());
        }
        Err(self.error(&format!("{name} out of range")))
    }
}

fn days_in(month: u32, year: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// In the Gregorian calendar, counted from March on so that the leap day is a year's last.
fn days_since_1970(year: u32, month: u32, day: u32) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (from_march * 153 + 2) / 5 + day - 719_469
}

/// The quotes of Go's package `time`, which are plainer than those of `strconv`.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=0x7f => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}
