//! A disposition (Aussonderung): offered, appraised, transferred exactly as appraised, imported, and only then destroyed.

use std::sync::Arc;

use broker::{Error, NewExchange, Opening, Workers};
use model::case::Disposition;
use model::command::{Change, Rules};
use model::exchange::{Appraisal, Exchange, ExchangeKind, ExchangeStatus, ImportResult};
use model::{Caller, Id, MessageState, Record, RecordKind, SystemClock};
use serde_json::{Value, json};
use store::{InboxFilter, MessageFilter, Page, RecordFilter};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller, change, create, lippstadt, new_case};

const PAGE: Page = Page { after: None, limit: 50 };

fn page() -> Page {
    PAGE
}

/// An agency with two closed cases, of which the first has a case in it, and the archive that it is offered to.
pub struct Bed {
    pub gateway: Gateway,
    pub agency: Caller,
    pub archive: Caller,
    pub one: Id,
    pub inner: Id,
    pub two: Id,
}

impl Bed {
    pub async fn start(gateway: Gateway) -> Self {
        let (agency, archive) = (caller("soest", "63"), caller("lippstadt", "63"));
        let one = gateway.a_case(&agency, "eins").await.meta.id;
        let Record::Case(mut inner) = new_case(&agency, "63", "darin") else { unreachable!() };
        (inner.parent, inner.meta.root) = (Some(one), one);
        let inner =
            gateway.broker.submit(&agency, create(Record::Case(inner)), None).await.unwrap().meta().id;
        let two = gateway.a_case(&agency, "zwei").await.meta.id;
        for id in [inner, one, two] {
            gateway.broker.submit(&agency, change(RecordKind::Case, id, Change::Close), None).await.unwrap();
        }
        Bed { gateway, agency, archive, one, inner, two }
    }

    pub async fn begin(&self, opening: Opening) -> Exchange {
        let wanted = NewExchange {
            kind: ExchangeKind::Disposition,
            to: lippstadt(),
            objects: vec![self.one, self.two],
            version: None,
            wants_receipt: true,
            opening,
        };
        let started = self.gateway.broker.start_exchange(&self.agency, wanted, None).await.unwrap();
        self.gateway.broker.run_due_jobs().await.unwrap();
        self.sent(started.meta.id).await
    }

    pub async fn sent(&self, id: Id) -> Exchange {
        match self.gateway.broker.record(&self.agency, RecordKind::Exchange, id).await.unwrap() {
            Record::Exchange(exchange) => exchange,
            _ => unreachable!(),
        }
    }

    pub async fn there(&self) -> Exchange {
        let filter = RecordFilter::of(RecordKind::Exchange);
        let mut found = self.gateway.broker.records(&self.archive, &filter, &page()).await.unwrap().items;
        assert_eq!(found.len(), 1, "one process is one exchange");
        match found.remove(0) {
            Record::Exchange(exchange) => exchange,
            _ => unreachable!(),
        }
    }

    async fn all_there(&self) -> Vec<Exchange> {
        let filter = RecordFilter::of(RecordKind::Exchange);
        let found = self.gateway.broker.records(&self.archive, &filter, &page()).await.unwrap().items;
        let exchange = |record| match record {
            Record::Exchange(exchange) => exchange,
            _ => unreachable!(),
        };
        found.into_iter().map(exchange).collect()
    }

    /// A message of the agency's, by its own system, as the archive has it.
    async fn agency_sends(&self, body: &Value) -> model::Message {
        let mut by = self.archive.clone();
        by.actor.id = crate::house::soest().to_string();
        let message = self.gateway.accept(&by, body).await.unwrap();
        self.gateway.broker.run_due_jobs().await.unwrap();
        self.gateway.broker.message(&self.archive, message.id).await.unwrap()
    }

    /// The archive gives back the first message that it was handed.
    async fn archive_gives_back(&self) {
        let (filter, minute) = (InboxFilter::default(), std::time::Duration::from_secs(60));
        let leased = self.gateway.broker.lease(&self.archive, &filter, minute, 1, None).await.unwrap();
        let entry = leased[0].entry.id;
        self.gateway.broker.give_back(&self.archive, entry, "message.not-competent", None).await.unwrap();
        self.gateway.broker.run_due_jobs().await.unwrap();
    }

    pub async fn appraise(&self, all: &[(Id, Disposition)]) -> Exchange {
        let all = all.iter().map(|(id, disposition)| (*id, Appraisal::of(*disposition))).collect();
        let id = self.there().await.meta.id;
        let after = self.gateway.broker.appraise(&self.archive, id, all, None).await.unwrap();
        self.gateway.broker.run_due_jobs().await.unwrap();
        after
    }

    pub async fn transfer(&self, id: Id) -> Result<Exchange, Error> {
        self.gateway.broker.transfer(&self.agency, id, None).await?;
        self.gateway.broker.run_due_jobs().await.unwrap();
        Ok(self.sent(id).await)
    }

    pub async fn import(&self, uuid: Id, successful: bool) {
        let archive_reference = successful.then(|| format!("AIP {uuid}"));
        let result = ImportResult { successful, archive_reference, ..ImportResult::default() };
        let id = self.there().await.meta.id;
        let results = vec![(uuid, result)];
        self.gateway.broker.confirm_import(&self.archive, id, results, None).await.unwrap();
        self.gateway.broker.run_due_jobs().await.unwrap();
    }

    pub async fn destroy(&self, id: Id) -> Result<Exchange, Error> {
        self.gateway.broker.destroy(&self.agency, id, vec![], None).await?;
        self.gateway.broker.run_due_jobs().await.unwrap();
        Ok(self.sent(id).await)
    }

    pub async fn case(&self, id: Id) -> Record {
        self.gateway.broker.record(&self.agency, RecordKind::Case, id).await.unwrap()
    }

    /// A message of the archive's, by its own system.
    pub async fn replies(&self, body: &Value) -> (MessageState, String) {
        let mut by = self.agency.clone();
        by.actor.id = lippstadt().to_string();
        let message = self.gateway.accept(&by, body).await.unwrap();
        self.gateway.broker.run_due_jobs().await.unwrap();
        let message = self.gateway.broker.message(&self.agency, message.id).await.unwrap();
        let rule = message.report.iter().flat_map(|report| &report.findings).next();
        (message.state, rule.map_or(String::new(), |finding| finding.rule.to_string()))
    }
}

fn types(exchange: &Exchange) -> Vec<&str> {
    exchange.messages.iter().map(|message| message.message_type.as_str()).collect()
}

#[tokio::test]
async fn what_is_offered_is_appraised_transferred_imported_and_then_destroyed() {
    on_every_engine(|database| async move {
        four_steps(Gateway::on(database, Arc::new(SystemClock)).await).await;
    })
    .await;
}

async fn four_steps(gateway: Gateway) {
    let bed = Bed::start(gateway).await;
    let sent = bed.begin(Opening::Usual).await;
    assert_eq!((types(&sent), sent.status), (vec!["0501", "0504"], ExchangeStatus::Received));

    bed.appraise(&[(bed.one, Disposition::Archive)]).await;
    assert_eq!(bed.sent(sent.meta.id).await.status, ExchangeStatus::Received, "not everything is appraised");
    bed.appraise(&[(bed.two, Disposition::Destroy)]).await;
    let appraised = bed.sent(sent.meta.id).await;
    assert_eq!(appraised.status, ExchangeStatus::Appraised);
    let retention = bed.case(bed.two).await.description().unwrap().retention.clone().unwrap();
    assert_eq!(retention.disposition, Some(Disposition::Destroy), "applied to the record");

    let transferred = bed.transfer(sent.meta.id).await.unwrap();
    assert_eq!(transferred.status, ExchangeStatus::TransferReceived);
    assert_eq!(types(&transferred), ["0501", "0504", "0502", "0505", "0503", "0507"]);
    let there = bed.there().await;
    assert_eq!(there.status, ExchangeStatus::TransferReceived);
    bed.import(bed.one, true).await;
    let ended = bed.sent(sent.meta.id).await;
    assert_eq!((ended.status, ended.waits.is_none()), (ExchangeStatus::Confirmed, true));
    let reference = format!("AIP {}", bed.one);
    assert_eq!(bed.case(bed.one).await.description().unwrap().reference("archive"), Some(&*reference));

    let gone = bed.destroy(sent.meta.id).await.unwrap();
    assert!(gone.objects.iter().all(|object| object.destroyed_at.is_some()));
    for id in [bed.one, bed.inner, bed.two] {
        let record = bed.case(id).await;
        assert_eq!((record.status(), &*record.description().unwrap().title), ("destroyed", ""));
    }
    let file = tempfile::tempfile().unwrap();
    let bundle = bed.gateway.broker.export_evidence(&bed.agency, bed.one, file, true).await.unwrap();
    let report = seal::bundle::verify(bundle, None, |_| {});
    assert!(report.ok, "what is destroyed stays proved: {:?}", report.findings);
    let offer = bed.gateway.broker.message_content(&bed.agency, sent.messages[0].id).await;
    assert!(offer.is_err(), "the messages that carried it are gone, too");
}

#[tokio::test]
async fn only_what_is_appraised_for_the_archive_is_transferred_on_every_level() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    let (archive, destroy) = (Disposition::Archive, Disposition::Destroy);
    bed.appraise(&[(bed.one, archive), (bed.inner, destroy), (bed.two, archive)]).await;
    let appraised = bed.sent(sent.meta.id).await;
    assert_eq!(appraised.exceptions.len(), 1);
    bed.transfer(sent.meta.id).await.unwrap();
    let there = bed.there().await;
    let filter = RecordFilter { root: Some(there.objects[0].id), ..RecordFilter::of(RecordKind::Case) };
    let came = bed.gateway.broker.records(&bed.archive, &filter, &page()).await.unwrap().items;
    assert_eq!(came.len(), 1, "what lies in it was not appraised for the archive");
}

#[tokio::test]
async fn a_case_below_one_that_is_not_worth_it_goes_to_the_archive_by_itself() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    let (archive, destroy) = (Disposition::Archive, Disposition::Destroy);
    bed.appraise(&[(bed.inner, archive), (bed.one, destroy), (bed.two, destroy)]).await;
    bed.transfer(sent.meta.id).await.unwrap();
    let too_early = bed.destroy(sent.meta.id).await.unwrap();
    let destroyed: Vec<Id> =
        too_early.objects.iter().filter(|o| o.destroyed_at.is_some()).map(|o| o.id).collect();
    assert_eq!(destroyed, [bed.two], "the archive has not confirmed what lies in the other");
    bed.import(bed.inner, true).await;
    let gone = bed.destroy(sent.meta.id).await.unwrap();
    assert!(gone.objects.iter().all(|object| object.destroyed_at.is_some()));
}

#[tokio::test]
async fn nothing_is_destroyed_before_appraisal_and_import_nor_while_it_is_held() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    let refused = |outcome: Result<Exchange, Error>| outcome.unwrap_err().code().to_owned();
    assert_eq!(refused(bed.destroy(sent.meta.id).await), "model.not-disposed");
    bed.appraise(&[(bed.one, Disposition::Archive), (bed.two, Disposition::Archive)]).await;
    assert_eq!(refused(bed.destroy(sent.meta.id).await), "model.not-disposed");
    bed.transfer(sent.meta.id).await.unwrap();
    assert_eq!(refused(bed.destroy(sent.meta.id).await), "model.not-disposed");
    bed.import(bed.one, true).await;
    bed.import(bed.two, false).await;
    assert_eq!(bed.sent(sent.meta.id).await.status, ExchangeStatus::PartlyConfirmed);
    let hold = |change: Change| crate::house::change(RecordKind::Case, bed.inner, change);
    bed.gateway.broker.submit(&bed.agency, hold(Change::Hold("Klage".into())), None).await.unwrap();
    assert_eq!(refused(bed.destroy(sent.meta.id).await), "model.held");
    bed.gateway.broker.submit(&bed.agency, hold(Change::LiftHold), None).await.unwrap();
    let gone = bed.destroy(sent.meta.id).await.unwrap();
    let destroyed: Vec<Id> = gone.objects.iter().filter(|o| o.destroyed_at.is_some()).map(|o| o.id).collect();
    assert_eq!(destroyed, [bed.one], "the archive has refused the other");
    assert_eq!(bed.case(bed.two).await.status(), "closed");
}

#[tokio::test]
async fn where_a_second_person_has_to_agree_the_first_only_asks() {
    let rules = Rules { four_eyes: true, ..Rules::default() };
    let bed = Bed::start(Gateway::with_rules(rules, Arc::new(SystemClock)).await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Disposition::Destroy), (bed.two, Disposition::Destroy)]).await;
    let asked = bed.destroy(sent.meta.id).await.unwrap();
    assert!(asked.objects.iter().all(|object| object.destroyed_at.is_none()));
    assert_eq!(bed.destroy(sent.meta.id).await.unwrap_err().code(), "model.second-person");
    let mut second = bed.agency.clone();
    second.actor.id = "another".into();
    bed.gateway.broker.destroy(&second, sent.meta.id, vec![], None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    assert!(bed.sent(sent.meta.id).await.objects.iter().all(|object| object.destroyed_at.is_some()));
}

#[tokio::test]
async fn with_a_standing_appraisal_the_process_begins_with_the_transfer() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Transfer).await;
    assert_eq!((types(&sent), sent.status), (vec!["0503", "0507"], ExchangeStatus::TransferReceived));
    bed.import(bed.one, true).await;
    bed.import(bed.two, true).await;
    assert_eq!(bed.sent(sent.meta.id).await.status, ExchangeStatus::Confirmed);
}

#[tokio::test]
async fn an_archive_may_answer_once_for_all_and_name_what_lies_below() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Disposition::Archive), (bed.two, Disposition::Archive)]).await;
    bed.transfer(sent.meta.id).await.unwrap();
    let reply = json!({ "toy": "0506", "process": sent.process_id, "whole": true,
        "results": [[bed.inner, null, "AIP 7"], [bed.one, null, "AIP 8"]] });
    assert_eq!(bed.replies(&reply).await, (MessageState::Confirmed, String::new()));
    let ended = bed.sent(sent.meta.id).await;
    assert_eq!(ended.status, ExchangeStatus::Confirmed);
    assert_eq!(bed.case(bed.inner).await.description().unwrap().reference("archive"), Some("AIP 7"));
}

#[tokio::test]
async fn an_object_that_was_refused_stays_refused_whatever_is_said_of_the_whole() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Disposition::Archive), (bed.two, Disposition::Archive)]).await;
    bed.transfer(sent.meta.id).await.unwrap();
    let reply =
        json!({ "toy": "0506", "process": sent.process_id, "whole": true, "results": [[bed.one, false]] });
    assert_eq!(bed.replies(&reply).await, (MessageState::Confirmed, String::new()));
    let ended = bed.sent(sent.meta.id).await;
    assert_eq!(ended.status, ExchangeStatus::PartlyConfirmed);
    let imported: Vec<Id> = ended.objects.iter().filter(|o| o.is_imported()).map(|o| o.id).collect();
    assert_eq!(imported, [bed.two]);
}

#[tokio::test]
async fn an_outcome_of_another_kind_of_process_is_out_of_turn() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Transfer).await;
    let handed_over =
        json!({ "toy": "0402", "process": sent.process_id, "results": [[bed.one, true], [bed.two, true]] });
    let parked = (MessageState::Parked, "exchange.out-of-turn".to_owned());
    assert_eq!(bed.replies(&handed_over).await, parked);
    assert_eq!(bed.sent(sent.meta.id).await, sent);
}

#[tokio::test]
async fn what_contradicts_the_process_waits_for_a_human_and_changes_nothing() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    let process = sent.process_id;
    let parked = |rule: &str| (MessageState::Parked, rule.to_owned());
    let outcome = json!({ "toy": "0506", "process": process, "results": [[bed.one, true]] });
    assert_eq!(bed.replies(&outcome).await, parked("exchange.out-of-turn"));
    let stranger = json!({ "toy": "0502", "process": process, "appraisals": [[Id::now_v7(), "archive"]] });
    assert_eq!(bed.replies(&stranger).await, parked("exchange.unknown-object"));
    assert_eq!(bed.sent(sent.meta.id).await, sent);
}

#[tokio::test]
async fn an_appraisal_that_comes_again_with_other_words_is_refused_at_the_door() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Disposition::Archive), (bed.two, Disposition::Archive)]).await;
    let transferred = bed.transfer(sent.meta.id).await.unwrap();
    let late = json!({ "toy": "0502", "process": sent.process_id, "appraisals": [[bed.one, "destroy"]], "again": 1 });
    let outcome = bed.gateway.accept(&bed.agency, &late).await;
    assert!(outcome.is_err(), "the same type for the same process is the same message");
    assert_eq!(bed.sent(sent.meta.id).await, transferred);
}

#[tokio::test]
async fn an_archive_takes_exactly_what_it_has_appraised_for_itself() {
    let bed = Bed::start(Gateway::start().await).await;
    let (process, other) = (Id::now_v7(), Id::now_v7());
    let offer = json!({ "toy": "0501", "process": process, "objects": [[bed.one, "eins", []], [bed.two, "zwei", []]] });
    let mut sender = bed.archive.clone();
    sender.actor.id = crate::house::soest().to_string();
    bed.gateway.accept(&sender, &offer).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let early = json!({ "toy": "0503", "process": process, "objects": [[bed.one, "eins", []]] });
    let early = bed.gateway.accept(&sender, &early).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let early = bed.gateway.broker.message(&bed.archive, early.id).await.unwrap();
    assert_eq!(early.state, MessageState::Parked);
    assert_eq!(early.report.unwrap().findings[0].rule, "exchange.out-of-turn");
    bed.appraise(&[(bed.one, Disposition::Archive), (bed.two, Disposition::Destroy)]).await;
    let resend = |id| bed.gateway.broker.resend(&bed.archive, id, None, None);
    resend(early.id).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    assert_eq!(bed.there().await.status, ExchangeStatus::TransferReceived, "in turn now");

    let process = Id::now_v7();
    let filter = MessageFilter { state: Some(MessageState::Parked), ..MessageFilter::default() };
    let offer = json!({ "toy": "0501", "process": process, "objects": [[other, "drei", []]] });
    bed.gateway.accept(&sender, &offer).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let all =
        bed.gateway.broker.records(&bed.archive, &RecordFilter::of(RecordKind::Exchange), &page()).await;
    let second = all.unwrap().items.into_iter().map(|record| record.meta().id).max().unwrap();
    let archive = vec![(other, Appraisal::of(Disposition::Archive))];
    bed.gateway.broker.appraise(&bed.archive, second, archive, None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let more = json!({ "toy": "0503", "process": process, "objects": [[other, "drei", []], [Id::now_v7(), "vier", []]] });
    bed.gateway.accept(&sender, &more).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let parked = bed.gateway.broker.messages(&bed.archive, &filter, &page()).await.unwrap().items;
    let rules: Vec<String> =
        parked.iter().map(|message| message.report.as_ref().unwrap().findings[0].rule.to_string()).collect();
    assert!(rules.contains(&"exchange.transfer-differs".to_owned()), "{rules:?}");
}

#[tokio::test]
async fn an_offer_that_was_given_back_may_be_made_again_and_is_the_one_that_counts() {
    let bed = Bed::start(Gateway::start().await).await;
    let process = Id::now_v7();
    let offer = |title: &str| json!({ "toy": "0501", "process": process, "objects": [[bed.one, title, []]] });
    bed.agency_sends(&offer("eins")).await;
    let first = bed.there().await;
    let of = vec![(bed.one, Appraisal::of(Disposition::Archive))];
    bed.gateway.broker.appraise(&bed.archive, first.meta.id, of.clone(), None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    bed.archive_gives_back().await;
    assert_eq!(
        bed.there().await.status,
        ExchangeStatus::Returned,
        "an offer that went back is no appraised one"
    );

    let transfer = json!({ "toy": "0503", "process": process, "objects": [[bed.one, "eins", []]] });
    let early = bed.agency_sends(&transfer).await;
    assert_eq!(early.state, MessageState::Parked, "what was not offered again is not transferred");
    bed.agency_sends(&offer("eins, berichtigt")).await;
    let all = bed.all_there().await;
    let second = all.iter().find(|exchange| exchange.status == ExchangeStatus::Received).unwrap();
    bed.gateway.broker.appraise(&bed.archive, second.meta.id, of, None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    bed.gateway.broker.resend(&bed.archive, early.id, None, None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let all = bed.all_there().await;
    let states: Vec<_> = all.iter().map(|exchange| (exchange.meta.id, exchange.status)).collect();
    assert_eq!(all.len(), 2, "{states:?}");
    assert!(states.contains(&(second.meta.id, ExchangeStatus::TransferReceived)), "{states:?}");
}

#[tokio::test]
async fn an_offer_in_several_messages_is_answered_once_all_have_come() {
    let bed = Bed::start(Gateway::start().await).await;
    let process = Id::now_v7();
    let part = |kind: &str, number: u32, object: Id| {
        json!({ "toy": kind, "process": process, "id": Id::now_v7(), "objects": [[object, "x", []]],
            "sequence": { "number": number, "total": 2 } })
    };
    bed.agency_sends(&part("0501", 1, bed.one)).await;
    bed.appraise(&[(bed.one, Disposition::Archive)]).await;
    assert_eq!(bed.there().await.status, ExchangeStatus::Received, "the second message has not come");
    for again in [part("0501", 1, bed.two), part("0501", 2, bed.one)] {
        assert_eq!(bed.agency_sends(&again).await.state, MessageState::Parked);
    }
    bed.agency_sends(&part("0501", 2, bed.two)).await;
    bed.appraise(&[(bed.two, Disposition::Archive)]).await;
    assert_eq!(bed.there().await.status, ExchangeStatus::Appraised);

    bed.agency_sends(&part("0503", 1, bed.one)).await;
    let result = ImportResult { successful: true, ..ImportResult::default() };
    let all = vec![(bed.one, result.clone()), (bed.two, result)];
    let id = bed.there().await.meta.id;
    let early = bed.gateway.broker.confirm_import(&bed.archive, id, all.clone(), None).await.unwrap_err();
    assert_eq!(early.code(), "model.wrong-state", "one of them has not come");
    assert_eq!(bed.agency_sends(&part("0503", 2, bed.one)).await.state, MessageState::Parked);
    bed.agency_sends(&part("0503", 2, bed.two)).await;
    bed.gateway.broker.confirm_import(&bed.archive, id, all, None).await.unwrap();
    assert_eq!(bed.there().await.status, ExchangeStatus::Confirmed);
}

#[tokio::test]
async fn a_standing_transfer_in_several_messages_is_reported_on_once_all_have_come() {
    let bed = Bed::start(Gateway::start().await).await;
    let process = Id::now_v7();
    let part = |number: u32, object: Id| {
        json!({ "toy": "0503", "process": process, "id": Id::now_v7(), "objects": [[object, "x", []]],
            "sequence": { "number": number, "total": 2 } })
    };
    bed.agency_sends(&part(1, bed.one)).await;
    bed.import(bed.one, true).await;
    assert_eq!(types(&bed.there().await), ["0503"], "no outcome of a half");
    bed.agency_sends(&part(2, bed.two)).await;
    bed.import(bed.two, true).await;
    let there = bed.there().await;
    assert_eq!((types(&there), there.status), (vec!["0503", "0503", "0506"], ExchangeStatus::Confirmed));
}

#[tokio::test]
async fn whoever_waits_too_long_is_reminded_again_and_again_and_the_state_stays() {
    let clock = Arc::new(SetClock::default());
    let bed = Bed::start(Gateway::with_rules(Rules::default(), clock.clone()).await).await;
    let sent = bed.begin(Opening::Usual).await;
    let days = |days: u64| std::time::Duration::from_secs(days * 86_400 + 60);
    let tasks = || async {
        let filter = RecordFilter { parent: Some(sent.meta.id), ..RecordFilter::of(RecordKind::Task) };
        bed.gateway.broker.records(&bed.agency, &filter, &page()).await.unwrap().items
    };
    clock.advance(days(179));
    bed.gateway.broker.run_due_jobs().await.unwrap();
    assert!(tasks().await.is_empty());
    for reminders in 1..=2 {
        clock.advance(days(7));
        bed.gateway.broker.run_due_jobs().await.unwrap();
        let now = bed.sent(sent.meta.id).await;
        assert_eq!((now.status, now.waits.unwrap().reminders), (ExchangeStatus::Received, reminders));
        assert_eq!(tasks().await.len(), 1, "one task while it is open");
    }
    let due = json!({ "due": "2026-01-01T00:00:00Z" });
    let late = change(RecordKind::Task, tasks().await[0].meta().id, Change::Amend(due));
    bed.gateway.broker.submit(&bed.agency, late, None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let others = caller("soest", "70");
    let asked = || async {
        let filter = RecordFilter::of(RecordKind::Task);
        bed.gateway.broker.records(&others, &filter, &page()).await.unwrap().items
    };
    assert_eq!(asked().await[0].status(), "open");
    bed.appraise(&[(bed.one, Disposition::Archive), (bed.two, Disposition::Archive)]).await;
    assert_eq!(tasks().await[0].status(), "done");
    assert_eq!(asked().await[0].status(), "done", "nor is anybody asked because of the reminder");
    assert_eq!(bed.sent(sent.meta.id).await.waits.unwrap().reminders, 0);
}

#[tokio::test]
async fn nobody_is_reminded_of_what_came_back() {
    let clock = Arc::new(SetClock::default());
    let bed = Bed::start(Gateway::with_rules(Rules::default(), clock.clone()).await).await;
    let sent = bed.begin(Opening::Usual).await;
    clock.advance(std::time::Duration::from_secs(181 * 86_400));
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let filter = RecordFilter { parent: Some(sent.meta.id), ..RecordFilter::of(RecordKind::Task) };
    let tasks = || bed.gateway.broker.records(&bed.agency, &filter, &PAGE);
    assert_eq!(tasks().await.unwrap().items[0].status(), "open");
    bed.archive_gives_back().await;
    assert_eq!(bed.sent(sent.meta.id).await.status, ExchangeStatus::Returned);
    assert_eq!(tasks().await.unwrap().items[0].status(), "done");
}

#[tokio::test]
async fn records_that_are_still_worked_on_are_not_offered() {
    let bed = Bed::start(Gateway::start().await).await;
    let open = bed.gateway.a_case(&bed.agency, "offen").await.meta.id;
    let wanted = NewExchange {
        kind: ExchangeKind::Disposition,
        to: lippstadt(),
        objects: vec![open],
        version: None,
        wants_receipt: true,
        opening: Opening::Usual,
    };
    let refused = bed.gateway.broker.start_exchange(&bed.agency, wanted, None).await.unwrap_err();
    assert_eq!(refused.code(), "model.wrong-state");
}

#[tokio::test]
async fn messages_of_an_offer_that_are_taken_in_at_once_begin_one_exchange() {
    on_every_engine(|database| async {
        let bed = Bed::start(Gateway::on(database, Arc::new(SystemClock)).await).await;
        let mut by = bed.archive.clone();
        by.actor.id = crate::house::soest().to_string();
        // A transfer with standing appraisal begins a process as an offer does.
        for kind in ["0501", "0503"] {
            let process = Id::now_v7();
            for (number, object) in [(1, bed.one), (2, bed.two)] {
                let part = json!({ "toy": kind, "process": process, "id": Id::now_v7(), "meets": 2,
                    "objects": [[object, "x", []]], "sequence": { "number": number, "total": 2 } });
                bed.gateway.accept(&by, &part).await.unwrap();
            }
            let workers = Workers::start(bed.gateway.broker.clone()).await.unwrap();
            let accepted = MessageFilter { state: Some(MessageState::Accepted), ..MessageFilter::default() };
            while !bed.gateway.broker.messages(&bed.archive, &accepted, &PAGE).await.unwrap().items.is_empty()
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            workers.stop().await;
            let there = bed.all_there().await;
            let there: Vec<_> = there.iter().filter(|there| there.process_id == process).collect();
            assert_eq!(there.len(), 1, "{kind}");
            assert_eq!((types(there[0]), there[0].objects.len()), (vec![kind, kind], 2));
        }
    })
    .await;
}
