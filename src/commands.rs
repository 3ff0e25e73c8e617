//! The short commands: schemas, partners, messages, evidence, tokens, configuration.
//!
//! Those on the store open it beside a running gateway: SQLite and PostgreSQL both let two processes
//! write, one after the other, and the workers of the running one find what was put into the queue here.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use broker::{Lane, MessageFilter, NewToken, Page, Partner, TokenRow};
use model::rights::Within;
use model::{Caller, Timestamp};
use output::{print, table};
use schemas::Schemas;
use seal::evidence_key::EvidencePublicKey;
use serde_json::{Value, json};

use crate::cli::{
    AdapterCommand, ConfigCommand, MessageCommand, OfTenant, PartnerCommand, SchemaCommand, TokenCommand,
};
use crate::error::Error;
use crate::gateway::{Gateway, operator};
use config::Config;

/// Events shown of a message.
const TIMELINE: u32 = 1_000;

/// A command's outcome: done, or something was found.
type Outcome = Result<ExitCode, Error>;

/// A command on the store of a configured gateway.
pub(crate) struct OnStore {
    config: Config,
    gateway: Gateway,
    as_json: bool,
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

    fn caller(&self, of: &OfTenant) -> Result<Caller, Error> {
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
            PartnerCommand::Check { id, of } => {
                let caller = self.caller(&of)?;
                let partners = broker.partners(&caller).await?;
                let partner = partners.into_iter().find(|partner| partner.id == id);
                let partner =
                    partner.ok_or(broker::Error::Model(model::Error::NotFound { kind: "partner" }))?;
                let authority = partner.authority.ok_or(broker::Error::UnknownAuthority)?;
                let reach = json!(broker.capabilities(&caller, &authority).await?);
                print(self.as_json, &reach, |reach| {
                    format!("{}: {}\nreads {}", authority, reach["transport"], reach["reads"])
                });
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// `amtsbote adapter …`
    pub(crate) async fn adapter(&self, command: AdapterCommand) -> Outcome {
        let mut all_well = true;
        let mut items = vec![];
        for adapter in self.gateway.broker.adapters() {
            let mut shown = json!(adapter.descriptor());
            if let AdapterCommand::Check = command {
                let health = adapter.check().await;
                all_well &= health.ok;
                shown["ok"] = json!(health.ok);
                shown["detail"] = json!(health.detail);
            }
            items.push(shown);
        }
        print(self.as_json, &json!({ "items": items }), |list| {
            table(&list["items"], &["id", "channel", "capabilities", "ok", "detail"])
        });
        Ok(u8::from(!all_well).into())
    }

    /// `amtsbote message …`
    pub(crate) async fn message(&self, command: MessageCommand) -> Outcome {
        let broker = &self.gateway.broker;
        let message = match command {
            MessageCommand::List { state, message_type, partner, after, limit, of } => {
                let filter = MessageFilter { state, message_type, partner, ..MessageFilter::default() };
                let page = Page { after, limit };
                let listed = broker.messages(&self.caller(&of)?, &filter, &page).await?;
                let listed = json!({ "items": listed.items, "next": listed.next });
                print(self.as_json, &listed, |list| {
                    let columns =
                        ["id", "direction", "state", "identity.name", "partner", "unit", "updatedAt"];
                    table(&list["items"], &columns)
                });
                return Ok(ExitCode::SUCCESS);
            }
            MessageCommand::Show(one) => {
                let caller = self.caller(&one.of)?;
                let message = broker.message(&caller, one.id).await?;
                let events = broker.message_timeline(&caller, one.id, &Page::first(TIMELINE)).await?;
                let events = events.iter().map(|(number, event)| {
                    json!({ "number": number, "at": event.at, "kind": event.kind, "actor": event.actor })
                });
                let shown = json!({ "message": message, "timeline": events.collect::<Vec<_>>() });
                print(self.as_json, &shown, |shown| {
                    let timeline = table(&shown["timeline"], &["at", "kind", "actor.id", "number"]);
                    format!(
                        "{}\n\n{timeline}",
                        serde_json::to_string_pretty(&shown["message"]).unwrap_or_default()
                    )
                });
                return Ok(ExitCode::SUCCESS);
            }
            MessageCommand::Resend(one) => broker.resend(&self.caller(&one.of)?, one.id).await?,
            MessageCommand::Park(one) => broker.park_by_hand(&self.caller(&one.of)?, one.id).await?,
            MessageCommand::Return(one) => broker.return_by_hand(&self.caller(&one.of)?, one.id).await?,
        };
        print(self.as_json, &json!(message), |_| format!("{}: {}", message.id, message.state.name()));
        Ok(ExitCode::SUCCESS)
    }

    /// `amtsbote evidence export`
    pub(crate) async fn export(
        &self,
        case: model::Id,
        output: &Path,
        content: bool,
        of: &OfTenant,
    ) -> Outcome {
        let caller = self.caller(of)?;
        let unwritable = |reason| Error::File { file: output.to_owned(), reason };
        // What it holds of a case is for the operator's eyes, whatever the umask says.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(output);
        let file = file.map_err(unwritable)?;
        let exported = self.gateway.broker.export_evidence(&caller, case, file, content).await;
        let file = match exported {
            Ok(file) => file,
            Err(error) => {
                // Half a bundle is none.
                std::fs::remove_file(output).map_err(unwritable)?;
                return Err(error.into());
            }
        };
        file.sync_all().map_err(unwritable)?;
        let bytes = file.metadata().map_err(unwritable)?.len();
        print(self.as_json, &json!({ "file": output, "bytes": bytes }), |_| {
            format!("{}: {bytes} bytes", output.display())
        });
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
fn within(names: Vec<String>) -> Result<Within, Error> {
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

/// `amtsbote evidence verify`: needs neither configuration nor store.
pub(crate) fn verify(bundle: &Path, key: Option<&Path>, as_json: bool) -> Outcome {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |reason| Error::File { file, reason }
    };
    let trusted = match key {
        Some(path) => {
            Some(EvidencePublicKey::from_pem(&std::fs::read_to_string(path).map_err(unreadable(path))?)?)
        }
        None => None,
    };
    let file = File::open(bundle).map_err(unreadable(bundle))?;
    let bar = output::bar(file.metadata().map_err(unreadable(bundle))?.len());
    let report = seal::bundle::verify(file, trusted.as_ref(), |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    print(as_json, &json!(report), |_| {
        let key = match (trusted.is_some(), report.key_trusted) {
            (true, true) => "signed with the trusted key",
            (true, false) => "NOT signed with the trusted key",
            (false, _) => "no key was given: anybody could have made this bundle",
        };
        let verdict = if report.ok { "whole and unchanged" } else { "NOT whole or changed" };
        let counts = format!("{} events, {} payloads", report.counts.events, report.counts.payloads);
        let findings = report.findings.iter().map(|finding| format!("\n  {finding}"));
        format!("{}: {verdict}; {key}; {counts}{}", bundle.display(), findings.collect::<String>())
    });
    Ok(u8::from(!report.ok).into())
}

/// `amtsbote evidence key`
pub(crate) fn public_key(config: &Config, as_json: bool) -> Outcome {
    let public = config.store.evidence_key()?.public()?;
    let shown = json!({ "pem": public.to_pem()?, "fingerprint": public.fingerprint().to_string() });
    print(as_json, &shown, |shown| shown["pem"].as_str().unwrap_or_default().trim_end().to_owned());
    Ok(ExitCode::SUCCESS)
}

/// `amtsbote config …`
pub(crate) fn config(command: &ConfigCommand, config: &Config, as_json: bool) -> Outcome {
    match command {
        ConfigCommand::Check => {
            net::Egress::new(&config.egress.allow)?;
            let authorities: usize = config.tenants.iter().map(|tenant| tenant.authorities.len()).sum();
            let shown = json!({ "valid": true, "tenants": config.tenants.len(), "authorities": authorities });
            print(as_json, &shown, |_| {
                format!("valid: {} tenants, {authorities} authorities", config.tenants.len())
            });
        }
        ConfigCommand::Show => {
            print(as_json, &json!(config), |_| {
                toml::to_string(config).unwrap_or_default().trim_end().to_owned()
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}
