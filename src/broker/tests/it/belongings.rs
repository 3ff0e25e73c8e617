//! What belongs to a case and lies in no tree goes with it: contacts, dispatches, decisions, tasks, claims and their payments are emptied,
//! nobody is named any more, and what money came stays as commercial law wants it.

use broker::{NewClaim, NewPayment, Opening};
use model::activity::{
    Addressee, Call, CallDirection, CallState, Decision, Dispatch, DispatchKind, Interaction,
    InteractionStatus, Notice, Task,
};
use model::case::Disposition::Destroy;
use model::command::Change;
use model::payment::{Payer, TruthState};
use model::record::Meta;
use model::{EventKind, Id, Record, RecordKind, Scope, ids, patch};
use serde_json::{Value, json};
use sqlx::Connection;
use store::{Page, RecordFilter};

use crate::disposition::Bed;
use crate::engines::on_every_engine;
use crate::house::{Gateway, change, create};
use crate::payments::till::Till;

/// What must not be found any more, anywhere.
const TELLS: [&str; 4] = ["Mustermann", "+492921301234", "granted", "portal.example"];
const NOT_SETTLED: &str = "model.not-settled";

/// A gateway with payments, and its cases that are offered.
async fn bed(till: &Till) -> Bed {
    let folder = tempfile::tempdir().unwrap();
    Bed::start(Gateway { broker: till.gateway.broker.clone(), folder }).await
}

async fn meta_in(bed: &Bed, case: Id) -> Meta {
    let id = ids::new_id();
    Meta { id, ..bed.case(case).await.meta().clone() }
}

fn call(state: CallState) -> Call {
    Call {
        direction: CallDirection::Incoming,
        number: Some("+492921301234".into()),
        extension: Some("1234".into()),
        state,
        wait_seconds: Some(7),
        duration_seconds: Some(60),
        reference: Some("Mustermann-1".into()),
        task: None,
    }
}

async fn interaction(bed: &Bed, case: Id, state: CallState) -> Record {
    Record::Interaction(Interaction {
        case_id: Some(case),
        kind: "call".into(),
        at: bed.gateway.broker.now(),
        subject: Some("Frau Mustermann fragt nach".into()),
        from: Some("Erika Mustermann".into()),
        documents: vec![],
        hints: vec![],
        proposals: vec![],
        concerns: vec!["post.unsure".into()],
        call: Some(Box::new(call(state))),
        proof: json!({ "by": "Mustermann" }),
        status: InteractionStatus::Filed,
        meta: meta_in(bed, case).await,
    })
}

async fn task(bed: &Bed, case: Id) -> Record {
    let task = Task::new(meta_in(bed, case).await, "test", "Rückfrage");
    Record::Task(Task { case_id: Some(case), ..task })
}

async fn dispatch(bed: &Bed, case: Id) -> Record {
    let to = Addressee { lines: vec!["Erika Mustermann".into()], ..Addressee::default() };
    let notice = Notice { subject: "Neues".into(), text: "Guten Tag, Frau Mustermann".into(), link: None };
    let dispatch = Dispatch::new(meta_in(bed, case).await, case, DispatchKind::Notification);
    Record::Dispatch(Dispatch { to: Some(to), notice: Some(notice), ..dispatch })
}

async fn decision(bed: &Bed, case: Id) -> Record {
    Record::Decision(Decision {
        case_id: case,
        outcome: "granted".into(),
        document: None,
        at: bed.gateway.broker.now(),
        meta: meta_in(bed, case).await,
    })
}

async fn submit(bed: &Bed, record: Record) -> (RecordKind, Id) {
    let record = bed.gateway.broker.submit(&bed.agency, create(record), None).await.unwrap();
    (record.kind(), record.meta().id)
}

async fn done(bed: &Bed, task: Id) {
    let result = Change::CompleteTask(Some("Frau Mustermann ist im Bild".into()));
    bed.gateway.broker.submit(&bed.agency, change(RecordKind::Task, task, result), None).await.unwrap();
}

/// A claim of a case with who owes it, and a payment of it, which is paid.
async fn money(till: &Till, case: Id) -> [(RecordKind, Id); 2] {
    let payer = Payer { name: "Mustermann".into(), first_name: Some("Erika".into()), ..Payer::default() };
    let new = NewClaim { case_id: case, payer: Some(payer), ..till.new_claim(4_200) };
    let claim = till.broker().create_claim(&till.clerk, new, None).await.unwrap();
    let new = NewPayment { return_to: Some("https://portal.example/antrag/Mustermann".into()) };
    let payment = till.broker().start_payment(&till.clerk, claim.meta.id, new, None).await.unwrap();
    till.run().await;
    till.giro.all_are(TruthState::Paid);
    till.later(40).await;
    [(RecordKind::Claim, claim.meta.id), (RecordKind::Payment, payment.meta.id)]
}

/// The events of a record that still say something, and the record that they give.
async fn told(bed: &Bed, id: Id) -> (String, Value) {
    let page = Page { after: None, limit: 100 };
    let events = bed.gateway.broker.record_timeline(&bed.agency, id, &page).await.unwrap();
    let mut record = json!({});
    for (_, event) in &events {
        if event.kind == EventKind::RecordDestroyed {
            record = json!({});
        }
        patch::apply(&mut record, event.changes.as_ref().unwrap_or(&json!({})));
    }
    (format!("{events:?}"), record)
}

/// Offers both cases, has them appraised to be destroyed, and destroys them as far as that may be.
async fn destroyed(till: &Till, bed: &Bed) -> Vec<Id> {
    let sent = bed.begin(Opening::Usual).await;
    till.run().await;
    bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
    till.run().await;
    bed.gateway.broker.destroy(&bed.agency, sent.meta.id, vec![], None).await.unwrap();
    till.run().await;
    let all = bed.sent(sent.meta.id).await.objects;
    all.iter().filter(|object| object.destroyed_at.is_some()).map(|object| object.id).collect()
}

#[tokio::test]
async fn what_belongs_to_a_case_is_emptied_with_it_and_money_stays() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let bed = bed(&till).await;
        let task = submit(&bed, task(&bed, bed.inner).await).await;
        done(&bed, task.1).await;
        let mut all = vec![
            task,
            submit(&bed, interaction(&bed, bed.inner, CallState::Ended).await).await,
            submit(&bed, dispatch(&bed, bed.inner).await).await,
            submit(&bed, decision(&bed, bed.one).await).await,
        ];
        all.extend(money(&till, bed.inner).await);
        let whole = Scope::tenant("soest");
        let text = |record: &Record| record.to_json().to_string();
        for (kind, id) in &all {
            let before = bed.gateway.broker.record(&bed.agency, *kind, *id).await.unwrap();
            assert!(TELLS.iter().any(|word| text(&before).contains(word)), "{kind:?}");
        }
        assert_eq!(destroyed(&till, &bed).await, [bed.one, bed.two]);
        for (kind, id) in &all {
            let after = bed.gateway.broker.record(&bed.agency, *kind, *id).await.unwrap();
            let (events, given) = told(&bed, *id).await;
            for word in TELLS {
                assert!(!text(&after).contains(word) && !events.contains(word), "{kind:?}: {word}");
            }
            assert_eq!(after.meta().tenant, whole.tenant);
            assert_eq!(given, after.to_json(), "{kind:?}: the events give what is left");
        }
        let Record::Claim(claim) = bed.gateway.broker.record(&bed.agency, all[4].0, all[4].1).await.unwrap()
        else {
            panic!("a claim")
        };
        assert_eq!((claim.amount_cents, claim.paid_cents, claim.payer), (4_200, 4_200, None));
        let (events, _) = told(&bed, all[5].1).await;
        assert!(
            events.contains("PaymentPaid") && events.contains("paidCents"),
            "what money came is told: {events}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_somebody_still_works_on_keeps_the_case_that_it_belongs_to() {
    let till = Till::open(None).await;
    let bed = bed(&till).await;
    let (_, task) = submit(&bed, task(&bed, bed.inner).await).await;
    let (_, wanted) = submit(&bed, interaction(&bed, bed.two, CallState::Wanted).await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
    let ask = |objects| bed.gateway.broker.destroy(&bed.agency, sent.meta.id, objects, None);
    for objects in [vec![], vec![bed.one], vec![bed.two]] {
        assert_eq!(ask(objects).await.unwrap_err().code(), NOT_SETTLED);
    }
    done(&bed, task).await;
    ask(vec![bed.one]).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let after = bed.sent(sent.meta.id).await;
    let gone = |id: Id| after.objects.iter().any(|object| object.id == id && object.destroyed_at.is_some());
    assert_eq!((gone(bed.one), gone(bed.two)), (true, false));
    let over = Change::Call(Box::new(call(CallState::Missed)));
    bed.gateway
        .broker
        .submit(&bed.agency, change(RecordKind::Interaction, wanted, over), None)
        .await
        .unwrap();
    ask(vec![bed.two]).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    assert!(bed.sent(sent.meta.id).await.objects.iter().all(|object| object.destroyed_at.is_some()));
    let late = self::task(&bed, bed.two).await;
    let refused = bed.gateway.broker.submit(&bed.agency, create(late), None).await.unwrap_err();
    assert_eq!(refused.code(), "model.wrong-state", "nobody has to do anything about what is destroyed");
}

#[tokio::test]
async fn what_is_still_owed_or_has_to_be_sent_keeps_its_case() {
    let till = Till::open(None).await;
    let bed = bed(&till).await;
    let new = NewClaim { case_id: bed.inner, ..till.new_claim(4_200) };
    let claim = till.broker().create_claim(&till.clerk, new, None).await.unwrap();
    let Record::Dispatch(waits) = dispatch(&bed, bed.two).await else { unreachable!() };
    let waits = Dispatch { way: Some("letter".into()), ..waits };
    submit(&bed, Record::Dispatch(waits)).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
    let ask = |object| bed.gateway.broker.destroy(&bed.agency, sent.meta.id, vec![object], None);
    for object in [bed.one, bed.two] {
        assert_eq!(ask(object).await.unwrap_err().code(), NOT_SETTLED);
    }
    let new = NewClaim { case_id: bed.inner, ..till.new_claim(100) };
    let refused = till.broker().create_claim(&till.clerk, new, None).await.unwrap_err();
    assert_eq!(refused.code(), "model.wrong-state", "what is offered takes no claim");
    till.broker().cancel_claim(&till.clerk, claim.meta.id, None).await.unwrap();
    ask(bed.one).await.unwrap();
}

/// A job that broke off when all records were gone, and before the exchange said so, does the same again and ends.
#[tokio::test]
async fn a_destruction_that_begins_anew_ends_and_tells_each_end_once() {
    let till = Till::open(None).await;
    let bed = bed(&till).await;
    let (_, task) = submit(&bed, task(&bed, bed.inner).await).await;
    let end = change(RecordKind::Task, task, Change::CompleteTask(None));
    bed.gateway.broker.submit(&bed.agency, end, None).await.unwrap();
    let (_, contact) = submit(&bed, interaction(&bed, bed.inner, CallState::Ended).await).await;
    assert_eq!(destroyed(&till, &bed).await, [bed.one, bed.two]);

    let url = format!("sqlite:{}", till.gateway.folder.path().join("db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let forget = "UPDATE record SET body = json_remove(body, '$.objects[0].destroyedAt', '$.objects[1].destroyedAt') \
                  WHERE kind = 'exchange' AND tenant = 'soest'";
    assert_eq!(sqlx::query(forget).execute(&mut database).await.unwrap().rows_affected(), 1);
    let filter = RecordFilter::of(RecordKind::Exchange);
    let listed = bed.gateway.broker.records(&bed.agency, &filter, &Page::first(9)).await.unwrap();
    let exchange = bed.sent(listed.items[0].meta().id).await;
    assert!(exchange.objects.iter().all(|object| object.destroyed_at.is_none()));

    let after = bed.destroy(exchange.meta.id).await.unwrap();
    assert!(after.objects.iter().all(|it| it.destroyed_at.is_some() && it.not_destroyed.is_none()));
    for id in [task, contact] {
        let page = Page { after: None, limit: 100 };
        let events = bed.gateway.broker.record_timeline(&bed.agency, id, &page).await.unwrap();
        let ends = events.iter().filter(|(_, event)| event.kind == EventKind::RecordDestroyed);
        assert_eq!(ends.count(), 1, "also of what held nothing that goes");
    }
}
