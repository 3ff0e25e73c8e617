//! Partners, tokens and what adapters remember.

use model::{Id, Timestamp};
use serde_json::Value as Json;

use super::Work;
use crate::{Partner, TokenRow};

impl Work {
    /// Writes a partner. Precondition: version 1 must be new; version n must follow the stored version n - 1.
    pub fn put_partner(&mut self, partner: &Partner) -> &mut Self {
        let Some(body) = self.json(partner) else { return self };
        let args = vec![
            partner.tenant.as_str().into(),
            partner.id.as_str().into(),
            partner.version.into(),
            body.into(),
        ];
        let sql = if partner.version == 1 {
            "INSERT INTO partner (tenant, id, version, body) VALUES ($1, $2, $3, $4)"
        } else {
            "UPDATE partner SET version = $3, body = $4 WHERE tenant = $1 AND id = $2 AND version = $3 - 1"
        };
        self.one(sql, args, "partner")
    }

    /// Adds a token. Precondition: its id and hash are new.
    pub fn put_token(&mut self, token: &TokenRow) -> &mut Self {
        let Some(body) = self.json(token) else { return self };
        let args = vec![
            token.id.into(),
            token.tenant.as_str().into(),
            token.hash.as_str().into(),
            token.expires_at.into(),
            token.revoked_at.into(),
            body.into(),
        ];
        self.one(
            "INSERT INTO token (id, tenant, hash, expires_at, revoked_at, body) VALUES ($1, $2, $3, $4, $5, $6)",
            args,
            "token",
        )
    }

    /// Revokes a token. Precondition: it is there and not revoked yet.
    pub fn revoke_token(&mut self, tenant: &str, id: Id, at: Timestamp) -> &mut Self {
        self.one(
            "UPDATE token SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL",
            vec![tenant.into(), id.into(), at.into()],
            "token",
        )
    }

    /// Has an adapter remember `value` under a key, unless it remembers something there already.
    pub fn add_adapter_state(&mut self, tenant: &str, adapter: &str, key: &str, value: &Json) -> &mut Self {
        self.any(
            "INSERT INTO adapter_state (tenant, adapter, name, value) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, adapter, name) DO NOTHING",
            vec![tenant.into(), adapter.into(), key.into(), value.to_string().into()],
        )
    }

    /// Has an adapter remember `value` under a key.
    pub fn set_adapter_state(&mut self, tenant: &str, adapter: &str, key: &str, value: &Json) -> &mut Self {
        self.any(
            "INSERT INTO adapter_state (tenant, adapter, name, value) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, adapter, name) DO UPDATE SET value = excluded.value",
            vec![tenant.into(), adapter.into(), key.into(), value.to_string().into()],
        )
    }
    /// Has an adapter forget what it remembers under a key.
    pub fn remove_adapter_state(&mut self, tenant: &str, adapter: &str, key: &str) -> &mut Self {
        self.any(
            "DELETE FROM adapter_state WHERE tenant = $1 AND adapter = $2 AND name = $3",
            vec![tenant.into(), adapter.into(), key.into()],
        )
    }
}
