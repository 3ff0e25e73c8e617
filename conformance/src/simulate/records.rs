//! Simulated record-keeping system (aktenführendes System, DMS): gives new files their Aktenzeichen,
//! imports what other authorities hand over and confirms it, object by object.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io;
use uuid::Uuid;

use crate::Error;
use crate::client::{Client, items, text};

/// The record-keeping system with its token.
#[derive(Debug, Clone)]
pub struct RecordKeeping {
    /// How it calls the gateway.
    pub client: Client,
    /// Front of the references it gives, such as `63.1`.
    pub prefix: String,
    /// UUIDs of objects whose import it refuses.
    pub refused: Vec<String>,
    /// How many seconds it keeps an entry of the mailbox to itself.
    pub lease_seconds: u32,
}

/// An exchange that was imported.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The receiver's record of the exchange.
    pub exchange: String,
    /// ProzessID.
    pub process_id: String,
    /// The objects in the order of the message.
    pub objects: Vec<ImportedObject>,
}

/// One object of an exchange.
#[derive(Debug, Clone)]
pub struct ImportedObject {
    /// UUID in the messages.
    pub object_id: String,
    /// Betreff.
    pub title: String,
    /// Whether it was imported.
    pub successful: bool,
    /// SHA-256 digests of its documents' files, as they were fetched, in order.
    pub files: Vec<String>,
    /// Bytes of them.
    pub bytes: u64,
}

impl RecordKeeping {
    /// A system that refuses nothing.
    pub fn new(client: &Client, prefix: &str) -> Self {
        RecordKeeping {
            client: client.clone(),
            prefix: prefix.to_owned(),
            refused: vec![],
            lease_seconds: 60,
        }
    }

    /// Gives each case file that appears in the feed behind event `after` its Aktenzeichen. Returns
    /// the number of the last event seen, and the ids with their references.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn assign_references(&self, after: u64) -> Result<(u64, Vec<(String, String)>), Error> {
        let page = self.client.read(&format!("/events?after={after}&wait=5&limit=200")).await?;
        let mut last = after;
        let mut assigned = vec![];
        for item in items(&page, "items") {
            last = item.get("number").and_then(Value::as_u64).unwrap_or(last);
            let event = &item["event"];
            if text(event, "kind") != "record.created" || text(&event["subject"], "kind") != "caseFile" {
                continue;
            }
            let id = text(&event["subject"], "id").to_owned();
            let reference = format!("{}-{last:05}/2026", self.prefix);
            let path = format!("/case-files/{id}/record-reference");
            let body = json!({ "recordReference": reference });
            self.client.post(&path, &format!("az-{id}"), &body).await?.expect(&path, &[200, 201])?;
            assigned.push((id, reference));
        }
        Ok((last, assigned))
    }

    /// Takes what waits in the mailbox, for a time.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn lease(&self) -> Result<Vec<Value>, Error> {
        let body = json!({ "seconds": self.lease_seconds, "limit": 10 });
        let key = Uuid::now_v7().to_string();
        let leased =
            self.client.post("/inbox/leases", &key, &body).await?.expect("POST /inbox/leases", &[200])?;
        Ok(items(&leased, "items").to_vec())
    }

    /// Has itself called at `url` when something has come into its mailbox; returns the id of the subscription.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn subscribe(&self, url: &str) -> Result<String, Error> {
        let body = json!({ "url": url, "types": ["message.processed"] });
        let made = self.client.post("/subscriptions", "postfach", &body).await?;
        Ok(text(&made.expect("POST /subscriptions", &[201])?, "id").to_owned())
    }

    /// Says that it is there again, so that what failed is tried at once.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn is_back(&self, subscription: &str) -> Result<(), Error> {
        let path = format!("/subscriptions/{subscription}");
        let version = self.client.read(&path).await?["version"].as_u64();
        let change = json!({ "enabled": true });
        self.client.change(Method::PATCH, &path, version, &change).await?.expect(&path, &[200])?;
        Ok(())
    }

    /// Imports the exchange of an entry: fetches every file, checks it against its digest, and reports
    /// on each object. Doing it again after an interruption changes nothing.
    ///
    /// # Errors
    /// If the gateway refuses, does not answer, or hands out other bytes than it promised.
    pub async fn import(&self, entry: &Value) -> Result<Imported, Error> {
        let id = text(&entry["message"], "exchange");
        let exchange = self.client.read(&format!("/exchanges/{id}")).await?;
        let mut objects = vec![];
        for object in items(&exchange, "objects") {
            objects.push(self.import_object(object).await?);
        }
        let results: Vec<Value> = objects.iter().map(result).collect();
        let path = format!("/exchanges/{id}/import-results");
        let body = json!({ "results": results });
        self.client.post(&path, &format!("import-{id}"), &body).await?.expect(&path, &[200])?;
        Ok(Imported { exchange: id.to_owned(), process_id: text(&exchange, "processId").to_owned(), objects })
    }

    /// Confirms an entry of the mailbox: this system has it.
    ///
    /// # Errors
    /// If the gateway refuses, as it does once the lease has run out, or does not answer.
    pub async fn confirm(&self, entry: &Value) -> Result<(), Error> {
        let id = text(entry, "id");
        let path = format!("/inbox/{id}/confirm");
        self.client.post(&path, &format!("confirm-{id}"), &json!({})).await?.expect(&path, &[200])?;
        Ok(())
    }

    /// Tries to lock a case file that was handed over; the status and the code of a refusal.
    ///
    /// # Errors
    /// If the gateway does not answer.
    pub async fn lock(&self, case_file: &str, exchange: &str) -> Result<(u16, String), Error> {
        let path = format!("/case-files/{case_file}/lock");
        let key = Uuid::now_v7().to_string();
        let answer = self.client.post(&path, &key, &json!({ "exchange": exchange })).await?;
        Ok((answer.status, answer.code().to_owned()))
    }

    async fn import_object(&self, object: &Value) -> Result<ImportedObject, Error> {
        let (kind, id, object_id) = (text(object, "kind"), text(object, "id"), text(object, "objectId"));
        let route = match kind {
            "caseFile" => "case-files",
            "case" => "cases",
            _ => "documents",
        };
        let record = self.client.read(&format!("/{route}/{id}")).await?;
        let mut imported = ImportedObject {
            object_id: object_id.to_owned(),
            title: text(&record, "title").to_owned(),
            successful: !self.refused.iter().any(|refused| refused == object_id),
            files: vec![],
            bytes: 0,
        };
        for document in self.documents(kind, id, record).await? {
            self.fetch(&document, &mut imported).await?;
        }
        Ok(imported)
    }

    /// The documents of an object: its own and those of its cases.
    async fn documents(&self, kind: &str, id: &str, record: Value) -> Result<Vec<Value>, Error> {
        match kind {
            "caseFile" => {
                let mut documents = self.client.list(&format!("/case-files/{id}/documents")).await?;
                for case in self.client.list(&format!("/cases?caseFile={id}")).await? {
                    documents
                        .extend(self.client.list(&format!("/cases/{}/documents", text(&case, "id"))).await?);
                }
                Ok(documents)
            }
            "case" => self.client.list(&format!("/cases/{id}/documents")).await,
            _ => Ok(vec![record]),
        }
    }

    async fn fetch(&self, document: &Value, into: &mut ImportedObject) -> Result<(), Error> {
        let id = text(document, "id");
        for (version, file) in files_of(document) {
            let path = format!("/documents/{id}/content?version={version}&fileName={}", text(file, "name"));
            let fetched = self.client.download(&path, &mut io::sink()).await?;
            if fetched.status != 200 || fetched.sha256 != text(&file["content"], "sha256") {
                let code = "digest".to_owned();
                return Err(Error::Unexpected { what: path, status: fetched.status, code });
            }
            into.files.push(fetched.sha256);
            into.bytes += fetched.size;
        }
        Ok(())
    }
}

/// Files of a document that have content, with the number of their version.
pub fn files_of(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    items(document, "versions")
        .iter()
        .flat_map(|version| items(version, "files").iter().map(|file| (text(version, "number"), file)))
        .filter(|(_, file)| file.get("content").is_some())
}

fn result(object: &ImportedObject) -> Value {
    match object.successful {
        true => json!({ "objectId": object.object_id, "successful": true }),
        false => json!({
            "objectId": object.object_id,
            "successful": false,
            "messages": ["Aktenplaneinheit ist im Zielsystem nicht vorhanden (erfundener Grund)"],
        }),
    }
}
