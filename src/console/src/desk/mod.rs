//! The desk of an organisational unit: what waits for a human there, post, cases and documents, money, and what was sent.
//!
//! | module | holds |
//! |---|---|
//! | `board`, `task` | everything that waits, each of which is a task; taking, handing on, completing one |
//! | `post` | letters that lie on the desk, and what becomes of them |
//! | `cases`, `case` | looking up cases; one page for everything of a case |
//! | `document`, `bytes` | documents, and which bytes a browser may show |
//! | `fate`, `hold` | how long a record is kept, and what becomes of it then; bars to destruction |
//! | `disposition` | what was offered to an archive, and its destruction |
//! | `clarification`, `mend` | messages that wait; mended bytes |
//! | `payments`, `payment` | payments, followed from the claim to the cash system, and what is decided about them |
//! | `statement_lines`, `statement_line` | lines of bank statements that belong to nothing, and what the cash office says of them |
//! | `dispatches` | what was sent, and how far it is |
//! | `parts`, `words`, `line` | what they have in common: links, words, lines of time |

mod board;
mod bytes;
mod case;
mod cases;
mod clarification;
mod dispatches;
mod disposition;
mod document;
mod fate;
mod hold;
mod line;
mod mend;
mod parts;
mod payment;
mod payments;
mod post;
mod statement_line;
mod statement_lines;
mod task;
mod words;

use model::Action::{
    ClearMessages, DecideMoney, DestroyRecords, HoldRecords, KeepCash, ReadCases, ReadContent, ReadMessages,
    WorkTasks, WriteCases, WriteClaims,
};

use crate::message_acts;
use crate::route::{Needs, Route};

/// Whoever follows money.
const MONEY: Needs = Needs::AnyOf(&[WriteClaims, DecideMoney]);

/// The pages and acts of clerks.
pub(crate) fn routes() -> Vec<Route> {
    let right = Needs::Right;
    vec![
        Route::page("/desk", right(WorkTasks), board::show),
        Route::page("/tasks/{id}", right(WorkTasks), task::show),
        Route::act("/tasks/{id}/take", right(WorkTasks), task::take),
        Route::act("/tasks/{id}/hand-on", right(WorkTasks), task::hand_on),
        Route::act("/tasks/{id}/complete", right(WorkTasks), task::complete),
        Route::page("/post", right(WorkTasks), post::list),
        Route::page("/post/{id}", right(ReadCases), post::show),
        Route::act("/post/{id}/file", right(WriteCases), post::file),
        Route::act("/post/{id}/new-case", right(WriteCases), post::new_case),
        Route::act("/post/{id}/hand-on", right(WriteCases), post::hand_on),
        Route::act("/post/{id}/dismiss", right(WriteCases), post::dismiss),
        Route::page("/cases", right(ReadCases), cases::list),
        Route::page("/cases/{id}", right(ReadCases), case::show),
        Route::act("/cases/{id}/hold", right(HoldRecords), hold::set),
        Route::act("/cases/{id}/lift-hold", right(HoldRecords), hold::lift),
        Route::page("/documents/{id}", right(ReadCases), document::show),
        Route::act("/documents/{id}/hold", right(HoldRecords), hold::set),
        Route::act("/documents/{id}/lift-hold", right(HoldRecords), hold::lift),
        Route::page("/documents/{id}/preview", right(ReadContent), document::preview),
        Route::page("/documents/{id}/shown", right(ReadContent), document::shown),
        Route::page("/documents/{id}/file", right(ReadContent), document::file),
        Route::page("/clarifications/{id}", right(ReadMessages), clarification::show),
        Route::page("/clarifications/{id}/state", right(ReadMessages), clarification::state),
        Route::page("/clarifications/{id}/file", right(ReadContent), clarification::file),
        Route::act("/clarifications/{id}/resend", right(ClearMessages), message_acts::resend),
        Route::act("/clarifications/{id}/return", right(ClearMessages), message_acts::give_back),
        Route::act("/clarifications/{id}/forward", right(ClearMessages), message_acts::forward),
        Route::act("/clarifications/{id}/park", right(ClearMessages), message_acts::park),
        Route::act("/clarifications/{id}/mend", right(ClearMessages), mend::mend),
        Route::page("/payments", MONEY, payments::list),
        Route::page("/payments/{id}", MONEY, payment::show),
        Route::act("/payments/{id}/clearing", right(DecideMoney), payment::clear),
        Route::act("/payments/{id}/refunds", right(DecideMoney), payment::ask_refund),
        Route::act("/payments/{id}/refunds/{refund}/agreement", right(DecideMoney), payment::agree_refund),
        Route::act("/payments/{id}/refunds/{refund}/decline", right(DecideMoney), payment::decline_refund),
        Route::page("/statement-lines", right(KeepCash), statement_lines::list),
        Route::page("/statement-lines/{account}/{id}", right(KeepCash), statement_line::show),
        Route::act("/statement-lines/{account}/{id}/decision", right(KeepCash), statement_line::decide),
        Route::page("/dispatches", right(ReadCases), dispatches::list),
        Route::page("/dispatches/{id}", right(ReadCases), dispatches::show),
        Route::page("/dispositions", right(DestroyRecords), disposition::list),
        Route::page("/dispositions/{id}", right(DestroyRecords), disposition::show),
        Route::act("/dispositions/{id}/destruction", right(DestroyRecords), disposition::destroy),
    ]
}
