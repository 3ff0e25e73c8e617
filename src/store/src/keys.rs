//! What is wrapped with a master key: which one, and anew with the current one, so that an older one can leave.
//!
//! It is done in slices beside a working gateway, and goes on where it was interrupted, since what is done needs nothing any more. A row
//! that somebody changes or erases meanwhile is left as it is then.

use std::collections::BTreeMap;

use model::Id;
use seal::keys::KeyRing;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::db::Db;
use crate::sql::{Conn, Expect, Row, Select, Step, Value};
use crate::unit::Unit;
use crate::{Error, Store};

/// Rows of one slice.
const SLICE: u32 = 500;

/// Columns with something wrapped for the thing whose id stands in `id`, and for its tenant.
struct Wrapped {
    table: &'static str,
    id: &'static str,
    column: &'static str,
}

/// All of them. A new table with something wrapped has to be named here, or its key can never leave.
const WRAPPED: [Wrapped; 8] = [
    Wrapped { table: "payload", id: "id", column: "wrapped_key" },
    Wrapped { table: "upload", id: "id", column: "wrapped_key" },
    Wrapped { table: "upload", id: "id", column: "tail_key" },
    Wrapped { table: "subscription", id: "id", column: "secret" },
    Wrapped { table: "subscription", id: "id", column: "old_secret" },
    Wrapped { table: "payment_door", id: "payment", column: "tokens" },
    Wrapped { table: "person", id: "id", column: "totp" },
    Wrapped { table: "person_session", id: "person", column: "draft" },
];

/// How much is wrapped with a master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyUse {
    /// Id of the master key: 16 hex digits.
    pub key: String,
    /// Keys and secrets that need it.
    pub uses: u64,
}

/// How far wrapping anew has come. Begins with the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewrapped {
    column: usize,
    after: Option<Id>,
    /// Keys and secrets that were wrapped anew.
    pub done: u64,
    /// Those that were changed by somebody else meanwhile, and are looked at again by the next run.
    pub passed: u64,
}

impl Store {
    /// How much needs which master key, all tenants together.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn key_use(&self) -> Result<Vec<KeyUse>, Error> {
        match self.db() {
            Db::Sqlite(engine, _) => {
                key_use(&mut Conn::Sqlite(&mut *engine.readers().acquire().await?)).await
            }
            Db::Postgres(engine) => key_use(&mut Conn::Postgres(&mut *engine.pool().acquire().await?)).await,
        }
    }

    /// Ids of the master keys that are at hand, the one that wraps first.
    pub fn key_ids(&self) -> Vec<String> {
        self.0.keys.ids().map(|id| id.to_string()).collect()
    }

    /// Wraps the next slice anew; `None` when nothing is left.
    ///
    /// # Errors
    /// `key.unknown` if something needs a master key that is not at hand, or if the database fails. Slices before stay done.
    pub async fn rewrap(&self, so_far: Rewrapped) -> Result<Option<Rewrapped>, Error> {
        let Some(wrapped) = WRAPPED.get(so_far.column) else { return Ok(None) };
        let rows = self.db().read(wrapped.slice(so_far.after)).await?;
        let Some(last) = rows.last() else {
            return Ok(Some(Rewrapped { column: so_far.column + 1, after: None, ..so_far }));
        };
        let after = Some(last.id(0)?);
        let mut steps = Vec::new();
        for row in &rows {
            steps.extend(wrapped.anew(row, &self.0.keys)?);
        }
        let tried = steps.len() as u64;
        // Each step tells by its row that it was done.
        let done = match steps.is_empty() {
            true => 0,
            false => self.db().commit(Unit::Steps(steps)).await?.len() as u64,
        };
        let (done, passed) = (so_far.done + done, so_far.passed + tried - done);
        Ok(Some(Rewrapped { column: so_far.column, after, done, passed }))
    }

    /// Wraps anew what [`Store::wrap_door`] made for something that is no payment; `None` if it needs nothing.
    ///
    /// # Errors
    /// If its master key is not at hand.
    pub fn rewrapped(&self, tenant: &str, id: Id, wrapped: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if !self.0.keys.is_outdated(wrapped) {
            return Ok(None);
        }
        Ok(Some(self.0.keys.rewrap(tenant, id, wrapped)?))
    }
}

impl Wrapped {
    fn slice(&self, after: Option<Id>) -> Select {
        let Wrapped { table, id, column } = self;
        let select = Select::new("SELECT ").sql(id).sql(", tenant, ").sql(column).sql(" FROM ").sql(table);
        let select = select.sql(" WHERE ").sql(column).sql(" IS NOT NULL");
        let select = match after {
            Some(after) => select.sql(" AND ").sql(id).sql(" > ").bind(after),
            None => select,
        };
        select.sql(" ORDER BY ").sql(id).sql(" LIMIT ").bind(SLICE)
    }

    /// What wraps the value of a row anew, if it is still there then.
    fn anew(&self, row: &Row, keys: &KeyRing) -> Result<Option<Step>, Error> {
        let (id, tenant, old) = (row.id(0)?, row.text(1)?, row.opt_bytes(2)?.unwrap_or_default());
        if !keys.is_outdated(&old) {
            return Ok(None);
        }
        let new = keys.rewrap(&tenant, id, &old)?;
        let bytes = |bytes: &[u8]| Value::from(Some(bytes));
        let Wrapped { table, id: name, column } = self;
        let update = Select::new("UPDATE ").sql(table).sql(" SET ").sql(column).sql(" = ").bind(bytes(&new));
        let update = update.sql(" WHERE ").sql(name).sql(" = ").bind(id);
        let update = update.sql(" AND ").sql(column).sql(" = ").bind(bytes(&old));
        Ok(Some(update.sql(" RETURNING ").sql(name).step("wrapped key", Expect::Returning)))
    }
}

/// See [`Store::key_use`].
pub(crate) async fn key_use(conn: &mut Conn<'_>) -> Result<Vec<KeyUse>, Error> {
    let mut all = BTreeMap::new();
    for Wrapped { table, column, .. } in WRAPPED {
        // Version, then the id of the key: see `seal::keys`.
        let key = match conn {
            Conn::Sqlite(_) => format!("lower(hex(substr({column}, 2, 8)))"),
            Conn::Postgres(_) => format!("encode(substr({column}, 2, 8), 'hex')"),
        };
        let sql = format!(
            "SELECT {key}, CAST(COUNT(*) AS BIGINT) FROM {table} WHERE {column} IS NOT NULL GROUP BY 1"
        );
        for row in conn.rows(AssertSqlSafe(sql).into_sql_str(), &[]).await? {
            *all.entry(row.text(0)?).or_insert(0) += row.number(1)?;
        }
    }
    Ok(all.into_iter().map(|(key, uses)| KeyUse { key, uses }).collect())
}
