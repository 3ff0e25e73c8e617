//! The clients of a seed. Each works through a script drawn from the seed, repeats with the same key
//! whatever was not answered, and notes only what it was told.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use fastrand::Rng;
use futures::future::try_join;
use reqwest::Method;
use serde_json::{Value, json};

use super::outside::{AGAIN_KEY, ONCE_KEY};
use super::told::{Told, ToldContent, ToldExchange, ToldMessage, ToldRecord, ToldSent};
use crate::Error;
use crate::client::{Client, text};
use crate::gateway::{COUNTY, COUNTY_KEY, TOWN_KEY};
use crate::simulate::containers::{self, Container};
use crate::simulate::files::{Content, noise};
use crate::simulate::portal::{SERVICE, UNIT, content_path, upload_key};
use crate::simulate::records::RecordKeeping;

/// Files that a writer opens, and rounds of a sender.
const ROUNDS: u64 = 4;

/// Pause of those who look again and again.
const PAUSE: Duration = Duration::from_millis(20);

/// One client of one tenant.
#[derive(Clone)]
pub(super) struct Caller<'a> {
    /// Its tenant.
    pub(super) tenant: &'static str,
    /// How it calls the gateway.
    pub(super) client: Client,
    /// What all clients were told.
    pub(super) told: &'a RefCell<Told>,
    /// Set once everything has come to rest.
    pub(super) done: &'a Cell<bool>,
}

impl Caller<'_> {
    /// A portal: opens files, adds documents with content, gives references and tasks, and hands over
    /// every other file.
    ///
    /// # Errors
    /// If an answer is not what the contract says.
    pub(super) async fn write(&self, mut random: Rng) -> Result<(), Error> {
        for round in 0..ROUNDS {
            let key = format!("{} w{round}", self.tenant);
            let place = json!({ "unit": UNIT, "publicService": SERVICE });
            let file = self.create("case-files", "/case-files", &format!("{key} Akte"), &place).await?;
            let mut place = place;
            place["caseFile"] = json!(file);
            let case = self.create("cases", "/cases", &format!("{key} Vorgang"), &place).await?;
            for number in 0..random.u64(1..=2) {
                let path = format!("/cases/{case}/documents");
                let document =
                    self.create("documents", &path, &format!("{key} Dokument {number}"), &json!({})).await?;
                self.upload(&document, &mut random).await?;
            }
            match random.u8(0..6) {
                0 | 1 => self.hand_over(&file, &key).await?,
                2 => self.assign(&file, &key).await?,
                3 => self.send_out(&file, &key, false).await?,
                4 => self.send_out(&file, &key, true).await?,
                _ => {
                    let task = json!({ "unit": UNIT, "kind": "review", "case": case });
                    self.create("tasks", "/tasks", &format!("{key} Aufgabe"), &task).await?;
                }
            }
        }
        Ok(())
    }

    /// A sender of raw messages: new ones, the same twice at once, two of the same id with different
    /// bytes, and rubbish.
    ///
    /// # Errors
    /// If an answer is not what the contract says.
    pub(super) async fn send(&self, mut random: Rng) -> Result<(), Error> {
        for round in 0..ROUNDS {
            let (process, seed, size) =
                (containers::seeded_id(random.u64(..), 0), random.u64(..1 << 40), size(&mut random));
            let one = containers::handover(process, seed, size);
            let key = |who: &str| format!("s{round}{who}");
            match random.u8(0..4) {
                0 => self.post(&key("a"), &one.content, false).await?,
                1 => {
                    let keys = [key("a"), key("b")];
                    let [first, second] = keys.each_ref().map(|key| self.post(key, &one.content, false));
                    try_join(first, second).await?;
                }
                2 => {
                    let Container { content: other, .. } = containers::handover(process, seed + 1, size);
                    let keys = [key("a"), key("b")];
                    try_join(self.post(&keys[0], &one.content, true), self.post(&keys[1], &other, true))
                        .await?;
                }
                _ => {
                    let rubbish = Content::new("rubbish.xml", "application/xml", noise(seed, size).to_vec());
                    self.post(&key("a"), &rubbish, false).await?;
                }
            }
        }
        Ok(())
    }

    /// A record-keeping system: imports and confirms whatever comes into the mailbox.
    ///
    /// # Errors
    /// If an answer is not what the contract says.
    pub(super) async fn keep(&self) -> Result<(), Error> {
        let system = RecordKeeping { lease_seconds: 1, ..RecordKeeping::new(&self.client, "63") };
        while !self.done.get() {
            match self.empty_mailbox(&system).await {
                // The lease may have run out while the gateway was down.
                Err(Error::Unexpected { code, .. }) if code == "broker.not-leased" => {}
                Err(Error::Unexpected { status: 503, .. } | Error::Unreachable(_)) => {}
                outcome => outcome?,
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn empty_mailbox(&self, system: &RecordKeeping) -> Result<(), Error> {
        for entry in system.lease().await? {
            let message = &entry["message"];
            // What came by REST is from an authority that does not exist: nobody waits for a result.
            if text(message, "door") == "local" && !text(message, "exchange").is_empty() {
                let imported = system.import(&entry).await?;
                self.told.borrow_mut().reported.insert(imported.process_id);
            }
            system.confirm(&entry).await?;
            self.told.borrow_mut().confirmed.push((self.tenant, text(message, "id").to_owned()));
        }
        Ok(())
    }

    /// A reader of the event feed.
    ///
    /// # Errors
    /// If an answer is not what the contract says.
    pub(super) async fn read(&self) -> Result<(), Error> {
        let mut last = 0;
        while !self.done.get() {
            match self.client.events(last).await {
                Err(Error::Unreachable(_)) => {}
                events => {
                    for (number, event) in events? {
                        last = number;
                        self.told.borrow_mut().events.insert((self.tenant, number), event);
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn create(
        &self,
        route: &'static str,
        path: &str,
        title: &str,
        fields: &Value,
    ) -> Result<String, Error> {
        let mut body = fields.clone();
        body["title"] = json!(title);
        let key = title.replace(' ', "-");
        let answer = self.client.insist(async || self.client.post(path, &key, &body).await).await?;
        let record = answer.expect(&format!("POST {path}"), &[201])?;
        let id = text(&record, "id").to_owned();
        self.note(route, &id, title, &record);
        Ok(id)
    }

    async fn assign(&self, file: &str, key: &str) -> Result<(), Error> {
        let path = format!("/case-files/{file}/record-reference");
        let body = json!({ "recordReference": format!("63-{key}") });
        let key = format!("{file}-az");
        let answer = self.client.insist(async || self.client.post(&path, &key, &body).await).await?;
        let record = answer.expect(&path, &[200, 201])?;
        self.note("case-files", file, text(&record, "title"), &record);
        Ok(())
    }

    async fn upload(&self, document: &str, random: &mut Rng) -> Result<(), Error> {
        let size = if random.u8(0..8) == 0 { 9_000_000 } else { size(random) };
        let content =
            Content::new("datei.bin", "application/octet-stream", noise(random.u64(..), size).to_vec());
        let (path, key) = (content_path(document, &content), upload_key(document, &content));
        let answer = match content.bytes().filter(|_| random.bool()) {
            Some(bytes) => {
                let part = random.usize(1..=2 * size as usize);
                let typed = (content.media_type, bytes);
                self.client.upload_in_parts(Method::PUT, &path, &key, typed, part.max(100_000)).await?
            }
            None => {
                let put = async || self.client.upload(Method::PUT, &path, &key, &content).await;
                self.client.insist(put).await?
            }
        };
        answer.expect("PUT content", &[200, 201])?;
        let document = document.to_owned();
        let told = ToldContent { tenant: self.tenant, document, sha256: content.sha256.clone() };
        self.told.borrow_mut().contents.push(told);
        Ok(())
    }

    async fn hand_over(&self, file: &str, key: &str) -> Result<(), Error> {
        let to = if self.tenant == COUNTY { TOWN_KEY } else { COUNTY_KEY };
        let exchange = self.start_exchange(to, file, key).await?;
        let (id, process_id) = (text(&exchange, "id").to_owned(), text(&exchange, "processId").to_owned());
        self.told.borrow_mut().exchanges.push(ToldExchange { tenant: self.tenant, id, process_id });
        Ok(())
    }

    /// Hands over to an authority outside.
    async fn send_out(&self, file: &str, key: &str, may_repeat: bool) -> Result<(), Error> {
        let to = if may_repeat { AGAIN_KEY } else { ONCE_KEY };
        let exchange = self.start_exchange(to, file, key).await?;
        let message = exchange["messages"][0]["id"].as_str().unwrap_or_default().to_owned();
        self.told.borrow_mut().sent.push(ToldSent { tenant: self.tenant, message, may_repeat });
        Ok(())
    }

    async fn start_exchange(&self, to: &str, file: &str, key: &str) -> Result<Value, Error> {
        let body = json!({ "kind": "handover", "to": to, "objects": [file] });
        let key = format!("{}-abgabe", key.replace(' ', "-"));
        let answer = self.client.insist(async || self.client.post("/exchanges", &key, &body).await).await?;
        answer.expect("POST /exchanges", &[202])
    }

    /// Sends a raw message. With `rivalled` another with the same id may have been quicker.
    async fn post(&self, key: &str, content: &Content, rivalled: bool) -> Result<(), Error> {
        let path = format!("/messages?fileName={}", content.name);
        let answer =
            self.client.insist(async || self.client.upload(Method::POST, &path, key, content).await).await?;
        if rivalled && answer.code() == "broker.id-reused" {
            return Ok(());
        }
        let message = answer.expect("POST /messages", &[202])?;
        let id = text(&message, "id").to_owned();
        let told = ToldMessage { tenant: self.tenant, id, sha256: content.sha256.clone() };
        self.told.borrow_mut().messages.push(told);
        Ok(())
    }

    fn note(&self, route: &'static str, id: &str, title: &str, record: &Value) {
        let version = record["version"].as_u64().unwrap_or_default();
        let (id, title) = (id.to_owned(), title.to_owned());
        self.told.borrow_mut().records.push(ToldRecord { tenant: self.tenant, route, id, title, version });
    }
}

/// Sizes on both sides of what is kept in the row itself, in bytes.
fn size(random: &mut Rng) -> u64 {
    match random.u8(0..3) {
        0 => random.u64(1..2_000),
        1 => random.u64(16_000..70_000),
        _ => random.u64(100_000..400_000),
    }
}
