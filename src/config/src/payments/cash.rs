//! What files for the cash system look like. `docs/payments-cash.md` explains the formats.

use std::collections::BTreeMap;

use model::payment::BookingKind;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::check::Check;

/// Most columns, and longest title, in characters.
const MOST_COLUMNS: usize = 100;
const MOST_TITLE: usize = 100;

/// What may stand in a column.
pub const FIELDS: [&str; 26] = [
    "file",
    "row",
    "id",
    "kind",
    "number",
    "tenant",
    "account",
    "unit",
    "public-service",
    "claim",
    "payment",
    "case",
    "amount",
    "total",
    "tax",
    "tax-rate",
    "cash-reference",
    "reference",
    "method",
    "purpose",
    "description",
    "budget-item",
    "cost-object",
    "due",
    "day",
    "at",
];

/// A format of files for the cash system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// CSV, as `csv` says.
    #[default]
    Csv,
    /// XML by our schema.
    Xml,
    /// JSON.
    Json,
}

/// `payment_account.csv`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsvFormat {
    /// Title and content of each column; none named: those of the documentation.
    pub columns: Vec<(String, String)>,
    /// What stands between two columns.
    pub separator: String,
    /// Whether euros and cents have a comma between them.
    pub decimal_comma: bool,
    /// Whether days are `DD.MM.YYYY`.
    pub german_days: bool,
    /// Character set.
    pub charset: CsvCharset,
    /// Whether the first line has the titles.
    pub header: bool,
    /// How lines end.
    pub line_end: CsvLineEnd,
    /// Whether amounts have signs.
    pub signs: CsvSigns,
    /// Names of the kinds of bookings, where they are not those of the documentation.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<BookingKind, String>,
    /// Whether texts that a spreadsheet would take for formulas get an apostrophe in front.
    pub guard_formulas: bool,
}

impl Default for CsvFormat {
    fn default() -> Self {
        CsvFormat {
            columns: vec![],
            separator: ";".to_owned(),
            decimal_comma: true,
            german_days: true,
            charset: CsvCharset::Utf8,
            header: true,
            line_end: CsvLineEnd::CrLf,
            signs: CsvSigns::None,
            kinds: BTreeMap::new(),
            guard_formulas: true,
        }
    }
}

/// A character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
pub enum CsvCharset {
    /// UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-8 with a byte order mark.
    #[serde(rename = "utf-8-bom")]
    Utf8Mark,
    /// Windows-1252.
    #[serde(rename = "latin1")]
    Latin1,
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CsvLineEnd {
    /// Carriage return and line feed.
    #[default]
    CrLf,
    /// Line feed.
    Lf,
}

/// Whether amounts have signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CsvSigns {
    /// None.
    #[default]
    None,
    /// Refunds, chargebacks and cancellations have a minus.
    Minus,
}

impl Check<'_> {
    pub(super) fn csv(&self, key: &str, csv: &CsvFormat) -> Result<(), Error> {
        let is_separator = |text: &str| matches!(text.as_bytes(), [b'\t'] | [b' '..=b'~']) && text != "\"";
        if !is_separator(&csv.separator) {
            return Err(self.value(&format!("{key}.separator"), "expected one character of ASCII"));
        }
        if csv.separator == "," && csv.decimal_comma {
            let rule = "amounts have commas, too: set decimal_comma = false";
            return Err(self.value(&format!("{key}.separator"), rule));
        }
        if csv.columns.len() > MOST_COLUMNS {
            return Err(self.value(&format!("{key}.columns"), "expected at most 100 columns"));
        }
        for (index, (title, field)) in csv.columns.iter().enumerate() {
            let key = format!("{key}.columns[{index}]");
            if title.chars().count() > MOST_TITLE || title.chars().any(char::is_control) {
                return Err(self.value(&key, "expected a title of at most 100 characters"));
            }
            let is_fixed = field.starts_with('=') && !field.chars().any(char::is_control);
            if !is_fixed && !FIELDS.contains(&field.as_str()) {
                return Err(self.value(&key, &format!("expected =TEXT or one of {}", FIELDS.join(", "))));
            }
        }
        Ok(())
    }
}
