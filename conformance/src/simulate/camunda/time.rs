//! Times as the engine writes them: `2026-11-23T03:16:28.450+0000`.

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = ::time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    i64::try_from(since).unwrap_or(0)
}

/// Writes a moment in UTC.
pub(super) fn written(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}+0000", rest % 1_000)
}

/// Reads such a moment, of any zone.
pub(super) fn read(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let minutes = days * 1_440 + number(11, 13)? * 60 + number(14, 16)?;
    let sign = if text.get(23..24)? == "-" { -1 } else { 1 };
    let zone = sign * (number(24, 26)? * 60 + number(26, 28)?);
    Some((minutes - zone) * 60_000 + number(17, 19)? * 1_000 + number(20, 23)?)
}

/// Year, month and day of a number of days since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(written(read("2026-11-23T09:15:00.000+0100").unwrap()), "2026-11-23T08:15:00.000+0000");
        assert_eq!(written(read("2028-02-29T23:59:59.999+0000").unwrap()), "2028-02-29T23:59:59.999+0000");
    }
}
