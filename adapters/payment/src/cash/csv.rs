//! Bookings as CSV (RFC 4180, with what German systems want otherwise): a row for each line of each booking.

use csv::{QuoteStyle, Terminator, WriterBuilder};
use model::Failure;
use model::payment::cash::{CashFormat, FileHead};
use model::payment::day::german_day;
use model::payment::{Booking, BookingKind, BookingLine};

use crate::text::euros;

use super::charset::Charset;
use super::view::{Defaults, clean, lines};

/// How a file looks.
#[derive(Debug, Clone)]
pub struct CsvSettings {
    /// Its columns, in this order.
    pub columns: Vec<Column>,
    /// What stands between two of them; one of ASCII.
    pub separator: u8,
    /// Whether euros and cents have a comma between them.
    pub decimal_comma: bool,
    /// Whether days are `DD.MM.YYYY` instead of `YYYY-MM-DD`.
    pub german_days: bool,
    /// Character set.
    pub charset: Charset,
    /// Whether the first line has the titles.
    pub header: bool,
    /// How lines end.
    pub line_end: LineEnd,
    /// Whether amounts have signs.
    pub signs: Signs,
    /// Names of the kinds of bookings; a kind without one has that of the JSON form.
    pub kinds: Vec<(BookingKind, String)>,
    /// Whether texts that a spreadsheet would take for formulas get an apostrophe in front.
    pub guard_formulas: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its title in the first line.
    pub title: String,
    /// What stands in it.
    pub field: Field,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Running number of the file.
    File,
    /// Number of the row, from 1.
    Row,
    /// Id of the booking.
    Id,
    /// What happened.
    Kind,
    /// Counts the bookings of a kind of one claim or payment.
    Number,
    /// Tenant.
    Tenant,
    /// The way by which it is paid and booked.
    Account,
    /// Unit.
    Unit,
    /// Public service.
    PublicService,
    /// Id of the claim.
    Claim,
    /// Id of the payment.
    Payment,
    /// Id of the case.
    Case,
    /// Amount of the line, in euros.
    Amount,
    /// Amount of the whole booking, in euros.
    Total,
    /// Tax in the line, in euros.
    Tax,
    /// Its rate in percent.
    TaxRate,
    /// Kassenzeichen.
    CashReference,
    /// The provider's name for the payment or the refund.
    Reference,
    /// Means of payment.
    Method,
    /// What the claim is for.
    Purpose,
    /// What the line is for.
    Description,
    /// Haushaltsstelle or Produktsachkonto.
    BudgetItem,
    /// Objekt or Kostenstelle.
    CostObject,
    /// Day the claim is due.
    Due,
    /// Day it happened, in Germany.
    Day,
    /// Moment it happened, in UTC.
    At,
    /// Always this text.
    Fixed(String),
}

impl Field {
    /// All fields but fixed ones, with their names in the configuration.
    pub const NAMES: [(&'static str, Field); 26] = [
        ("file", Field::File),
        ("row", Field::Row),
        ("id", Field::Id),
        ("kind", Field::Kind),
        ("number", Field::Number),
        ("tenant", Field::Tenant),
        ("account", Field::Account),
        ("unit", Field::Unit),
        ("public-service", Field::PublicService),
        ("claim", Field::Claim),
        ("payment", Field::Payment),
        ("case", Field::Case),
        ("amount", Field::Amount),
        ("total", Field::Total),
        ("tax", Field::Tax),
        ("tax-rate", Field::TaxRate),
        ("cash-reference", Field::CashReference),
        ("reference", Field::Reference),
        ("method", Field::Method),
        ("purpose", Field::Purpose),
        ("description", Field::Description),
        ("budget-item", Field::BudgetItem),
        ("cost-object", Field::CostObject),
        ("due", Field::Due),
        ("day", Field::Day),
        ("at", Field::At),
    ];

    /// The field with this name; `=TEXT` is a fixed one.
    pub fn named(name: &str) -> Option<Field> {
        if let Some(text) = name.strip_prefix('=') {
            return Some(Field::Fixed(text.to_owned()));
        }
        Field::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }

    /// Whether somebody else wrote what stands in it: no number, day, id or word of ours.
    fn is_text(&self) -> bool {
        use Field::{
            Account, BudgetItem, CashReference, CostObject, Description, Method, PublicService, Purpose,
            Reference, Tenant, Unit,
        };
        matches!(self, Tenant | Account | Unit | PublicService | CashReference | Reference | Method)
            || matches!(self, Purpose | Description | BudgetItem | CostObject)
    }
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnd {
    /// Carriage return and line feed.
    #[default]
    CrLf,
    /// Line feed.
    Lf,
}

/// Whether amounts have signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signs {
    /// None: the kind says in which direction.
    #[default]
    None,
    /// What lessens what is owed or was received has a minus: refunds, chargebacks and cancellations.
    Minus,
}

impl Default for CsvSettings {
    fn default() -> Self {
        let columns = [
            "id",
            "kind",
            "cash-reference",
            "amount",
            "day",
            "due",
            "budget-item",
            "cost-object",
            "purpose",
            "description",
            "tax",
            "tax-rate",
            "payment",
            "reference",
            "method",
            "claim",
            "case",
            "unit",
        ];
        let column = |name: &str| Some(Column { title: name.to_owned(), field: Field::named(name)? });
        CsvSettings {
            columns: columns.into_iter().filter_map(column).collect(),
            separator: b';',
            decimal_comma: true,
            german_days: true,
            charset: Charset::Utf8,
            header: true,
            line_end: LineEnd::CrLf,
            signs: Signs::None,
            kinds: vec![],
            guard_formulas: true,
        }
    }
}

/// CSV.
#[derive(Debug, Clone)]
pub struct Csv {
    name: String,
    media_type: String,
    defaults: Defaults,
    settings: CsvSettings,
}

impl Csv {
    /// The format, under the name that accounts have for it.
    pub fn new(name: &str, defaults: Defaults, settings: CsvSettings) -> Csv {
        let media_type = format!("text/csv; charset={}", settings.charset.name());
        Csv { name: name.to_owned(), media_type, defaults, settings }
    }

    fn record(&self, head: &FileHead, row: &Row<'_>) -> Vec<Vec<u8>> {
        let charset = self.settings.charset;
        self.settings
            .columns
            .iter()
            .map(|column| self.guarded(&column.field, charset.bytes(&self.cell(head, row, &column.field))))
            .collect()
    }

    fn cell(&self, head: &FileHead, row: &Row<'_>, field: &Field) -> String {
        let Row { booking, line, .. } = row;
        let optional = |text: &Option<String>| clean(text.as_deref().unwrap_or_default());
        match field {
            Field::File => head.number.to_string(),
            Field::Row => row.number.to_string(),
            Field::Id => booking.id.to_string(),
            Field::Kind => self.kind(booking.kind),
            Field::Number => booking.number.to_string(),
            Field::Tenant => clean(&head.tenant),
            Field::Account => clean(&head.account),
            Field::Unit => clean(&booking.unit),
            Field::PublicService => optional(&booking.public_service),
            Field::Claim => booking.claim_id.to_string(),
            Field::Payment => booking.payment_id.map_or_else(String::new, |id| id.to_string()),
            Field::Case => booking.case_id.to_string(),
            Field::Amount => self.money(self.signed(booking.kind, line.amount_cents)),
            Field::Total => self.money(self.signed(booking.kind, booking.amount_cents)),
            Field::Tax => self.money(self.signed(booking.kind, line.tax_cents)),
            Field::TaxRate => self.money(i64::from(line.tax_rate)),
            Field::CashReference => optional(&booking.cash_reference),
            Field::Reference => optional(&booking.reference),
            Field::Method => optional(&booking.method),
            Field::Purpose => clean(&booking.purpose),
            Field::Description => clean(&line.description),
            Field::BudgetItem => optional(&line.budget_item),
            Field::CostObject => optional(&line.cost_object),
            Field::Due => booking.due.as_deref().map_or_else(String::new, |due| self.day(due)),
            Field::Day => self.day(&german_day(booking.at)),
            Field::At => booking.at.to_string(),
            Field::Fixed(text) => text.clone(),
        }
    }

    fn kind(&self, kind: BookingKind) -> String {
        let own = self.settings.kinds.iter().find(|(known, _)| *known == kind);
        own.map_or_else(|| kind.name().to_owned(), |(_, name)| name.clone())
    }

    fn signed(&self, kind: BookingKind, cents: i64) -> i64 {
        let lessens =
            matches!(kind, BookingKind::Refund | BookingKind::Chargeback | BookingKind::Cancellation);
        match self.settings.signs {
            Signs::Minus if lessens => -cents,
            _ => cents,
        }
    }

    fn money(&self, cents: i64) -> String {
        let euros = euros(cents);
        if self.settings.decimal_comma { euros.replace('.', ",") } else { euros }
    }

    /// `day` is `YYYY-MM-DD`.
    fn day(&self, day: &str) -> String {
        let mut parts = day.splitn(3, '-');
        match (self.settings.german_days, parts.next(), parts.next(), parts.next()) {
            (true, Some(year), Some(month), Some(day)) => format!("{day}.{month}.{year}"),
            _ => day.to_owned(),
        }
    }

    /// What a spreadsheet would compute gets an apostrophe in front. The bytes are looked at as they are written: a character that the
    /// set lacks may have become one that begins a formula.
    fn guarded(&self, field: &Field, mut bytes: Vec<u8>) -> Vec<u8> {
        let begins = bytes.first().is_some_and(|byte| b"=+-@".contains(byte));
        if self.settings.guard_formulas && begins && field.is_text() {
            bytes.insert(0, b'\'');
        }
        bytes
    }
}

/// A line of a booking.
struct Row<'a> {
    number: usize,
    booking: &'a Booking,
    line: BookingLine,
}

impl CashFormat for Csv {
    fn name(&self) -> &str {
        &self.name
    }

    fn media_type(&self) -> &str {
        &self.media_type
    }

    fn ending(&self) -> &str {
        "csv"
    }

    fn write(&self, head: &FileHead, bookings: &[Booking]) -> Result<Vec<u8>, Failure> {
        let failed = |error: csv::Error| Failure::permanent("payment.cash-format", error.to_string());
        let terminator = match self.settings.line_end {
            LineEnd::CrLf => Terminator::CRLF,
            LineEnd::Lf => Terminator::Any(b'\n'),
        };
        let mut builder = WriterBuilder::new();
        builder.delimiter(self.settings.separator).terminator(terminator).quote_style(QuoteStyle::Necessary);
        let mut writer = builder.from_writer(self.settings.charset.mark().to_vec());
        if self.settings.header {
            let titles = self.settings.columns.iter().map(|it| self.settings.charset.bytes(&it.title));
            writer.write_record(titles).map_err(failed)?;
        }
        let rows = bookings
            .iter()
            .flat_map(|booking| lines(booking, &self.defaults).into_iter().map(move |line| (booking, line)));
        for (number, (booking, line)) in (1..).zip(rows) {
            writer.write_record(self.record(head, &Row { number, booking, line })).map_err(failed)?;
        }
        writer.into_inner().map_err(|error| Failure::permanent("payment.cash-format", error.to_string()))
    }
}
