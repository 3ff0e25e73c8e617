//! An invoice as facts of a case: the case, the invoice itself as its first document, and a document for each attachment.

use std::collections::BTreeSet;
use std::io::{BufRead, Read};

use model::case::{
    Case, Description, Document, DocumentDates, Extensions, File, Priority, RecordStatus, Reference, Version,
};
use model::party::{Address, Contact, Organisation, Party};
use model::standard::{Intake, Object, placeholder};
use model::{Id, PayloadRef, Record, RecordKind, ids};
use serde_json::json;
use xml::Reader;

use super::NAME;
use super::fields::{Field, PartyField, Side, Syntax};
use super::invoice::{Attached, Invoice, InvoiceReader};
use crate::Error;
use crate::container::{is_harmless, shown};

/// Attachments of one invoice.
const MOST_ATTACHMENTS: usize = 1_000;
/// Longest value of a reference, in characters.
const REFERENCE_CHARACTERS: usize = 200;
/// Longest media type, in bytes.
const MEDIA_TYPE_BYTES: usize = 100;
/// Name of the invoice itself among its files.
const FILE_NAME: &str = "xrechnung.xml";

/// Where an invoice's records go while it is read.
pub(crate) struct Facts<'a> {
    intake: &'a mut dyn Intake,
    case: Id,
    names: BTreeSet<String>,
    count: u32,
}

impl<'a> Facts<'a> {
    /// Begins with the invoice as it is. The ids of its records follow from its bytes: whoever reads it again finds the same.
    pub(crate) fn begin(
        intake: &'a mut dyn Intake,
        whole: &mut dyn Read,
    ) -> Result<(Self, PayloadRef), Error> {
        let payload = intake.file(FILE_NAME, whole)?;
        let case = ids::derived_id(Id::nil(), &payload.sha256);
        let names = BTreeSet::from([FILE_NAME.to_owned()]);
        Ok((Facts { intake, case, names, count: 0 }, payload))
    }

    /// Reads the invoice behind its beginning, and hands its records over.
    pub(crate) fn read<R: BufRead>(
        mut self,
        reader: &mut Reader<R>,
        syntax: Syntax,
        whole: PayloadRef,
    ) -> Result<(), Error> {
        let mut take = |attached, bytes: &mut dyn Read| self.attach(attached, bytes);
        let invoice = InvoiceReader::new(syntax).read(reader, &mut take)?;
        let file = File {
            name: FILE_NAME.to_owned(),
            media_type: Some("application/xml".to_owned()),
            content: Some(whole),
            ..File::default()
        };
        self.document(title(&invoice), Some(0), invoice.day(Field::Issued), file)?;
        let case = self.case;
        self.hand_over(case, vec![], Record::Case(make_case(&invoice)))
    }

    fn attach(&mut self, attached: Attached, bytes: &mut dyn Read) -> Result<(), Error> {
        if self.count as usize >= MOST_ATTACHMENTS {
            return Err(Error::TooLarge);
        }
        self.count += 1;
        let name = self.name_of(&attached);
        let content = self.intake.file(&name, bytes)?;
        let is_type = |text: &&str| text.len() <= MEDIA_TYPE_BYTES && text.is_ascii() && text.contains('/');
        let file = File {
            name,
            original_name: Some(shown(&attached.file_name)).filter(|name| !name.is_empty()),
            media_type: Some(attached.media_type.as_str()).filter(is_type).map(str::to_owned),
            content: Some(content),
            ..File::default()
        };
        let words = [&attached.title, &attached.id, &attached.file_name];
        let title = words.into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_default();
        self.document(title, Some(self.count), None, file)
    }

    /// A name that no other file of the case has.
    fn name_of(&mut self, attached: &Attached) -> String {
        let said = shown(&attached.file_name);
        let is_new = !said.is_empty() && is_harmless(&said) && !self.names.contains(&said.to_lowercase());
        let name = if is_new { said } else { format!("anlage-{}", self.count) };
        self.names.insert(name.to_lowercase());
        name
    }

    fn document(
        &mut self,
        title: String,
        position: Option<u32>,
        written: Option<String>,
        file: File,
    ) -> Result<(), Error> {
        let id = ids::derived_id(self.case, &format!("document:{}", position.unwrap_or_default()));
        let document = Document {
            meta: placeholder(),
            description: Description { title: cut(&title, 2_000), position, ..Description::default() },
            parent: None,
            kind: None,
            dates: DocumentDates { written, ..DocumentDates::default() },
            versions: vec![Version { number: "1".to_owned(), files: vec![file] }],
            status: RecordStatus::default(),
        };
        let ancestors = vec![(RecordKind::Case, self.case)];
        self.hand_over(id, ancestors, Record::Document(document))
    }

    fn hand_over(
        &mut self,
        object_id: Id,
        ancestors: Vec<(RecordKind, Id)>,
        record: Record,
    ) -> Result<(), Error> {
        Ok(self.intake.object(Object { object_id, ancestors, record })?)
    }
}

fn make_case(invoice: &Invoice) -> Case {
    let description = Description {
        title: title(invoice),
        references: references(invoice),
        parties: [(Side::Seller, "seller"), (Side::Buyer, "buyer")]
            .into_iter()
            .filter_map(|(side, role)| party(invoice, side, role))
            .collect(),
        extensions: Extensions::from([(NAME.to_owned(), extension(invoice))]),
        ..Description::default()
    };
    Case {
        meta: placeholder(),
        description,
        case_file: None,
        parent: None,
        status: RecordStatus::default(),
        priority: Priority::default(),
        locations: vec![],
    }
}

/// What it is about, as a case is called.
pub(crate) fn title(invoice: &Invoice) -> String {
    let is_credit = matches!(invoice.first(Field::TypeCode), Some("381" | "396" | "532"));
    let kind = if is_credit { "Gutschrift" } else { "Rechnung" };
    let number = invoice.first(Field::Number).unwrap_or_default();
    let whole = match name(invoice, Side::Seller) {
        Some(seller) => format!("{kind} {number} ({seller})"),
        None => format!("{kind} {number}"),
    };
    cut(whole.trim_end(), 2_000)
}

/// What a side is called.
pub(crate) fn name(invoice: &Invoice, side: Side) -> Option<&str> {
    let said = |field| invoice.first(Field::Party(side, field));
    said(PartyField::Name).or_else(|| said(PartyField::TradingName))
}

fn references(invoice: &Invoice) -> Vec<Reference> {
    let kinds = [
        ("invoice-number", Field::Number),
        ("leitweg-id", Field::BuyerReference),
        ("order", Field::Order),
        ("sales-order", Field::SalesOrder),
        ("contract", Field::Contract),
        ("project", Field::Project),
        ("preceding-invoice", Field::Preceding),
        ("remittance", Field::Remittance),
    ];
    let mut references: Vec<Reference> = vec![];
    for (kind, field) in kinds {
        for value in invoice.all(field) {
            let reference = Reference { kind: kind.to_owned(), value: cut(value, REFERENCE_CHARACTERS) };
            if !references.contains(&reference) && references.len() < 100 {
                references.push(reference);
            }
        }
    }
    references
}

fn party(invoice: &Invoice, side: Side, role: &str) -> Option<Party> {
    let said = |field| invoice.first(Field::Party(side, field)).map(str::to_owned);
    let contact = |channel: &str, field| {
        let value = said(field)?;
        Some(Contact { channel: channel.to_owned(), value, addition: None })
    };
    let address = Address {
        street: said(PartyField::Street),
        postcode: said(PartyField::Postcode),
        town: said(PartyField::Town),
        country: said(PartyField::Country),
        addition: said(PartyField::Addition),
        ..Address::default()
    };
    let organisation =
        Organisation { name: Some(name(invoice, side)?.to_owned()), ..Organisation::default() };
    Some(Party {
        role: Some(role.to_owned()),
        organisation: Some(organisation),
        addresses: Some(address).filter(|it| *it != Address::default()).into_iter().collect(),
        contacts: [contact("phone", PartyField::Phone), contact("email", PartyField::Email)]
            .into_iter()
            .flatten()
            .collect(),
        ..Party::default()
    })
}

/// Amounts in cents, and how it is paid.
fn extension(invoice: &Invoice) -> serde_json::Value {
    let cents = |field| invoice.cents(field).map(|amount| amount.0);
    json!({
        "specification": invoice.first(Field::Customization),
        "type": invoice.first(Field::TypeCode),
        "issued": invoice.day(Field::Issued),
        "due": invoice.day(Field::Due),
        "currency": invoice.first(Field::Currency),
        "cents": {
            "lines": cents(Field::LineTotal),
            "allowances": cents(Field::Allowances),
            "charges": cents(Field::Charges),
            "withoutTax": cents(Field::TaxExclusive),
            "tax": invoice.tax().map(|amount| amount.0),
            "withTax": cents(Field::TaxInclusive),
            "prepaid": cents(Field::Prepaid),
            "rounding": cents(Field::Rounding),
            "payable": cents(Field::Payable),
        },
        "taxIds": {
            "seller": invoice.all(Field::Party(Side::Seller, PartyField::TaxId)),
            "buyer": invoice.all(Field::Party(Side::Buyer, PartyField::TaxId)),
        },
        "payment": {
            "means": invoice.first(Field::MeansCode),
            "accounts": invoice.all(Field::Iban),
            "accountName": invoice.first(Field::AccountName),
            "remittance": invoice.first(Field::Remittance),
        },
    })
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
