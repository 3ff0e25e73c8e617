//! What the gateway shows once it has come to rest: everything that the lists hold, every byte that
//! can be fetched, the whole feed, and some evidence.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::io::sink;

use super::outside::parked_as;
use super::told::Told;
use crate::Error;
use crate::client::{Client, items, text};
use crate::gateway::{COUNTY, Gateway, TOWN};
use crate::simulate::auditor::Auditor;

/// How many evidence bundles are verified for each tenant.
const BUNDLES: usize = 2;

/// Everything that was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Records.
    pub(super) records: Vec<SeenRecord>,
    /// SHA-256 of the fetched file, by tenant and document; empty if it could not be fetched.
    pub(super) contents: BTreeMap<(&'static str, String), String>,
    /// Tasks of clarifications: tenant and message.
    pub(super) clarifications: Vec<(&'static str, String)>,
    /// Messages of both tenants.
    pub(super) messages: Vec<SeenMessage>,
    /// Exchanges of both tenants.
    pub(super) exchanges: Vec<SeenExchange>,
    /// Entries of the mailboxes: tenant, message, state.
    pub(super) inbox: Vec<(&'static str, String, String)>,
    /// The whole feed, by tenant.
    pub(super) events: BTreeMap<&'static str, Vec<(u64, Value)>>,
    /// Verified bundles: root, and whether they were whole.
    pub(super) evidence: Vec<(String, bool)>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenRecord {
    /// Tenant.
    pub(super) tenant: &'static str,
    /// Part of the path.
    pub(super) route: &'static str,
    /// Identifier.
    pub(super) id: String,
    /// Its title.
    pub(super) title: String,
    /// Its version.
    pub(super) version: u64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SeenMessage {
    /// Tenant.
    pub(super) tenant: &'static str,
    /// Identifier.
    pub(super) id: String,
    /// `in` or `out`.
    pub(super) direction: String,
    /// State.
    pub(super) state: String,
    /// ProzessID and type; empty if the content says none.
    pub(super) own_id: String,
    /// The rule for which it was parked or returned.
    pub(super) rule: String,
    /// SHA-256 as the message's metadata say.
    pub(super) sha256: String,
    /// SHA-256 of the fetched bytes; empty if they were not handed out.
    pub(super) fetched: String,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SeenExchange {
    /// Tenant.
    pub(super) tenant: &'static str,
    /// `sender` or `receiver`.
    pub(super) side: String,
    /// ProzessID.
    pub(super) process_id: String,
    /// Status.
    pub(super) status: String,
    /// Types of its messages, in order.
    pub(super) messages: Vec<String>,
}

/// Looks at everything. `clients` are callers with all rights, one for each tenant.
///
/// # Errors
/// If the gateway does not answer as its contract says.
pub(super) async fn look(
    gateway: &Gateway,
    clients: &[(&'static str, Client)],
    told: &Told,
) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    for (tenant, client) in clients {
        look_at_records(tenant, client, &mut seen).await?;
        look_at_messages(tenant, client, &mut seen).await?;
        seen.events.insert(tenant, client.events(0).await?);
        let auditor = Auditor { client: client.clone(), folder: gateway.folder().to_owned() };
        for root in roots_of(tenant, told).into_iter().take(BUNDLES) {
            let whole = match auditor.fetch(&root, true).await {
                Ok((bundle, _)) => auditor.verify(gateway, &bundle).await?.0,
                // Evidence that cannot be handed out is a finding, not the end of the comparison.
                Err(Error::Unexpected { .. } | Error::Unreachable(_)) => false,
                Err(error) => return Err(error),
            };
            seen.evidence.push((root, whole));
        }
    }
    for content in &told.contents {
        let Some((tenant, client)) = clients.iter().find(|(tenant, _)| *tenant == content.tenant) else {
            continue;
        };
        let path = format!("/documents/{}/content", content.document);
        seen.contents.insert((tenant, content.document.clone()), fetch(client, &path).await?);
    }
    Ok(seen)
}

async fn look_at_records(tenant: &'static str, client: &Client, seen: &mut Seen) -> Result<(), Error> {
    for route in ["case-files", "cases", "tasks"] {
        for record in client.list(&format!("/{route}")).await? {
            if text(&record, "kind") == "clarification" {
                seen.clarifications.push((tenant, text(&record, "messageId").to_owned()));
                continue;
            }
            seen.records.push(seen_record(tenant, route, &record));
            if route == "cases" {
                let path = format!("/cases/{}/documents", text(&record, "id"));
                let documents = client.list(&path).await?;
                seen.records
                    .extend(documents.iter().map(|document| seen_record(tenant, "documents", document)));
            }
        }
    }
    for exchange in client.list("/exchanges").await? {
        seen.exchanges.push(SeenExchange {
            tenant,
            side: text(&exchange, "side").to_owned(),
            process_id: text(&exchange, "processId").to_owned(),
            status: text(&exchange, "status").to_owned(),
            messages: items(&exchange, "messages")
                .iter()
                .map(|message| text(message, "type").to_owned())
                .collect(),
        });
    }
    Ok(())
}

async fn look_at_messages(tenant: &'static str, client: &Client, seen: &mut Seen) -> Result<(), Error> {
    for message in client.list("/messages").await? {
        let (id, state) = (text(&message, "id").to_owned(), text(&message, "state").to_owned());
        let fetched = match state.as_str() {
            "returned" => String::new(),
            _ => fetch(client, &format!("/messages/{id}/content")).await?,
        };
        let identity = &message["identity"];
        let own_id = match (text(identity, "processId"), text(identity, "type")) {
            ("", _) => String::new(),
            (process, kind) => format!("{process}:{kind}"),
        };
        let direction = text(&message, "direction").to_owned();
        let sha256 = text(&message["payload"], "sha256").to_owned();
        let rule = parked_as(&message);
        seen.messages.push(SeenMessage { tenant, id, direction, state, own_id, rule, sha256, fetched });
    }
    for state in ["available", "handedOut", "confirmed", "returned", "expired"] {
        for entry in client.list(&format!("/inbox?state={state}")).await? {
            seen.inbox.push((tenant, text(&entry["message"], "id").to_owned(), state.to_owned()));
        }
    }
    Ok(())
}

fn seen_record(tenant: &'static str, route: &'static str, record: &Value) -> SeenRecord {
    SeenRecord {
        tenant,
        route,
        id: text(record, "id").to_owned(),
        title: text(record, "title").to_owned(),
        version: record["version"].as_u64().unwrap_or_default(),
    }
}

async fn fetch(client: &Client, path: &str) -> Result<String, Error> {
    match client.download(path, &mut sink()).await {
        Ok(fetched) if fetched.status == 200 => Ok(fetched.sha256),
        // A stream that breaks off is how the gateway says that stored bytes are not what they were.
        Ok(_) | Err(Error::Unreachable(_)) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn roots_of(tenant: &str, told: &Told) -> Vec<String> {
    let roots = told.records.iter().filter(|record| record.tenant == tenant && record.route == "case-files");
    roots.map(|record| record.id.clone()).collect()
}

/// Whether everything has come to rest: every message has ended, every mailbox is empty.
///
/// # Errors
/// If the gateway does not answer as its contract says.
pub(super) async fn is_quiet(clients: &[(&'static str, Client)]) -> Result<bool, Error> {
    for (_, client) in clients {
        let messages = client.list("/messages").await?;
        if !messages
            .iter()
            .all(|message| matches!(text(message, "state"), "confirmed" | "returned" | "parked"))
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The other tenant of the house.
pub(super) fn other(tenant: &str) -> &'static str {
    if tenant == COUNTY { TOWN } else { COUNTY }
}
