//! What is packed, whatever the form of the package: the message as it came, and the documents that it describes.

pub(crate) mod bag;
pub(crate) mod premis;
pub(crate) mod sip;

use model::{Id, Timestamp};

use crate::formats::Found;
use crate::message::Part;

/// A package that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Its name, made of the delivery's id: the same delivery is the same package.
    pub(crate) name: String,
    /// The delivery.
    pub(crate) delivery: Id,
    /// ProzessID of the message, if it has one.
    pub(crate) process: Option<String>,
    /// Standard, version and type of the message.
    pub(crate) standard: String,
    /// The objects that are transferred, by their UUIDs in the message.
    pub(crate) objects: Vec<Id>,
    /// SHA-256 of the message as it came, in hexadecimal.
    pub(crate) message_sha256: String,
    /// Who delivers.
    pub(crate) organisation: String,
    /// When it was made.
    pub(crate) made: Timestamp,
    /// The files, the metadata first, and what the programs say of each.
    pub(crate) parts: Vec<(Part, Found)>,
    /// What was asked about the formats of files.
    pub(crate) examined: String,
}

impl Package {
    /// The name of a delivery's package.
    pub(crate) fn name_of(delivery: Id) -> String {
        format!("amtsbote-{delivery}")
    }

    /// The day on which it was made.
    pub(crate) fn day(&self) -> String {
        self.made.to_string().chars().take(10).collect()
    }

    /// What it is made of, in one line.
    pub(crate) fn description(&self) -> String {
        format!("{}, SHA-256 of the message {}", self.standard, self.message_sha256)
    }

    /// All bytes and files of the payload, as bags count them.
    pub(crate) fn size(&self) -> u64 {
        self.parts.iter().map(|(part, _)| part.size).sum()
    }
}

/// The media type of a file by its ending, for packages that must name one.
pub(crate) fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        "txt" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "tif" | "tiff" => "image/tiff",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "eml" => "message/rfc822",
        "p7s" => "application/pkcs7-signature",
        "zip" => "application/zip",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        _ => "application/octet-stream",
    }
}
