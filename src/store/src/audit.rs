//! Whether the rows of a tenant's chain are still what was sealed: every event against its entry, every batch against its
//! entries, the batch before and its signature, the end of the chain against the last time stamp.
//!
//! What a bundle proves of one case to others, this says of all of a tenant to its operator; it needs the database and
//! the public keys. Memory holds a page of rows. Whoever can write every table can cut the newest events off together with
//! batches and stamps: that only bundles and stamps tell which left the house before.

mod entries;

use std::fmt;

use model::{Id, Timestamp};
use seal::Digest;
use seal::chain::{Batch, SignedBatch, SignedBy};
use seal::evidence_key::EvidenceKeys;
use seal::timestamp::{self, Authorities};
use serde::Serialize;

use crate::sealer::{BATCHES, batch};
use crate::sql::{Row, Select};
use crate::{Error, Page, StampRow, Store, stamps};

/// Findings beyond this number are counted, not kept.
const MOST_FINDINGS: usize = 200;

/// The verdict on a tenant's chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainReport {
    /// Whether nothing was found.
    pub ok: bool,
    /// Batches read.
    pub batches: u64,
    /// Sealed events read, erased and dropped ones included.
    pub events: u64,
    /// Events whose content was erased.
    pub erased: u64,
    /// Events that went with their month, as retention wants it: entries without an event at the beginning of the chain.
    pub dropped: u64,
    /// Events that wait to be sealed.
    pub unsealed: u64,
    /// Time stamps that were verified.
    pub stamps: u64,
    /// By which keys the batches are signed.
    pub signed_by: Vec<SignedBy>,
    /// What was found, the first 200.
    pub findings: Vec<ChainFinding>,
    /// How many more were found.
    pub more_findings: u64,
}

/// Something that an untouched chain does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainFinding {
    /// Stable code, documented under `docs/errors/`.
    pub code: &'static str,
    /// Number of the event in the chain.
    pub event: Option<u64>,
    /// Number of the batch.
    pub batch: Option<u64>,
    /// The event's id, where it has no number.
    pub event_id: Option<Id>,
    /// What, in a short English phrase without content.
    pub message: String,
}

impl ChainReport {
    fn find(&mut self, code: &'static str, place: Place, message: impl Into<String>) {
        if self.findings.len() == MOST_FINDINGS {
            self.more_findings += 1;
            return;
        }
        let Place { event, batch, event_id } = place;
        self.findings.push(ChainFinding { code, event, batch, event_id, message: message.into() });
    }
}

impl fmt::Display for ChainReport {
    /// For people: the verdict, then a line for each finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ok { "whole and unchanged" } else { "NOT whole or changed" })?;
        let ChainReport { events, batches, erased, dropped, unsealed, stamps, .. } = self;
        write!(
            f,
            "; {events} events in {batches} batches ({erased} erased, {dropped} dropped), {unsealed} waiting, "
        )?;
        write!(f, "{stamps} time stamps")?;
        if self.signed_by.len() > 1 {
            self.signed_by.iter().try_for_each(|by| write!(f, "\n  {by}"))?;
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))?;
        match self.more_findings {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} further findings"),
        }
    }
}

impl fmt::Display for ChainFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.event {
            write!(f, "event {number}, ")?;
        }
        if let Some(id) = self.event_id {
            write!(f, "event {id}, ")?;
        }
        if let Some(no) = self.batch {
            write!(f, "batch {no}, ")?;
        }
        write!(f, "{} [{}]", self.message, self.code)
    }
}

/// Where a finding is.
#[derive(Clone, Copy, Default)]
struct Place {
    event: Option<u64>,
    batch: Option<u64>,
    event_id: Option<Id>,
}

impl Place {
    fn batch(no: u64) -> Self {
        Place { batch: Some(no), ..Place::default() }
    }

    fn event(self, number: u64) -> Self {
        Place { event: Some(number), ..self }
    }

    fn id(self, id: Id) -> Self {
        Place { event_id: Some(id), ..self }
    }
}

impl Store {
    /// Checks everything that is kept of the tenant's chain, each batch by one of `keys`. It may run beside a working gateway: what
    /// is sealed meanwhile is not looked at.
    ///
    /// # Errors
    /// If the database fails; what is wrong with its rows is in the report.
    pub async fn check_chain(
        &self,
        tenant: &str,
        keys: &EvidenceKeys,
        authorities: Option<&Authorities>,
    ) -> Result<ChainReport, Error> {
        let mut audit = Audit {
            store: self,
            tenant,
            keys,
            authorities,
            oldest: self.oldest_event().await?,
            previous: None,
            expected: 1,
            report: ChainReport::default(),
        };
        let end = audit.batches().await?;
        audit.stamps_behind(end).await?;
        audit.unnumbered().await?;
        audit.unsealed().await?;
        audit.report.ok = audit.report.findings.is_empty();
        Ok(audit.report)
    }

    /// The smallest id of an event that is still there, over all tenants: months are dropped whole.
    async fn oldest_event(&self) -> Result<Option<Id>, Error> {
        let row = self.db().read_one(Select::new("SELECT id FROM event ORDER BY id LIMIT 1")).await?;
        row.map(|row| row.id(0)).transpose()
    }
}

/// One run over a tenant's chain.
struct Audit<'a> {
    store: &'a Store,
    tenant: &'a str,
    keys: &'a EvidenceKeys,
    authorities: Option<&'a Authorities>,
    oldest: Option<Id>,
    /// The batch before; absent at the beginning and behind an unreadable one.
    previous: Option<Batch>,
    /// Number that the next batch must have.
    expected: u64,
    report: ChainReport,
}

impl Audit<'_> {
    /// Walks all batches that there are now; returns the number of the last one.
    async fn batches(&mut self) -> Result<u64, Error> {
        let select = Select::new("SELECT no FROM chain_batch WHERE tenant = ").bind(self.tenant);
        let end = self.store.db().read_one(select.sql(" ORDER BY no DESC LIMIT 1")).await?;
        let end = end.map_or(Ok(0), |row| row.int(0))?;
        let mut after = 0;
        loop {
            let select = Select::new(BATCHES)
                .bind(self.tenant)
                .and("no >", after)
                .and("no <=", end)
                .sql(" ORDER BY no LIMIT ")
                .bind(Page::MOST);
            let rows = self.store.db().read(select).await?;
            let Some(last) = rows.last() else { break };
            after = last.int(1)?;
            for row in &rows {
                self.batch(row).await?;
            }
        }
        self.entries_behind(end).await?;
        Ok(u64::try_from(end).unwrap_or(0))
    }

    async fn batch(&mut self, row: &Row) -> Result<(), Error> {
        self.report.batches += 1;
        let no = row.number(1)?;
        let previous = self.previous.take();
        match batch(row) {
            Ok(signed) => {
                let known = previous.is_some() || self.expected == 1;
                let signer = signed.signer(self.tenant, self.keys, self.expected).and_then(|key| {
                    let fault = known.then(|| signed.batch.break_after(previous.as_ref(), true)).flatten();
                    fault.map_or(Ok(key), Err)
                });
                match signer {
                    Err((code, what)) => self.report.find(code, Place::batch(no), what),
                    Ok(key) => {
                        SignedBy::count(&mut self.report.signed_by, key, no);
                        self.entries(&signed.batch).await?;
                    }
                }
                self.stamp(&signed).await?;
                self.previous = Some(signed.batch);
            }
            Err(Error::Corrupt { .. }) => {
                self.report.find("evidence.batch-changed", Place::batch(no), "the batch's row is unreadable");
            }
            Err(error) => return Err(error),
        }
        self.expected = no.saturating_add(1);
        Ok(())
    }

    /// Verifies the stamp over this batch's head, if there is one.
    async fn stamp(&mut self, signed: &SignedBatch) -> Result<(), Error> {
        let no = signed.batch.no;
        let Some(stamp) =
            self.store.stamps(self.tenant, no, 1).await?.into_iter().find(|stamp| stamp.batch_no == no)
        else {
            return Ok(());
        };
        match self.judge(&stamp, &signed.batch.head) {
            Some(what) => self.report.find("evidence.stamp-wrong", Place::batch(no), what),
            None => self.report.stamps += 1,
        }
        Ok(())
    }

    fn judge(&self, stamp: &StampRow, head: &Digest) -> Option<String> {
        match timestamp::check(&stamp.response, &head.0, self.authorities) {
            Err(error) => Some(format!("{error} [{}]", error.code())),
            Ok(said) if Timestamp::from_micros(said.at_micros) != stamp.at => {
                Some("the row has another time than the stamp".to_owned())
            }
            Ok(_) => None,
        }
    }

    /// Stamps over batches that are not there (any more).
    async fn stamps_behind(&mut self, end: u64) -> Result<(), Error> {
        let select = Select::new("SELECT batch_no, stamped_at, token FROM chain_stamp WHERE tenant = ")
            .bind(self.tenant)
            .and("batch_no >", end)
            .sql(" AND batch_no NOT IN (SELECT no FROM chain_batch WHERE tenant = ")
            .bind(self.tenant)
            .sql(") ORDER BY batch_no LIMIT ")
            .bind(Page::MOST);
        for row in self.store.db().read(select).await? {
            let no = stamps::stamp(&row)?.batch_no;
            let what = format!("a time stamp covers batch {no}, but the chain ends with batch {end}");
            self.report.find("evidence.tail-cut", Place::batch(no), what);
        }
        Ok(())
    }
}
