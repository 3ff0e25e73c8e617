//! The short commands: schemas, partners, tokens, configuration. Those on evidence and messages stand beside it.
//!
//! Those on the store open it beside a running gateway: SQLite and PostgreSQL both let two processes
//! write, one after the other, and the workers of the running one find what was put into the queue here.

pub(crate) mod check;
pub(crate) mod config;
mod directory;
pub(crate) mod evidence;
mod key;
mod message;
pub(crate) mod osci;
pub(crate) mod scan;
mod user;
pub(crate) mod watch;
mod xta;

use std::collections::BTreeSet;
use std::process::ExitCode;

use broker::{Lane, NewToken, Partner, TokenRow, Wanted};
use model::rights::Within;
use model::{Caller, Timestamp};
use output::{print, table};
use schemas::Schemas;
use serde_json::{Value, json};

use crate::error::Error;
use crate::gateway::{Gateway, operator};
use ::config::Config;
use cli::{OfTenant, PartnerCommand, SchemaCommand, TokenCommand};

/// A command's outcome: done, or something was found.
pub(crate) type Outcome = Result<ExitCode, Error>;

/// A command on the store of a configured gateway.
pub(crate) struct OnStore {
    pub(crate) config: Config,
    pub(crate) gateway: Gateway,
    pub(crate) as_json: bool,
}

impl OnStore {
    /// Opens the store.
    pub(crate) async fn open(config: Config, as_json: bool) -> Result<Self, Error> {
        let gateway = Gateway::open(&config).await?;
        Ok(OnStore { config, gateway, as_json })
    }

    /// Closes it again.
    pub(crate) async fn close(self) {
        self.gateway.close().await;
    }

    pub(crate) fn caller(&self, of: &OfTenant) -> Result<Caller, Error> {
        let known = |id: &str| self.config.tenants.iter().any(|tenant| tenant.id == id);
        match (&of.tenant, self.config.tenants.as_slice()) {
            (Some(id), _) if known(id) => Ok(operator(id)),
            (Some(_), _) => Err(Error::Usage("the configuration has no such tenant".to_owned())),
            (None, [only]) => Ok(operator(&only.id)),
            (None, _) => {
                Err(Error::Usage("the house has several tenants: name one with --tenant".to_owned()))
            }
        }
    }

    /// `amtsbote partner …`
    pub(crate) async fn partner(&self, command: PartnerCommand) -> Outcome {
        let broker = &self.gateway.broker;
        match command {
            PartnerCommand::Add { id, name, authority, of } => {
                let caller = self.caller(&of)?;
                let known = broker.partners(&caller).await?.into_iter().find(|partner| partner.id == id);
                let version = known.as_ref().map_or(0, |partner| partner.version) + 1;
                let settings = known.map_or(json!({}), |partner| partner.settings);
                let tenant = caller.scope.tenant.clone();
                let partner = Partner {
                    id,
                    tenant,
                    authority,
                    name,
                    settings,
                    version,
                    updated_at: Timestamp::default(),
                };
                let partner = broker.put_partner(&caller, partner).await?;
                print(self.as_json, &json!(partner), |_| {
                    format!("{}: version {}", partner.id, partner.version)
                });
            }
            PartnerCommand::List { of } => {
                let partners = json!({ "items": broker.partners(&self.caller(&of)?).await? });
                print(self.as_json, &partners, |list| {
                    table(&list["items"], &["id", "authority", "name", "version"])
                });
            }
            PartnerCommand::Lanes { of } => {
                let lanes = broker.lanes(&self.caller(&of)?).await?;
                let lanes = json!({ "items": lanes.iter().map(lane).collect::<Vec<_>>() });
                print(self.as_json, &lanes, |list| {
                    let columns =
                        ["lane", "waiting", "leased", "oldest", "breaker", "openUntil", "lastFailure"];
                    table(&list["items"], &columns)
                });
            }
            PartnerCommand::Retry { lane: name, of } => {
                let retried = broker.retry_lane(&self.caller(&of)?, &name).await?;
                print(self.as_json, &lane(&retried), |_| format!("{name}: is tried again"));
            }
            PartnerCommand::Check { id, from, service, bytes, of } => {
                let wanted = Wanted { from: from.as_ref(), service: service.as_deref(), bytes };
                return self.check_partner(&id, wanted, &of).await;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// `amtsbote token …`
    pub(crate) async fn token(&self, command: TokenCommand) -> Outcome {
        let broker = &self.gateway.broker;
        match command {
            TokenCommand::Create { name, roles, units, services, authority, expires, of } => {
                let Caller { actor, scope, .. } = self.caller(&of)?;
                let (units, services) = (within(units)?, within(services)?);
                let new = NewToken { name, roles, units, services, authority, expires_at: expires };
                let created = broker.create_token(&scope.tenant, new, &actor).await?;
                let mut shown = token(&created.row);
                shown["secret"] = json!(created.secret);
                print(self.as_json, &shown, |_| format!("{}  {}", created.row.id, created.secret));
            }
            TokenCommand::List { of } => {
                let tokens = broker.tokens(&self.caller(&of)?.scope.tenant).await?;
                let tokens = json!({ "items": tokens.iter().map(token).collect::<Vec<_>>() });
                print(self.as_json, &tokens, |list| {
                    table(
                        &list["items"],
                        &["id", "name", "roles", "units", "services", "authority", "expiresAt", "revokedAt"],
                    )
                });
            }
            TokenCommand::Revoke { id, of } => {
                let Caller { actor, scope, .. } = self.caller(&of)?;
                let found = broker.tokens(&scope.tenant).await?.iter().any(|row| row.id == id);
                if !found {
                    return Err(broker::Error::Model(model::Error::NotFound { kind: "token" }).into());
                }
                broker.revoke_token(&scope.tenant, id, &actor).await?;
                print(self.as_json, &json!({ "id": id, "revoked": true }), |_| format!("{id}: revoked"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A lane as it is shown.
fn lane(lane: &Lane) -> Value {
    let known = |time: Timestamp| (time != Timestamp::default()).then_some(time);
    json!({
        "lane": lane.lane,
        "waiting": lane.waiting,
        "leased": lane.leased,
        "oldest": lane.oldest,
        "breaker": lane.breaker.state.name(),
        "openUntil": known(lane.breaker.open_until),
        "lastFailure": lane.breaker.last_code,
    })
}

/// A token as it is shown: without the digest of its secret.
fn token(row: &TokenRow) -> Value {
    let mut shown = json!(row);
    if let Some(members) = shown.as_object_mut() {
        members.remove("hash");
    }
    shown
}

/// `*` alone stands for all.
pub(crate) fn within(names: Vec<String>) -> Result<Within, Error> {
    if names == ["*"] {
        return Ok(Within::All);
    }
    if names.iter().any(|name| name == "*") {
        return Err(Error::Usage("`*` stands for all and goes with nothing else".to_owned()));
    }
    Ok(Within::Only(BTreeSet::from_iter(names)))
}

/// `amtsbote schema …`
pub(crate) fn schema(command: SchemaCommand, config: &Config, as_json: bool) -> Outcome {
    let schemas = Schemas::open(&config.store.schemas)?;
    match command {
        SchemaCommand::Add { pack } => {
            std::fs::metadata(&pack).map_err(|reason| Error::File { file: pack.clone(), reason })?;
            let info = schemas.add_pack(&pack)?;
            print(as_json, &json!(info), |_| {
                format!("{}: {} schemas, {} code lists", info.name, info.schemas, info.code_lists)
            });
        }
        SchemaCommand::List => {
            let list = json!({ "items": schemas.list() });
            print(as_json, &list, |list| {
                table(&list["items"], &["name", "origin", "schemas", "codeLists", "namespaces"])
            });
        }
        SchemaCommand::Check => {
            let defects = schemas.check_all();
            let found: Vec<Value> = defects
                .iter()
                .map(|(pack, file, error)| json!({ "pack": pack, "file": file, "code": error.code(), "detail": error.to_string() }))
                .collect();
            print(as_json, &json!({ "defects": found }), |list| match found.len() {
                0 => "every schema compiles".to_owned(),
                _ => table(&list["defects"], &["pack", "file", "code", "detail"]),
            });
            return Ok(u8::from(!defects.is_empty()).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
