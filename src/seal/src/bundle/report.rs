//! What the verifier found.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

use super::{BundleFile, Counts};
use crate::{Digest, chain::SignedBy, timestamp::time_text};

/// Findings beyond this number are counted, not kept.
pub(super) const MAX_FINDINGS: usize = 200;

/// Stamps shown to people; JSON shows all.
const STAMPS_SHOWN: usize = 20;

/// The verdict on a bundle.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing was found: the bundle is whole and unchanged since it was signed.
    pub ok: bool,
    /// Whether the key was compared with one that the auditor trusts. `false` with `ok` means: consistent in itself,
    /// but anybody could have made it.
    pub key_trusted: bool,
    /// SHA-256 of the public key in the bundle (DER), to be compared with what the authority published.
    pub key_fingerprint: Option<Digest>,
    /// By which keys the batches are signed: the one above, and those before it that the signed manifest names.
    pub signed_by: Vec<SignedBy>,
    /// The tenant's id.
    pub tenant: Option<String>,
    /// The case's id.
    pub case_id: Option<Uuid>,
    /// When the bundle was made, in microseconds since 1970-01-01 UTC.
    pub created_at_micros: Option<i64>,
    /// Number of the last batch that the bundle holds.
    pub last_batch: u64,
    /// What was read and verified.
    pub counts: Counts,
    /// Inclusion proofs that were read.
    pub proofs: u64,
    /// Whether the time stamps were traced to authorities that the auditor trusts. `false` means: anybody could have
    /// made them.
    pub stamps_trusted: bool,
    /// What the time stamps prove, by ascending batch; a wrong one is a finding and not listed here.
    pub stamps: Vec<Stamped>,
    /// Events of the case that no time stamp covers.
    pub unstamped_events: u64,
    /// Numbers of events whose content was erased, the first 200.
    pub erased_events: Vec<u64>,
    /// Payloads that were erased, the first 200.
    pub erased_payloads: Vec<Uuid>,
    /// What was found, the first 200.
    pub findings: Vec<Finding>,
    /// How many more were found.
    pub more_findings: u64,
}

/// What a time stamp proves: these events existed before that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamped {
    /// The batch whose head is stamped.
    pub batch: u64,
    /// The authority's time plus what its clock may be off, in microseconds since 1970-01-01 UTC.
    pub before_micros: i64,
    /// Events of the case that no earlier stamp covers.
    pub events: u64,
    /// The first of them by number in the tenant's chain; 0 if there are none.
    pub first_event: u64,
    /// The last of them; 0 if there are none.
    pub last_event: u64,
}

/// Something that an unchanged bundle does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code; `docs/errors/<code>.md` explains it.
    pub code: &'static str,
    /// Where.
    pub place: Place,
    /// What, in a short English phrase without any content of the bundle.
    pub message: String,
}

/// Where a finding is; what does not apply is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file in the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<BundleFile>,
    /// Line of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Number of the event in the tenant's chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    /// Number of the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// Index of the payload's 64 KiB chunk, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u64>,
    /// Where that chunk begins in the payload, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Place {
    pub(super) fn file(file: BundleFile) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    pub(super) fn line(file: BundleFile, line: u64) -> Self {
        Self { line: Some(line), ..Self::file(file) }
    }

    pub(super) fn event(self, number: u64) -> Self {
        Self { event: Some(number), ..self }
    }

    pub(super) fn batch(self, no: u64) -> Self {
        Self { batch: Some(no), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            Some(file) => write!(f, "{file}")?,
            None => f.write_str("bundle")?,
        }
        let numbers = [
            ("line", self.line),
            ("event", self.event),
            ("batch", self.batch),
            ("chunk", self.chunk),
            ("byte", self.offset),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                write!(f, ", {name} {number}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.place, self.message, self.code)
    }
}

impl fmt::Display for Report {
    /// For people: the verdict, then a line for everything that is proven, erased, missing or found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ok { "whole and unchanged" } else { "NOT whole or changed" })?;
        write!(f, "; {} events, {} payloads", self.counts.events, self.counts.payloads)?;
        if self.signed_by.iter().any(|by| Some(by.key) != self.key_fingerprint) {
            self.signed_by.iter().try_for_each(|by| write!(f, "\n  {by}"))?;
        }
        for stamp in self.stamps.iter().take(STAMPS_SHOWN) {
            write!(f, "\n  {stamp}")?;
        }
        if self.stamps.len() > STAMPS_SHOWN {
            write!(f, "\n  … and {} further time stamps", self.stamps.len() - STAMPS_SHOWN)?;
        }
        if !self.stamps.is_empty() && !self.stamps_trusted {
            f.write_str("\n  the time stamps go back to no trusted authority: anybody could have made them")?;
        }
        if self.unstamped_events > 0 {
            write!(f, "\n  {} events are covered by no time stamp", self.unstamped_events)?;
        }
        for number in &self.erased_events {
            write!(f, "\n  the content of event {number} was erased")?;
        }
        for id in &self.erased_payloads {
            write!(f, "\n  the content of payload {id} was erased")?;
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))?;
        match self.more_findings {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} further findings"),
        }
    }
}

impl fmt::Display for Stamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamped { events, first_event, last_event, batch, .. } = self;
        let before = time_text(self.before_micros);
        write!(
            f,
            "{events} events (numbers {first_event} to {last_event}) existed before {before}: stamp over batch {batch}"
        )
    }
}

impl Report {
    pub(super) fn find(&mut self, code: &'static str, place: Place, message: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { code, place, message: message.into() });
        } else {
            self.more_findings += 1;
        }
    }

    /// Names an erased event, as long as there are few.
    pub(super) fn note_erased_event(&mut self, number: u64) {
        if self.erased_events.len() < MAX_FINDINGS {
            self.erased_events.push(number);
        }
    }

    /// Whether something was found in this file already.
    pub(super) fn blames(&self, file: BundleFile) -> bool {
        self.findings.iter().any(|finding| finding.place.file == Some(file))
    }

    pub(super) fn close(mut self) -> Self {
        self.ok = self.findings.is_empty();
        self
    }
}
