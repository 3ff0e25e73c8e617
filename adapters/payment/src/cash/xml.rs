//! Bookings as XML by `cash-1.xsd`, which stands beside this crate; amounts in euros with two places.

use model::Failure;
use model::payment::Booking;
use model::payment::cash::{CashFormat, FileHead};
use model::payment::day::german_day;
use xml::{Error, Writer};

use crate::text::euros;

use super::view::{Defaults, clean, lines, sums};

/// Namespace of version 1.
const NAMESPACE: &str = "urn:amtsbote:cash:1";

/// XML.
#[derive(Debug, Clone)]
pub struct Xml {
    name: String,
    defaults: Defaults,
}

impl Xml {
    /// The format, under the name that accounts have for it.
    pub fn new(name: &str, defaults: Defaults) -> Xml {
        Xml { name: name.to_owned(), defaults }
    }
}

impl CashFormat for Xml {
    fn name(&self) -> &str {
        &self.name
    }

    fn media_type(&self) -> &str {
        "application/xml"
    }

    fn ending(&self) -> &str {
        "xml"
    }

    fn write(&self, head: &FileHead, bookings: &[Booking]) -> Result<Vec<u8>, Failure> {
        document(head, bookings, &self.defaults)
            .map_err(|error| Failure::permanent("payment.cash-format", error.to_string()))
    }
}

fn document(head: &FileHead, bookings: &[Booking], defaults: &Defaults) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::indented(Vec::new())?;
    let (number, made_at) = (head.number.to_string(), head.at.to_string());
    let attributes = [
        ("xmlns", NAMESPACE),
        ("tenant", &head.tenant),
        ("account", &head.account),
        ("number", &number),
        ("madeAt", &made_at),
    ];
    writer.start("bookings", &attributes)?;
    for sum in sums(bookings) {
        let (count, amount) = (sum.bookings.to_string(), euros(sum.amount_cents));
        writer.start("sum", &[("kind", sum.kind.name()), ("bookings", &count), ("amount", &amount)])?;
        writer.end()?;
    }
    bookings.iter().try_for_each(|booking| write_booking(&mut writer, booking, defaults))?;
    writer.end()?;
    writer.finish()
}

fn write_booking(writer: &mut Writer<Vec<u8>>, booking: &Booking, defaults: &Defaults) -> Result<(), Error> {
    let (id, number) = (booking.id.to_string(), booking.number.to_string());
    writer.start("booking", &[("id", &id), ("kind", booking.kind.name()), ("number", &number)])?;
    writer.element("claim", &booking.claim_id.to_string())?;
    let optional = |writer: &mut Writer<Vec<u8>>, name, text: Option<String>| match text {
        Some(text) => writer.element(name, &clean(&text)),
        None => Ok(()),
    };
    optional(writer, "payment", booking.payment_id.map(|id| id.to_string()))?;
    writer.element("case", &booking.case_id.to_string())?;
    writer.element("unit", &clean(&booking.unit))?;
    optional(writer, "publicService", booking.public_service.clone())?;
    writer.element("amount", &euros(booking.amount_cents))?;
    optional(writer, "cashReference", booking.cash_reference.clone())?;
    optional(writer, "reference", booking.reference.clone())?;
    optional(writer, "method", booking.method.clone())?;
    writer.element("purpose", &clean(&booking.purpose))?;
    optional(writer, "due", booking.due.clone())?;
    writer.element("at", &booking.at.to_string())?;
    writer.element("day", &german_day(booking.at))?;
    for line in lines(booking, defaults) {
        writer.start("line", &[])?;
        writer.element("description", &clean(&line.description))?;
        writer.element("amount", &euros(line.amount_cents))?;
        writer.element("tax", &euros(line.tax_cents))?;
        writer.element("taxRate", &euros(i64::from(line.tax_rate)))?;
        optional(writer, "budgetItem", line.budget_item)?;
        optional(writer, "costObject", line.cost_object)?;
        writer.end()?;
    }
    writer.end()
}
