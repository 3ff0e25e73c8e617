//! Values of the model as texts of xdomea.

use model::Timestamp;
use xml::value::{Boolean, Date, DateTime};

/// Longest title of a record, in characters.
const TITLE_CHARACTERS: usize = 2_000;

/// A calendar day as the model writes it, without the zone that `xs:date` allows.
pub(crate) fn day(text: &str) -> Option<String> {
    let date: Date = text.parse().ok()?;
    Some(format!("{:04}-{:02}-{:02}", date.year, date.month, date.day))
}

/// A point in time. Without a zone it is taken as UTC: what is meant is not known.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let time: DateTime = text.parse().ok()?;
    let text = time.to_string();
    Timestamp::parse(&if time.zone.is_some() { text } else { format!("{text}Z") })
}

/// A time of day as the model writes it, without the parts of seconds and the zone that `xs:time` allows.
pub(crate) fn time(text: &str) -> Option<String> {
    let time: DateTime = format!("2000-01-01T{}", text.trim()).parse().ok()?;
    Some(format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second))
}

/// A boolean.
pub(crate) fn truth(text: &str) -> Option<bool> {
    text.parse::<Boolean>().ok().map(|boolean| boolean.value)
}

/// A boolean as libxml2 accepts it also where the schema fixes it.
pub(crate) fn digit(value: bool) -> &'static str {
    if value { "1" } else { "0" }
}

/// As much of a title as a record may have.
pub(crate) fn title(text: &str) -> String {
    text.chars().take(TITLE_CHARACTERS).collect()
}
