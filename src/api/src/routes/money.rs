//! Routes of money: claims, payments, and what the cash office keeps of both.

use model::Action::{DecideMoney, KeepCash, ReadCases, WriteClaims};
use model::payment::{Booking, Claim, Payment};

use crate::paging::PageOf;
use crate::records::{PageQuery, TimelineEntry};
use crate::route::Route;
use crate::{accounts, claims, payments};

pub(super) fn claim_routes() -> Vec<Route> {
    vec![
        Route::post("/cases/{id}/claims", "createClaim", claims::create)
            .says("Makes a claim (Forderung) of a case.")
            .needs(WriteClaims)
            .takes::<claims::Wanted>()
            .gives::<Claim>(201),
        Route::get("/claims", "listClaims", claims::list)
            .says("Lists claims.")
            .needs(ReadCases)
            .query::<claims::ClaimQuery>()
            .gives::<PageOf<Claim>>(200),
        Route::get("/claims/{id}", "readClaim", claims::read)
            .says("Gives one claim.")
            .needs(ReadCases)
            .gives::<Claim>(200),
        Route::get("/claims/{id}/timeline", "readClaimTimeline", claims::timeline)
            .says("Tells what happened to a claim, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/claims/{id}/cancellation", "cancelClaim", claims::cancel)
            .says("Says that a claim is not owed any more (Storno).")
            .needs(WriteClaims)
            .gives::<Claim>(200),
        Route::put("/claims/{id}/cash-reference", "assignCashReference", claims::assign_reference)
            .says("Gives a claim the Kassenzeichen that the cash system made.")
            .needs(KeepCash)
            .takes::<claims::CashReference>()
            .gives::<Claim>(200),
        Route::get("/claims/{id}/girocode", "readGirocode", claims::girocode)
            .says("Gives the EPC QR code of what is left to pay, as a picture or as its text, as long as something is owed.")
            .needs(ReadCases)
            .gives_one_of(claims::GIROCODE_TYPES)
            .by_state(),
        Route::post("/claims/{id}/payments", "startPayment", claims::pay)
            .says("Begins an online payment of what is left of a claim; the payer pays at its paymentUrl.")
            .needs(WriteClaims)
            .may_take::<claims::Begun>()
            .gives::<Payment>(201),
    ]
}

pub(super) fn payment_routes() -> Vec<Route> {
    vec![
        Route::get("/payments", "listPayments", payments::list)
            .says("Lists payments.")
            .needs(ReadCases)
            .query::<payments::PaymentQuery>()
            .gives::<PageOf<Payment>>(200),
        Route::get("/payments/{id}", "readPayment", payments::read)
            .says("Gives one payment.")
            .needs(ReadCases)
            .gives::<Payment>(200),
        Route::get("/payments/{id}/timeline", "readPaymentTimeline", payments::timeline)
            .says("Tells what happened to a payment, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/payments/{id}/refunds", "askRefund", payments::ask_refund)
            .says("Asks that money of a payment be given back (Erstattung); somebody else has to agree.")
            .needs(DecideMoney)
            .takes::<payments::NewRefund>()
            .gives::<Payment>(200),
        Route::post("/payments/{id}/refunds/{refund}/agreement", "agreeRefund", payments::agree_refund)
            .says("Agrees to a refund that somebody else asked for; it is carried out then.")
            .needs(DecideMoney)
            .gives::<Payment>(200),
        Route::post("/payments/{id}/refunds/{refund}/decline", "declineRefund", payments::decline_refund)
            .says("Ends a refund that nobody has agreed to yet: one's own is withdrawn, that of somebody else declined.")
            .needs(DecideMoney)
            .takes::<payments::NewDecline>()
            .gives::<Payment>(200),
        Route::post("/payments/{id}/void", "voidPayment", payments::void)
            .says("Cancels a payment that is still open at its provider.")
            .needs(WriteClaims)
            .gives::<Payment>(200),
        Route::post("/payments/{id}/clearing", "clearPayment", payments::clear)
            .says("Decides about what contradicts (Klärungsfall); somebody else has to decide the same.")
            .needs(DecideMoney)
            .takes::<payments::NewDecision>()
            .gives::<Payment>(200),
    ]
}

pub(super) fn account_routes() -> Vec<Route> {
    vec![
        Route::post("/accounts/{account}/statements", "takeStatement", accounts::take_statement)
            .says("Takes a bank statement (camt.052, .053, .054, or a ZIP of them); the same lines again change nothing.")
            .needs(KeepCash)
            .takes_raw(accounts::STATEMENT_TYPES)
            .gives::<accounts::StatementReport>(200),
        Route::get("/accounts/{account}/statement-lines", "listStatementLines", accounts::lines)
            .says("Lists lines of bank statements and what became of them.")
            .needs(KeepCash)
            .query::<accounts::LineQuery>()
            .gives::<PageOf<accounts::StatementLine>>(200),
        Route::post(
            "/accounts/{account}/statement-lines/{line}/decision",
            "decideStatementLine",
            accounts::decide_line,
        )
        .says("Says what a line that belongs to nothing is; somebody else has to say the same.")
        .needs(KeepCash)
        .takes::<accounts::NewLineDecision>()
        .gives::<accounts::StatementLine>(200),
        Route::post("/accounts/{account}/booking-files", "createBookingFile", accounts::export)
            .says("Writes the open bookings into a file for the cash system; answers 204 if there are none.")
            .needs(KeepCash)
            .gives::<accounts::BookingFile>(201)
            .or_nothing(),
        Route::get("/accounts/{account}/booking-files", "listBookingFiles", accounts::files)
            .says("Lists the files for the cash system, newest first.")
            .needs(KeepCash)
            .query::<accounts::FileQuery>()
            .gives::<accounts::BookingFileList>(200),
        Route::get("/accounts/{account}/booking-files/{number}", "readBookingFile", accounts::file)
            .says("Gives one file for the cash system, without its bytes.")
            .needs(KeepCash)
            .gives::<accounts::BookingFile>(200),
        Route::get("/accounts/{account}/booking-files/{number}/content", "readBookingFileContent", accounts::content)
            .says("Gives the bytes of a file for the cash system, or a range of them; they never change.")
            .needs(KeepCash)
            .gives_raw("*/*"),
        Route::post(
            "/accounts/{account}/booking-files/{number}/acknowledgement",
            "acknowledgeBookingFile",
            accounts::acknowledge,
        )
        .says("Says what the cash system did with a file: all booked, or some refused.")
        .needs(KeepCash)
        .may_take::<accounts::NewAcknowledgement>()
        .gives::<accounts::BookingFile>(200),
        Route::get("/bookings", "listBookings", accounts::bookings)
            .says("Lists bookings (Buchungssätze) and where they stand.")
            .needs(KeepCash)
            .query::<accounts::BookingQuery>()
            .gives::<PageOf<Booking>>(200),
        Route::get("/accounts/{account}/reconciliation", "reconcile", accounts::reconcile)
            .says("Compares what was paid with what was booked.")
            .needs(KeepCash)
            .query::<accounts::PeriodQuery>()
            .gives::<accounts::Reconciliation>(200),
    ]
}
