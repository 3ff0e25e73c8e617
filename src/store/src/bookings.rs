//! What the cash system is told: bookings, and the files that they stand in.

use model::payment::{Booking, BookingKind, BookingState};
use model::{Id, Scope, Timestamp};

use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, Store};

/// Which bookings; what is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct BookingFilter {
    /// Of this account.
    pub account: Option<String>,
    /// In this state.
    pub state: Option<BookingState>,
    /// Of this kind.
    pub kind: Option<BookingKind>,
    /// Of this claim.
    pub claim: Option<Id>,
    /// Of this payment.
    pub payment: Option<Id>,
    /// In the account's file of this number.
    pub file: Option<u64>,
    /// Made here then or later.
    pub from: Option<Timestamp>,
    /// Made here before.
    pub before: Option<Timestamp>,
}

/// A file for the cash system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingFileRow {
    /// Tenant.
    pub tenant: String,
    /// The way whose bookings it holds.
    pub account: String,
    /// Running number of the account's files, from 1.
    pub number: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Its bytes.
    pub payload: Id,
    /// How many bookings it holds.
    pub bookings: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// When the cash system acknowledged it.
    pub acknowledged_at: Option<Timestamp>,
}

/// A booking and how far the cash system has followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingMade {
    /// The booking.
    pub booking: Booking,
    /// Where it stands in the order in which bookings were made.
    pub at: BookingPlace,
    /// What the cash system has booked of its payment in all, in euro cents.
    pub acknowledged_cents: i64,
}

/// A place in the order in which the bookings of an account were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BookingPlace {
    /// When it was made.
    pub at: Timestamp,
    /// Its number among all bookings.
    pub seq: u64,
}

impl Store {
    /// The account's bookings that were made before `before`, from behind a place on, in the order in which they were made.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn bookings_made(
        &self,
        tenant: &str,
        account: &str,
        behind: BookingPlace,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<BookingMade>, Error> {
        let select = Select::new(MADE).bind(tenant).and("account =", account).and("created_at <", before);
        let select = select.sql(" AND (created_at, seq) > (").bind(behind.at).sql(", ").bind(behind.seq);
        let rows = self.db().read(select.sql(") ORDER BY created_at, seq LIMIT ").bind(limit)).await?;
        let made = |row: &Row| {
            let at = BookingPlace { at: row.time(4)?, seq: row.number(3)? };
            Ok(BookingMade { booking: booking(row)?, at, acknowledged_cents: row.int(5)? })
        };
        rows.iter().map(made).collect()
    }

    /// Bookings, by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn bookings(
        &self,
        scope: &Scope,
        filter: &BookingFilter,
        page: &Page,
    ) -> Result<Listed<Booking>, Error> {
        let select = Select::new(BOOKING)
            .within(scope, Table::Booking)
            .and_if("account =", filter.account.as_deref())
            .and_if("state =", filter.state.map(BookingState::name))
            .and_if("kind =", filter.kind.map(BookingKind::name))
            .and_if("claim =", filter.claim)
            .and_if("payment =", filter.payment)
            .and_if("file =", filter.file)
            .and_if("created_at >=", filter.from)
            .and_if("created_at <", filter.before);
        let rows = self.db().read(page.apply(select, "id >", " ORDER BY id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(0)?, booking(row)?))))
    }

    /// Bookings of a claim and its payments in the order in which they were made, at most `limit`, each with the number of its file.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn bookings_of_claim(
        &self,
        tenant: &str,
        claim: Id,
        limit: u32,
    ) -> Result<Vec<(Booking, Option<u64>)>, Error> {
        let select =
            Select::new("SELECT id, state, body, seq, file FROM booking WHERE tenant = ").bind(tenant);
        let select = select.and("claim =", claim).sql(" ORDER BY seq LIMIT ").bind(limit);
        let file = |row: &Row| row.opt_int(4).map(|file| file.and_then(|it| u64::try_from(it).ok()));
        self.db().read(select).await?.iter().map(|row| Ok((booking(row)?, file(row)?))).collect()
    }

    /// The account's bookings that the cash system was not told yet, in the order in which they were made, each with the place
    /// in that order.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open_bookings(
        &self,
        tenant: &str,
        account: &str,
        limit: u32,
    ) -> Result<Vec<(u64, Booking)>, Error> {
        let select = Select::new(BOOKING).sql("booking.tenant = ").bind(tenant);
        let select = select.and("account =", account).and("state =", BookingState::Open.name());
        let rows = self.db().read(select.sql(" ORDER BY seq LIMIT ").bind(limit)).await?;
        rows.iter().map(|row| Ok((row.number(3)?, booking(row)?))).collect()
    }

    /// A file of an account.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn booking_file(
        &self,
        tenant: &str,
        account: &str,
        number: u64,
    ) -> Result<Option<BookingFileRow>, Error> {
        let select = Select::new(FILE).bind(tenant).and("account =", account).and("number =", number);
        self.db().read_one(select).await?.as_ref().map(file).transpose()
    }

    /// Files of an account, the newest first, from before number `before`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn booking_files(
        &self,
        tenant: &str,
        account: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<BookingFileRow>, Error> {
        let select = Select::new(FILE).bind(tenant).and("account =", account).and_if("number <", before);
        let rows = self.db().read(select.sql(" ORDER BY number DESC LIMIT ").bind(limit)).await?;
        rows.iter().map(file).collect()
    }
}

const BOOKING: &str = "SELECT id, state, body, seq FROM booking WHERE ";

const MADE: &str = "SELECT id, state, body, seq, created_at, COALESCE((SELECT CAST(SUM(CASE WHEN told.kind = 'receipt' \
     THEN told.amount_cents ELSE -told.amount_cents END) AS BIGINT) FROM booking told \
     WHERE told.payment = booking.payment AND told.state = 'acknowledged'), 0) FROM booking WHERE tenant = ";

const FILE: &str = "SELECT tenant, account, number, sha256, bytes, payload, bookings, made_at, acknowledged_at \
     FROM booking_file WHERE tenant = ";

fn booking(row: &Row) -> Result<Booking, Error> {
    let mut booking: Booking = row.json(2)?;
    // The body is written once; the column with every change.
    booking.state =
        serde_json::from_value(row.text(1)?.into()).map_err(|_| Error::Corrupt { what: "booking" })?;
    Ok(booking)
}

fn file(row: &Row) -> Result<BookingFileRow, Error> {
    Ok(BookingFileRow {
        tenant: row.text(0)?,
        account: row.text(1)?,
        number: row.number(2)?,
        sha256: row.text(3)?,
        bytes: row.number(4)?,
        payload: row.id(5)?,
        bookings: row.number(6)?,
        made_at: row.time(7)?,
        acknowledged_at: row.opt_time(8)?,
    })
}
