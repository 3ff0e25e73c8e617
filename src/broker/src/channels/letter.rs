//! A piece of post is taken in, in one transaction: into the case that it names for sure, else into one that it opens (applications,
//! reports), else onto the desk of a unit, with the cases
//! that it may belong to and a task. The same key of the same adapter is the same letter, whatever broke off in between.

use std::collections::{BTreeMap, BTreeSet};

use model::activity::{Interaction, InteractionStatus, Task};
use model::case::{Case, Description, Document, DocumentDates, Priority, RecordStatus, Version};
use model::command::{Change, Command, Place};
use model::letter::{Enclosure, Hint, HintKind, Letter, NewCase, Proposal, SURE, TakenIn};
use model::payment::day::german_day;
use model::record::{CASH_REFERENCE, Meta, PHONE};
use model::{Id, PayloadRef, Record, RecordKind, Timestamp, ids};
use serde_json::{Value, json};
use store::{Page, RecordFilter, StoredPayload, Work};

use super::host::Session;
use crate::citizen::Request;
use crate::records::{contents_of, refuse_number};
use crate::{Broker, Error, Once, notes};

/// How often it is decided anew because a record changed in between.
const ATTEMPTS: usize = 8;
/// Longest key of a letter, in bytes.
const KEY_BYTES: usize = 200;
/// Documents of a letter, and files of one document.
const DOCUMENTS: usize = 500;
const FILES: usize = 20;
/// Most bytes of what proves how it came in.
const PROOF_BYTES: usize = 16 * 1024;
/// Hints that are looked up, the surest first.
const LOOKED_UP: usize = 20;
/// Records of one name that are looked at: more are no hint.
const MOST_FOUND: u32 = 5;
/// Cases that are proposed.
const PROPOSALS: usize = 10;

/// Kind of the task of whoever has to say where a letter belongs.
pub(crate) const TO_FILE: &str = "letter";
/// Titles of tasks.
const FILE_TITLE: &str = "Posteingang zuordnen";
const LOOK_TITLE: &str = "Posteingang prüfen";

/// Where a letter goes.
struct Where {
    /// The case.
    case: Option<Record>,
    /// Whether it comes into being with the letter.
    opens: bool,
    /// What it may belong to.
    proposals: Vec<Proposal>,
    /// The unit on whose desk it lies, and the service it belongs to.
    unit: String,
    service: Option<String>,
}

/// What is known of a letter that somebody brings who is no adapter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Brought {
    /// The case that it belongs to for sure.
    pub(crate) case: Option<Id>,
    /// The request that waits for it, and ends with it.
    pub(crate) request: Option<Request>,
    /// Whether documents without bytes are announced, which are brought afterwards.
    pub(crate) announced: bool,
}

impl Session {
    pub(super) async fn take_letter(&self, letter: Letter) -> Result<TakenIn, Error> {
        check(&letter)?;
        refuse_number(letter.opens.as_ref().map(|new| &new.description))?;
        let once = Once::new(format!("letter:{}", letter.key), String::new());
        let named = letter.documents.iter().flat_map(|document| &document.files);
        let named: Vec<PayloadRef> = named.filter_map(|file| file.content.clone()).collect();
        if let Some(first) = self.broker.answered(&self.caller, Some(&once)).await? {
            self.discard(&named).await;
            return taken_before(&first);
        }
        let stored = self.take_all(&named)?;
        let outcome = self.try_letter(&letter, &once, &stored, Brought::default()).await;
        match &outcome {
            Ok(taken) if taken.again => {
                self.give_back(stored);
                self.discard(&named).await;
            }
            // What certainly names nothing may be tried again in this session. Of anything else nobody may say that it is not needed.
            Err(Error::Model(_)) => self.give_back(stored),
            _ => {}
        }
        outcome
    }

    /// Takes in what somebody has brought who is no adapter, with what was staged of it. The same `once` again is the same letter.
    pub(crate) async fn bring_letter(
        &self,
        letter: &Letter,
        once: &Once,
        stored: Vec<StoredPayload>,
        brought: Brought,
    ) -> Result<TakenIn, Error> {
        let outcome = async {
            check(letter)?;
            match self.broker.answered(&self.caller, Some(once)).await? {
                Some(first) => taken_before(&first),
                None => self.try_letter(letter, once, &stored, brought).await,
            }
        }
        .await;
        // What certainly names nothing is not kept.
        let is_kept = match &outcome {
            Ok(taken) => !taken.again,
            Err(Error::Model(_) | Error::LinkOver | Error::KeyReused | Error::UnknownUnit) => false,
            Err(_) => true,
        };
        if !is_kept {
            for stored in stored {
                self.broker.store().discard(stored).await;
            }
        }
        outcome
    }

    async fn try_letter(
        &self,
        letter: &Letter,
        once: &Once,
        stored: &[StoredPayload],
        brought: Brought,
    ) -> Result<TakenIn, Error> {
        for _ in 0..ATTEMPTS {
            let mut work = Work::new();
            let place = match brought.case {
                Some(case) => self.place_into(&mut work, letter, case).await?,
                None => self.place_of(&mut work, letter).await?,
            };
            if let Some(request) = brought.request {
                self.broker.end_request(&mut work, &self.caller, request).await?;
            }
            for payload in stored {
                work.insert_payload(&self.channel.scope.tenant, payload);
            }
            let (interaction, case) = self.letter_rows(&mut work, letter, &place)?;
            if brought.announced {
                self.broker.await_attachments(&mut work, &self.channel.scope.tenant, interaction);
            }
            let answer = json!({ "interaction": interaction, "case": case });
            once.claim(&mut work, &self.caller, interaction, &answer);
            match self.broker.store().commit(work).await.map_err(Error::from) {
                Ok(()) => return Ok(TakenIn { interaction, case, again: false }),
                Err(error) if error.is_conflict("dedup") => {
                    let first = self.broker.answered(&self.caller, Some(once)).await?;
                    return taken_before(&first.ok_or(Error::Internal)?);
                }
                Err(error) if error.is_conflict("root") || error.is_conflict("record") => {}
                Err(error) => return Err(error),
            }
        }
        Err(model::Error::VersionConflict.into())
    }

    /// Where a letter goes; `work` requires that its case stays as it is.
    async fn place_of(&self, work: &mut Work, letter: &Letter) -> Result<Where, Error> {
        let (sure, proposals) = self.named_by(letter).await?;
        let unit = self.desk_of(letter);
        let desk = || Where {
            case: None,
            opens: false,
            proposals: proposals.clone(),
            unit: unit.clone(),
            service: None,
        };
        if let ([], Some(new)) = (sure.as_slice(), &letter.opens) {
            return self.opened(new, &unit);
        }
        let [case] = sure.as_slice() else { return Ok(desk()) };
        Ok(self.in_case(work, case).await?.unwrap_or_else(desk))
    }

    /// The case that a letter belongs to, or the desk of its unit if that takes nothing any more.
    async fn place_into(&self, work: &mut Work, letter: &Letter, case: Id) -> Result<Where, Error> {
        let case = self.broker.owned(&self.channel.scope, RecordKind::Case, case).await?;
        let (unit, id) = (self.desk_of(letter), case.meta().id);
        let proposal = Proposal { record: id, confidence: 100, because: HintKind::RecordReference };
        let desk = || Where { case: None, opens: false, proposals: vec![proposal], unit, service: None };
        Ok(self.in_case(work, &case).await?.unwrap_or_else(desk))
    }

    /// A case as the place of a letter, unless it takes nothing now; `work` requires that it stays as it is.
    async fn in_case(&self, work: &mut Work, case: &Record) -> Result<Option<Where>, Error> {
        if case.status() != RecordStatus::Open.name() {
            return Ok(None);
        }
        let above = self.broker.above(case).await?;
        if lies_in_received(&above) {
            return Ok(None);
        }
        let around: Vec<Record> = std::iter::once(case.clone()).chain(above.iter().cloned()).collect();
        let place = Place::of(case);
        let mut looked = Work::new();
        let change = Change::FileInteraction(place.clone());
        match self.broker.check_above(&mut looked, None, &around, &self.caller, &change).await {
            Ok(()) => *work = looked,
            Err(Error::Model(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some(Where {
            case: Some(case.clone()),
            opens: false,
            proposals: vec![],
            unit: place.unit,
            service: place.public_service,
        }))
    }

    /// The case that a letter opens, in the unit that it names or on whose desk it would lie.
    fn opened(&self, new: &NewCase, desk: &str) -> Result<Where, Error> {
        let scope = &self.channel.scope;
        let unit = new.unit.as_deref().unwrap_or(desk);
        if !self.broker.house().has_unit(&scope.tenant, unit) {
            return Err(Error::UnknownUnit);
        }
        if !scope.covers(&scope.tenant, unit, new.public_service.as_deref()) {
            return Err(model::Error::Forbidden.into());
        }
        let id = ids::new_id();
        let meta = Meta {
            id,
            tenant: scope.tenant.clone(),
            authority: self.channel.authority.clone(),
            unit: unit.to_owned(),
            public_service: new.public_service.clone(),
            root: id,
            version: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        let case = Case {
            meta,
            description: new.description.clone(),
            case_file: None,
            parent: None,
            status: RecordStatus::Open,
            priority: Priority::Normal,
            locations: new.locations.clone(),
        };
        Ok(Where {
            case: Some(Record::Case(case)),
            opens: true,
            proposals: vec![],
            unit: unit.to_owned(),
            service: new.public_service.clone(),
        })
    }

    /// The cases that are named for sure, and all that are named.
    async fn named_by(&self, letter: &Letter) -> Result<(Vec<Record>, Vec<Proposal>), Error> {
        let names = |hint: &&Hint| {
            matches!(hint.kind, HintKind::RecordReference | HintKind::CashReference | HintKind::Phone)
        };
        let mut hints: Vec<&Hint> = letter.hints.iter().filter(names).collect();
        hints.sort_by_key(|hint| std::cmp::Reverse(hint.confidence));
        let mut sure: BTreeMap<Id, Record> = BTreeMap::new();
        let mut proposals: Vec<Proposal> = vec![];
        let mut seen = BTreeSet::new();
        for hint in hints.into_iter().filter(|hint| seen.insert((hint.kind, &hint.value))).take(LOOKED_UP) {
            for record in self.cases_named(hint).await? {
                let id = record.meta().id;
                if proposals.iter().all(|known| known.record != id) {
                    proposals.push(Proposal { record: id, confidence: hint.confidence, because: hint.kind });
                }
                // A number that a caller shows is what the caller says, however sure somebody is.
                if hint.confidence >= SURE && hint.kind != HintKind::Phone {
                    sure.insert(id, record);
                }
            }
        }
        proposals.truncate(PROPOSALS);
        Ok((sure.into_values().collect(), proposals))
    }

    /// The cases and case files within the adapter's scope that a hint names.
    async fn cases_named(&self, hint: &Hint) -> Result<Vec<Record>, Error> {
        let (scope, page) = (&self.channel.scope, Page::first(MOST_FOUND));
        let mut found: BTreeMap<Id, Record> = BTreeMap::new();
        let store = self.broker.store();
        if hint.kind == HintKind::CashReference {
            let reference = Some((CASH_REFERENCE.to_owned(), hint.value.clone()));
            let filter = RecordFilter { reference, ..RecordFilter::of(RecordKind::Claim) };
            for claim in store.records(scope, &filter, &page).await?.items {
                let Some(case) = claim.parent() else { continue };
                found.extend(store.record_any(scope, case).await?.map(|case| (case.meta().id, case)));
            }
            return Ok(found.into_values().collect());
        }
        if hint.kind == HintKind::Phone {
            let all = store.newest_named(scope, (PHONE, &hint.value), MOST_FOUND).await?;
            found.extend(all.into_iter().map(|record| (record.meta().id, record)));
            found.retain(|_, record| record.status() != RecordStatus::Destroyed.name());
            return Ok(found.into_values().collect());
        }
        for kind in [RecordKind::Case, RecordKind::CaseFile] {
            let by_reference =
                RecordFilter { record_reference: Some(hint.value.clone()), ..RecordFilter::of(kind) };
            let by_name = RecordFilter { named: Some(hint.value.clone()), ..RecordFilter::of(kind) };
            for filter in [by_reference, by_name] {
                let all = store.records(scope, &filter, &page).await?.items;
                found.extend(all.into_iter().map(|record| (record.meta().id, record)));
            }
        }
        found.retain(|_, record| record.status() != RecordStatus::Destroyed.name());
        Ok(found.into_values().collect())
    }

    /// The unit that a letter names for sure, of those that the adapter may bring things to; else the channel's.
    fn desk_of(&self, letter: &Letter) -> String {
        let tenant = &self.channel.scope.tenant;
        let known = |hint: &&Hint| {
            hint.kind == HintKind::Unit
                && hint.confidence >= SURE
                && self.channel.scope.covers(tenant, &hint.value, None)
                && self.broker.house().has_unit(tenant, &hint.value)
        };
        let named = letter.hints.iter().filter(known).max_by_key(|hint| hint.confidence);
        named.map_or_else(|| self.channel.unit.clone(), |hint| hint.value.clone())
    }

    /// Contact, documents and task, each with its event.
    fn letter_rows(
        &self,
        work: &mut Work,
        letter: &Letter,
        place: &Where,
    ) -> Result<(Id, Option<Id>), Error> {
        let id = ids::new_id();
        let case = place.case.as_ref().map(Record::meta);
        let meta = Meta {
            id,
            tenant: self.channel.scope.tenant.clone(),
            authority: case.map_or_else(|| self.channel.authority.clone(), |case| case.authority.clone()),
            unit: place.unit.clone(),
            public_service: place.service.clone(),
            root: case.map_or(id, |case| case.root),
            version: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        let documents: Vec<Document> = letter
            .documents
            .iter()
            .map(|enclosure| document(&meta, case.map(|case| case.id), letter, enclosure))
            .collect();
        let interaction = Interaction {
            meta: meta.clone(),
            case_id: case.map(|case| case.id),
            kind: letter.way.clone(),
            at: letter.received_at,
            subject: letter.subject.clone(),
            from: letter.from.clone(),
            documents: documents.iter().map(|document| document.meta.id).collect(),
            hints: letter.hints.clone(),
            proposals: place.proposals.clone(),
            concerns: letter.concerns.iter().map(|code| (*code).to_owned()).collect(),
            call: letter.call.clone(),
            proof: letter.proof.clone(),
            status: if case.is_some() { InteractionStatus::Filed } else { InteractionStatus::Open },
        };
        let task = match (case, letter.concerns.first()) {
            // Whoever took the call says where it belongs; if nobody did, there is a task of calling back.
            (None, None) if letter.call.is_some() => None,
            (None, _) => Some(letter_task(&meta, id, (FILE_TITLE, TO_FILE))),
            (Some(case), Some(code)) => Some(letter_task(&meta, case.id, (LOOK_TITLE, code))),
            (Some(_), None) => None,
        };
        let proof = json!({ "adapter": self.adapter, "proof": letter.proof });
        let actor = &self.caller.actor;
        if let Some(opened) = place.case.as_ref().filter(|_| place.opens) {
            self.broker.begin_record(work, opened.clone(), actor, None)?;
        }
        self.broker.begin_record(work, Record::Interaction(interaction), actor, Some(proof))?;
        for document in documents {
            self.broker.begin_record(work, Record::Document(document), actor, None)?;
        }
        if let Some(task) = task {
            self.broker.begin_record(work, Record::Task(task), &model::Actor::gateway(), None)?;
        }
        Ok((id, case.map(|case| case.id)))
    }

    /// Takes bytes out that a record is going to name, each of which must have been kept in this session.
    pub(super) fn take_all(&self, named: &[PayloadRef]) -> Result<Vec<StoredPayload>, Error> {
        let mut taken = vec![];
        let mut seen = BTreeSet::new();
        for content in named.iter().filter(|content| seen.insert(content.id)) {
            match self.take(content) {
                Some(stored) if stored.reference() == content => taken.push(stored),
                other => {
                    taken.extend(other);
                    self.give_back(taken);
                    return Err(model::Error::Invalid { field: "content" }.into());
                }
            }
        }
        Ok(taken)
    }

    /// Removes bytes that were kept and are not needed.
    pub(super) async fn discard(&self, named: &[PayloadRef]) {
        for content in named {
            if let Some(stored) = self.take(content) {
                self.broker.store().discard(stored).await;
            }
        }
    }
}

impl Broker {
    /// Adds a record that comes into being, and its event with the bytes that it names.
    pub(super) fn begin_record(
        &self,
        work: &mut Work,
        record: Record,
        actor: &model::Actor,
        detail: Option<Value>,
    ) -> Result<(), Error> {
        let (kind, id, payloads) = (record.kind(), record.meta().id, contents_of(&record));
        let command = Command { kind, id, expected: None, change: Change::Create(Box::new(record)) };
        let now = self.now();
        let decided = model::decide(None, &command, self.parts.rules, now)?;
        work.put_record(&decided.record, None);
        let event = notes::of_record(&decided, actor, now, None);
        work.insert_event(&model::Event { payloads, detail, ..event });
        Ok(())
    }
}

fn document(of: &Meta, parent: Option<Id>, letter: &Letter, enclosure: &Enclosure) -> Document {
    // A day of law: what came in at 00:30 in Germany is of that day, though UTC has the one before.
    let received = german_day(letter.received_at);
    Document {
        meta: Meta { id: ids::new_id(), ..of.clone() },
        description: Description { title: enclosure.title.clone(), ..Description::default() },
        parent,
        kind: enclosure.kind.clone(),
        dates: DocumentDates { received: Some(received), ..DocumentDates::default() },
        versions: vec![Version { number: "1".to_owned(), files: enclosure.files.clone() }],
        status: RecordStatus::Open,
    }
}

/// Whether a record lies in one that no record-keeping system has taken yet: the sender may still get everything of it back.
pub(super) fn lies_in_received(above: &[Record]) -> bool {
    above.iter().any(|above| above.status() == RecordStatus::Received.name())
}

/// A task on the desk where a letter lies.
pub(super) fn letter_task(of: &Meta, about: Id, (title, kind): (&str, &str)) -> Task {
    Task { case_id: Some(about), ..Task::new(Meta { id: ids::new_id(), ..of.clone() }, kind, title) }
}

/// The task of whoever has to say where a letter belongs.
pub(super) fn filing_task(of: &Meta) -> Task {
    letter_task(of, of.id, (FILE_TITLE, TO_FILE))
}

fn check(letter: &Letter) -> Result<(), Error> {
    let invalid = |field| Err(model::Error::Invalid { field }.into());
    if !(1..=KEY_BYTES).contains(&letter.key.len()) {
        return invalid("key");
    }
    if letter.proof.to_string().len() > PROOF_BYTES {
        return invalid("proof");
    }
    let is_empty = letter.documents.is_empty() && letter.call.is_none() && letter.opens.is_none();
    if is_empty || letter.documents.len() > DOCUMENTS {
        return invalid("documents");
    }
    for document in &letter.documents {
        let names: BTreeSet<&str> = document.files.iter().map(|file| file.name.as_str()).collect();
        let is_whole = document.files.iter().all(|file| file.content.is_some() && !file.name.is_empty());
        if names.len() != document.files.len() || !is_whole || document.files.len() > FILES {
            return invalid("files");
        }
    }
    Ok(())
}

fn taken_before(first: &Value) -> Result<TakenIn, Error> {
    let id = |name: &str| first[name].as_str().and_then(|id| id.parse::<Id>().ok());
    let interaction = id("interaction").ok_or(Error::KeyReused)?;
    Ok(TakenIn { interaction, case: id("case"), again: true })
}
