//! Reading records: case files, cases, documents, tasks, exchanges and so on.

use std::collections::{BTreeMap, BTreeSet};

use model::rights::Scope;
use model::{Authority, Id, Record, RecordKind, Timestamp};

use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, Store};

/// Which records; what is absent does not filter.
#[derive(Debug, Clone)]
pub struct RecordFilter {
    /// Of this kind.
    pub kind: RecordKind,
    /// Directly below this record.
    pub parent: Option<Id>,
    /// In the tree of this topmost record.
    pub root: Option<Id>,
    /// With this state, as [`Record::status`] names it.
    pub status: Option<String>,
    /// Owned by this authority.
    pub authority: Option<Authority>,
    /// With this Aktenzeichen.
    pub record_reference: Option<String>,
    /// With this other identifier: its kind and value.
    pub reference: Option<(String, String)>,
    /// With an identifier of any kind that has this value.
    pub named: Option<String>,
    /// Owned by this unit.
    pub owner_unit: Option<String>,
    /// Of this public service.
    pub service: Option<String>,
    /// Of these public services; empty: of all.
    pub services: Vec<String>,
    /// That came into being at this time or later, and before that.
    pub since: Option<Timestamp>,
    /// That came into being before this time.
    pub before: Option<Timestamp>,
}

impl RecordFilter {
    /// All of a kind.
    pub fn of(kind: RecordKind) -> Self {
        RecordFilter {
            kind,
            parent: None,
            root: None,
            status: None,
            authority: None,
            record_reference: None,
            reference: None,
            named: None,
            owner_unit: None,
            service: None,
            services: vec![],
            since: None,
            before: None,
        }
    }
}

/// What was staged for a message is seen once the message is revealed.
pub(crate) const VISIBLE: &str = " AND (record.staged_by IS NULL OR NOT EXISTS \
     (SELECT 1 FROM staging WHERE staging.message = record.staged_by AND staging.revealed = 0))";

fn visible(columns: &'static str, scope: &Scope) -> Select {
    Select::new(columns).sql(" FROM record WHERE ").within(scope, Table::Record).sql(VISIBLE)
}

/// Records of one name that are looked at, the newest first.
const NAMED: i64 = 200;

pub(crate) const SELECT: &str = "SELECT record.kind, record.body, record.id";

/// Records of a kind that a filter lets through.
fn filtered(scope: &Scope, filter: &RecordFilter) -> Select {
    let mut select = visible(SELECT, scope)
        .and("record.kind =", filter.kind.name())
        .and_if("record.parent =", filter.parent)
        .and_if("record.root =", filter.root)
        .and_if("record.status =", filter.status.as_deref())
        .and_if("record.authority =", filter.authority.as_ref().map(Authority::as_str))
        .and_if("record.record_reference =", filter.record_reference.as_deref())
        .and_if("record.unit =", filter.owner_unit.as_deref())
        .and_if("record.public_service =", filter.service.as_deref())
        .and_if("record.id >=", filter.since.map(first_id))
        .and_if("record.id <", filter.before.map(first_id));
    if let Some((first, others)) = filter.services.split_first() {
        select = select.sql(" AND record.public_service IN (").bind(first.as_str());
        for other in others {
            select = select.sql(", ").bind(other.as_str());
        }
        select = select.sql(")");
    }
    if let Some((kind, value)) = &filter.reference {
        select = select
            .sql(" AND record.id IN (SELECT record FROM record_alias WHERE tenant = ")
            .bind(scope.tenant.as_str())
            .and("kind =", kind.as_str())
            .and("value =", value.as_str())
            .sql(")");
    }
    if let Some(value) = &filter.named {
        select = select
            .sql(" AND record.id IN (SELECT record FROM record_alias WHERE tenant = ")
            .bind(scope.tenant.as_str())
            .and("value =", value.as_str())
            .sql(")");
    }
    select
}

/// The smallest identifier of a time: those of the gateway are in the order of time.
pub(crate) fn first_id(at: Timestamp) -> Id {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&(at.micros().max(0) / 1_000).to_be_bytes()[2..]);
    Id::from_bytes(bytes)
}

impl Store {
    /// The record `id` if it is of this kind.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn record(&self, scope: &Scope, kind: RecordKind, id: Id) -> Result<Option<Record>, Error> {
        let select = visible(SELECT, scope).and("record.id =", id).and("record.kind =", kind.name());
        self.db().read_one(select).await?.as_ref().map(record).transpose()
    }

    /// The record `id`, of whatever kind.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn record_any(&self, scope: &Scope, id: Id) -> Result<Option<Record>, Error> {
        let select = visible(SELECT, scope).and("record.id =", id);
        self.db().read_one(select).await?.as_ref().map(record).transpose()
    }

    /// Those of these records of a tenant that are of this kind, or of any; at most some hundreds at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn records_of(
        &self,
        tenant: &str,
        kind: Option<RecordKind>,
        ids: &[Id],
    ) -> Result<BTreeMap<Id, Record>, Error> {
        let select =
            visible(SELECT, &Scope::tenant(tenant)).and_if("record.kind =", kind.map(RecordKind::name));
        let mut select = select.sql(" AND record.id IN (NULL");
        for id in ids {
            select = select.sql(", ").bind(*id);
        }
        let rows = self.db().read(select.sql(")")).await?;
        rows.iter().map(|row| Ok((row.id(2)?, record(row)?))).collect()
    }

    /// Whether something that a message brought is barred from destruction.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn holds_of(&self, scope: &Scope, message: Id) -> Result<bool, Error> {
        let select = Select::new("SELECT id FROM record WHERE tenant = ")
            .bind(scope.tenant.as_str())
            .and("staged_by =", message)
            .sql(r#" AND body LIKE '%"hold":{%' LIMIT 1"#);
        Ok(self.db().read_one(select).await?.is_some())
    }

    /// Whether a message brought something, and all of it is destroyed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_all_destroyed(&self, scope: &Scope, message: Id) -> Result<bool, Error> {
        let brought = || {
            let select = Select::new("SELECT id FROM record WHERE tenant = ").bind(scope.tenant.as_str());
            select.and("staged_by =", message)
        };
        let left = brought().sql(" AND status <> 'destroyed' LIMIT 1");
        let some = self.db().read_one(brought().sql(" LIMIT 1")).await?.is_some();
        Ok(some && self.db().read_one(left).await?.is_none())
    }

    /// Records of the scope, of whatever kind, in whose JSON a text stands, without regard to case: by id, behind `after`. Reads all
    /// records: for people who ask, not for work.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn records_with(
        &self,
        scope: &Scope,
        text: &str,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let pattern = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        let select = visible(SELECT, scope).and_if("record.id >", after).sql(" AND lower(record.body) LIKE ");
        let select = select.bind(format!("%{pattern}%")).sql(" ESCAPE '!' ORDER BY record.id LIMIT ");
        let rows = self.db().read(select.bind(limit.min(Page::MOST))).await?;
        rows.iter().map(record).collect()
    }

    /// Records of a kind, by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn records(
        &self,
        scope: &Scope,
        filter: &RecordFilter,
        page: &Page,
    ) -> Result<Listed<Record>, Error> {
        let select = filtered(scope, filter);
        let rows = self.db().read(page.apply(select, "record.id >", " ORDER BY record.id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(2)?, record(row)?))))
    }

    /// At most `limit` records of a kind, the newest first, behind the last one of the page before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn newest(
        &self,
        scope: &Scope,
        filter: &RecordFilter,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let select = filtered(scope, filter).and_if("record.id <", after);
        let rows = self.db().read(select.sql(" ORDER BY record.id DESC LIMIT ").bind(limit)).await?;
        rows.iter().map(record).collect()
    }

    /// At most `limit` of the records that have this name (kind and value), the newest first. Of a name that very many have only the newest
    /// are looked at, so that it never takes longer.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn newest_named(
        &self,
        scope: &Scope,
        (kind, value): (&str, &str),
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        // First the names, then their records: SQLite takes a cross join in this order, whatever it guesses of the tables.
        let select = Select::new(
            "SELECT record.kind, record.body, record.id FROM (SELECT record_alias.record FROM record_alias \
             WHERE record_alias.tenant = ",
        )
        .bind(scope.tenant.as_str())
        .and("record_alias.kind =", kind)
        .and("record_alias.value =", value)
        .sql(" ORDER BY record_alias.record DESC LIMIT ")
        .bind(NAMED)
        .sql(") AS named CROSS JOIN record WHERE ")
        .within(scope, Table::Record)
        .sql(VISIBLE)
        .sql(" AND record.id = named.record ORDER BY record.id DESC LIMIT ")
        .bind(limit);
        self.db().read(select).await?.iter().map(record).collect()
    }

    /// What lies directly below a case file or case: documents, cases, then case files; each by position (absent last),
    /// then id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn children(&self, scope: &Scope, parent: Id) -> Result<Vec<(RecordKind, Id)>, Error> {
        self.children_by(scope, parent, None, IN_TREES).await
    }

    /// What belongs to a record and lies in no tree: contacts, dispatches, decisions, claims, payments and tasks; by kind and id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn beside(&self, scope: &Scope, parent: Id) -> Result<Vec<(RecordKind, Id)>, Error> {
        self.children_by(scope, parent, None, BESIDE).await
    }

    /// The same, as far as a message brought it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn brought_children(
        &self,
        scope: &Scope,
        parent: Id,
        message: Id,
    ) -> Result<Vec<(RecordKind, Id)>, Error> {
        self.children_by(scope, parent, Some(message), IN_TREES).await
    }

    async fn children_by(
        &self,
        scope: &Scope,
        parent: Id,
        message: Option<Id>,
        kinds: &'static str,
    ) -> Result<Vec<(RecordKind, Id)>, Error> {
        let select = visible("SELECT record.kind, record.id", scope)
            .and("record.parent =", parent)
            .and_if("record.staged_by =", message)
            .sql(kinds)
            .sql(
                " ORDER BY CASE record.kind WHEN 'document' THEN 1 WHEN 'case' THEN 2 ELSE 3 END, \
                          CASE WHEN record.place IS NULL THEN 1 ELSE 0 END, record.place, record.id",
            );
        self.db().read(select).await?.iter().map(|row| Ok((kind(row, 0)?, row.id(1)?))).collect()
    }

    /// Those of these bytes that a message brought; at most some hundreds at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn brought_payloads(
        &self,
        tenant: &str,
        message: Id,
        ids: &[Id],
    ) -> Result<BTreeSet<Id>, Error> {
        let select = Select::new("SELECT id FROM payload WHERE tenant = ").bind(tenant);
        let mut select = select.and("staged_by =", message).sql(" AND id IN (NULL");
        for id in ids {
            select = select.sql(", ").bind(*id);
        }
        self.db().read(select.sql(")")).await?.iter().map(|row| row.id(0)).collect()
    }
}

/// What lies in other records, and what only belongs to one.
const IN_TREES: &str = " AND record.kind IN ('document', 'case', 'caseFile')";
const BESIDE: &str =
    " AND record.kind IN ('interaction', 'dispatch', 'decision', 'claim', 'payment', 'task')";

fn kind(row: &Row, column: usize) -> Result<RecordKind, Error> {
    serde_json::from_value(row.text(column)?.into()).map_err(|_| Error::Corrupt { what: "record" })
}

pub(crate) fn record(row: &Row) -> Result<Record, Error> {
    Record::from_json(kind(row, 0)?, row.json(1)?).map_err(|_| Error::Corrupt { what: "record" })
}
