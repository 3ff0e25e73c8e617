//! `amtsbote directory …`, and `amtsbote partner check`: by which ways authorities are reached.

use std::path::Path;
use std::process::ExitCode;

use broker::Wanted;
use broker::directory::{Document, Import};
use model::directory::Way;
use output::{print, table};
use serde_json::{Value, json};

use super::osci::check_in_words;
use crate::commands::{OnStore, Outcome};
use crate::error::Error;
use cli::{DirectoryCommand, OfTenant};

impl OnStore {
    /// `amtsbote directory …`
    pub(crate) async fn directory(&self, command: DirectoryCommand) -> Outcome {
        match command {
            DirectoryCommand::Export { output, of } => self.export_directory(output.as_deref(), &of).await,
            DirectoryCommand::Import { file, replace, dry_run, of } => {
                self.import_directory(&file, Import { replace, dry_run }, &of).await
            }
            DirectoryCommand::List { of } => {
                let entries = self.gateway.broker.directory(&self.caller(&of)?).await?;
                let rows = entries.iter().flat_map(|entry| {
                    entry.ways.iter().map(|way| {
                        json!({
                            "authority": entry.authority,
                            "name": entry.name,
                            "transport": if way.osci.is_some() { "osci" } else { "xta" },
                            "services": way.services,
                            "reads": way.reads,
                            "mostBytes": way.most_bytes,
                            "certificatesUntil": way.until(),
                        })
                    })
                });
                print(self.as_json, &json!({ "items": rows.collect::<Vec<_>>() }), |list| {
                    table(
                        &list["items"],
                        &["authority", "name", "transport", "mostBytes", "certificatesUntil"],
                    )
                });
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    async fn export_directory(&self, to: Option<&Path>, of: &OfTenant) -> Outcome {
        let entries = self.gateway.broker.directory(&self.caller(of)?).await?;
        let count = entries.len();
        let document = json!(Document::of(entries));
        let Some(file) = to else {
            output::line(&format!("{document:#}"));
            return Ok(ExitCode::SUCCESS);
        };
        std::fs::write(file, format!("{document:#}\n"))
            .map_err(|reason| Error::File { file: file.to_owned(), reason })?;
        print(self.as_json, &json!({ "entries": count }), |_| format!("{count} entries"));
        Ok(ExitCode::SUCCESS)
    }

    async fn import_directory(&self, file: &Path, import: Import, of: &OfTenant) -> Outcome {
        let bytes = std::fs::read(file).map_err(|reason| Error::File { file: file.to_owned(), reason })?;
        let document = Document::read(&bytes)?;
        let changes = self.gateway.broker.import_directory(&self.caller(of)?, document, import).await?;
        print(self.as_json, &json!(changes), |shown| {
            let kinds = ["added", "changed", "removed", "configured"];
            let line = |kind: &str| {
                let keys = shown[kind].as_array().into_iter().flatten().filter_map(Value::as_str);
                format!("{kind}: {}", keys.collect::<Vec<_>>().join(" "))
            };
            format!("{}\nunchanged: {}", kinds.map(line).join("\n"), changes.unchanged)
        });
        Ok(ExitCode::SUCCESS)
    }

    /// `amtsbote partner check`: all ways, which one would be used, and why not the others.
    pub(crate) async fn check_partner(&self, id: &str, wanted: Wanted<'_>, of: &OfTenant) -> Outcome {
        let (broker, caller) = (&self.gateway.broker, self.caller(of)?);
        let partner = broker.partners(&caller).await?.into_iter().find(|partner| partner.id == id);
        let authority = match partner {
            Some(partner) => partner.authority.ok_or(broker::Error::UnknownAuthority)?,
            // Partners of the configuration have no short name.
            None => {
                id.parse().map_err(|_| broker::Error::Model(model::Error::NotFound { kind: "partner" }))?
            }
        };
        let ways = broker.capabilities(&caller, &authority, wanted).await?;
        let used = ways.iter().position(Way::is_usable);
        let mut shown = json!(ways.get(used.unwrap_or_default()).map(|way| &way.reach));
        shown["ways"] = ways.iter().enumerate().map(|(at, way)| shown_way(way, used == Some(at))).collect();
        let osci = self.osci_check(&caller.scope.tenant, wanted.from.cloned(), &authority).await;
        let osci = told(osci, "dialog")?;
        let xta = told(self.xta_check(&caller.scope.tenant, wanted, &authority).await, "account")?;
        let is_well = used.is_some()
            && xta.as_ref().is_none_or(|(_, is_well)| *is_well)
            && osci.as_ref().is_none_or(|(_, is_well)| *is_well);
        if let Some((check, _)) = osci {
            shown["osci"] = check;
        }
        if let Some((check, _)) = xta {
            shown["xta"] = check;
        }
        print(self.as_json, &shown, |shown| {
            let columns = ["transport", "source", "used", "obstacle", "mostBytes", "certificatesUntil"];
            let reach = format!("{authority}: {}\n{}", shown["name"], table(&shown["ways"], &columns));
            let mut words = vec![reach];
            if !shown["osci"].is_null() {
                words.push(check_in_words(&shown["osci"]));
            }
            if !shown["xta"].is_null() {
                words.push(super::xta::check_in_words(&shown["xta"]));
            }
            words.join("\n")
        });
        Ok(u8::from(!is_well).into())
    }
}

/// What a check has found. A way that may not even be tried, since the house's rules forbid its address, is told like one that was.
fn told(check: Result<Option<(Value, bool)>, Error>, tried: &str) -> Result<Option<(Value, bool)>, Error> {
    match check {
        Err(Error::Standard(failure)) => {
            let outcome = json!({ "ok": false, "code": failure.code, "detail": failure.detail });
            Ok(Some((json!({ "certificates": [], tried: outcome }), false)))
        }
        other => other,
    }
}

fn shown_way(way: &Way, used: bool) -> Value {
    json!({
        "transport": way.reach.transport.name(),
        "source": way.reach.source,
        "reads": way.reach.reads,
        "mostBytes": way.reach.most_bytes,
        "certificatesUntil": way.until,
        "used": used,
        "obstacle": way.obstacle,
    })
}
