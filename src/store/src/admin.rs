//! What administrators keep in the store: partners and tokens; and what adapters remember.

use model::rights::Within;
use model::{Authority, Id, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sql::{Row, Select};
use crate::{Error, Store};

/// Somebody on the other side whom we exchange messages with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Partner {
    /// Identifier within the tenant.
    pub id: String,
    /// Tenant.
    pub tenant: String,
    /// Authority, if it is one.
    pub authority: Option<Authority>,
    /// Name.
    pub name: String,
    /// How it is reached and what is agreed with it.
    pub settings: Value,
    /// Counts the changes, from 1.
    pub version: u64,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// A token of the API. The token itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRow {
    /// Identifier, recorded with everything that is done with the token.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token, lower-case hex.
    pub hash: String,
    /// Roles it holds.
    pub roles: Vec<Role>,
    /// Units it sees.
    pub units: Within,
    /// Public services it sees.
    pub services: Within,
    /// Authority it acts for.
    pub authority: Option<Authority>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// The tenant's partners, by id. A partner belongs to no unit: the tenant alone confines.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn partners(&self, scope: &Scope) -> Result<Vec<Partner>, Error> {
        let select = Select::new("SELECT body FROM partner WHERE tenant = ").bind(scope.tenant.as_str());
        self.db().read(select.sql(" ORDER BY id")).await?.iter().map(|row| row.json(0)).collect()
    }

    /// One partner of the tenant.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn partner(&self, scope: &Scope, id: &str) -> Result<Option<Partner>, Error> {
        let select = Select::new("SELECT body FROM partner WHERE tenant = ").bind(scope.tenant.as_str());
        self.db().read_one(select.and("id =", id)).await?.map(|row| row.json(0)).transpose()
    }

    /// The tenant's tokens, by id, as far as they see nothing beyond the scope.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn tokens(&self, scope: &Scope) -> Result<Vec<TokenRow>, Error> {
        let select = Select::new(TOKEN).sql("tenant = ").bind(scope.tenant.as_str()).sql(" ORDER BY id");
        let tokens: Vec<_> = self.db().read(select).await?.iter().map(token).collect::<Result<_, Error>>()?;
        let visible = |token: &TokenRow| {
            lies_in(&token.units, &scope.units) && lies_in(&token.services, &scope.services)
        };
        Ok(tokens.into_iter().filter(visible).collect())
    }

    /// The token with this hash, if it is neither revoked nor expired.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<TokenRow>, Error> {
        let select = Select::new(TOKEN)
            .sql("hash = ")
            .bind(hash)
            .sql(" AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ")
            .bind(self.0.clock.now())
            .sql(")");
        self.db().read_one(select).await?.as_ref().map(token).transpose()
    }

    /// What an adapter remembered under a key.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn adapter_state(
        &self,
        tenant: &str,
        adapter: &str,
        key: &str,
    ) -> Result<Option<Value>, Error> {
        let select = Select::new("SELECT value FROM adapter_state WHERE tenant = ")
            .bind(tenant)
            .and("adapter =", adapter)
            .and("name =", key);
        self.db().read_one(select).await?.map(|row| row.json(0)).transpose()
    }

    /// Everything that an adapter remembered for a tenant, by key.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn adapter_states(&self, tenant: &str, adapter: &str) -> Result<Vec<(String, Value)>, Error> {
        let select = Select::new("SELECT name, value FROM adapter_state WHERE tenant = ")
            .bind(tenant)
            .and("adapter =", adapter)
            .sql(" ORDER BY name");
        self.db().read(select).await?.iter().map(|row| Ok((row.text(0)?, row.json(1)?))).collect()
    }
}

const TOKEN: &str = "SELECT body, revoked_at FROM token WHERE ";

pub(crate) fn token(row: &Row) -> Result<TokenRow, Error> {
    let mut token: TokenRow = row.json(0)?;
    token.revoked_at = row.opt_time(1)?;
    Ok(token)
}

fn lies_in(inner: &Within, outer: &Within) -> bool {
    match (inner, outer) {
        (_, Within::All) => true,
        (Within::All, Within::Only(_)) => false,
        (Within::Only(inner), Within::Only(outer)) => inner.is_subset(outer),
    }
}
