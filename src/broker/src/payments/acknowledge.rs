//! What the cash system did with a file: it has booked all of it, but for what it refused, and may have given claims their Kassenzeichen.
//!
//! Refusals and Kassenzeichen are taken in slices, the file's end is the last transaction: whoever was interrupted says the same
//! again, and what was taken before is known.

use std::collections::{BTreeMap, BTreeSet};

use model::activity::Task;
use model::command::{Change, PaymentChange};
use model::payment::{Account, Booking, BookingState, ClaimStatus, ClearingReason, Registers};
use model::record::Meta;
use model::{Caller, EventKind, Id, Record, Scope, ids};
use serde_json::{Value, json};
use store::{BookingFileRow, BookingFilter, Page, Work};

use super::books::Books;
use super::cash::{BookingFile, again};
use crate::{Broker, Error, Once};

/// Refusals, or Kassenzeichen, of one transaction.
const SLICE: usize = 50;

/// What the cash system did with a file.
#[derive(Debug, Clone, Default)]
pub struct Acknowledgement {
    /// Bookings that it refused, each with a code of its own; all others are booked.
    pub refused: Vec<(Id, String)>,
    /// Kassenzeichen that it gave to claims.
    pub cash_references: Vec<(Id, String)>,
}

impl Broker {
    /// The cash system says what it did with a file. Again: the same.
    ///
    /// # Errors
    /// `NotFound` if there is no such file, or a claim is not of the account; `Invalid` if a booking is not of the file, or the
    /// Kassenzeichen are not the cash system's to make; `WrongState` if it said something else before.
    pub async fn acknowledge_file(
        &self,
        caller: &Caller,
        account: &str,
        number: u64,
        acknowledgement: Acknowledgement,
        once: Option<&Once>,
    ) -> Result<BookingFile, Error> {
        let account = self.kept(caller, account)?;
        let invalid = |field| Err(model::Error::Invalid { field }.into());
        let Acknowledgement { refused, cash_references } = &acknowledgement;
        if !cash_references.is_empty() && account.registers != Registers::CashSystem {
            return invalid("cashReferences");
        }
        let names: BTreeSet<&str> = cash_references.iter().map(|(_, name)| name.as_str()).collect();
        if names.len() < cash_references.len() {
            return Err(Error::ReferenceTaken);
        }
        let refusals: BTreeMap<Id, &str> = refused.iter().map(|(id, code)| (*id, code.as_str())).collect();
        if refusals.len() < refused.len() {
            return invalid("refused");
        }
        let refusals = &refusals;
        self.may_say(account, number, refusals).await?;
        for slice in cash_references.chunks(SLICE) {
            self.anew(caller, None, move || self.give_references(caller, account, slice)).await?;
        }
        self.anew(caller, once, move || self.try_acknowledge(caller, account, number, refusals, once)).await
    }

    /// A file and its bookings, if this can be said of it: nothing was before, or the same.
    async fn may_say(
        &self,
        account: &Account,
        number: u64,
        refusals: &BTreeMap<Id, &str>,
    ) -> Result<Sayable, Error> {
        let file = self.file_of(account, number).await?;
        let bookings = self.bookings_of(account, number).await?;
        if !refusals.keys().all(|id| bookings.contains_key(id)) {
            return Err(model::Error::Invalid { field: "refused" }.into());
        }
        if file.acknowledged_at.is_some() {
            let refused = bookings.keys().filter(|id| is_refused(&bookings, id)).count();
            if refused != refusals.len() || !refusals.keys().all(|id| is_refused(&bookings, id)) {
                return Err(model::Error::WrongState { state: BookingState::Acknowledged.name() }.into());
            }
        }
        Ok(Sayable { file, bookings })
    }

    /// What was given before stays; a claim that was cancelled meanwhile needs none.
    async fn give_references(
        &self,
        caller: &Caller,
        account: &Account,
        given: &[(Id, String)],
    ) -> Result<(), Error> {
        let mut books = Books::open(self, &account.tenant, &caller.actor);
        for (id, reference) in given {
            let claim = books.claim(*id).await?;
            if claim.account != account.id {
                return Err(model::Error::NotFound { kind: "claim" }.into());
            }
            if claim.cash_reference.as_ref() == Some(reference) || claim.status == ClaimStatus::Cancelled {
                continue;
            }
            self.refuse_taken(&account.tenant, Some(reference), *id).await?;
            books.change_claim(*id, Change::AssignCashReference(reference.clone())).await?;
        }
        Ok(self.store().commit(books.work).await?)
    }

    async fn try_acknowledge(
        &self,
        caller: &Caller,
        account: &Account,
        number: u64,
        refusals: &BTreeMap<Id, &str>,
        once: Option<&Once>,
    ) -> Result<BookingFile, Error> {
        let Sayable { mut file, bookings } = self.may_say(account, number, refusals).await?;
        if file.acknowledged_at.is_some() {
            let shown = self.shown_file(account, &file)?;
            return self.commit_answer(caller, once, Work::new(), file.payload, shown).await;
        }
        let news: Vec<(&Booking, &str)> = refusals
            .iter()
            .filter(|(id, _)| !is_refused(&bookings, id))
            .filter_map(|(id, code)| Some((bookings.get(id)?, *code)))
            .collect();
        for slice in news.chunks(SLICE) {
            self.refuse_bookings(caller, account, number, slice).await.map_err(again)?;
        }
        let now = self.now();
        file.acknowledged_at = Some(now);
        let mut work = Work::new();
        work.acknowledge_bookings(&account.tenant, &account.id, number);
        work.acknowledge_booking_file(&account.tenant, &account.id, number, now);
        let detail = json!({ "account": account.id, "number": number, "sha256": file.sha256,
            "bookings": bookings.len() - refusals.len(), "refused": refusals.len() });
        work.insert_event(&self.of_account(account, EventKind::BookingsAcknowledged, caller, detail));
        let shown = self.shown_file(account, &file)?;
        self.commit_answer(caller, once, work, file.payload, shown).await.map_err(again)
    }

    /// What the cash system refused is a contradiction of its payment; of a claim, a task of its own.
    async fn refuse_bookings(
        &self,
        caller: &Caller,
        account: &Account,
        number: u64,
        refused: &[(&Booking, &str)],
    ) -> Result<(), Error> {
        let mut books = Books::open(self, &account.tenant, &caller.actor);
        for (booking, _) in refused {
            books.work.refuse_booking(&account.tenant, &account.id, number, booking.id);
            match booking.payment_id {
                Some(id) => {
                    let refused = PaymentChange::BookingRefused(booking.id, booking.amount_cents);
                    books.change(id, refused).await?;
                }
                None => self.give_task(&mut books, account, booking).await?,
            }
        }
        let codes: Vec<Value> =
            refused.iter().map(|(booking, code)| json!({ "booking": booking.id, "code": code })).collect();
        let detail = json!({ "account": account.id, "number": number, "refused": codes });
        let event = self.of_account(account, EventKind::BookingsAcknowledged, caller, detail);
        books.work.insert_event(&event);
        Ok(self.store().commit(books.work).await?)
    }

    /// Somebody has to see to the booking of a claim.
    async fn give_task(
        &self,
        books: &mut Books<'_>,
        account: &Account,
        booking: &Booking,
    ) -> Result<(), Error> {
        let claim = books.claim(booking.claim_id).await?;
        let id = ids::derived_id(booking.id, "refused");
        let unit = account.unit.clone().unwrap_or_else(|| claim.meta.unit.clone());
        let now = books.now();
        let meta = Meta { id, root: id, unit, version: 0, created_at: now, updated_at: now, ..claim.meta };
        books.create(Record::Task(Task {
            case_id: Some(claim.case_id),
            ..Task::new(meta, ClearingReason::BookingRefused.code(), "Abgelehnte Buchung klären")
        }))?;
        Ok(())
    }

    /// The bookings of a file.
    async fn bookings_of(&self, account: &Account, number: u64) -> Result<BTreeMap<Id, Booking>, Error> {
        let filter = BookingFilter {
            account: Some(account.id.clone()),
            file: Some(number),
            ..BookingFilter::default()
        };
        let (whole, mut page) = (Scope::tenant(&account.tenant), Page::first(Page::MOST));
        let mut bookings = BTreeMap::new();
        loop {
            let listed = self.store().bookings(&whole, &filter, &page).await?;
            bookings.extend(listed.items.into_iter().map(|booking| (booking.id, booking)));
            match listed.next {
                Some(next) => page.after = Some(next),
                None => return Ok(bookings),
            }
        }
    }
}

/// A file of which something may be said, and its bookings.
struct Sayable {
    file: BookingFileRow,
    bookings: BTreeMap<Id, Booking>,
}

fn is_refused(bookings: &BTreeMap<Id, Booking>, id: &Id) -> bool {
    bookings.get(id).is_some_and(|it| it.state == BookingState::Refused)
}
