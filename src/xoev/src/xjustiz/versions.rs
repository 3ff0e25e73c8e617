//! Which version of XJustiz is valid when: one at a time, followed by the next on a fixed day.

use model::Timestamp;

/// A version by its first two numbers, and the day from which it is valid. The last two days follow from the cycle of a
/// year and were not seen published.
const VALID_FROM: [(&str, &str); 6] = [
    ("3.2", "2021-10-31T00:00:00+01:00"),
    ("3.3", "2022-10-31T00:00:00+01:00"),
    ("3.4", "2023-10-31T00:00:00+01:00"),
    ("3.5", "2025-04-30T00:00:00+02:00"),
    ("3.6", "2026-04-30T00:00:00+02:00"),
    ("3.7", "2027-04-30T00:00:00+02:00"),
];

/// The versions that a court may be sent at a moment: the valid one, the one before it, which not every sender has left yet, and
/// the one after it, which is published a year ahead.
pub fn in_use(now: Timestamp) -> impl Iterator<Item = &'static str> {
    let has_begun = |day: &str| Timestamp::parse(day).is_some_and(|day| day <= now);
    let valid = VALID_FROM.iter().rposition(|(_, day)| has_begun(day)).unwrap_or_default();
    let first = valid.saturating_sub(1);
    VALID_FROM.iter().skip(first).take(valid - first + 2).map(|(version, _)| *version)
}

/// Whether a version is one of those, by its first two numbers.
pub fn is_in_use(version: &str, now: Timestamp) -> bool {
    in_use(now).any(|known| is_of(version, known))
}

/// Whether a version, such as `3.5.1`, is one of `known`, such as `3.5`.
pub(super) fn is_of(version: &str, known: &str) -> bool {
    version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_may_be_sent_from_the_year_before_it_is_valid_until_its_successor_is_succeeded() {
        let at = |moment: &str| in_use(Timestamp::parse(moment).unwrap()).collect::<Vec<_>>().join(" ");
        assert_eq!(at("2020-01-01T00:00:00Z"), "3.2 3.3");
        assert_eq!(at("2025-04-29T21:59:59Z"), "3.3 3.4 3.5");
        assert_eq!(at("2025-04-29T22:00:00Z"), "3.4 3.5 3.6");
        assert_eq!(at("2099-01-01T00:00:00Z"), "3.6 3.7");
    }

    #[test]
    fn versions_are_compared_by_whole_numbers() {
        for (version, known, is) in
            [("3.5.1", "3.5", true), ("3.5", "3.5", true), ("3.50.1", "3.5", false), ("", "3.5", false)]
        {
            assert_eq!(is_of(version, known), is, "{version}");
        }
    }
}
