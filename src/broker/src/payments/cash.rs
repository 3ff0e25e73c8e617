//! Files for the cash system, what it did with them, and whether both sides' books agree.

use model::payment::Booking;
use model::rights::Action;
use model::{Caller, Id, Timestamp};
use serde::{Deserialize, Serialize};
use store::{BookingFilter, Listed, Page, Payload};

use crate::{Broker, Error, Once};

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

/// What the cash system did with a file.
#[derive(Debug, Clone, Default)]
pub struct Acknowledgement {
    /// Bookings that it refused, each with a code of its own; all others are booked.
    pub refused: Vec<(Id, String)>,
    /// Kassenzeichen that it gave to claims.
    pub cash_references: Vec<(Id, String)>,
}

/// Whether the books of an account agree, in a period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// Bookings of money that came which the cash system has not acknowledged.
    pub paid_not_booked: Vec<Booking>,
    /// Bookings that it has acknowledged, of payments that are not paid any more.
    pub booked_not_paid: Vec<Booking>,
    /// Bookings whose amount is not that of the payment.
    pub differing: Vec<Booking>,
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
        let _ = (caller, account, once);
        Err(Error::PaymentsNotConfigured)
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
        let _ = (caller, account, before);
        Err(Error::PaymentsNotConfigured)
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
        let _ = (caller, account, number);
        Err(Error::PaymentsNotConfigured)
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
        let _ = (caller, account, number);
        Err(Error::PaymentsNotConfigured)
    }

    /// The cash system says what it did with a file. Again: the same.
    ///
    /// # Errors
    /// `NotFound` if there is no such file; `Invalid` if a booking is not of it.
    pub async fn acknowledge_file(
        &self,
        caller: &Caller,
        account: &str,
        number: u64,
        acknowledgement: Acknowledgement,
        once: Option<&Once>,
    ) -> Result<BookingFile, Error> {
        let _ = (caller, account, number, acknowledgement, once);
        Err(Error::PaymentsNotConfigured)
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
        self.payments()?;
        let scope = caller.may(Action::KeepCash)?;
        Ok(self.store().bookings(scope, filter, page).await?)
    }

    /// Whether the books of an account agree, in a period.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account.
    pub async fn reconciliation(
        &self,
        caller: &Caller,
        account: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Reconciliation, Error> {
        let _ = (caller, account, from, to);
        Err(Error::PaymentsNotConfigured)
    }
}
