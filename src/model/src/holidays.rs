//! Days that are no workdays by law in North Rhine-Westphalia (§ 193 BGB, § 31 Abs. 3 VwVfG, § 108 Abs. 3 AO): Saturdays, Sundays and the holidays of the
//! Feiertagsgesetz NW (§ 2), by calculation. On which other days a house is closed, such as 24 and 31 December, moves no legal day.

use time::{Date, Duration, Month, Weekday};

/// Holidays by their day of the year.
const FIXED: [(Month, u8); 6] = [
    (Month::January, 1),
    (Month::May, 1),
    (Month::October, 3),
    (Month::November, 1),
    (Month::December, 25),
    (Month::December, 26),
];

/// Holidays by days after Easter Sunday: Good Friday, Easter Monday, Ascension, Whit Monday, Corpus Christi.
const MOVABLE: [i64; 5] = [-2, 1, 39, 50, 60];

/// Easter Sunday of a year by the Gregorian calendar (the algorithm that Meeus gives, after Butcher); `None` outside the years that can be written.
pub fn easter(year: i32) -> Option<Date> {
    let (golden, century, of_century) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let shift = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - shift + 15).rem_euclid(30);
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4).rem_euclid(7);
    let correction = (golden + 11 * epact + 22 * weekday) / 451;
    let sum = epact + weekday - 7 * correction + 114;
    let month = if sum / 31 == 3 { Month::March } else { Month::April };
    let day = u8::try_from(sum % 31 + 1).ok()?;
    Date::from_calendar_date(year, month, day).ok()
}

/// Whether a day is a holiday in North Rhine-Westphalia.
pub fn is_holiday(date: Date) -> bool {
    let is_fixed = FIXED.contains(&(date.month(), date.day()));
    let after = easter(date.year()).map(|easter| (date - easter).whole_days());
    is_fixed || after.is_some_and(|after| MOVABLE.contains(&after))
}

/// Whether a day is a workday by law: none of a weekend, and no holiday.
pub fn is_workday(date: Date) -> bool {
    let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    !is_weekend && !is_holiday(date)
}

/// The first workday from `date` on; `date` itself at the end of the years that can be written.
pub fn workday_from(date: Date) -> Date {
    let days = (0..31).map(|days| date.saturating_add(Duration::days(days)));
    days.into_iter().find(|day| is_workday(*day)).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn easter_is_when_it_was_and_will_be() {
        for day in [
            date!(1961 - 04 - 02),
            date!(2000 - 04 - 23),
            date!(2008 - 03 - 23),
            date!(2011 - 04 - 24),
            date!(2019 - 04 - 21),
            date!(2024 - 03 - 31),
            date!(2025 - 04 - 20),
            date!(2026 - 04 - 05),
            date!(2038 - 04 - 25),
        ] {
            assert_eq!(easter(day.year()), Some(day));
        }
    }

    #[test]
    fn the_holidays_of_a_year_are_eleven() {
        let days = (0..365).map(|days| date!(2025 - 01 - 01) + Duration::days(days));
        let found: Vec<String> = days.filter(|day| is_holiday(*day)).map(|day| day.to_string()).collect();
        let expected = [
            "2025-01-01",
            "2025-04-18",
            "2025-04-21",
            "2025-05-01",
            "2025-05-29",
            "2025-06-09",
            "2025-06-19",
            "2025-10-03",
            "2025-11-01",
            "2025-12-25",
            "2025-12-26",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_weekends_and_holidays_are_no_workdays() {
        for (day, next) in [
            (date!(2026 - 11 - 27), date!(2026 - 11 - 27)),
            (date!(2026 - 11 - 28), date!(2026 - 11 - 30)),
            // Nearly nobody works, and the law does not care.
            (date!(2026 - 12 - 24), date!(2026 - 12 - 24)),
            (date!(2026 - 12 - 31), date!(2026 - 12 - 31)),
            (date!(2026 - 12 - 25), date!(2026 - 12 - 28)),
            (date!(2027 - 01 - 01), date!(2027 - 01 - 04)),
            (date!(2026 - 04 - 03), date!(2026 - 04 - 07)),
        ] {
            assert_eq!(workday_from(day), next, "{day}");
        }
    }
}
