//! Reading clarifications, and operations on many messages.

use std::collections::BTreeMap;

use model::clarification::{Clarification, ClarificationCount, Side};
use model::{Id, Message, Scope, Timestamp};
use serde_json::Value;

use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, Store};

/// Which clarifications; what is absent does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClarificationFilter {
    /// To or from this partner.
    pub partner: Option<String>,
    /// Kept by this rule.
    pub rule: Option<String>,
    /// This side has to act.
    pub side: Option<Side>,
    /// Of this unit.
    pub unit: Option<String>,
    /// Waiting since this time or later.
    pub from: Option<Timestamp>,
    /// Waiting since this time or earlier.
    pub until: Option<Timestamp>,
}

/// Work on many messages at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Where it stands.
    pub state: OperationState,
    /// Messages that were sent again.
    pub done: u64,
    /// Messages that others had moved in between.
    pub passed: u64,
    /// The last message that was looked at.
    pub behind: Option<Id>,
    /// Who asked for what, and within which scope.
    pub body: Value,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// It goes on.
    Running,
    /// It has come to its end.
    Done,
    /// It was given up.
    Failed,
}

impl OperationState {
    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            OperationState::Running => "running",
            OperationState::Done => "done",
            OperationState::Failed => "failed",
        }
    }
}

const JOIN: &str = " FROM clarification JOIN message ON message.id = clarification.message \
     AND message.tenant = clarification.tenant WHERE message.state = 'parked' AND ";

impl Store {
    /// Clarifications, by the id of their message.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn clarifications(
        &self,
        scope: &Scope,
        filter: &ClarificationFilter,
        page: &Page,
    ) -> Result<Listed<Clarification>, Error> {
        let select = filtered(select(scope), filter);
        let rows = self.db().read(page.apply(select, "message.id >", " ORDER BY message.id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| clarification(row).map(|found| (found.message.id, found))))
    }

    /// The clarification of one message.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn clarification(&self, scope: &Scope, message: Id) -> Result<Option<Clarification>, Error> {
        let row = self.db().read_one(select(scope).and("message.id =", message)).await?;
        row.as_ref().map(clarification).transpose()
    }

    /// Those of these messages of a tenant that wait to be clarified, by id; at most some hundreds at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn clarifications_of(
        &self,
        tenant: &str,
        messages: &[Id],
    ) -> Result<BTreeMap<Id, Clarification>, Error> {
        let mut select = select(&Scope::tenant(tenant)).sql(" AND message.id IN (NULL");
        for id in messages {
            select = select.sql(", ").bind(*id);
        }
        let rows = self.db().read(select.sql(")")).await?;
        rows.iter().map(|row| clarification(row).map(|found| (found.message.id, found))).collect()
    }

    /// How many clarifications wait for which rule, the most frequent first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn clarification_counts(
        &self,
        scope: &Scope,
        filter: &ClarificationFilter,
    ) -> Result<Vec<ClarificationCount>, Error> {
        let select =
            Select::new("SELECT clarification.rule, clarification.side, count(*), min(clarification.since)");
        let select = filtered(select.sql(JOIN).within(scope, Table::MessageLedByOthers), filter).sql(
            " GROUP BY clarification.rule, clarification.side \
             ORDER BY count(*) DESC, clarification.rule, clarification.side",
        );
        let count = |row: &Row| {
            Ok(ClarificationCount {
                rule: row.text(0)?,
                side: side(row, 1)?,
                count: row.number(2)?,
                oldest: row.time(3)?,
            })
        };
        self.db().read(select).await?.iter().map(count).collect()
    }

    /// One operation of a tenant.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn operation(&self, tenant: &str, id: Id) -> Result<Option<Operation>, Error> {
        let select = Select::new(
            "SELECT id, tenant, state, done, passed, behind, body FROM operation WHERE tenant = ",
        )
        .bind(tenant)
        .and("id =", id);
        self.db().read_one(select).await?.as_ref().map(operation).transpose()
    }
}

fn select(scope: &Scope) -> Select {
    let columns = "SELECT message.body, message.received_at, clarification.rule, clarification.side, \
         clarification.since, clarification.task";
    Select::new(columns).sql(JOIN).within(scope, Table::MessageLedByOthers)
}

fn filtered(select: Select, filter: &ClarificationFilter) -> Select {
    // Clarifications lead: of a partner or unit there may be any number of messages.
    select
        .and_if("COALESCE(message.partner, '') =", filter.partner.as_deref())
        .and_if("COALESCE(message.unit, '') =", filter.unit.as_deref())
        .and_if("clarification.rule =", filter.rule.as_deref())
        .and_if("clarification.side =", filter.side.map(Side::name))
        .and_if("clarification.since >=", filter.from)
        .and_if("clarification.since <=", filter.until)
}

fn clarification(row: &Row) -> Result<Clarification, Error> {
    let mut message: Message = row.json(0)?;
    message.received_at = row.time(1)?;
    let task = row.opt_text(5)?.map(|_| row.id(5)).transpose()?;
    Ok(Clarification { message, rule: row.text(2)?, side: side(row, 3)?, since: row.time(4)?, task })
}

fn side(row: &Row, column: usize) -> Result<Side, Error> {
    Side::of_name(&row.text(column)?).ok_or(Error::Corrupt { what: "clarification" })
}

fn operation(row: &Row) -> Result<Operation, Error> {
    use OperationState::{Done, Failed, Running};
    let state = row.text(2)?;
    let state = [Running, Done, Failed].into_iter().find(|known| known.name() == state);
    Ok(Operation {
        id: row.id(0)?,
        tenant: row.text(1)?,
        state: state.ok_or(Error::Corrupt { what: "operation" })?,
        done: row.number(3)?,
        passed: row.number(4)?,
        behind: row.opt_text(5)?.map(|_| row.id(5)).transpose()?,
        body: row.json(6)?,
    })
}
