//! Lines of bank statements, and what became of them.

use std::collections::BTreeMap;

use model::Id;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sql::{Row, Select};
use crate::{Error, Listed, Page, Store};

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LineState {
    /// It is money towards a claim, or back from one.
    Matched,
    /// By it arrived the money of online payments.
    Settled,
    /// It belongs to nothing that is known.
    Unmatched,
    /// A human said that it is none of ours.
    Ignored,
}

impl LineState {
    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            LineState::Matched => "matched",
            LineState::Settled => "settled",
            LineState::Unmatched => "unmatched",
            LineState::Ignored => "ignored",
        }
    }
}

/// A line of a bank statement as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementLine {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Bank account.
    pub account: String,
    /// The bank's own name for it, unique within the account.
    pub line: String,
    /// The payload that it came in first.
    pub statement: Id,
    /// Day of the booking, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked_on: Option<String>,
    /// Amount in cents, always positive.
    pub amount_cents: i64,
    /// Whether money came.
    pub credit: bool,
    /// What became of it.
    pub state: LineState,
    /// The payment that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Id>,
    /// The claim that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Id>,
    /// What else is known of it.
    pub body: Value,
    /// Counts the changes, from 1.
    pub version: u64,
}

/// What is known of a line by the bank's name for it: banks may use a name twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownLine {
    /// Identifier.
    pub id: Id,
    /// Amount in cents, always positive.
    pub amount_cents: i64,
    /// Whether money came.
    pub credit: bool,
}

/// Which lines; what is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct LineFilter {
    /// In this state.
    pub state: Option<LineState>,
    /// Of this statement.
    pub statement: Option<Id>,
    /// Booked on this day or later, `YYYY-MM-DD`.
    pub from: Option<String>,
    /// Booked on this day or before.
    pub to: Option<String>,
}

impl Store {
    /// One line.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn statement_line(
        &self,
        tenant: &str,
        account: &str,
        id: Id,
    ) -> Result<Option<StatementLine>, Error> {
        let select = Select::new(LINE).bind(tenant).and("account =", account).and("id =", id);
        self.db().read_one(select).await?.as_ref().map(line).transpose()
    }

    /// Lines of an account, by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn statement_lines(
        &self,
        tenant: &str,
        account: &str,
        filter: &LineFilter,
        page: &Page,
    ) -> Result<Listed<StatementLine>, Error> {
        let select = Select::new(LINE)
            .bind(tenant)
            .and("account =", account)
            .and_if("state =", filter.state.map(LineState::name))
            .and_if("statement =", filter.statement)
            .and_if("booked_on >=", filter.from.as_deref())
            .and_if("booked_on <=", filter.to.as_deref());
        let rows = self.db().read(page.apply(select, "id >", " ORDER BY id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(0)?, line(row)?))))
    }

    /// Lines that belong to a payment, by id; at most a thousand.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn lines_of_payment(&self, tenant: &str, payment: Id) -> Result<Vec<StatementLine>, Error> {
        let select = Select::new(LINE).bind(tenant).and("payment =", payment);
        self.db().read(select.sql(" ORDER BY id LIMIT 1000")).await?.iter().map(line).collect()
    }

    /// Which of these lines, by the bank's names, are known. At most some hundreds at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn known_lines(
        &self,
        tenant: &str,
        account: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, KnownLine>, Error> {
        let select = Select::new("SELECT line, id, amount_cents, credit FROM statement_line WHERE tenant = ")
            .bind(tenant);
        let mut select = select.and("account =", account).sql(" AND line IN (NULL");
        for name in names {
            select = select.sql(", ").bind(*name);
        }
        let rows = self.db().read(select.sql(")")).await?;
        let known = |row: &Row| -> Result<KnownLine, Error> {
            Ok(KnownLine { id: row.id(1)?, amount_cents: row.int(2)?, credit: row.int(3)? != 0 })
        };
        rows.iter().map(|row| Ok((row.text(0)?, known(row)?))).collect()
    }
}

const LINE: &str = "SELECT id, tenant, account, line, statement, booked_on, amount_cents, credit, state, payment, claim, \
     body, version FROM statement_line WHERE tenant = ";

fn line(row: &Row) -> Result<StatementLine, Error> {
    let id = |column| -> Result<Option<Id>, Error> {
        let text = row.opt_text(column)?;
        text.map(|text| text.parse().map_err(|_| Error::Corrupt { what: "row" })).transpose()
    };
    Ok(StatementLine {
        id: row.id(0)?,
        tenant: row.text(1)?,
        account: row.text(2)?,
        line: row.text(3)?,
        statement: row.id(4)?,
        booked_on: row.opt_text(5)?,
        amount_cents: row.int(6)?,
        credit: row.int(7)? != 0,
        state: serde_json::from_value(row.text(8)?.into()).map_err(|_| Error::Corrupt { what: "row" })?,
        payment: id(9)?,
        claim: id(10)?,
        body: row.json(11)?,
        version: row.number(12)?,
    })
}
