//! Notices to citizens (docs/dispatch.md): what happens to a case, as the house has configured it, becomes notifications (Mitteilungen) by the way that
//! each citizen chose. Nobody outside is called here: what follows is dispatches, in the transaction that notes that this adapter was told, and whoever
//! carries their way is told of those.
//!
//! * `template`: what a notice says, in files that the house edits;
//! * `chosen`: by which way a party hears of it, and where.

mod chosen;
pub mod template;

use std::collections::BTreeMap;

use async_trait::async_trait;
use model::activity::{Addressee, Dispatch, DispatchKind};
use model::adapter::{About, Adapter, Capability, Delivery, Descriptor, Health, Interest, Receipt, Sources};
use model::case::Case;
use model::command::{Change, Command};
use model::party::Party;
use model::payment::day::german_day;
use model::public_state::PublicState;
use model::record::Meta;
use model::sending::Sending;
use model::{EventKind, Failure, Id, Record, RecordKind, Timestamp, ids};
use serde_json::json;

pub use chosen::Carried;
use template::{Filling, Language, Template};

/// Parties of one case that are told.
const MOST_PARTIES: usize = 10;

/// When which notice goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What happens.
    pub event: EventKind,
    /// To which records: cases, or what lies in one.
    pub record: RecordKind,
    /// Only if that brings the record into this state.
    pub status: Option<String>,
    /// Only tasks or dispatches of this kind.
    pub kind: Option<String>,
    /// Only for cases of these public services; empty: of all.
    pub services: Vec<String>,
    /// The template.
    pub template: String,
}

impl Rule {
    /// What is wrong with it. A notice must not follow from a notice.
    pub fn lack(&self) -> Option<&'static str> {
        let kind = self.kind.as_deref();
        match self.record {
            RecordKind::Case | RecordKind::Claim | RecordKind::Document | RecordKind::Decision
                if kind.is_some() =>
            {
                Some("only tasks and dispatches have a `kind` here")
            }
            RecordKind::Task if kind.is_none_or(follows_from_dispatches) => {
                Some("a task needs its `kind` here, and not one that follows from dispatches")
            }
            RecordKind::Dispatch if !matches!(kind, Some("disclosure" | "formalService")) => {
                Some("a dispatch needs its `kind` here: disclosure or formalService")
            }
            RecordKind::Case | RecordKind::Claim | RecordKind::Document | RecordKind::Decision => None,
            RecordKind::Task | RecordKind::Dispatch => None,
            _ => Some("expected `record` case, claim, task, document, decision or dispatch"),
        }
    }

    /// Whether it is for what an adapter is told.
    fn fits(&self, delivery: &Delivery, record: &Record, case: &Case) -> bool {
        let is_event = json!(self.event) == json!(delivery.kind);
        let status = self.status.as_deref();
        let service = case.meta.public_service.as_deref();
        let is_service = |it: &String| Some(it.as_str()) == service;
        is_event
            && record.kind() == self.record
            && status.is_none_or(|status| delivery.detail["status"] == status)
            && self.kind.as_deref().is_none_or(|kind| kind_of(record).is_some_and(|it| it == kind))
            && (self.services.is_empty() || self.services.iter().any(is_service))
    }
}

/// Whether tasks of this kind follow from dispatches.
fn follows_from_dispatches(kind: &str) -> bool {
    matches!(kind, "call" | "letter") || kind.starts_with("dispatch.")
}

fn kind_of(record: &Record) -> Option<String> {
    match record {
        Record::Task(task) => Some(task.kind.clone()),
        Record::Dispatch(it) => json!(it.kind).as_str().map(str::to_owned),
        _ => None,
    }
}

/// How citizens are told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Id of the adapter.
    pub id: String,
    /// When which notice goes out; the first rule that fits counts.
    pub rules: Vec<Rule>,
    /// The templates that they name.
    pub templates: BTreeMap<String, Template>,
    /// In which language parties are told that chose none.
    pub language: Language,
    /// What parties have to be in the case (`role`) to be told; if none is one of these, the first party is.
    pub roles: Vec<String>,
    /// The ways of those who chose none, and what is tried after the chosen one, in this order.
    pub ways: Vec<String>,
    /// What ways there are for whom.
    pub carried: Vec<Carried>,
    /// Quiet times.
    pub sending: Sending,
    /// Where more is to be read.
    pub link: Option<String>,
    /// Names of public services: German, English.
    pub services: BTreeMap<String, [String; 2]>,
    /// Area code of telephone numbers without one.
    pub area: Option<String>,
}

/// Tells citizens what happens to their cases.
pub struct Notify {
    descriptor: Descriptor,
    settings: Settings,
}

impl Notify {
    /// An adapter with these settings.
    pub fn new(settings: Settings) -> Self {
        let mut descriptor =
            Descriptor::new(&*settings.id, "dispatch", vec![Capability::Deliver, Capability::Reconcile]);
        descriptor.takes_bytes = false;
        descriptor.in_order = false;
        for Rule { event, record, .. } in &settings.rules {
            let interest = Interest { event: *event, record: *record };
            if !descriptor.follows.contains(&interest) {
                descriptor.follows.push(interest);
            }
        }
        Notify { descriptor, settings }
    }

    fn told(&self, delivery: &Delivery) -> Result<Receipt, Failure> {
        let Some(about) = delivery.about.as_deref() else { return Ok(Receipt::nothing()) };
        let Some(case) = case_of(about) else { return Ok(Receipt::nothing()) };
        let rule = self.settings.rules.iter().find(|rule| rule.fits(delivery, &about.record, case));
        let template = rule.and_then(|rule| self.settings.templates.get(&rule.template).map(|it| (rule, it)));
        let Some((rule, template)) = template else { return Ok(Receipt::nothing()) };
        let at = delivery.detail["at"].as_str().and_then(Timestamp::parse).unwrap_or_default();
        let filling = self.filling(case, &about.record, at);
        let (mut commands, mut unreached) = (vec![], 0);
        for (at_party, party) in chosen::parties(case, &self.settings.roles).take(MOST_PARTIES).enumerate() {
            let to = Addressee::of(party, self.settings.area.as_deref());
            let mut ways = chosen::ways(party, &to, case, &self.settings).into_iter();
            let Some(way) = ways.next() else {
                unreached += 1;
                continue;
            };
            let id = ids::derived_id(delivery.id, &format!("notice:{at_party}"));
            let not_before = self.settings.sending.quiet_until(&way, at);
            let dispatch = Dispatch {
                notice: Some(template.notice(self.language(party), &filling)),
                not_before,
                otherwise: ways.collect(),
                way: Some(way),
                to: Some(to),
                ..notification(case, id)
            };
            commands.push(created(dispatch));
        }
        let data = json!({ "template": rule.template, "notices": commands.len(), "unreached": unreached });
        Ok(Receipt { data, commands, ..Receipt::default() })
    }

    /// The language that a party chose, if it is one of those that templates have; else that of the house.
    fn language(&self, party: &Party) -> Language {
        let primary = party.language.as_deref().and_then(|tag| tag.split('-').next());
        match primary.unwrap_or_default().to_ascii_lowercase().as_str() {
            "de" => Language::German,
            "en" => Language::English,
            _ => self.settings.language,
        }
    }

    /// What a notice may say of a case: nothing of its content.
    fn filling(&self, case: &Case, record: &Record, at: Timestamp) -> Filling {
        let service = case.meta.public_service.clone().unwrap_or_default();
        let named = self.settings.services.get(&service).cloned();
        let day = german_day(at);
        Filling {
            number: number(case),
            state: state(case, record).map(str::to_owned),
            service: named.unwrap_or_else(|| [service.clone(), service]),
            date: [template::german_date(&day), day],
            link: self.settings.link.clone(),
        }
    }
}

#[async_trait]
impl Adapter for Notify {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, _sources: Sources<'_>) -> Result<Receipt, Failure> {
        self.told(delivery)
    }

    /// Nothing leaves here, so nothing can have been lost.
    async fn reconcile(&self, _delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        Ok(None)
    }

    async fn check(&self) -> Health {
        let ways: Vec<&str> =
            self.settings.carried.iter().map(|it| it.way.as_deref().unwrap_or("all")).collect();
        let detail = format!(
            "{} templates; ways that are carried: {}",
            self.settings.templates.len(),
            ways.join(", ")
        );
        Health { ok: true, detail }
    }
}

/// The case that something is about.
fn case_of(about: &About) -> Option<&Case> {
    std::iter::once(&about.record).chain(about.above.iter().rev()).find_map(|record| match record {
        Record::Case(case) => Some(case),
        _ => None,
    })
}

/// What citizens know the case by: their own number of it, else the Aktenzeichen.
fn number(case: &Case) -> String {
    let known =
        case.description.reference(model::citizen::NUMBER).or(case.description.record_reference.as_deref());
    known.map_or_else(|| case.meta.id.to_string(), str::to_owned)
}

/// German and English words for where a case stands, by what is known of it here: itself, and the record that something happened to.
fn state(case: &Case, record: &Record) -> [&'static str; 2] {
    let (mut tasks, mut claims) = (vec![], vec![]);
    match record {
        Record::Task(task) => tasks.push(task.clone()),
        Record::Claim(claim) => claims.push(claim.clone()),
        _ => {}
    }
    match PublicState::of(case, &tasks, &claims) {
        PublicState::Initiated | PublicState::Submitted => ["abgesendet", "sent"],
        PublicState::Received => ["eingegangen", "received"],
        PublicState::Processing => ["in Bearbeitung", "being processed"],
        PublicState::ActionRequired => ["Rückmeldung von Ihnen nötig", "waiting for you"],
        PublicState::Completed => ["abgeschlossen", "completed"],
    }
}

fn notification(case: &Case, id: Id) -> Dispatch {
    let none = Timestamp::default();
    let meta = Meta { id, version: 0, created_at: none, updated_at: none, ..case.meta.clone() };
    Dispatch::new(meta, case.meta.id, DispatchKind::Notification)
}

fn created(dispatch: Dispatch) -> Command {
    let id = dispatch.meta.id;
    let change = Change::Create(Box::new(Record::Dispatch(dispatch)));
    Command { kind: RecordKind::Dispatch, id, expected: None, change }
}
