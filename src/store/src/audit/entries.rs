//! The entries of a batch beside their events, and events that have no entry.

use model::{Event, Id};
use seal::chain::{Batch, Entry, Salt, event_digest_of_canonical};
use seal::{Digest, merkle};

use super::{Audit, Place};
use crate::Error;
use crate::sql::{Row, Select};

/// Rows fetched at once; an event has at most 1 MiB.
const PAGE: u32 = 50;

/// Entry, then event; the columns of the event repeat what its body says.
const ENTRIES: &str = "SELECT chain_entry.number, chain_entry.event_id, chain_entry.digest, event.id, event.digest, \
     event.salt, event.body, event.tenant, event.unit, event.public_service, event.case_id, event.message_id, \
     event.subject_id FROM chain_entry LEFT JOIN event ON event.id = chain_entry.event_id WHERE chain_entry.tenant = ";

/// What was seen of a batch's entries so far.
struct Seen {
    /// Number that comes next.
    next: u64,
    last_id: Option<Id>,
    /// Merkle root over the entries as they are.
    entries: merkle::RootBuilder,
    /// The same with the digests of the events as they are.
    events: merkle::RootBuilder,
    /// Entries whose digest is not their event's; a batch has a few thousand entries.
    differing: Vec<u64>,
}

impl Audit<'_> {
    /// Reads the entries of a batch that can be relied on, each beside its event.
    pub(super) async fn entries(&mut self, batch: &Batch) -> Result<(), Error> {
        let mut seen = Seen {
            next: batch.first,
            last_id: None,
            entries: merkle::RootBuilder::new(),
            events: merkle::RootBuilder::new(),
            differing: Vec::new(),
        };
        loop {
            let select = Select::new(ENTRIES)
                .bind(self.tenant)
                .and("chain_entry.number >=", seen.next)
                .and("chain_entry.number <=", batch.last)
                .sql(" ORDER BY chain_entry.number LIMIT ")
                .bind(PAGE);
            let rows = self.store.db().read(select).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                self.entry(row, batch.no, &mut seen)?;
            }
        }
        self.missing(batch.no, seen.next, batch.last.saturating_add(1));
        self.compare_roots(batch, seen);
        Ok(())
    }

    fn entry(&mut self, row: &Row, batch: u64, seen: &mut Seen) -> Result<(), Error> {
        let number = row.number(0)?;
        let place = Place::batch(batch).event(number);
        self.missing(batch, seen.next, number);
        seen.next = number + 1;
        self.report.events += 1;
        let (Ok(event_id), Ok(digest)) = (row.id(1), row.parsed(2)) else {
            self.report.find("evidence.entry-changed", place, "the entry's row is unreadable");
            return Ok(());
        };
        if seen.last_id.replace(event_id).is_some_and(|last| last >= event_id) {
            // The sealer numbers the events of a batch in the order of their ids.
            self.report.find("evidence.order", place, "the entry does not stand in the order of its batch");
        }
        let found = self.event(row, event_id, place)?.unwrap_or(digest);
        if found != digest {
            seen.differing.push(number);
        }
        seen.entries.push(Entry { number, event_id, digest }.leaf());
        seen.events.push(Entry { number, event_id, digest: found }.leaf());
        Ok(())
    }

    /// The digest of the event as it is; `None` if it is not there or cannot be read, which is named.
    fn event(&mut self, row: &Row, id: Id, place: Place) -> Result<Option<Digest>, Error> {
        if row.opt_text(3)?.is_none() {
            match self.oldest.is_none_or(|oldest| id < oldest) {
                true => self.report.dropped += 1,
                false => self.report.find("evidence.event-missing", place, "the event of this entry is gone"),
            }
            return Ok(None);
        }
        let kept: Option<Digest> = row.parsed(4).ok();
        match (row.opt_text(5)?, row.opt_text(6)?) {
            (None, None) => {
                self.report.erased += 1;
                Ok(kept)
            }
            (Some(salt), Some(body)) => {
                let digest = salt_of(&salt).map(|salt| event_digest_of_canonical(&salt, body.as_bytes()));
                if digest.is_none() || kept != digest {
                    self.report.find(
                        "evidence.event-changed",
                        place,
                        "the event is not the one of its digest",
                    );
                } else if !columns_fit(row, id, &body)? {
                    self.report.find("evidence.event-changed", place, "a column is not what the event says");
                }
                Ok(digest)
            }
            _ => {
                self.report.find("evidence.event-changed", place, "the event lacks its salt or its content");
                Ok(kept)
            }
        }
    }

    /// Names the entries from `from` on that are missing before `until`.
    fn missing(&mut self, batch: u64, from: u64, until: u64) {
        if from < until {
            let what = match until - from {
                1 => "this entry is gone".to_owned(),
                count => format!("{count} entries are gone, from this one on"),
            };
            self.report.find("evidence.event-missing", Place::batch(batch).event(from), what);
        }
    }

    /// Entries and events differ: the sealed root tells which of them is the changed one.
    fn compare_roots(&mut self, batch: &Batch, seen: Seen) {
        let sealed = |root: &merkle::RootBuilder| root.count() == batch.size() && root.root() == batch.root;
        let (entries_fit, events_fit) = (sealed(&seen.entries), sealed(&seen.events));
        let (code, what) = match (entries_fit, events_fit) {
            (true, _) => ("evidence.event-changed", "the event is not the one that was sealed"),
            (false, true) => ("evidence.entry-changed", "the entry is not the one that was sealed"),
            (false, false) => ("evidence.event-changed", "event and entry differ"),
        };
        for number in &seen.differing {
            self.report.find(code, Place::batch(batch.no).event(*number), what);
        }
        let named = self.report.findings.iter().any(|finding| finding.batch == Some(batch.no));
        if !entries_fit && !named && self.report.more_findings == 0 {
            let what = format!("the entries {} to {} are not the sealed ones", batch.first, batch.last);
            self.report.find("evidence.entry-changed", Place::batch(batch.no), what);
        }
    }

    /// Entries that no batch covers, though batches and their entries are written together.
    pub(super) async fn entries_behind(&mut self, end: i64) -> Result<(), Error> {
        let Some(last) = self.previous.as_ref().map(|batch| batch.last).or((end == 0).then_some(0)) else {
            return Ok(());
        };
        // One statement, so that what is sealed meanwhile has its batch.
        let select = Select::new("SELECT MIN(number) FROM chain_entry WHERE tenant = ")
            .bind(self.tenant)
            .and("number >", last)
            .sql(" AND NOT EXISTS (SELECT 1 FROM chain_batch WHERE tenant = ")
            .bind(self.tenant)
            .and("no >", end)
            .sql(")");
        let first = self.store.db().read_one(select).await?.map(|row| row.opt_int(0)).transpose()?.flatten();
        if let Some(number) = first {
            let place = Place::default().event(u64::try_from(number).unwrap_or(0));
            self.report.find("evidence.tail-cut", place, "entries from this one on have lost their batches");
        }
        Ok(())
    }

    /// Events that have neither a number nor wait for one, though both are written together.
    pub(super) async fn unnumbered(&mut self) -> Result<(), Error> {
        let select = Select::new(
            "SELECT event.id FROM event LEFT JOIN chain_entry ON chain_entry.event_id = event.id \
             LEFT JOIN unsealed ON unsealed.tenant = event.tenant AND unsealed.event_id = event.id WHERE event.tenant = ",
        )
        .bind(self.tenant)
        .sql(" AND chain_entry.event_id IS NULL AND unsealed.event_id IS NULL ORDER BY event.id LIMIT ")
        .bind(1_000_u32);
        for row in self.store.db().read(select).await? {
            let what = "the event has lost its entry in the chain, or was never written by the gateway";
            self.report.find("evidence.event-unsealed", Place::default().id(row.id(0)?), what);
        }
        Ok(())
    }

    /// Events that wait for their number, against the digests that wait with them.
    pub(super) async fn unsealed(&mut self) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let select = Select::new(
                "SELECT unsealed.event_id, unsealed.digest, event.salt, event.body FROM unsealed \
                 LEFT JOIN event ON event.id = unsealed.event_id WHERE unsealed.tenant = ",
            )
            .bind(self.tenant)
            .and("unsealed.event_id >", after.as_str())
            .sql(" ORDER BY unsealed.event_id LIMIT ")
            .bind(PAGE);
            let rows = self.store.db().read(select).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.text(0)?;
            for row in &rows {
                self.report.unsealed += 1;
                let (Some(salt), Some(body)) = (row.opt_text(2)?, row.opt_text(3)?) else { continue };
                let digest = salt_of(&salt).map(|salt| event_digest_of_canonical(&salt, body.as_bytes()));
                if digest != row.parsed(1).ok() {
                    let place = Place::default().id(row.id(0)?);
                    self.report.find(
                        "evidence.event-changed",
                        place,
                        "the event changed before it was sealed",
                    );
                }
            }
        }
    }
}

fn salt_of(text: &str) -> Option<Salt> {
    let mut salt = [0; 16];
    hex::decode_to_slice(text, &mut salt).ok()?;
    Some(Salt(salt))
}

/// Whether the columns by which an event is found say what its body says.
fn columns_fit(row: &Row, id: Id, body: &str) -> Result<bool, Error> {
    let Ok(event) = serde_json::from_str::<Event>(body) else { return Ok(false) };
    let text = |id: Option<Id>| id.map(|id| id.to_string());
    let said = [
        Some(event.tenant),
        event.unit,
        event.public_service,
        text(event.case_id),
        text(event.message_id),
        text(event.subject.map(|subject| subject.id)),
    ];
    for (column, said) in (7..).zip(said) {
        if row.opt_text(column)? != said {
            return Ok(false);
        }
    }
    Ok(event.id == id)
}
