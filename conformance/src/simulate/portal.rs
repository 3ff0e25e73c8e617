//! Simulated portal: hands in a building application (Bauantrag) with its documents, as an online
//! form of the county would. Applicants are roles, never people.

use reqwest::Method;
use serde_json::{Value, json};

use super::files::{self, Content};
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
#[derive(Debug, Clone)]
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

    /// Streams the bytes of a document.
    ///
    /// # Errors
    /// If the gateway does not answer.
    pub async fn upload(&self, document: &str, content: &Content) -> Result<Answer, Error> {
        let path = content_path(document, content);
        self.client.upload(Method::PUT, &path, &upload_key(document, content), content).await
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
