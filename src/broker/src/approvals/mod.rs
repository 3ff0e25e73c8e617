//! Four eyes (Vier-Augen-Prinzip): one person asks, another agrees, and what was asked for is carried out in the same transaction.
//!
//! | module | holds |
//! |---|---|
//! | [`Act`] | what can be asked for |
//! | `carry` | what is written when somebody agrees |
//! | `release` | contents that were released for a time |
//! | `needed` | acts that are asked for where the house wants four eyes, and done at once elsewhere |
//!
//! Why somebody asks stands in the event of it alone, so that it can be erased; the row knows the event.

mod act;
mod carry;
mod needed;
mod release;

use std::collections::BTreeMap;
use std::time::Duration;

use model::approval::{ApprovalKind, ApprovalState};
use model::{Action, Caller, Event, EventKind, Id, Message, Record, RecordKind, Scope, ids};
use serde_json::{Value, json};
use store::{Approval, ApprovalFilter, Listed, Page, Work};

pub use act::{Act, LONGEST_RELEASE};
pub(crate) use carry::Agreed;
pub use needed::DoneOrAsked;
pub use release::Released;

use crate::once::exactly;
use crate::repairs::NOTE_CHARS;
use crate::{Broker, Error, Once};

/// How long somebody may take to decide.
const TIME_TO_DECIDE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct NewApproval {
    /// What shall be carried out.
    pub act: Act,
    /// Why; 1 to 500 characters. Kept as content of an event, erasable.
    pub reason: String,
}

/// Where something belongs, and what it is proved with.
#[derive(Default)]
pub(crate) struct Place {
    unit: Option<String>,
    service: Option<String>,
    message: Option<Id>,
    pub(crate) root: Option<Id>,
}

impl Broker {
    /// Asks for something that a second person has to agree to, within seven days.
    ///
    /// # Errors
    /// `Forbidden` if the caller may not even ask; `NotFound` if what it is about is not there for the caller; `Invalid` reason or time.
    pub async fn ask_for(
        &self,
        caller: &Caller,
        new: NewApproval,
        once: Option<&Once>,
    ) -> Result<Approval, Error> {
        caller.may(new.act.asked_with())?;
        if let Some(first) = self.answered(caller, once).await? {
            return self.first_asked(caller, &first).await;
        }
        let (approval, mut work) = self.asking(caller, new).await?;
        if let Some(once) = once {
            once.claim(&mut work, caller, approval.id, &json!(approval.id));
        }
        match self.commit_once(caller, once, work).await? {
            None => Ok(approval),
            Some(first) => self.first_asked(caller, &first).await,
        }
    }

    /// The request and the rows of it.
    async fn asking(&self, caller: &Caller, new: NewApproval) -> Result<(Approval, Work), Error> {
        let NewApproval { mut act, reason } = new;
        let scope = caller.may(act.asked_with())?;
        if !(1..=NOTE_CHARS).contains(&reason.trim().chars().count()) {
            return Err(model::Error::Invalid { field: "reason" }.into());
        }
        if act.minutes().is_some_and(|minutes| !(1..=LONGEST_RELEASE).contains(&minutes)) {
            return Err(model::Error::Invalid { field: "minutes" }.into());
        }
        if let Act::User { user, change, before } = &mut act {
            let user = self.may_ask_for_change(caller, *user, change).await?;
            *before = Some(Box::new(change.instead_of(&user)));
        }
        let place = self.place_of_act(scope, &mut act).await?;
        let (subject_kind, subject) = act.subject();
        let now = self.now();
        let id = ids::new_id();
        let detail = json!({
            "approval": id, "kind": act.kind(), "subjectKind": subject_kind, "subject": subject, "reason": reason.trim(),
        });
        let event = self.audit(&scope.tenant, EventKind::ApprovalAsked, &caller.actor, detail);
        let approval = Approval {
            id,
            tenant: scope.tenant.clone(),
            unit: place.unit.clone(),
            public_service: place.service.clone(),
            kind: act.kind(),
            subject_kind: subject_kind.to_owned(),
            subject,
            detail: serde_json::to_value(&act).map_err(|_| Error::Internal)?,
            event: event.id,
            asked_by: caller.actor.clone(),
            asked_at: now,
            expires_at: now.plus(TIME_TO_DECIDE),
            state: ApprovalState::Open,
            decided_by: None,
            decided_at: None,
            valid_until: None,
        };
        let mut work = Work::new();
        work.insert_approval(&approval);
        work.insert_event(&placed(event, &place));
        Ok((approval, work))
    }

    async fn first_asked(&self, caller: &Caller, first: &Value) -> Result<Approval, Error> {
        let id = first.as_str().and_then(first_id).ok_or(Error::KeyReused)?;
        Ok(self.approval(caller, id).await?.0)
    }

    /// Where a message belongs, and the message.
    async fn place_of_message(&self, scope: &Scope, id: Id) -> Result<(Place, Message), Error> {
        let found = self.store().message(scope, id).await?;
        let found = found.ok_or(model::Error::NotFound { kind: "message" })?;
        let (unit, service) = (Some(found.unit.clone()), found.public_service.clone());
        Ok((Place { unit, service, message: Some(id), root: None }, found))
    }

    /// Where what it is about belongs. It must be there for whoever asks, and is named so that nothing else is meant later.
    async fn place_of_act(&self, scope: &Scope, act: &mut Act) -> Result<Place, Error> {
        match act {
            Act::ReleaseMessage { message, payload, .. } => {
                let (place, found) = self.place_of_message(scope, *message).await?;
                *payload = found.payload.map(|payload| payload.id);
                Ok(place)
            }
            Act::Forward { message, seen, .. } => {
                let (place, found) = self.place_of_message(scope, *message).await?;
                *seen = Some(exactly(&found));
                Ok(place)
            }
            Act::ReleaseDocument { document, version, file, root, .. } => {
                let found = self.store().record(scope, RecordKind::Document, *document).await?;
                let record = found.ok_or(model::Error::NotFound { kind: "document" })?;
                let named = release::named(&record, version.as_deref(), file.as_deref());
                let (number, name) = named.ok_or(model::Error::NotFound { kind: "content" })?;
                (*version, *file, *root) = (Some(number), Some(name), Some(record.meta().root));
                Ok(of_record(&record))
            }
            Act::EraseEvent { .. } | Act::ErasePayload { .. } => self.erasable(scope, act).await,
            Act::PutPartner { partner, before } => {
                *before = self.store().partner(scope, &partner.id).await?.map(Box::new);
                Ok(Place::default())
            }
            Act::AddToken { .. } | Act::User { .. } => Ok(Place::default()),
        }
    }

    /// Somebody else agrees, and what was asked for is carried out. Agreeing again changes nothing.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `SecondPerson` if it is the one who asked; `ApprovalOver` if it is decided or its time is over; and
    /// whatever keeps the act itself from being done.
    pub async fn agree_to(&self, caller: &Caller, id: Id) -> Result<Approval, Error> {
        let (approval, scope) = self.decidable(caller, id).await?;
        let is_again =
            approval.state == ApprovalState::Agreed && approval.decided_by.as_ref() == Some(&caller.actor);
        if is_again {
            return Ok(approval);
        }
        // Nobody agrees to more rights of their own.
        if approval.subject_kind == "user" && approval.subject == caller.actor.id {
            return Err(Error::OwnRights);
        }
        let agreed = self.approval_decided(approval, ApprovalState::Agreed, caller)?;
        self.carry_out_act(caller, &scope, &agreed).await?;
        Ok(agreed)
    }

    /// Somebody else does not agree.
    ///
    /// # Errors
    /// As [`Broker::agree_to`].
    pub async fn turn_down(&self, caller: &Caller, id: Id) -> Result<Approval, Error> {
        let (approval, _) = self.decidable(caller, id).await?;
        let refused = self.approval_decided(approval, ApprovalState::Refused, caller)?;
        self.settle_approval(&refused, caller).await
    }

    /// Whoever asked does not want it any more.
    ///
    /// # Errors
    /// `NotFound` if it is somebody else's; `ApprovalOver`.
    pub async fn withdraw_asked(&self, caller: &Caller, id: Id) -> Result<Approval, Error> {
        let found = self.store().approval(&caller.scope.tenant, id).await?;
        let own = found.filter(|approval| approval.asked_by == caller.actor);
        let approval = own.ok_or(model::Error::NotFound { kind: "approval" })?;
        let withdrawn = self.approval_decided(approval, ApprovalState::Withdrawn, caller)?;
        self.settle_approval(&withdrawn, caller).await
    }

    /// One that the caller asked for or may decide about, and why it was asked for, unless that is erased. Auditors see all.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn approval(&self, caller: &Caller, id: Id) -> Result<(Approval, Option<String>), Error> {
        let tenant = &caller.scope.tenant;
        let found = self.store().approval(tenant, id).await?;
        let seen = found.filter(|it| it.asked_by == caller.actor || sees(caller, it));
        let approval = seen.ok_or(model::Error::NotFound { kind: "approval" })?;
        let event = self.store().event(tenant, approval.event).await?;
        let reason = event.and_then(|event| Some(event.detail?["reason"].as_str()?.to_owned()));
        Ok((approval, reason))
    }

    /// What the people are called whom a request names: who asked, who decided, whom it is about. Systems have no such name.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn names_in_approval(&self, approval: &Approval) -> Result<BTreeMap<Id, String>, Error> {
        let actors = [Some(&approval.asked_by), approval.decided_by.as_ref()].into_iter().flatten();
        let people = actors.filter(|actor| actor.kind == "person").map(|actor| &actor.id);
        let about = (approval.subject_kind == "user").then_some(&approval.subject);
        let ids = people.chain(about).filter_map(|id| first_id(id)).collect();
        self.names(&approval.tenant, ids).await
    }

    /// Those that the caller asked for, or may decide about; by id.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn approvals(
        &self,
        caller: &Caller,
        filter: &ApprovalFilter,
        page: &Page,
    ) -> Result<Listed<Approval>, Error> {
        let all = caller.may(Action::ReadAudit).is_ok();
        let kinds = ApprovalKind::ALL.into_iter();
        let kinds: Vec<_> = kinds.filter(|kind| all || caller.may(kind.decided_with()).is_ok()).collect();
        let asker = filter.mine.then_some(&caller.actor);
        Ok(self.store().approvals(&caller.scope, (asker, &kinds), filter, page).await?)
    }

    /// Where a request within a scope belongs, if it is this event that says why it was asked for.
    pub(crate) async fn place_of_reason(
        &self,
        scope: &Scope,
        id: Id,
        event: Id,
    ) -> Result<Option<Place>, Error> {
        let found = self.store().approval(&scope.tenant, id).await?;
        let seen = found.filter(|it| it.event == event && lies_in(it, scope));
        Ok(seen.as_ref().map(place_of))
    }

    /// Whether the house wants a second person for what may be done alone elsewhere.
    pub fn four_eyes(&self) -> bool {
        self.parts.rules.four_eyes
    }

    /// The request, and the scope of whoever may decide about it.
    async fn decidable(&self, caller: &Caller, id: Id) -> Result<(Approval, Scope), Error> {
        let found = self.store().approval(&caller.scope.tenant, id).await?;
        let approval = found.ok_or(model::Error::NotFound { kind: "approval" })?;
        if approval.asked_by == caller.actor {
            return Err(model::Error::SecondPerson.into());
        }
        // To whom it is not shown, it is not there.
        if !sees(caller, &approval) {
            return Err(model::Error::NotFound { kind: "approval" }.into());
        }
        let scope = caller.may(approval.kind.decided_with())?;
        Ok((approval, scope.clone()))
    }

    fn approval_decided(
        &self,
        approval: Approval,
        to: ApprovalState,
        caller: &Caller,
    ) -> Result<Approval, Error> {
        let now = self.now();
        if approval.state_at(now) != ApprovalState::Open {
            return Err(Error::ApprovalOver);
        }
        let act: Act = serde_json::from_value(approval.detail.clone()).map_err(|_| Error::Internal)?;
        let minutes = act.minutes().filter(|_| to == ApprovalState::Agreed);
        let until = minutes.map(|minutes| now.plus(Duration::from_secs(u64::from(minutes) * 60)));
        let (decided_by, decided_at) = (Some(caller.actor.clone()), Some(now));
        Ok(Approval { state: to, decided_by, decided_at, valid_until: until, ..approval })
    }

    /// Writes a decision by which nothing else happens.
    async fn settle_approval(&self, approval: &Approval, caller: &Caller) -> Result<Approval, Error> {
        let mut work = Work::new();
        self.add_decision(&mut work, approval, caller);
        self.commit_decision(work).await?;
        Ok(approval.clone())
    }

    /// Rows of a decision.
    fn add_decision(&self, work: &mut Work, approval: &Approval, caller: &Caller) {
        let kind = match approval.state {
            ApprovalState::Agreed => EventKind::ApprovalAgreed,
            ApprovalState::Withdrawn => EventKind::ApprovalWithdrawn,
            _ => EventKind::ApprovalRefused,
        };
        work.decide_approval(approval);
        let detail = json!({
            "approval": approval.id, "kind": approval.kind, "subjectKind": approval.subject_kind,
            "subject": approval.subject, "askedBy": approval.asked_by, "validUntil": approval.valid_until,
        });
        let event = self.audit(&approval.tenant, kind, &caller.actor, detail);
        work.insert_event(&placed(event, &place_of(approval)));
    }

    async fn commit_decision(&self, work: Work) -> Result<(), Error> {
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("approval") => Err(Error::ApprovalOver),
            outcome => outcome,
        }
    }
}

fn first_id(text: &str) -> Option<Id> {
    text.parse().ok()
}

/// Whether a scope covers what it is about; what belongs to the whole tenant is for those who see all of it.
fn lies_in(approval: &Approval, scope: &Scope) -> bool {
    scope.tenant == approval.tenant
        && scope.units.covers(approval.unit.as_deref())
        && scope.services.covers(approval.public_service.as_deref())
}

fn sees(caller: &Caller, approval: &Approval) -> bool {
    let rights = [approval.kind.decided_with(), Action::ReadAudit];
    rights.into_iter().any(|right| caller.may(right).is_ok_and(|scope| lies_in(approval, scope)))
}

pub(crate) fn of_record(record: &Record) -> Place {
    let meta = record.meta();
    let (unit, service) = (Some(meta.unit.clone()), meta.public_service.clone());
    Place { unit, service, message: None, root: Some(meta.root) }
}

/// Where the events of a request belong: what it is about is proved with its own.
fn place_of(approval: &Approval) -> Place {
    let message = (approval.subject_kind == "message").then(|| first_id(&approval.subject)).flatten();
    let root = approval.detail["root"].as_str().and_then(first_id);
    let (unit, service) = (approval.unit.clone(), approval.public_service.clone());
    Place { unit, service, message, root }
}

fn placed(event: Event, place: &Place) -> Event {
    let (unit, public_service) = (place.unit.clone(), place.service.clone());
    Event { unit, public_service, message_id: place.message, case_id: place.root, ..event }
}
