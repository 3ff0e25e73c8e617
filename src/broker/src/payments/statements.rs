//! Bank statements: what came is matched with what is owed.

use bytes::Bytes;
use futures::Stream;
use model::{Caller, Id};
use serde::{Deserialize, Serialize};
use store::{LineFilter, Listed, Page, StatementLine};

use crate::{Broker, Error, Once};

/// What became of a bank statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementReport {
    /// The payload that it is kept as.
    pub statement: Id,
    /// Lines that are new.
    pub lines: u32,
    /// Lines that were known before: nothing came of them.
    pub known: u32,
    /// New lines that belong to a claim: money that came by itself, or went back.
    pub matched: u32,
    /// New lines by which money of online payments arrived.
    pub settled: u32,
    /// New lines that belong to nothing that is known.
    pub unmatched: u32,
}

/// What a human says of a line that belongs to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineDecision {
    /// It is money towards this claim.
    Claim(Id),
    /// By it arrived the money of these payments.
    Settles(Vec<Id>),
    /// It is none of ours.
    Ignore,
}

impl Broker {
    /// Takes a bank statement. The same statement or line again has no effect.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account; a failure `Rejected` if it is no statement.
    pub async fn take_statement(
        &self,
        caller: &Caller,
        account: &str,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
        once: Option<&Once>,
    ) -> Result<StatementReport, Error> {
        let _ = (caller, account, body, once);
        Err(Error::PaymentsNotConfigured)
    }

    /// Lines of an account's statements.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account.
    pub async fn statement_lines(
        &self,
        caller: &Caller,
        account: &str,
        filter: &LineFilter,
        page: &Page,
    ) -> Result<Listed<StatementLine>, Error> {
        let _ = (caller, account, filter, page);
        Err(Error::PaymentsNotConfigured)
    }

    /// Decides about a line that belongs to nothing.
    ///
    /// # Errors
    /// `NotFound` if there is no such line; `SecondPerson` if the one who asked agrees.
    pub async fn decide_line(
        &self,
        caller: &Caller,
        account: &str,
        line: Id,
        decision: LineDecision,
        once: Option<&Once>,
    ) -> Result<StatementLine, Error> {
        let _ = (caller, account, line, decision, once);
        Err(Error::PaymentsNotConfigured)
    }
}
