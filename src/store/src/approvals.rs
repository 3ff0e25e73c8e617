//! What one person asks for and another agrees to.

use model::approval::{ApprovalKind, ApprovalState};
use model::{Actor, Event, Id, Scope, Timestamp};
use serde_json::Value;

use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, Store};

/// Something that somebody asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Unit of what it is about; absent: the whole tenant's.
    pub unit: Option<String>,
    /// Public service of what it is about.
    pub public_service: Option<String>,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// What it is about: `message`, `document`, `case`, `token`, `partner`, `user`.
    pub subject_kind: String,
    /// Its identifier.
    pub subject: String,
    /// JSON of what is carried out.
    pub detail: Value,
    /// The event that says why.
    pub event: Id,
    /// Who asked.
    pub asked_by: Actor,
    /// When.
    pub asked_at: Timestamp,
    /// Until when somebody has to decide.
    pub expires_at: Timestamp,
    /// How far it is. [`ApprovalState::Expired`] is never written: it is open and its time is over.
    pub state: ApprovalState,
    /// Who decided, or withdrew it.
    pub decided_by: Option<Actor>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Until when what was released may be read.
    pub valid_until: Option<Timestamp>,
}

impl Approval {
    /// How far it is at a time.
    pub fn state_at(&self, now: Timestamp) -> ApprovalState {
        let is_over = self.state == ApprovalState::Open && self.expires_at <= now;
        if is_over { ApprovalState::Expired } else { self.state }
    }
}

/// Which of them.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// Those that the caller has asked for; otherwise those that the caller may decide about.
    pub mine: bool,
    /// Whether somebody can still decide.
    pub open: Option<bool>,
    /// Of this kind.
    pub kind: Option<ApprovalKind>,
    /// About this.
    pub subject: Option<String>,
    /// Whether the newest come first.
    pub newest: bool,
}

const APPROVAL: &str = "SELECT id, tenant, unit, public_service, kind, subject_kind, subject, detail, event, asked_by, asked_at, \
     expires_at, state, decided_by, decided_at, valid_until FROM approval WHERE ";

impl Store {
    /// Approvals of these kinds within a scope, or those that `asker` has asked for; by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn approvals(
        &self,
        scope: &Scope,
        (asker, kinds): (Option<&Actor>, &[ApprovalKind]),
        filter: &ApprovalFilter,
        page: &Page,
    ) -> Result<Listed<Approval>, Error> {
        let mut select = match asker {
            Some(asker) => Select::new(APPROVAL)
                .sql("tenant = ")
                .bind(scope.tenant.as_str())
                .and("asked_by =", actor_text(asker)),
            None => Select::new(APPROVAL).within(scope, Table::Approval),
        };
        if asker.is_none() {
            select = select.sql(" AND kind IN (''");
            for kind in kinds {
                select = select.sql(", ").bind(kind.name());
            }
            select = select.sql(")");
        }
        let now = self.0.clock.now();
        let select = match filter.open {
            Some(true) => select.sql(" AND state = 'open'").and("expires_at >", now),
            Some(false) => select.sql(" AND (state <> 'open' OR expires_at <= ").bind(now).sql(")"),
            None => select,
        };
        let select = select
            .and_if("kind =", filter.kind.map(ApprovalKind::name))
            .and_if("subject =", filter.subject.as_deref());
        let select = match filter.newest {
            true => page.apply(select, "id <", " ORDER BY id DESC LIMIT "),
            false => page.apply(select, "id >", " ORDER BY id LIMIT "),
        };
        let rows = self.db().read(select).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(0)?, approval(row)?))))
    }

    /// One of the tenant's, wherever it lies: whoever asks has to look at its unit and at who asked for it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn approval(&self, tenant: &str, id: Id) -> Result<Option<Approval>, Error> {
        let select = Select::new(APPROVAL).sql("tenant = ").bind(tenant).and("id =", id);
        self.db().read_one(select).await?.as_ref().map(approval).transpose()
    }

    /// What an event says; `None` if it is erased or was never there.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn event(&self, tenant: &str, id: Id) -> Result<Option<Event>, Error> {
        let select = Select::new("SELECT body FROM event WHERE body IS NOT NULL AND tenant = ").bind(tenant);
        self.db().read_one(select.and("id =", id)).await?.map(|row| row.json(0)).transpose()
    }
}

fn approval(row: &Row) -> Result<Approval, Error> {
    let corrupt = || Error::Corrupt { what: "approval" };
    Ok(Approval {
        id: row.id(0)?,
        tenant: row.text(1)?,
        unit: row.opt_text(2)?,
        public_service: row.opt_text(3)?,
        kind: ApprovalKind::named(&row.text(4)?).ok_or_else(corrupt)?,
        subject_kind: row.text(5)?,
        subject: row.text(6)?,
        detail: row.json(7)?,
        event: row.id(8)?,
        asked_by: actor(&row.text(9)?).ok_or_else(corrupt)?,
        asked_at: row.time(10)?,
        expires_at: row.time(11)?,
        state: ApprovalState::named(&row.text(12)?).ok_or_else(corrupt)?,
        decided_by: row.opt_text(13)?.as_deref().and_then(actor),
        decided_at: row.opt_time(14)?,
        valid_until: row.opt_time(15)?,
    })
}

/// An actor as it stands in a row.
pub(crate) fn actor_text(actor: &Actor) -> String {
    format!("{}:{}", actor.kind, actor.id)
}

fn actor(text: &str) -> Option<Actor> {
    let (kind, id) = text.split_once(':')?;
    Some(Actor { kind: kind.to_owned(), id: id.to_owned() })
}
