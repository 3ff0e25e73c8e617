//! Bookings, files for the cash system, lines of bank statements.

use model::payment::{Booking, BookingState};
use model::{Id, Timestamp};

use super::Work;
use crate::sql::{Expect, Step};
use crate::{BookingFileRow, LineState, StatementLine};

impl Work {
    /// Books something. Precondition: it was not booked before; otherwise the conflict names `booking`.
    pub fn insert_booking(&mut self, booking: &Booking, now: Timestamp) -> &mut Self {
        let Some(body) = self.json(booking) else { return self };
        let args = vec![
            booking.id.into(),
            booking.tenant.as_str().into(),
            booking.unit.as_str().into(),
            booking.public_service.as_deref().into(),
            booking.account.as_str().into(),
            booking.kind.name().into(),
            booking.claim_id.into(),
            booking.payment_id.into(),
            booking.amount_cents.into(),
            booking.cash_reference.as_deref().into(),
            booking.state.name().into(),
            now.into(),
            body.into(),
        ];
        self.one(
            "INSERT INTO booking (id, tenant, unit, public_service, account, kind, claim, payment, amount_cents, \
             cash_reference, state, created_at, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            args,
            "booking",
        )
    }

    /// Hands the account's open bookings up to `place` over by the file of this number. Precondition: they are `count`; otherwise the
    /// conflict names `booking`.
    pub fn hand_over_bookings(
        &mut self,
        tenant: &str,
        account: &str,
        place: u64,
        count: u64,
        number: u64,
    ) -> &mut Self {
        let args = vec![tenant.into(), account.into(), place.into(), number.into()];
        let sql = "UPDATE booking SET state = 'handedOver', file = $4 \
             WHERE tenant = $1 AND account = $2 AND seq <= $3 AND state = 'open'";
        self.steps.push(Step::new(sql, args, "booking", Expect::Rows(count)));
        self
    }

    /// The cash system has refused a booking of the file of this number. Precondition: it was handed over by it; otherwise the
    /// conflict names `booking`.
    pub fn refuse_booking(&mut self, tenant: &str, account: &str, number: u64, id: Id) -> &mut Self {
        self.one(
            "UPDATE booking SET state = 'refused' \
             WHERE tenant = $1 AND account = $2 AND file = $3 AND id = $4 AND state = 'handedOver'",
            vec![tenant.into(), account.into(), number.into(), id.into()],
            "booking",
        )
    }

    /// The cash system has booked what else was handed over by the file of this number.
    pub fn acknowledge_bookings(&mut self, tenant: &str, account: &str, number: u64) -> &mut Self {
        self.any(
            "UPDATE booking SET state = 'acknowledged' \
             WHERE tenant = $1 AND account = $2 AND file = $3 AND state = 'handedOver'",
            vec![tenant.into(), account.into(), number.into()],
        )
    }

    /// Moves one booking on. Precondition: it is in the state `from`; otherwise the conflict names `booking`.
    pub fn move_booking(&mut self, tenant: &str, id: Id, from: BookingState, to: BookingState) -> &mut Self {
        self.one(
            "UPDATE booking SET state = $4 WHERE tenant = $1 AND id = $2 AND state = $3",
            vec![tenant.into(), id.into(), from.name().into(), to.name().into()],
            "booking",
        )
    }

    /// Adds a file. Precondition: the account has none of this number; otherwise the conflict names `booking file`.
    pub fn insert_booking_file(&mut self, file: &BookingFileRow) -> &mut Self {
        let args = vec![
            file.tenant.as_str().into(),
            file.account.as_str().into(),
            file.number.into(),
            file.sha256.as_str().into(),
            file.bytes.into(),
            file.payload.into(),
            file.bookings.into(),
            file.made_at.into(),
            file.acknowledged_at.into(),
        ];
        self.one(
            "INSERT INTO booking_file (tenant, account, number, sha256, bytes, payload, bookings, made_at, \
             acknowledged_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args,
            "booking file",
        )
    }

    /// A file was acknowledged. Precondition: it was not before; otherwise the conflict names `booking file`.
    pub fn acknowledge_booking_file(
        &mut self,
        tenant: &str,
        account: &str,
        number: u64,
        at: Timestamp,
    ) -> &mut Self {
        self.one(
            "UPDATE booking_file SET acknowledged_at = $4 \
             WHERE tenant = $1 AND account = $2 AND number = $3 AND acknowledged_at IS NULL",
            vec![tenant.into(), account.into(), number.into(), at.into()],
            "booking file",
        )
    }

    /// Adds a line of a statement. Precondition: it is new to the account; otherwise the conflict names `line`.
    pub fn insert_line(&mut self, line: &StatementLine) -> &mut Self {
        let args = vec![
            line.id.into(),
            line.tenant.as_str().into(),
            line.account.as_str().into(),
            line.line.as_str().into(),
            line.statement.into(),
            line.booked_on.as_deref().into(),
            line.amount_cents.into(),
            line.credit.into(),
            line.state.name().into(),
            line.payment.into(),
            line.claim.into(),
            line.body.to_string().into(),
            line.version.into(),
        ];
        self.one(
            "INSERT INTO statement_line (id, tenant, account, line, statement, booked_on, amount_cents, credit, state, \
             payment, claim, body, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            args,
            "line",
        )
    }

    /// Changes what became of a line: state, payment, claim and body. Precondition: its version follows the stored one and it is in
    /// the state `from`; otherwise the conflict names `line`.
    pub fn update_line(&mut self, line: &StatementLine, from: LineState) -> &mut Self {
        let args = vec![
            line.id.into(),
            line.tenant.as_str().into(),
            line.version.into(),
            from.name().into(),
            line.state.name().into(),
            line.payment.into(),
            line.claim.into(),
            line.body.to_string().into(),
        ];
        self.one(
            "UPDATE statement_line SET version = $3, state = $5, payment = $6, claim = $7, body = $8 \
             WHERE id = $1 AND tenant = $2 AND version = $3 - 1 AND state = $4",
            args,
            "line",
        )
    }
}
