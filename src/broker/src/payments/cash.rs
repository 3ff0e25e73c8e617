//! Files for the cash system: the bookings that it was not told yet, in files with numbers that have no gaps. A file is the same bytes
//! for ever; what is wrong in it is corrected by further bookings.

use std::sync::Arc;

use model::payment::cash::{CashFormat, FileHead};
use model::payment::{Account, Booking};
use model::rights::Action;
use model::{Caller, Event, EventKind, PayloadRef, Timestamp, ids};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{BookingFileRow, BookingFilter, Listed, Page, Payload, StoredPayload, Work};

use super::Payments;
use crate::{Broker, Error, Once, blocking};

/// Most bookings of a file; most files of a list.
const MOST_BOOKINGS: u32 = 5_000;
const MOST_FILES: u32 = 1_000;

/// Characters of the digest that a file's name shows.
const SHOWN_DIGEST: usize = 16;

/// A file for the cash system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingFile {
    /// The way whose bookings it holds.
    pub account: String,
    /// Running number of the account's files, from 1.
    pub number: u64,
    /// Its name, for whoever stores it.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many bookings it holds.
    pub bookings: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// When the cash system acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
}

impl Broker {
    /// Writes the account's open bookings, the oldest 5,000 of them, into a file for the cash system. `None` if there are none.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account.
    pub async fn export_bookings(
        &self,
        caller: &Caller,
        account: &str,
        once: Option<&Once>,
    ) -> Result<Option<BookingFile>, Error> {
        let account = self.kept(caller, account)?;
        self.anew(caller, once, move || self.try_export(caller, account, once)).await
    }

    async fn try_export(
        &self,
        caller: &Caller,
        account: &Account,
        once: Option<&Once>,
    ) -> Result<Option<BookingFile>, Error> {
        let tenant = &account.tenant;
        let format = self.payments()?.format_of(account)?;
        let open = self.store().open_bookings(tenant, &account.id, MOST_BOOKINGS).await?;
        let Some(place) = open.last().map(|(place, _)| *place) else {
            return match once {
                Some(_) => self.commit_answer(caller, once, Work::new(), ids::new_id(), None).await,
                None => Ok(None),
            };
        };
        let counter = format!("files:{}", account.id);
        let last = self.store().last_count(tenant, &counter).await?;
        let number = last + 1;
        let head = FileHead { tenant: tenant.clone(), account: account.id.clone(), number, at: self.now() };
        let (at, count) = (head.at, open.len() as u64);
        let bookings: Vec<Booking> = open.into_iter().map(|(_, booking)| booking).collect();
        let bytes = {
            let format = format.clone();
            blocking(move || Ok(format.write(&head, &bookings)?)).await?
        };
        let stored = self.file_bytes(tenant, &bytes).await?;
        let row = file_row(account, number, stored.reference(), count, at);
        let file = shown(&row, &*format);
        let mut work = Work::new();
        work.count_on(tenant, &counter, last);
        work.insert_payload(tenant, &stored);
        work.insert_booking_file(&row);
        work.hand_over_bookings(tenant, &account.id, place, count, number);
        let detail =
            json!({ "account": account.id, "number": number, "sha256": file.sha256, "bookings": count });
        work.insert_event(&Event {
            payloads: vec![stored.reference().clone()],
            ..self.of_account(account, EventKind::BookingsHandedOver, caller, detail)
        });
        let subject = stored.reference().id;
        let outcome = self.commit_answer(caller, once, work, subject, Some(file)).await;
        self.tidied(stored, outcome.map_err(again)).await
    }

    async fn file_bytes(&self, tenant: &str, bytes: &[u8]) -> Result<StoredPayload, Error> {
        let mut writer = self.store().payload_writer(tenant);
        writer.write(bytes).await?;
        Ok(writer.finish().await?)
    }

    /// Removes staged bytes if it is certain that they were not committed.
    pub(super) async fn tidied<T>(
        &self,
        stored: StoredPayload,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        if matches!(&outcome, Err(Error::Store(store::Error::Conflict { .. }))) {
            self.store().discard(stored).await;
        }
        outcome
    }

    /// The files of an account, newest first, at most 1,000 of them from before number `before`.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account.
    pub async fn booking_files(
        &self,
        caller: &Caller,
        account: &str,
        before: Option<u64>,
    ) -> Result<Vec<BookingFile>, Error> {
        let account = self.kept(caller, account)?;
        let format = self.payments()?.format_of(account)?;
        let rows = self.store().booking_files(&account.tenant, &account.id, before, MOST_FILES).await?;
        Ok(rows.iter().map(|row| shown(row, &*format)).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn booking_file(
        &self,
        caller: &Caller,
        account: &str,
        number: u64,
    ) -> Result<BookingFile, Error> {
        let account = self.kept(caller, account)?;
        self.shown_file(account, &self.file_of(account, number).await?)
    }

    /// Its bytes, always the same.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn booking_file_content(
        &self,
        caller: &Caller,
        account: &str,
        number: u64,
    ) -> Result<(BookingFile, Payload), Error> {
        let account = self.kept(caller, account)?;
        let row = self.file_of(account, number).await?;
        let payload = self.store().open_payload(&account.tenant, row.payload).await?;
        Ok((self.shown_file(account, &row)?, payload))
    }

    pub(super) async fn file_of(&self, account: &Account, number: u64) -> Result<BookingFileRow, Error> {
        let row = self.store().booking_file(&account.tenant, &account.id, number).await?;
        row.ok_or_else(|| model::Error::NotFound { kind: "booking file" }.into())
    }

    pub(super) fn shown_file(&self, account: &Account, row: &BookingFileRow) -> Result<BookingFile, Error> {
        Ok(shown(row, &*self.payments()?.format_of(account)?))
    }

    /// Bookings within the caller's scope, by id.
    ///
    /// # Errors
    /// If the caller may not.
    pub async fn bookings(
        &self,
        caller: &Caller,
        filter: &BookingFilter,
        page: &Page,
    ) -> Result<Listed<Booking>, Error> {
        let scope = caller.may(Action::KeepCash)?;
        self.payments()?;
        Ok(self.store().bookings(scope, filter, page).await?)
    }

    /// An account for whoever keeps it: its unit and its services lie in their scope. What an account has no unit or services for is
    /// the whole tenant's.
    ///
    /// # Errors
    /// `NoAccount` if there is none, or it is not theirs.
    pub(super) fn kept(&self, caller: &Caller, account: &str) -> Result<&Account, Error> {
        let scope = caller.may(Action::KeepCash)?;
        let account = self.payments()?.account(&scope.tenant, account).ok_or(Error::NoAccount)?;
        let mut services = account.services.iter();
        let serves = match account.services.is_empty() {
            true => scope.services.covers(None),
            false => services.all(|service| scope.services.covers(Some(service))),
        };
        let covered = serves && scope.units.covers(account.unit.as_deref());
        if covered { Ok(account) } else { Err(Error::NoAccount) }
    }

    /// Something that the cash office did with an account.
    pub(super) fn of_account(
        &self,
        account: &Account,
        kind: EventKind,
        caller: &Caller,
        detail: Value,
    ) -> Event {
        Event { unit: account.unit.clone(), ..self.audit(&account.tenant, kind, &caller.actor, detail) }
    }
}

impl Payments {
    fn format_of(&self, account: &Account) -> Result<Arc<dyn CashFormat>, Error> {
        self.formats.get(&account.format).cloned().ok_or(Error::Internal)
    }
}

fn file_row(
    account: &Account,
    number: u64,
    content: &PayloadRef,
    bookings: u64,
    made_at: Timestamp,
) -> BookingFileRow {
    BookingFileRow {
        tenant: account.tenant.clone(),
        account: account.id.clone(),
        number,
        sha256: content.sha256.clone(),
        bytes: content.size,
        payload: content.id,
        bookings,
        made_at,
        acknowledged_at: None,
    }
}

/// Its name tells number and digest, so that a file that is missing or cut off is noticed.
fn shown(row: &BookingFileRow, format: &dyn CashFormat) -> BookingFile {
    let digest: String = row.sha256.chars().take(SHOWN_DIGEST).collect();
    BookingFile {
        account: row.account.clone(),
        number: row.number,
        name: format!("{}-{:06}-{digest}.{}", row.account, row.number, format.ending()),
        media_type: format.media_type().to_owned(),
        sha256: row.sha256.clone(),
        bytes: row.bytes,
        bookings: u32::try_from(row.bookings).unwrap_or(u32::MAX),
        made_at: row.made_at,
        acknowledged_at: row.acknowledged_at,
    }
}

/// Somebody else was quicker with the same bookings or file: everything is looked at anew.
pub(super) fn again(error: Error) -> Error {
    match error.is_conflict("booking") || error.is_conflict("booking file") {
        true => store::Error::Conflict { what: "record" }.into(),
        false => error,
    }
}
