//! One entry of a statement (`Ntry`), its transactions (`TxDtls`), and the lines that they make.
//!
//! An entry with several transactions becomes a line for each of them, if their amounts add up to its own (with or without the fees);
//! otherwise it stays one line, which a human has to look at: money is never divided by guessing. An entry with one transaction has the
//! entry's amount, which is what the account shows.

use model::Failure;
use model::payment::statement::Line;

use super::walk::{Fault, Input, children, once, text};

/// Transactions of an entry that are kept; an entry with more stays one line.
const MOST_TRANSACTIONS: usize = 20_000;

/// Longest text of a line, in characters.
const TEXT_CHARS: usize = 1_000;

/// What banks write where they have no reference.
const NO_REFERENCE: [&str; 3] = ["NONREF", "NOTPROVIDED", "NICHT ANGEGEBEN"];

/// An amount of money in the hundredth part of its currency.
#[derive(Clone, PartialEq, Eq)]
struct Amount {
    cents: i64,
    currency: String,
}

/// `Ntry`.
pub(super) struct Entry {
    amount: Amount,
    credit: bool,
    reversal: bool,
    booked: bool,
    booked_on: Option<String>,
    reference: Option<String>,
    charges_cents: i64,
    /// Transactions that the bank counts.
    counted: u32,
    transactions: Vec<Transaction>,
    /// Transactions that were not kept.
    dropped: u32,
    info: String,
}

/// `TxDtls`.
#[derive(Default)]
struct Transaction {
    amount: Option<Amount>,
    credit: Option<bool>,
    reference: Option<String>,
    end_to_end: Option<String>,
    creditor_reference: Option<String>,
    text: String,
    info: String,
    return_reason: Option<String>,
    charges_cents: i64,
}

/// Reads the open `Ntry`.
pub(super) fn read(reader: &mut Input<'_>, namespace: &str) -> Result<Entry, Fault> {
    let line = reader.position().line;
    let (mut amount, mut credit, mut status, mut reversal) = (None, None, None, None);
    let (mut booked_on, mut reference, mut info) = (None, None, None);
    let (mut charges_cents, mut counted, mut dropped) = (0_i64, 0_u32, 0_u32);
    let mut transactions = Vec::new();
    children(reader, namespace, &mut |reader, name| {
        match name {
            "Amt" => once(&mut amount, read_amount(reader)?, line, "Ntry/Amt")?,
            "CdtDbtInd" => once(&mut credit, read_credit(reader)?, line, "Ntry/CdtDbtInd")?,
            "RvslInd" => once(&mut reversal, matches!(&*text(reader)?, "true" | "1"), line, "Ntry/RvslInd")?,
            "Sts" => once(&mut status, choice(reader)?, line, "Ntry/Sts")?,
            "BookgDt" => once(&mut booked_on, day(reader)?, line, "Ntry/BookgDt")?,
            "AcctSvcrRef" => once(&mut reference, text(reader)?, line, "Ntry/AcctSvcrRef")?,
            "Chrgs" => charges_cents = read_charges(reader, namespace)?.saturating_add(charges_cents),
            "AddtlNtryInf" => once(&mut info, text(reader)?, line, "Ntry/AddtlNtryInf")?,
            "NtryDtls" => children(reader, namespace, &mut |reader, name| {
                match name {
                    "Btch" => counted = read_count(reader, namespace)?.saturating_add(counted),
                    "TxDtls" if transactions.len() < MOST_TRANSACTIONS => {
                        transactions.push(read_transaction(reader, namespace)?);
                    }
                    "TxDtls" => dropped = dropped.saturating_add(1),
                    _ => {}
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    let missing = |what| Fault::Value { line, what };
    Ok(Entry {
        amount: amount.ok_or(missing("Ntry/Amt"))?,
        credit: credit.ok_or(missing("Ntry/CdtDbtInd"))?,
        reversal: reversal.unwrap_or_default(),
        booked: status.ok_or(missing("Ntry/Sts"))? == "BOOK",
        booked_on,
        reference: reference.filter(|text| is_reference(text)),
        charges_cents,
        counted,
        transactions,
        dropped,
        info: info.unwrap_or_default(),
    })
}

fn read_transaction(reader: &mut Input<'_>, namespace: &str) -> Result<Transaction, Fault> {
    let line = reader.position().line;
    let mut it = Transaction::default();
    let mut in_details = None;
    children(reader, namespace, &mut |reader, name| {
        match name {
            "Refs" => children(reader, namespace, &mut |reader, name| {
                match name {
                    "AcctSvcrRef" => it.reference = Some(text(reader)?).filter(|text| is_reference(text)),
                    "EndToEndId" => it.end_to_end = Some(text(reader)?).filter(|text| is_reference(text)),
                    _ => {}
                }
                Ok(())
            })?,
            "Amt" => once(&mut it.amount, read_amount(reader)?, line, "TxDtls/Amt")?,
            "CdtDbtInd" => once(&mut it.credit, read_credit(reader)?, line, "TxDtls/CdtDbtInd")?,
            "AmtDtls" => in_details = transaction_amount(reader, namespace)?,
            "Chrgs" => it.charges_cents = read_charges(reader, namespace)?.saturating_add(it.charges_cents),
            "RmtInf" => read_remittance(reader, namespace, &mut it)?,
            "RtrInf" => children(reader, namespace, &mut |reader, name| {
                if name == "Rsn" {
                    it.return_reason = Some(choice(reader)?);
                }
                Ok(())
            })?,
            "AddtlTxInf" => it.info = text(reader)?,
            _ => {}
        }
        Ok(())
    })?;
    // In version 02 the amount stands in the details alone.
    it.amount = it.amount.or(in_details);
    Ok(it)
}

fn transaction_amount(reader: &mut Input<'_>, namespace: &str) -> Result<Option<Amount>, Fault> {
    let (mut transaction, mut instructed) = (None, None);
    children(reader, namespace, &mut |reader, name| {
        let place = match name {
            "TxAmt" => &mut transaction,
            "InstdAmt" => &mut instructed,
            _ => return Ok(()),
        };
        children(reader, namespace, &mut |reader, name| {
            if name == "Amt" {
                *place = Some(read_amount(reader)?);
            }
            Ok(())
        })
    })?;
    Ok(transaction.or(instructed))
}

/// The first structured reference is the line's; all others are text like the rest.
fn read_remittance(reader: &mut Input<'_>, namespace: &str, it: &mut Transaction) -> Result<(), Fault> {
    children(reader, namespace, &mut |reader, name| match name {
        "Ustrd" => {
            append(&mut it.text, &text(reader)?);
            Ok(())
        }
        "Strd" => children(reader, namespace, &mut |reader, name| match name {
            "CdtrRefInf" => children(reader, namespace, &mut |reader, name| {
                match (name, &it.creditor_reference) {
                    ("Ref", None) => {
                        it.creditor_reference = Some(text(reader)?).filter(|text| is_reference(text))
                    }
                    ("Ref", Some(_)) => append(&mut it.text, &text(reader)?),
                    _ => {}
                }
                Ok(())
            }),
            "RfrdDocInf" => children(reader, namespace, &mut |reader, name| {
                if name == "Nb" {
                    append(&mut it.text, &text(reader)?);
                }
                Ok(())
            }),
            "AddtlRmtInf" => {
                append(&mut it.text, &text(reader)?);
                Ok(())
            }
            _ => Ok(()),
        }),
        _ => Ok(()),
    })
}

/// Fees that were taken off: `TtlChrgsAndTaxAmt`, else the sum of the records (from version 04 on in `Rcrd`). A fee that is booked by itself
/// (`ChrgInclInd` false) was not taken off.
fn read_charges(reader: &mut Input<'_>, namespace: &str) -> Result<i64, Fault> {
    let (mut total, mut records, mut record) = (None, 0_i64, Record::default());
    children(reader, namespace, &mut |reader, name| {
        match name {
            "TtlChrgsAndTaxAmt" => total = Some(read_amount(reader)?.cents),
            "Rcrd" => {
                let mut inner = Record::default();
                children(reader, namespace, &mut |reader, name| inner.take(reader, name))?;
                records = records.saturating_add(inner.cents());
            }
            _ => record.take(reader, name)?,
        }
        Ok(())
    })?;
    Ok(total.unwrap_or(records.saturating_add(record.cents())))
}

#[derive(Default)]
struct Record {
    cents: i64,
    given: bool,
    apart: bool,
}

impl Record {
    fn take(&mut self, reader: &mut Input<'_>, name: &str) -> Result<(), Fault> {
        match name {
            "Amt" => self.cents = read_amount(reader)?.cents,
            "CdtDbtInd" => self.given = read_credit(reader)?,
            "ChrgInclInd" => self.apart = matches!(&*text(reader)?, "false" | "0"),
            _ => {}
        }
        Ok(())
    }

    fn cents(&self) -> i64 {
        match (self.apart, self.given) {
            (true, _) => 0,
            (false, true) => -self.cents,
            (false, false) => self.cents,
        }
    }
}

fn read_count(reader: &mut Input<'_>, namespace: &str) -> Result<u32, Fault> {
    let line = reader.position().line;
    let count = super::only(reader, namespace, "NbOfTxs")?;
    let count = count.map(|count| count.parse::<u32>().ok().filter(|count| *count <= 100_000_000));
    count.unwrap_or(Some(0)).ok_or(Fault::Value { line, what: "Btch/NbOfTxs" })
}

/// An amount with its currency: digits with at most two places that are not zero.
fn read_amount(reader: &mut Input<'_>) -> Result<Amount, Fault> {
    let wrong = Fault::Value { line: reader.position().line, what: "Amt" };
    let currency = reader.current().attribute("Ccy").unwrap_or_default().to_owned();
    let amount = cents(&text(reader)?);
    match amount {
        Some(cents) if currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            Ok(Amount { cents, currency })
        }
        _ => Err(wrong),
    }
}

/// `25`, `25.5` and `25.00000` are amounts; `25.001` is none that an account in euros can have.
fn cents(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && places.is_empty()) || !is_digits(whole) || !is_digits(places) || whole.len() > 13
    {
        return None;
    }
    let (two, rest) = places.split_at(places.len().min(2));
    if rest.bytes().any(|digit| digit != b'0') {
        return None;
    }
    format!("{whole}{two:0<2}").parse().ok()
}

fn read_credit(reader: &mut Input<'_>) -> Result<bool, Fault> {
    let line = reader.position().line;
    match &*text(reader)? {
        "CRDT" => Ok(true),
        "DBIT" => Ok(false),
        _ => Err(Fault::Value { line, what: "CdtDbtInd" }),
    }
}

/// The text of the element itself, or of its only child (`Cd`, `Prtry`): a status is written in the first way in version 02 to 06.
fn choice(reader: &mut Input<'_>) -> Result<String, Fault> {
    use xml::Event;
    let depth = reader.depth();
    let mut found = String::new();
    while reader.depth() >= depth {
        if let Event::Text(piece) = reader.next()?
            && found.len() + piece.len() <= 200
        {
            found.push_str(piece.trim());
        }
    }
    Ok(found)
}

/// `YYYY-MM-DD` of `Dt` or `DtTm`.
fn day(reader: &mut Input<'_>) -> Result<String, Fault> {
    let line = reader.position().line;
    let found = choice(reader)?;
    let day = found.get(..10).filter(|day| day.parse::<xml::value::Date>().is_ok());
    day.map(str::to_owned).ok_or(Fault::Value { line, what: "BookgDt" })
}

fn is_reference(text: &str) -> bool {
    !text.is_empty() && !NO_REFERENCE.contains(&text.to_ascii_uppercase().as_str())
}

fn append(text: &mut String, more: &str) {
    let room = TEXT_CHARS.saturating_sub(text.chars().count() + 1);
    if more.is_empty() || room == 0 {
        return;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.extend(more.chars().take(room));
}

impl Entry {
    /// Hands on its lines. `place` names the statement and the place of the entry in it.
    pub(super) fn lines(
        self,
        account: &str,
        place: &str,
        each: &mut dyn FnMut(Line) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let count = u32::try_from(self.transactions.len()).unwrap_or(u32::MAX).saturating_add(self.dropped);
        if count > 1 && self.adds_up() {
            let id = self.id(None, account, place);
            for (number, transaction) in (1_u32..).zip(&self.transactions) {
                let cents = transaction.amount.as_ref().map_or(0, |amount| amount.cents);
                let mut line = self.line(format!("{id}#{number}"), account, Some(transaction));
                line.amount_cents = cents;
                line.credit = transaction.credit.unwrap_or(self.credit);
                each(line)?;
            }
            return Ok(());
        }
        // What is said of one of several is not said of the whole; the bank may count more than it shows.
        let single = self.transactions.first().filter(|_| count == 1 && self.counted <= 1);
        let mut line = self.line(self.id(single, account, place), account, single);
        line.charges_cents = match line.charges_cents {
            0 => self.charges_cents,
            charges => charges,
        };
        line.transactions = self.counted.max(count).max(1);
        if line.text.is_empty() {
            line.text.clone_from(&self.info);
        }
        each(line)
    }

    fn line(&self, id: String, account: &str, transaction: Option<&Transaction>) -> Line {
        let text = transaction.map(|it| if it.text.is_empty() { &it.info } else { &it.text });
        Line {
            id,
            iban: account.to_owned(),
            amount_cents: self.amount.cents,
            currency: self.amount.currency.clone(),
            credit: self.credit,
            reversal: self.reversal,
            booked: self.booked,
            booked_on: self.booked_on.clone(),
            end_to_end: transaction.and_then(|it| it.end_to_end.clone()),
            creditor_reference: transaction.and_then(|it| it.creditor_reference.clone()),
            text: text.cloned().unwrap_or_default(),
            return_reason: transaction.and_then(|it| it.return_reason.clone()),
            charges_cents: transaction.map_or(0, |it| it.charges_cents),
            transactions: 1,
        }
    }

    /// Whether the amounts of its transactions are those that the account shows.
    fn adds_up(&self) -> bool {
        if self.dropped > 0 || (self.counted > 0 && self.counted as usize != self.transactions.len()) {
            return false;
        }
        let mut sum = 0_i128;
        for transaction in &self.transactions {
            let Some(amount) = transaction.amount.as_ref() else { return false };
            if amount.currency != self.amount.currency {
                return false;
            }
            let sign = if transaction.credit.unwrap_or(self.credit) == self.credit { 1 } else { -1 };
            sum += sign * i128::from(amount.cents);
        }
        let whole = i128::from(self.amount.cents);
        let charges = self.transactions.iter().map(|it| i128::from(it.charges_cents)).sum::<i128>();
        let charges = if charges == 0 { i128::from(self.charges_cents) } else { charges };
        // Fees lessen what comes and add to what goes.
        let net = if self.credit { sum - charges } else { sum + charges };
        sum == whole || net == whole
    }

    /// The bank's own reference; where it gives none, a digest of the entry and its place in its statement, so that the same
    /// statement again brings nothing new. A reversal may name the reference of what it reverses.
    fn id(&self, single: Option<&Transaction>, account: &str, place: &str) -> String {
        let own = self.reference.as_ref().or_else(|| single.and_then(|it| it.reference.as_ref()));
        let mut id = own.cloned().unwrap_or_else(|| self.digest(account, place));
        if self.reversal {
            id.push_str("#reversal");
        }
        id
    }

    fn digest(&self, account: &str, place: &str) -> String {
        let mut told = format!("{place}\n{account}\n{}\n{}\n", self.amount.cents, self.amount.currency);
        told.push_str(&format!("{}\n{}\n", self.credit, self.booked_on.as_deref().unwrap_or_default()));
        for transaction in &self.transactions {
            let parts = [transaction.end_to_end.as_deref(), transaction.creditor_reference.as_deref()];
            parts.iter().flatten().for_each(|part| told.push_str(part));
            told.push('\n');
            told.push_str(&transaction.text);
            told.push('\n');
        }
        hex::encode(&seal::sha256(&[told.as_bytes()]).0[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_cent_or_not_at_all() {
        for (text, expected) in [("25", 2_500), ("25.5", 2_550), ("0.01", 1), ("25.00000", 2_500), (".5", 50)]
        {
            assert_eq!(cents(text), Some(expected), "{text}");
        }
        for text in ["", ".", "-1", "+1", "1,00", "25.001", "1e3", " 1", "9999999999999999"] {
            assert_eq!(cents(text), None, "{text}");
        }
    }
}
