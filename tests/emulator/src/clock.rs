//! Time as unix seconds, and the spellings in which AWS and HTTP write it.
//!
//! Seconds are enough: tokens, credentials, signatures and the `Date` header know nothing finer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The machine's time.
#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// The machine's time in whole seconds.
pub(crate) fn unix_now() -> i64 {
    unix(now())
}

/// An instant in whole seconds.
pub(crate) fn unix(instant: SystemTime) -> i64 {
    let since_epoch = instant.duration_since(UNIX_EPOCH).expect("it is past 1970");
    since_epoch.as_secs() as i64
}

/// For callers outside, who compare with `SystemTime`.
pub(crate) fn system_time(unix: i64) -> SystemTime {
    let distance = Duration::from_secs(unix.unsigned_abs());
    if unix < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}

/// `2025-01-02T03:04:05Z`, as in `Expiration`.
pub(crate) fn iso8601(unix: i64) -> String {
    let ((year, month, day), (hour, minute, second)) = civil(unix);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `20250102T030405Z`, as in `X-Amz-Date`.
pub(crate) fn amz_date(unix: i64) -> String {
    let ((year, month, day), (hour, minute, second)) = civil(unix);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads what [`amz_date`] writes, and nothing else.
pub(crate) fn parse_amz_date(text: &str) -> Option<i64> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let day = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let unix = unix_of(day, (number(9, 11)?, number(11, 13)?, number(13, 15)?));
    // The way back refuses month 13, a second 61, and any other letter than T and Z.
    (amz_date(unix) == text).then_some(unix)
}

/// `..2025_01_02_03_04_05`: how the kubelet names the directory of one write.
pub(crate) fn volume_timestamp(unix: i64) -> String {
    let ((year, month, day), (hour, minute, second)) = civil(unix);
    format!("..{year:04}_{month:02}_{day:02}_{hour:02}_{minute:02}_{second:02}")
}

/// `Thu, 02 Jan 2025 03:04:05 GMT`, as in the `Date` header.
pub(crate) fn http_date(unix: i64) -> String {
    httpdate::fmt_http_date(system_time(unix))
}

type YearMonthDay = (i64, i64, i64);
type HourMinuteSecond = (i64, i64, i64);

/// The inverse of the spellings.
pub(crate) fn unix_of(
    (year, month, day): YearMonthDay,
    (hour, minute, second): HourMinuteSecond,
) -> i64 {
    days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
}

/// Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day comes last.
fn civil(unix: i64) -> (YearMonthDay, HourMinuteSecond) {
    let (days, seconds) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let time = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    ((year, month, day), time)
}

/// The inverse, `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_has_the_four_spellings_of_its_protocols() {
        let unix = 1_735_787_045;
        assert_eq!(iso8601(unix), "2025-01-02T03:04:05Z");
        assert_eq!(amz_date(unix), "20250102T030405Z");
        assert_eq!(volume_timestamp(unix), "..2025_01_02_03_04_05");
        assert_eq!(http_date(unix), "Thu, 02 Jan 2025 03:04:05 GMT");
    }

    #[test]
    fn an_amz_date_reads_back_on_every_day_of_four_centuries() {
        for day in 0..146_097 {
            let unix = day * 86_400 + day % 86_400;
            assert_eq!(parse_amz_date(&amz_date(unix)), Some(unix));
        }
    }

    #[test]
    fn what_is_no_amz_date_is_not_read_as_one() {
        for text in [
            "",
            "20250102T030405",
            "20251302T030405Z",
            "20250102 030405Z",
            "20250230T000000Z",
            "2025-01-02T03:04",
        ] {
            assert_eq!(parse_amz_date(text), None, "{text}");
        }
    }
}
