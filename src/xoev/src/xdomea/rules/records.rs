//! Records within records: ids that occur once, numbers among siblings, what is inherited, depth
//! (xdomea 3.0.0 chapters 2.4 and 3.3; Kontextobjekt: 4.0.0).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use model::Finding;

use super::Setting;
use super::found::{Found, Spot};
use super::uuids::{Known, MOST, Role, Uuids, uuid};
use super::words::Kind;
use crate::xdomea::read::DEPTH;

/// Messages about disposal and hand-over, which must say how records are to be disposed of.
const WITH_RETENTION: [&str; 3] = ["0401", "0501", "0503"];
/// Messages to an archive, which takes files and cases.
const TO_ARCHIVE: [&str; 2] = ["0501", "0503"];

/// The records that are open.
#[derive(Default)]
pub(super) struct Records {
    open: Vec<Record>,
    pub(super) uuids: Uuids,
    key: RandomState,
    /// Numbers that are remembered of the records that are open, all together.
    numbers: usize,
}

/// A record that is open.
#[derive(Default)]
struct Record {
    kind: Option<Kind>,
    uuid: Option<u128>,
    bytes: usize,
    /// Aussonderungsart: its own, else what it inherits.
    disposal: Option<Disposal>,
    has_metadata: bool,
    /// Kontextobjekt.
    is_context: Option<bool>,
    /// Something below it is handed over, not only context.
    has_content: bool,
    /// Its number among its siblings.
    number: Option<u64>,
    children: Numbers,
}

/// Aussonderungsart: archival, to be appraised, to be destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposal {
    A,
    B,
    V,
}

/// NummerImUebergeordnetenContainer of the records in one container.
#[derive(Default)]
struct Numbers {
    seen: HashSet<u64>,
    some_without: bool,
    said: bool,
}

impl Records {
    pub(super) fn begin(&mut self, kind: Kind, setting: &Setting, found: &mut Found, spot: &dyn Spot) {
        let parent = self.open.last();
        let disposal = parent.and_then(|parent| parent.disposal);
        let in_context = parent.is_some_and(|p| p.is_context == Some(true) && p.kind != Some(Kind::Document));
        self.open.push(Record { kind: Some(kind), disposal, ..Record::default() });
        let depth = self.open.len();
        if depth > DEPTH {
            found.once(Finding::error("xdomea.depth"), "depth", spot);
        } else if depth > setting.depth {
            found.once(Finding::warning("xdomea.depth"), "depth", spot);
        }
        if kind != Kind::Document {
            return;
        }
        if in_context {
            found.warn("xdomea.context-content", spot);
        }
    }

    /// A document that is no part of a file or case, where an archive expects one.
    pub(super) fn begin_root(&self, kind: Kind, setting: &Setting, found: &mut Found, spot: &dyn Spot) {
        if kind == Kind::Document && TO_ARCHIVE.contains(&setting.code) {
            found.warn("xdomea.root-document", spot);
        }
    }

    /// Bytes that reading keeps of the innermost record.
    pub(super) fn hold(&mut self, bytes: usize) {
        if let Some(record) = self.open.last_mut() {
            record.bytes += bytes;
        }
    }

    /// The UUID of the innermost record.
    pub(super) fn uuid(&self) -> Option<u128> {
        self.open.last().and_then(|record| record.uuid)
    }

    /// Ends a record; how many bytes reading kept of it.
    pub(super) fn end(&mut self, setting: &Setting, found: &mut Found, spot: &dyn Spot) -> usize {
        let Some(record) = self.open.pop() else { return 0 };
        self.numbers = self.numbers.saturating_sub(record.children.seen.len());
        if record.is_context == Some(true) && !record.has_content {
            found.warn("xdomea.context-alone", spot);
        }
        let is_content = record.has_content || record.is_context == Some(false);
        match self.open.last_mut() {
            Some(parent) => parent.has_content |= is_content,
            None => end_root(&record, setting, found, spot),
        }
        record.bytes
    }

    /// The id within Identifikation; `of_record` unless it is that of something else.
    pub(super) fn id(&mut self, text: &str, of_record: bool, found: &mut Found, spot: &dyn Spot) {
        let Some(uuid) = usable(text, found, spot) else { return };
        let role = if of_record { Role::Record } else { Role::Part };
        if of_record && let Some(record) = self.open.last_mut() {
            record.uuid = Some(uuid);
        }
        match self.uuids.note(uuid, role) {
            Known::New => {}
            Known::TooMany => found.once(Finding::error("xdomea.too-many-records"), "records", spot),
            Known::Again => found.add(Finding::error("xdomea.uuid-twice"), spot),
            Known::Otherwise => found.warn("xdomea.uuid-reused", spot),
        }
    }

    /// The id of an object in a reply, which says one thing about each.
    pub(super) fn result(&mut self, text: &str, found: &mut Found, spot: &dyn Spot) {
        let Some(uuid) = usable(text, found, spot) else { return };
        match self.uuids.note(uuid, Role::Result) {
            Known::Again => found.add(Finding::error("xdomea.result-twice"), spot),
            Known::TooMany => found.once(Finding::error("xdomea.too-many-records"), "records", spot),
            Known::New | Known::Otherwise => {}
        }
    }

    /// NummerImUebergeordnetenContainer of the innermost record.
    pub(super) fn number(&mut self, text: &str) {
        let print = match text.parse::<u32>() {
            Ok(number) => u64::from(number),
            Err(_) => self.key.hash_one(text) | (1 << 63),
        };
        if let Some(record) = self.open.last_mut() {
            record.number = Some(print);
        }
    }

    /// The end of the Identifikation of the innermost record: it has a number by now, or none.
    pub(super) fn identified(&mut self, found: &mut Found, spot: &dyn Spot) {
        let [.., parent, record] = &mut self.open[..] else { return };
        let numbers = &mut parent.children;
        let is_odd = match record.number {
            Some(_) => numbers.some_without,
            None => !numbers.seen.is_empty(),
        };
        if is_odd && !std::mem::replace(&mut numbers.said, true) {
            found.warn("xdomea.number-missing", spot);
        }
        match record.number {
            None => numbers.some_without = true,
            Some(number) if numbers.seen.contains(&number) => found.warn("xdomea.number-twice", spot),
            Some(_) if self.numbers >= MOST => {
                found.once(Finding::error("xdomea.too-many-records"), "records", spot);
            }
            Some(number) => {
                self.numbers += 1;
                numbers.seen.insert(number);
            }
        }
    }

    /// The innermost record has metadata for disposal.
    pub(super) fn metadata(&mut self) {
        self.open.iter_mut().last().into_iter().for_each(|record| record.has_metadata = true);
    }

    /// Aussonderungsart of the innermost record.
    pub(super) fn disposal(&mut self, code: &str, found: &mut Found, spot: &dyn Spot) {
        let own = match code {
            "A" => Disposal::A,
            "B" => Disposal::B,
            "V" => Disposal::V,
            _ => return,
        };
        let Some(record) = self.open.last_mut() else { return };
        // What is still to be appraised may have parts about which that was decided.
        if record.disposal.is_some_and(|inherited| inherited != Disposal::B && inherited != own) {
            found.warn("xdomea.disposal-contradicted", spot);
        }
        record.disposal = Some(own);
    }

    /// Kontextobjekt of the innermost record.
    pub(super) fn context(&mut self, is_context: bool, found: &mut Found, spot: &dyn Spot) {
        let Some((record, above)) = self.open.split_last_mut() else { return };
        record.is_context = Some(is_context);
        if is_context && above.last().is_some_and(|parent| parent.is_context == Some(false)) {
            found.warn("xdomea.context-inside", spot);
        }
    }
}

fn end_root(record: &Record, setting: &Setting, found: &mut Found, spot: &dyn Spot) {
    if record.kind == Some(Kind::Document) {
        return;
    }
    if !record.has_metadata && WITH_RETENTION.contains(&setting.code) {
        found.warn("xdomea.disposal-absent", spot);
    }
    if record.disposal == Some(Disposal::V) && setting.code == "0503" && record.is_context != Some(true) {
        found.warn("xdomea.not-archival", spot);
    }
}

/// A UUID that can be compared. What breaks the schema's pattern, the schema has named.
fn usable(text: &str, found: &mut Found, spot: &dyn Spot) -> Option<u128> {
    let uuid = uuid(text);
    if uuid.is_none() && text.parse::<xml::value::Uuid>().is_ok() {
        found.add(Finding::error("xdomea.uuid"), spot);
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Spot for Nowhere {
        fn line(&self) -> u64 {
            1
        }

        fn path(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn no_more_than_the_most_numbers_are_remembered() {
        let mut found = Found::default();
        let open = vec![Record::default(), Record::default()];
        let mut records = Records { open, numbers: MOST - 1, ..Records::default() };
        for number in ["1", "2", "3"] {
            records.number(number);
            records.identified(&mut found, &Nowhere);
        }
        assert_eq!(records.open[0].children.seen.len(), 1);
        let rules: Vec<&str> = found.report.findings.iter().map(|finding| &*finding.rule).collect();
        assert_eq!(rules, ["xdomea.too-many-records"], "said once");
    }
}
