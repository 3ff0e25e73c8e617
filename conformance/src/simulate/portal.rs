//! Simulated portal: hands in a building application (Bauantrag) with its documents, as an online
//! form of the county would. Applicants are roles, never people.

use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::io::sink;
use tokio::sync::oneshot;

use super::files::{self, Content};
use super::records::files_of;
use super::story::verify;
use crate::Error;
use crate::client::{Answer, Client, text};

/// Organisational unit that building applications go to.
pub const UNIT: &str = "63";
/// Public service (Leistung) they belong to.
pub const SERVICE: &str = "baugenehmigung";

/// The portal with its token.
#[derive(Debug, Clone)]
pub struct Portal {
    /// How it calls the gateway.
    pub client: Client,
}

/// What an application opened in the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Id of the case file (Akte).
    pub case_file: String,
    /// Id of the case (Vorgang).
    pub case: String,
}

/// A document of an application.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Betreff.
    pub title: &'static str,
    /// Dokumenttyp.
    pub kind: &'static str,
    /// Its file.
    pub content: Content,
}

impl Portal {
    /// Opens case file and case of an application. The same `key` again is the same application.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn open(&self, key: &str, title: &str) -> Result<Opened, Error> {
        let file = json!({
            "unit": UNIT,
            "publicService": SERVICE,
            "title": title,
            "references": [{ "kind": "portal", "value": key }],
            "parties": [applicant()],
            "retention": { "years": 30, "disposition": "appraise" },
        });
        let file = self.create("/case-files", &format!("{key}-akte"), &file).await?;
        let case_file = text(&file, "id").to_owned();
        let case = json!({
            "caseFile": case_file,
            "unit": UNIT,
            "publicService": SERVICE,
            "title": format!("{title}: Baugenehmigung"),
            "parties": [applicant()],
        });
        let case = self.create("/cases", &format!("{key}-vorgang"), &case).await?;
        Ok(Opened { case_file, case: text(&case, "id").to_owned() })
    }

    /// Adds a document without its bytes; returns its id.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn describe(&self, case: &str, attachment: &Attachment) -> Result<String, Error> {
        let document = json!({
            "title": attachment.title,
            "kind": attachment.kind,
            "dates": { "received": "2026-11-24" },
        });
        let key = format!("{case}-{}", attachment.content.sha256);
        let document = self.create(&format!("/cases/{case}/documents"), &key, &document).await?;
        Ok(text(&document, "id").to_owned())
    }

    /// Streams the bytes of a document and compares what the gateway says it got.
    ///
    /// # Errors
    /// If the gateway refuses, does not answer, or names another digest.
    pub async fn upload(&self, document: &str, content: &Content) -> Result<(), Error> {
        let (path, key) = (content_path(document, content), upload_key(document, content));
        let answer = self.client.upload(Method::PUT, &path, &key, content).await?;
        let stored = answer.expect("PUT content", &[200, 201])?;
        let is_it = |(_, file): (&str, &Value)| text(&file["content"], "sha256") == content.sha256;
        verify(files_of(&stored).any(is_it), "Prüfsumme des Gateways gleich der des Absenders")
    }

    /// Streams half of the bytes of a document and then hangs; `half_way` hears of it.
    ///
    /// # Errors
    /// When the line breaks, as it must.
    pub async fn hang(
        &self,
        document: &str,
        content: &Content,
        half_way: oneshot::Sender<()>,
    ) -> Result<Answer, Error> {
        let (path, key) = (content_path(document, content), upload_key(document, content));
        let body = Body::wrap_stream(content.hanging(content.size / 2, half_way));
        self.client.upload_stream(Method::PUT, &path, &key, content, body).await
    }

    /// Reads every document of a case back and compares number and digests; returns the bytes read.
    ///
    /// # Errors
    /// If one is missing, there twice or changed, or the gateway does not answer.
    pub async fn read_back(&self, case: &str, documents: &[(String, Content)]) -> Result<u64, Error> {
        let listed = self.client.list(&format!("/cases/{case}/documents")).await?;
        verify(listed.len() == documents.len(), "so viele Dokumente wie eingereicht")?;
        let mut bytes = 0;
        for (document, content) in documents {
            let found = listed.iter().find(|known| text(known, "id") == document);
            let has_one_file = found.is_some_and(|found| files_of(found).count() == 1);
            verify(has_one_file, "jedes Dokument hat genau eine Datei")?;
            let fetched =
                self.client.download(&format!("/documents/{document}/content"), &mut sink()).await?;
            verify(fetched.sha256 == content.sha256, "jede Datei kommt Byte für Byte zurück")?;
            bytes += fetched.size;
        }
        Ok(bytes)
    }

    async fn create(&self, path: &str, key: &str, body: &Value) -> Result<Value, Error> {
        self.client.post(path, key, body).await?.expect(&format!("POST {path}"), &[201])
    }
}

/// Where the bytes of a document's first version go.
pub fn content_path(document: &str, content: &Content) -> String {
    format!("/documents/{document}/content?fileName={}&version=1", content.name)
}

/// Idempotency key of an upload.
pub fn upload_key(document: &str, content: &Content) -> String {
    format!("{document}-{}", &content.sha256[..16])
}

/// The documents of a building application: form, floor plan, and a scanned plan of `megabytes`.
pub fn building_application(megabytes: u32) -> Vec<Attachment> {
    let form = files::pdf(&[
        "Bauantrag (erfunden, zur Vorführung)",
        "",
        "Antragstellerin A, Musterweg 1, 59494 Soest",
        "Vorhaben: Anbau eines Wintergartens, 24 m²",
        "Flurstück: Gemarkung Musterdorf, Flur 3, Nr. 127",
    ]);
    let attach = |title, kind, content| Attachment { title, kind, content };
    vec![
        attach("Bauantrag", "Antrag", Content::new("bauantrag.pdf", "application/pdf", form)),
        attach("Grundriss", "Bauzeichnung", Content::new("grundriss.tif", "image/tiff", files::tiff())),
        attach("Lageplan, gescannt", "Lageplan", Content::large("lageplan.pdf", megabytes)),
    ]
}

fn applicant() -> Value {
    json!({
        "role": "applicant",
        "person": { "familyName": "Antragstellerin A (erfunden)" },
        "addresses": [{ "street": "Musterweg", "houseNumber": "1", "postcode": "59494", "town": "Soest" }],
    })
}
