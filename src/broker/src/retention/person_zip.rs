//! The export of what is known of a person (GDPR articles 15 and 20): a ZIP of JSON and of the documents in the person's cases, streamed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};

use model::rights::Action;
use model::{Caller, EventKind, Id, Record, Scope};
use seal::payload::CHUNK;
use serde_json::{Value, json};
use store::{Payload, Store, Work};
use tokio::runtime::Handle;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::person::{PersonBy, PersonFound, Who, of_one};
use crate::{Broker, Error, blocking};

/// Most records of one tree.
const MOST_RECORDS: usize = 20_000;

/// What the overview tells whoever hands the export out.
const NOTE: &str = "Vor der Herausgabe prüfen: Dokumente, Kontakte und Zahlungen eines Vorgangs können Angaben über andere Personen enthalten \
    (Art. 15 Abs. 4 DSGVO). Before this is handed out: documents, contacts and payments of a case may hold data of other persons \
    (GDPR article 15 (4)).";

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    records: u64,
    documents: u64,
    missing: u64,
}

impl Broker {
    /// Writes what is known of a person within the caller's scope into `file`: `overview.json`, `records/…` and `documents/…`. That it
    /// was done is in the evidence; for whom, is not.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may export persons; `NotFound` if nobody is known.
    pub async fn export_person(&self, caller: &Caller, by: &PersonBy, file: File) -> Result<File, Error> {
        let scope = caller.may(Action::ExportPersons)?.clone();
        let found = self.known_of(caller, by).await?;
        if found.places.is_empty() {
            return Err(model::Error::NotFound { kind: "person" }.into());
        }
        let who = self.who(&scope, by).await?;
        let detail = json!({ "by": by.way(), "records": found.places.len() });
        let mut work = Work::new();
        work.insert_event(&self.audit(&scope.tenant, EventKind::PersonExported, &caller.actor, detail));
        self.store().commit(work).await?;
        let (broker, runtime) = (self.clone(), Handle::current());
        blocking(move || {
            let store = broker.store().clone();
            let zip = ZipWriter::new(file);
            Export { broker, store, runtime, scope, who, zip, counts: Counts::default() }.run(&found)
        })
        .await
    }
}

/// One export, on a thread that may block.
struct Export {
    broker: Broker,
    store: Store,
    runtime: Handle,
    scope: Scope,
    who: Vec<Who>,
    zip: ZipWriter<File>,
    counts: Counts,
}

impl Export {
    fn run(mut self, found: &PersonFound) -> Result<File, Error> {
        let (mut written, mut partners) = (BTreeSet::new(), BTreeSet::new());
        for place in &found.places {
            self.tree(place.id, &mut written)?;
        }
        for root in found.places.iter().map(|place| place.root).collect::<BTreeSet<Id>>() {
            self.partners(root, &mut partners)?;
        }
        let overview = json!({
            "tenant": self.scope.tenant,
            "createdAt": self.broker.now(),
            "note": NOTE,
            "places": found.places,
            "complete": !found.more && written.len() < MOST_RECORDS,
            "recipients": partners,
            "records": self.counts.records,
            "documents": self.counts.documents,
            "documentsWithoutContent": self.counts.missing,
        });
        self.json("overview.json", &overview)?;
        self.zip.finish().map_err(|_| Error::Internal)
    }

    /// A record that names the person, what lies in it and what lies beside that, as far as the scope covers it.
    fn tree(&mut self, top: Id, written: &mut BTreeSet<Id>) -> Result<(), Error> {
        let mut wait = vec![top];
        while let Some(id) = wait.pop() {
            if written.len() >= MOST_RECORDS || !written.insert(id) {
                continue;
            }
            let record = self.runtime.block_on(self.store.record_any(&self.scope, id))?;
            let Some(record) = record else { continue };
            self.record(&record)?;
            let within = self.runtime.block_on(self.store.children(&self.scope, id))?;
            let beside = self.runtime.block_on(self.broker.beside(&self.scope, id))?;
            if let Record::Interaction(it) = &record {
                wait.extend(&it.documents);
            }
            wait.extend(within.into_iter().chain(beside).map(|(_, id)| id));
        }
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), Error> {
        let meta = record.meta();
        let mut json = record.to_json();
        match self.who.first() {
            Some(who) if self.who.len() == 1 => of_one(&mut json, who),
            _ => self.of_any(&mut json),
        }
        self.json(&format!("records/{}/{}.json", record.kind().name(), meta.id), &json)?;
        self.counts.records += 1;
        let Record::Document(document) = record else { return Ok(()) };
        for version in &document.versions {
            for (index, file) in version.files.iter().enumerate() {
                let Some(content) = &file.content else { continue };
                let name = format!(
                    "documents/{}/{}-{}-{}",
                    meta.id,
                    safe(&version.number),
                    index + 1,
                    safe(&file.name)
                );
                self.content(&name, content.id)?;
            }
        }
        Ok(())
    }

    /// Where a reference names several citizens, a party is shown that is any of them.
    fn of_any(&self, json: &mut Value) {
        let Some(parties) = json.get("parties").cloned() else { return };
        let shown: Vec<Value> = self
            .who
            .iter()
            .map(|who| {
                let mut one = json!({ "parties": parties });
                of_one(&mut one, who);
                one["parties"].clone()
            })
            .collect();
        if let Some(who) = self.who.first() {
            of_one(json, who);
        }
        let Some(all) = json.get_mut("parties").and_then(Value::as_array_mut) else { return };
        for (at, party) in all.iter_mut().enumerate() {
            let known =
                shown.iter().filter_map(|view| view.get(at)).find(|view| view.get("withheld").is_none());
            if let Some(known) = known {
                *party = known.clone();
            }
        }
    }

    fn partners(&self, root: Id, partners: &mut BTreeSet<String>) -> Result<(), Error> {
        let whole = Scope::tenant(&self.scope.tenant);
        let mut after = None;
        loop {
            let some = self.runtime.block_on(self.store.messages_of_tree(&whole, root, after, 200))?;
            let Some(last) = some.last() else { return Ok(()) };
            after = Some(*last);
            for id in some {
                let message = self.runtime.block_on(self.store.message(&self.scope, id))?;
                partners.extend(message.map(|message| message.partner));
            }
        }
    }

    fn begin(&mut self, name: &str) -> Result<(), Error> {
        let options = SimpleFileOptions::default().large_file(true);
        self.zip.start_file(name, options).map_err(|_| Error::Internal)
    }

    fn json(&mut self, name: &str, value: &Value) -> Result<(), Error> {
        self.begin(name)?;
        serde_json::to_writer_pretty(&mut self.zip, value).map_err(|_| Error::Internal)
    }

    /// The bytes of a document; of those that were erased or are lost the overview counts that they are missing.
    fn content(&mut self, name: &str, id: Id) -> Result<(), Error> {
        let opened = self.runtime.block_on(self.store.open_payload(&self.scope.tenant, id));
        let Ok(payload) = opened else {
            self.counts.missing += 1;
            return Ok(());
        };
        self.begin(name)?;
        self.copy(&payload)?;
        self.counts.documents += 1;
        Ok(())
    }

    fn copy(&mut self, payload: &Payload) -> Result<(), Error> {
        let mut from = payload.blocking();
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = from.read(&mut buffer).map_err(|_| Error::ContentUnavailable)?;
            if read == 0 {
                return Ok(());
            }
            self.zip.write_all(buffer.get(..read).unwrap_or_default()).map_err(|_| Error::Internal)?;
        }
    }
}

/// A name that no archive can lead astray with.
fn safe(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).take(100).collect();
    name.trim_start_matches('.').to_owned()
}
