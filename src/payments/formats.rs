//! Formats of files for the cash system, as accounts have them.

use std::sync::Arc;

use adapter_payment::cash::{Charset, Column, Csv, CsvSettings, Defaults, Field, Json, LineEnd, Signs, Xml};
use config::{CsvCharset, CsvFormat, CsvLineEnd, CsvSigns, FileFormat, PaymentAccount};
use model::payment::cash::CashFormat;

/// The format of an account's files.
pub(super) fn format(account: &PaymentAccount) -> Arc<dyn CashFormat> {
    let name = account.format_name();
    let defaults =
        Defaults { budget_item: account.budget_item.clone(), cost_object: account.cost_object.clone() };
    match account.format {
        FileFormat::Csv => {
            let settings = account.csv.as_ref().map_or_else(CsvSettings::default, csv);
            Arc::new(Csv::new(&name, defaults, settings))
        }
        FileFormat::Xml => Arc::new(Xml::new(&name, defaults)),
        FileFormat::Json => Arc::new(Json::new(&name, defaults)),
    }
}

fn csv(csv: &CsvFormat) -> CsvSettings {
    let column = |(title, field): &(String, String)| {
        Some(Column { title: title.clone(), field: Field::named(field)? })
    };
    let columns: Vec<Column> = csv.columns.iter().filter_map(column).collect();
    let otherwise = CsvSettings::default();
    CsvSettings {
        columns: if columns.is_empty() { otherwise.columns } else { columns },
        separator: csv.separator.bytes().next().unwrap_or(otherwise.separator),
        decimal_comma: csv.decimal_comma,
        german_days: csv.german_days,
        charset: match csv.charset {
            CsvCharset::Utf8 => Charset::Utf8,
            CsvCharset::Utf8Mark => Charset::Utf8Mark,
            CsvCharset::Latin1 => Charset::Latin1,
        },
        header: csv.header,
        line_end: match csv.line_end {
            CsvLineEnd::CrLf => LineEnd::CrLf,
            CsvLineEnd::Lf => LineEnd::Lf,
        },
        signs: match csv.signs {
            CsvSigns::None => Signs::None,
            CsvSigns::Minus => Signs::Minus,
        },
        kinds: csv.kinds.iter().map(|(kind, name)| (*kind, name.clone())).collect(),
        guard_formulas: csv.guard_formulas,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_configuration_calls_a_field_is_one() {
        for name in config::FIELDS {
            assert!(Field::named(name).is_some(), "{name}");
        }
        assert_eq!(config::FIELDS.len(), Field::NAMES.len());
    }

    #[test]
    fn without_settings_files_look_as_the_format_says() {
        let (ours, theirs) = (csv(&CsvFormat::default()), CsvSettings::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
