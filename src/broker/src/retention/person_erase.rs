//! Erasure of a person (GDPR article 17): personal data of parties is replaced by a mark, in records that need no longer be kept; contacts and
//! dispatches of the person are emptied. What the events said of the person goes too; the event that says so holds the whole record as it
//! is from then on, so the events from there on still give the record.

use model::activity::InteractionStatus;
use model::case::RecordStatus;
use model::command::Change;
use model::party::Party;
use model::rights::Action;
use model::{Caller, Command, Event, EventKind, Id, Record, RecordKind, Scope, Timestamp, decide};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Page, TimelineOf, Work};

use super::person::{PersonBy, PersonFound, Who, parties};
use super::{HELD, UNDER_WAY};
use crate::erasure::held;
use crate::evidence::PAGE;
use crate::exchange::check_settled;
use crate::{Broker, Error, notes};

/// Longest reason, in characters.
const REASON: usize = 500;

/// How long what one person asked for waits for a second one: two weeks, in microseconds.
const ASKED_FOR: i64 = 14 * 86_400_000_000;

/// Its time of keeping is not over.
const NOT_OVER: &str = "retention.not-over";
/// Title or note name the person: a clerk has to change them.
const IN_TEXT: &str = "retention.in-text";
/// Documents and other records beside say what they say.
const DOCUMENT: &str = "retention.goes-with-its-file";

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonStays {
    /// Kind of record.
    pub kind: RecordKind,
    /// The record.
    pub id: Id,
    /// Code of the reason.
    pub reason: &'static str,
}

/// What became of a wish to be erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonErased {
    /// Records that do not name the person any more.
    pub erased: Vec<Id>,
    /// What stays, and why.
    pub stays: Vec<PersonStays>,
    /// Nothing was erased yet: a second person has to ask for the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

impl Broker {
    /// Erases a person from records within the caller's scope whose time of keeping is over, or, with the reason why consent is
    /// withdrawn, from all that are not under a hold, offered or under way. Where the house wants four eyes, the first call only asks.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may export persons and erase; `NotFound` if nobody is known; `Invalid` for an empty or long reason.
    pub async fn erase_person(
        &self,
        caller: &Caller,
        by: &PersonBy,
        withdrawn: Option<&str>,
    ) -> Result<PersonErased, Error> {
        let scope = caller.may(Action::ExportPersons)?;
        caller.may(Action::Erase)?;
        if withdrawn.is_some_and(|reason| !(1..=REASON).contains(&reason.trim().chars().count())) {
            return Err(model::Error::Invalid { field: "reason" }.into());
        }
        let found = self.known_of(caller, by).await?;
        if found.places.is_empty() {
            return Err(model::Error::NotFound { kind: "person" }.into());
        }
        let who = self.who(scope, by).await?;
        if self.parts.rules.four_eyes && !self.is_agreed(caller, &found, withdrawn.is_some()).await? {
            return Ok(PersonErased { asked: true, ..PersonErased::default() });
        }
        self.seal_now(&scope.tenant).await?;
        let mut outcome = PersonErased::default();
        // Before anything is written: what is changed on the way has no say in what comes after it.
        let mut over = vec![];
        for place in &found.places {
            over.push(withdrawn.is_some() || self.is_over_for(&scope.tenant, place.root).await?);
        }
        for (place, over) in found.places.iter().zip(over) {
            let record = self.owned_any(scope, place.id).await?;
            match self.why_it_stays(&record, over).await? {
                Some(reason) => outcome.stays(&record, reason),
                None => match self.erase_from(caller, record.clone(), &who, withdrawn, &mut outcome).await {
                    // A bar that came in between.
                    Err(Error::Model(model::Error::Held)) => outcome.stays(&record, HELD),
                    erased => erased?,
                },
            }
        }
        let PersonErased { erased, stays, .. } = &mut outcome;
        stays.retain(|it| it.reason != DOCUMENT || !erased.contains(&it.id));
        Ok(outcome)
    }

    /// Whether another one has asked for exactly the same before: these parties of these records as they are, for the same reason. If
    /// not, this is what the caller asks. Of the person nothing is kept for it but a digest of where the person stands.
    async fn is_agreed(&self, caller: &Caller, found: &PersonFound, withdrawn: bool) -> Result<bool, Error> {
        let tenant = &caller.scope.tenant;
        let places: Vec<Value> =
            found.places.iter().map(|at| json!([at.id, at.exactly.0, at.exactly.1])).collect();
        let records = places.len();
        let digest = seal::sha256(&[json!([withdrawn, places]).to_string().as_bytes()]).to_string();
        let since = Timestamp::from_micros(self.now().micros().saturating_sub(ASKED_FOR));
        let mut work = Work::new();
        let before = self.store().erasure_asked(tenant, &digest, since).await?;
        let agrees = before.is_some_and(|by| by != caller.actor.id);
        if agrees {
            work.end_erasure(tenant, &digest);
        } else {
            work.ask_erasure(tenant, &digest, &caller.actor.id, self.now(), since);
            let detail = json!({ "records": records });
            work.insert_event(&self.audit(tenant, EventKind::PersonErasureAsked, &caller.actor, detail));
        }
        self.store().commit(work).await?;
        Ok(agrees)
    }

    /// Whether the time of keeping of what lies in this tree is over: whoever lies in a file is kept as long as the file.
    async fn is_over_for(&self, tenant: &str, root: Id) -> Result<bool, Error> {
        let top = self.owned_any(&Scope::tenant(tenant), root).await?;
        // What needs no case is kept for nothing.
        if matches!(&top, Record::Interaction(it) if it.status == InteractionStatus::Dismissed) {
            return Ok(true);
        }
        let is_closed =
            [RecordStatus::Closed, RecordStatus::Locked].map(RecordStatus::name).contains(&top.status());
        Ok(is_closed && self.is_kept_long_enough(&top))
    }

    /// Whether somebody still has to do with a contact or a dispatch: it lies on a desk, or a task is about it.
    async fn is_worked_on(&self, record: &Record) -> Result<bool, Error> {
        if !matches!(record, Record::Interaction(_) | Record::Dispatch(_)) {
            return Ok(false);
        }
        let on_desk = matches!(record, Record::Interaction(it) if it.status == InteractionStatus::Open);
        let meta = record.meta();
        let beside = self.belongings(&Scope::tenant(&meta.tenant), meta.id).await?;
        Ok(on_desk || beside.iter().chain([record]).any(|it| check_settled(it).is_err()))
    }

    async fn why_it_stays(&self, record: &Record, over: bool) -> Result<Option<&'static str>, Error> {
        let meta = record.meta();
        if self.store().is_tree_held(&meta.tenant, meta.root).await? {
            return Ok(Some(HELD));
        }
        if self.is_worked_on(record).await? {
            return Ok(Some(UNDER_WAY));
        }
        let description = record.description();
        if description.is_some_and(|it| it.in_disposition.is_some() || it.circulates.is_some()) {
            return Ok(Some(UNDER_WAY));
        }
        Ok((!over).then_some(NOT_OVER))
    }

    /// Replaces the parties of a record by the mark, and takes from its former events what they said: at once, but for a record with
    /// so many of them that it takes several transactions. The record then is the last, so that it is still found if it comes to less.
    async fn erase_from(
        &self,
        caller: &Caller,
        record: Record,
        who: &[Who],
        withdrawn: Option<&str>,
        outcome: &mut PersonErased,
    ) -> Result<(), Error> {
        let meta = record.meta();
        let scope = Scope::tenant(&meta.tenant);
        let gone: Vec<Party> =
            parties(&record).iter().filter(|party| who.iter().any(|who| who.is(party))).cloned().collect();
        let words = words_of(&gone);
        let change = Change::ErasePersons(gone.clone());
        let command = Command { kind: record.kind(), id: meta.id, expected: None, change };
        let mut decided = decide(Some(&record), &command, self.parts.rules, self.now())?;
        // What came before may be gone: from here on the events begin anew.
        decided.changes = decided.record.to_json();
        // A contact and a dispatch are of one person, and so is whatever is told of them.
        let whole = record.description().is_none();
        let named = self.events_naming(&scope, meta.id, (&gone, &words), whole).await?;
        let mut slices: Vec<&[Id]> = named.chunks(PAGE as usize).collect();
        let last = slices.pop().unwrap_or_default();
        for slice in slices {
            let mut work = Work::new();
            work.require_unheld(&meta.tenant, meta.root);
            silence(&mut work, &scope, slice);
            self.store().commit(work).await.map_err(|error| held(error.into()))?;
        }
        let mut work = Work::new();
        work.require_unheld(&meta.tenant, meta.root);
        silence(&mut work, &scope, last);
        work.put_record(&decided.record, None);
        let event = notes::of_record(&decided, &caller.actor, self.now(), None);
        work.insert_event(&Event {
            detail: withdrawn.map(|why| json!({ "withdrawn": why.trim() })),
            ..event
        });
        work.forget_answers(&scope.tenant, meta.id);
        match self.store().commit(work).await.map_err(|error| held(error.into())) {
            Err(error) if error.is_conflict("record") => return Err(model::Error::VersionConflict.into()),
            committed => committed?,
        };
        outcome.erased.push(meta.id);
        self.note_what_stays(&decided.record, &words, outcome).await
    }

    /// What may name the person and is not touched: texts of the record, what lies in it and beside it.
    async fn note_what_stays(
        &self,
        record: &Record,
        words: &[String],
        outcome: &mut PersonErased,
    ) -> Result<(), Error> {
        let meta = record.meta();
        let scope = Scope::tenant(&meta.tenant);
        let description = record.description().cloned().unwrap_or_default();
        let text = format!("{} {}", description.title, description.note.unwrap_or_default()).to_lowercase();
        if words.iter().any(|word| text.contains(word)) {
            outcome.stays(record, IN_TEXT);
        }
        if record.kind() == RecordKind::Document {
            return Ok(());
        }
        if let Record::Interaction(it) = record {
            let stays = |id: &Id| PersonStays { kind: RecordKind::Document, id: *id, reason: DOCUMENT };
            outcome.stays.extend(it.documents.iter().map(stays));
        }
        let mut beside = self.beside(&scope, meta.id).await?;
        for (_, id) in beside.clone() {
            beside.extend(self.beside(&scope, id).await?);
        }
        let within = self.store().children(&scope, meta.id).await?;
        let stays = |(kind, id)| PersonStays { kind, id, reason: DOCUMENT };
        outcome.stays.extend(within.into_iter().chain(beside).map(stays));
        Ok(())
    }

    /// Events of a record that say something of these parties, or all of them, by their ids; also one that erased somebody else and holds these.
    async fn events_naming(
        &self,
        scope: &Scope,
        record: Id,
        (gone, words): (&[Party], &[String]),
        whole: bool,
    ) -> Result<Vec<Id>, Error> {
        let mut page = Page { after: None, limit: PAGE };
        let mut found = vec![];
        loop {
            let events = self.store().timeline(scope, TimelineOf::Record(record), &page).await?;
            let Some((_, last)) = events.last() else { return Ok(found) };
            page.after = Some(last.id);
            let says =
                |event: &Event| whole || event.changes.as_ref().is_some_and(|it| names(it, gone, words));
            found.extend(events.iter().filter(|(_, event)| says(event)).map(|(_, event)| event.id));
        }
    }
}

/// Whether changes of a record name one of these parties, however short the name is.
fn names(changes: &Value, gone: &[Party], words: &[String]) -> bool {
    let listed = changes["parties"].as_array().map_or(&[][..], Vec::as_slice);
    let is_one = |value: &Value| {
        serde_json::from_value::<Party>(value.clone()).map_or(true, |party| gone.contains(&party))
    };
    let text = changes.to_string().to_lowercase();
    listed.iter().any(is_one) || words.iter().any(|word| text.contains(word))
}

fn silence(work: &mut Work, scope: &Scope, events: &[Id]) {
    events.iter().for_each(|id| {
        work.erase_event(&scope.tenant, *id);
    });
}

impl PersonErased {
    fn stays(&mut self, record: &Record, reason: &'static str) {
        self.stays.push(PersonStays { kind: record.kind(), id: record.meta().id, reason });
    }
}

/// What names these persons, in lower case and as it stands in JSON.
fn words_of(parties: &[Party]) -> Vec<String> {
    let mut words = vec![];
    for party in parties {
        let person = party.person.clone().unwrap_or_default();
        words.extend([person.family_name, person.born].into_iter().flatten());
        words.extend(party.contacts.iter().map(|contact| contact.value.clone()));
        words.extend(party.mailbox.clone());
        words.extend(party.organisation.as_ref().and_then(|it| it.name.clone()));
    }
    let in_json = |word: String| {
        let quoted = Value::String(word.to_lowercase()).to_string();
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
    };
    let mut words: Vec<String> = words.into_iter().map(in_json).filter(|word| word.len() > 2).collect();
    words.sort_unstable();
    words.dedup();
    words
}
