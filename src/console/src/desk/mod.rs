//! The desk of an organisational unit: what waits for a human there, post, cases and documents, money, and what was sent.
//!
//! | module | holds |
//! |---|---|
//! | `board`, `task` | everything that waits, each of which is a task; taking, handing on, completing one |
//! | `post` | letters that lie on the desk, and what becomes of them |
//! | `cases`, `case` | looking up cases; one page for everything of a case |
//! | `document`, `bytes` | documents, and which bytes a browser may show |
//! | `clarification`, `mend` | messages that wait; mended bytes |
//! | `payments`, `payment` | payments, followed from the claim to the cash system, and what is decided about them |
//! | `dispatches` | what was sent, and how far it is |
//! | `parts`, `words`, `line` | what they have in common: links, words, lines of time |

mod board;
mod bytes;
mod case;
mod cases;
mod clarification;
mod dispatches;
mod document;
mod line;
mod mend;
mod parts;
mod payment;
mod payments;
mod post;
mod task;
mod words;

use model::Action::{
    ClearMessages, DecideMoney, ReadCases, ReadContent, ReadMessages, WorkTasks, WriteCases, WriteClaims,
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
        Route::page("/documents/{id}", right(ReadCases), document::show),
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
        Route::page("/dispatches", right(ReadCases), dispatches::list),
        Route::page("/dispatches/{id}", right(ReadCases), dispatches::show),
    ]
}
