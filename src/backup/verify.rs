//! `amtsbote backup verify PATH`: every digest, then a trial of what would become of it.

use std::io::ErrorKind;
use std::path::Path;

use output::print;
use seal::evidence_key::{EvidenceKeys, EvidencePublicKey};
use serde::Serialize;
use serde_json::json;

use super::files::{self, Sum};
use super::manifest::{Manifest, PARTS, Parts};
use super::trial;
use crate::commands::Outcome;
use crate::error::Error;

/// Findings beyond this number are counted, not kept.
const MOST_FINDINGS: usize = 200;

/// What is not as it should be.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) items: Vec<Finding>,
    pub(super) more: u64,
}

#[derive(Serialize)]
pub(super) struct Finding {
    /// Stable code, documented under `docs/errors/`.
    pub(super) code: &'static str,
    /// What, in a short English phrase without content.
    pub(super) message: String,
}

impl Findings {
    pub(super) fn find(&mut self, code: &'static str, message: impl Into<String>) {
        if self.items.len() == MOST_FINDINGS {
            self.more += 1;
            return;
        }
        self.items.push(Finding { code, message: message.into() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// For people, a line each.
    pub(super) fn text(&self) -> String {
        let mut lines: Vec<_> =
            self.items.iter().map(|finding| format!("\n  {} [{}]", finding.message, finding.code)).collect();
        if self.more > 0 {
            lines.push(format!("\n  … and {} further findings", self.more));
        }
        lines.concat()
    }
}

/// Looks at a backup. Needs neither configuration nor store.
pub(crate) async fn verify(
    backup: &Path,
    key: Option<&Path>,
    scratch: Option<&Path>,
    as_json: bool,
) -> Outcome {
    let trusted = key.map(public_key).transpose()?;
    let manifest = Manifest::read(backup, trusted.as_ref())?;
    let mut findings = digests(backup, &manifest)?;
    if findings.is_empty() {
        trial::run(backup, &manifest, scratch, &mut findings).await?;
    }
    let ok = findings.is_empty();
    let shown = json!({
        "ok": ok, "keyTrusted": trusted.is_some(), "id": manifest.id, "takenAt": manifest.taken_at,
        "engine": manifest.engine, "schema": manifest.schema, "rows": manifest.rows(),
        "payloadFiles": manifest.payload_files, "erased": manifest.erased, "heads": manifest.heads,
        "findings": findings.items, "moreFindings": findings.more,
    });
    print(as_json, &shown, |_| {
        let verdict = if ok { "whole and unchanged" } else { "NOT whole or changed" };
        let known = match trusted {
            Some(_) => "signed with the trusted key",
            None => "no key was given: anybody could have made this backup",
        };
        let head = format!("{}: {known}; {verdict}; taken {}", backup.display(), manifest.taken_at);
        format!(
            "{head}, {} rows, {} files of payloads{}",
            manifest.rows(),
            manifest.payload_files,
            findings.text()
        )
    });
    Ok(u8::from(!ok).into())
}

/// Reads the public key that is trusted.
pub(super) fn public_key(path: &Path) -> Result<EvidenceKeys, Error> {
    let pem = std::fs::read_to_string(path);
    let pem = pem.map_err(|reason| Error::File { file: path.to_owned(), reason })?;
    Ok(EvidencePublicKey::from_pem(&pem)?.into())
}

/// Compares every file with what the manifest says of it.
pub(super) fn digests(backup: &Path, manifest: &Manifest) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let bar = output::bar(manifest.bytes());
    let on = |bytes| bar.inc(bytes);
    for table in &manifest.tables {
        compare(backup, &table.path(), &table.file, &on, &mut findings)?;
    }
    if compare(backup, PARTS, &manifest.parts, &|_| (), &mut findings)? {
        let mut parts = Parts::of(backup)?;
        while let Some(part) = parts.next()? {
            match &part.sum {
                Some(sum) => {
                    compare(backup, &part.path, sum, &on, &mut findings)?;
                }
                None if part.erased => {}
                None => {
                    findings.find("backup.file-lost", format!("{} was lost before the backup", part.path))
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(findings)
}

fn compare(
    backup: &Path,
    path: &str,
    wanted: &Sum,
    on: &dyn Fn(u64),
    findings: &mut Findings,
) -> Result<bool, Error> {
    let file = backup.join(path);
    match files::sum(&file, on) {
        Ok(found) if found == *wanted => return Ok(true),
        Ok(_) => findings.find("backup.part-changed", format!("{path} is not what was backed up")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.find("backup.part-changed", format!("{path} is not there"));
        }
        Err(reason) => return Err(Error::File { file, reason }),
    }
    Ok(false)
}
