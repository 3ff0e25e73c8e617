//! Files for the cash system (HKR): CSV whose columns are configured, XML with a schema (`cash-1.xsd`), and JSON. `docs/payments-cash.md` describes all
//! three. The same bookings always make the same bytes, so that a file may be fetched again.
//!
//! * `view`: a booking as it is told, with the budget items of its account where it has none of its own;
//! * `csv`, `xml`, `json`: the formats;
//! * `charset`: letters beyond the character set of older systems.

mod charset;
mod csv;
mod json;
mod view;
mod xml;

pub use self::charset::Charset;
pub use self::csv::{Column, Csv, CsvSettings, Field, LineEnd, Signs};
pub use self::json::Json;
pub use self::view::Defaults;
pub use self::xml::Xml;

#[cfg(test)]
mod tests;
