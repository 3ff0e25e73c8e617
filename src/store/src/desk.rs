//! What waits on desks: open tasks, the most urgent first, and how many there are of what.

use std::collections::BTreeMap;

use model::activity::{Pile, Task};
use model::{Record, Scope};

use crate::records::{self, VISIBLE};
use crate::sql::{Select, Table};
use crate::{Error, Store};

/// Which desk; what is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct DeskFilter {
    /// Of this unit.
    pub unit: Option<String>,
    /// Of tasks that were taken: those that this user has.
    pub taken_by: Option<String>,
}

/// The pile of a task; a node of an earlier version, beside which this one runs for a while, names none.
const PILE: &str = "COALESCE(record.pile, 'task')";

/// Order on a desk: what is urgent, then the oldest.
const ORDER: &str = " ORDER BY COALESCE(record.urgency, '19999'), record.id LIMIT ";

fn of_desk(select: Select, scope: &Scope, filter: &DeskFilter) -> Select {
    select
        .sql(" FROM record WHERE ")
        .within(scope, Table::Record)
        .sql(" AND record.kind = 'task' AND record.status IN ('open', 'assigned')")
        .sql(VISIBLE)
        .and_if("record.unit =", filter.unit.as_deref())
        .and_if("record.assignee =", filter.taken_by.as_deref())
}

impl Store {
    /// How many open tasks lie on each pile; piles without any are absent.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn desk_counts(
        &self,
        scope: &Scope,
        filter: &DeskFilter,
    ) -> Result<BTreeMap<Pile, u64>, Error> {
        let select = of_desk(Select::new("SELECT ").sql(PILE).sql(", count(*)"), scope, filter);
        let rows = self.db().read(select.sql(" GROUP BY 1")).await?;
        let count = |row: &crate::sql::Row| {
            let pile = Pile::named(&row.text(0)?).ok_or(Error::Corrupt { what: "pile of a task" })?;
            Ok((pile, row.number(1)?))
        };
        rows.iter().map(count).collect()
    }

    /// Open tasks, of one pile or of all: the most urgent first, `limit` of them behind the first `skipped`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn desk_tasks(
        &self,
        scope: &Scope,
        filter: &DeskFilter,
        pile: Option<Pile>,
        (skipped, limit): (u32, u32),
    ) -> Result<Vec<Task>, Error> {
        // Sorted are the entries of the index; what they stand for is read of one page alone.
        let select = Select::new(records::SELECT).sql(" FROM (");
        let mut select = of_desk(select.sql("SELECT record.id, record.urgency"), scope, filter);
        if let Some(pile) = pile {
            select = select.sql(" AND ").sql(PILE).sql(" = ").bind(pile.name());
        }
        let select = select.sql(ORDER).bind(limit).sql(" OFFSET ").bind(skipped);
        let select = select.sql(") AS shown JOIN record ON record.id = shown.id ORDER BY COALESCE(shown.urgency, '19999'), record.id");
        let task = |row| match records::record(row)? {
            Record::Task(task) => Ok(task),
            _ => Err(Error::Corrupt { what: "task" }),
        };
        self.db().read(select).await?.iter().map(task).collect()
    }
}
