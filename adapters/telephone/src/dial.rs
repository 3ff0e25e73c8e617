//! Which numbers the gateway has dialled. Whoever holds a token could else have any number called at the house's expense.

use crate::settings::Settings;

/// Numbers in Germany that cost more than a call does, or lead elsewhere: choice of a carrier, directory enquiries, innovative services,
/// mass traffic, shared cost and closed groups, online services, personal numbers, premium rate; emergency calls, which no machine makes; and what
/// has a zero behind the country, which no number has and some exchanges leave out. From memory of the numbering plan.
const COSTLY: [&str; 11] =
    ["+490", "+4910", "+49110", "+49112", "+49118", "+4912", "+49137", "+4918", "+4919", "+49700", "+49900"];

/// Whether a number (E.164) may be dialled: the longest of the beginnings that fit it decides, and what may be called if two are the same.
pub(crate) fn may_be_called(settings: &Settings, number: &str) -> bool {
    let longest = |all: &[String]| all.iter().filter(|it| number.starts_with(&***it)).map(String::len).max();
    let costly = COSTLY.iter().filter(|it| number.starts_with(**it)).map(|it| it.len()).max();
    let barred = longest(&settings.may_not_call).max(costly);
    // `None` is less than any length.
    longest(&settings.may_call).is_some_and(|may| Some(may) >= barred)
}
