//! What a backup is made of, signed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path};

use model::{Id, Timestamp};
use seal::evidence_key::{EvidenceKey, EvidenceKeys, Signature};
use serde::{Deserialize, Serialize};
use store::KeyUse;
use store::backup::{Head, TableRows};

use super::files::Sum;
use crate::error::Error;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SIGNATURE: &str = "manifest.sig";
pub(super) const PARTS: &str = "parts.jsonl";

/// Name of this format.
const FORMAT: &str = "amtsbote-backup/1";
/// Largest manifest, and longest line of the list of parts, in bytes.
const MOST: u64 = 16 << 20;

/// `manifest.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Manifest {
    format: String,
    /// Names this backup in events.
    pub(super) id: Id,
    /// Version of the program.
    pub(super) program: String,
    /// Version of the schema.
    pub(super) schema: i64,
    /// `sqlite` or `postgres`.
    pub(super) engine: String,
    /// The node that it was made by.
    pub(super) node: String,
    /// The moment that the rows are of.
    pub(super) taken_at: Timestamp,
    pub(super) finished_at: Timestamp,
    /// In the order in which they have to be written.
    pub(super) tables: Vec<Table>,
    pub(super) parts: Sum,
    /// Files of payloads, and their bytes.
    pub(super) payload_files: u64,
    pub(super) payload_bytes: u64,
    /// Payloads that were erased while the backup was made.
    pub(super) erased: u64,
    /// Files that the store should have had and did not.
    pub(super) lost: u64,
    pub(super) heads: Vec<Head>,
    pub(super) master_keys: Vec<KeyUse>,
    /// Public half of the key that signed, as PEM.
    evidence_key: String,
    /// Those of the keys that signed older batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older_evidence_keys: Vec<String>,
    pub(super) with_keys: bool,
}

/// Rows of a table, in `rows/<name>.jsonl`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) rows: TableRows,
    pub(super) file: Sum,
}

impl Table {
    pub(super) fn path(&self) -> String {
        format!("rows/{}.jsonl", self.rows.name)
    }
}

/// A line of `parts.jsonl`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Part {
    /// Within the backup.
    pub(super) path: String,
    /// Absent: the file is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sum: Option<Sum>,
    /// Whether it is not there because its payload was erased meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) erased: bool,
}

impl Part {
    /// Whether the path stays where parts belong.
    fn is_in_place(&self) -> bool {
        let path = Path::new(&self.path);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        inside && ["payloads", "schemas", "config", "keys"].iter().any(|folder| path.starts_with(folder))
    }

    /// The payload whose file it is.
    pub(super) fn payload(&self) -> Option<Id> {
        let name = self.path.strip_prefix("payloads/")?.rsplit('/').next()?;
        name.split_once('.')?.0.parse().ok()
    }
}

/// What a manifest is made of by whoever knows the rest.
pub(super) struct Origin<'a> {
    pub(super) node: &'a str,
    pub(super) evidence_key: &'a EvidenceKey,
    pub(super) with_keys: bool,
    pub(super) now: Timestamp,
}

impl Manifest {
    /// Of a backup that begins now, with nothing in it.
    pub(super) fn begun(snapshot: &store::backup::Snapshot, of: &Origin<'_>) -> Result<Self, Error> {
        let keys = of.evidence_key.keys()?;
        Ok(Manifest {
            format: FORMAT.to_owned(),
            id: model::ids::new_id(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema: snapshot.schema(),
            engine: snapshot.engine().to_owned(),
            node: of.node.to_owned(),
            taken_at: of.now,
            finished_at: of.now,
            tables: vec![],
            parts: Sum::default(),
            payload_files: 0,
            payload_bytes: 0,
            erased: 0,
            lost: 0,
            heads: vec![],
            master_keys: vec![],
            evidence_key: keys.current().to_pem()?,
            older_evidence_keys: keys.older_pems()?,
            with_keys: of.with_keys,
        })
    }

    /// Text and signature, as they are kept.
    pub(super) fn signed(&self, key: &EvidenceKey) -> Result<(String, String), Error> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from)?;
        let signature =
            serde_json::to_string(&key.sign(&signed_bytes(&text))?).map_err(std::io::Error::from)?;
        Ok((text, signature))
    }

    /// Reads the manifest of a backup. The signature has to be of one of the trusted `keys`, or if none are given, of the key that the
    /// backup names.
    ///
    /// # Errors
    /// `backup.damaged` if it is none, was changed, or is signed by another key.
    pub(super) fn read(backup: &Path, keys: Option<&EvidenceKeys>) -> Result<Self, Error> {
        let (text, signature) = (text(&backup.join(MANIFEST))?, text(&backup.join(SIGNATURE))?);
        let damaged = |what: &str| Error::BackupDamaged(what.to_owned());
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|_| damaged("the manifest is not one that this program reads"))?;
        if manifest.format != FORMAT {
            return Err(damaged("the backup has a format that this program does not know"));
        }
        let own = manifest.keys().map_err(|_| damaged("the manifest names no evidence key"))?;
        let signature: Signature = serde_json::from_str(&signature)
            .map_err(|_| damaged("the signature of the manifest cannot be read"))?;
        let signed = signed_bytes(&text);
        let is_signed = own.current().verifies(&signed, &signature);
        if !is_signed || keys.is_some_and(|keys| !keys.knows(&own.current().fingerprint())) {
            return Err(damaged("the manifest is not what the key has signed"));
        }
        Ok(manifest)
    }

    /// The keys that batches in the backup may be signed with, the one that signed the backup first.
    ///
    /// # Errors
    /// If one is none.
    pub(super) fn keys(&self) -> Result<EvidenceKeys, seal::Error> {
        EvidenceKeys::from_pems(&self.evidence_key, &self.older_evidence_keys)
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.payload_bytes + self.tables.iter().map(|table| table.file.bytes).sum::<u64>()
    }

    /// Rows of all tables.
    pub(super) fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows.rows).sum()
    }
}

/// Nothing else that the key signs begins like this.
fn signed_bytes(text: &str) -> Vec<u8> {
    [FORMAT.as_bytes(), b"\n", text.as_bytes()].concat()
}

fn text(path: &Path) -> Result<String, Error> {
    let unreadable = |reason| Error::File { file: path.to_owned(), reason };
    let mut text = String::new();
    File::open(path).map_err(unreadable)?.take(MOST).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// The parts of a backup, one after the other.
pub(super) struct Parts {
    lines: BufReader<File>,
    next: Option<Part>,
}

impl Parts {
    pub(super) fn of(backup: &Path) -> Result<Self, Error> {
        let path = backup.join(PARTS);
        let file = File::open(&path).map_err(|reason| Error::File { file: path, reason })?;
        Ok(Parts { lines: BufReader::new(file), next: None })
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<Part>, Error> {
        if let Some(part) = self.next.take() {
            return Ok(Some(part));
        }
        let mut line = Vec::new();
        if (&mut self.lines).take(MOST).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let part = serde_json::from_slice(&line).ok().filter(Part::is_in_place);
        let damaged = || Error::BackupDamaged("a line of the list of parts is none".to_owned());
        part.map(Some).ok_or_else(damaged)
    }

    /// The parts of a payload; those of payloads before it are passed over. Payloads stand in the order of their ids.
    pub(super) fn of_payload(&mut self, id: Id) -> Result<Vec<Part>, Error> {
        let mut found = Vec::new();
        while let Some(part) = self.next()? {
            match part.payload() {
                Some(payload) if payload < id => {}
                Some(payload) if payload == id => found.push(part),
                _ => {
                    self.next = Some(part);
                    break;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a list with one path in it.
    fn read(path: &str) -> Result<Option<Part>, Error> {
        let backup = tempfile::tempdir().unwrap();
        let part = Part { path: path.to_owned(), sum: None, erased: false };
        std::fs::write(backup.path().join(PARTS), format!("{}\n", serde_json::to_string(&part).unwrap()))
            .unwrap();
        Parts::of(backup.path()).unwrap().next()
    }

    #[test]
    fn parts_lie_below_four_folders_and_lead_nowhere_else() {
        let names = ["payloads/01/0198.0", "schemas/a/b.xsd", "config/amtsbote.toml", "keys/master.key"];
        for path in names {
            assert_eq!(read(path).unwrap().unwrap().path, path);
        }
        for path in [
            "",
            "manifest.json",
            "rows/event.jsonl",
            "data/amtsbote.db",
            "/etc/passwd",
            "/payloads/x",
            "../payloads/x",
            "./payloads/x",
            "payloads/../../x",
            "payloads/../keys/x",
            "config/..",
            "payloads2/x",
            "Payloads/x",
            "etc/payloads/x",
        ] {
            let refused = read(path).err().unwrap_or_else(|| panic!("{path} was taken"));
            assert_eq!(refused.code(), "backup.damaged", "{path}");
        }
    }
}
