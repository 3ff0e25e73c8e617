//! Four eyes: one asks, another agrees, and it happens once, on both engines.

use std::sync::Arc;
use std::time::Duration;

use broker::{
    Act, ApprovalFilter, DoneOrAsked, Erasure, Incoming, LONGEST_RELEASE, NewApproval, NewToken, Once, Page,
    Partner, Upload,
};
use bytes::Bytes;
use model::approval::{ApprovalKind, ApprovalState};
use model::command::Rules;
use model::rights::Within;
use model::{Caller, Id, Message, Role, Timestamp, ids};
use serde_json::{Value, json};

use crate::content::a_file_in;
use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller, create, lippstadt, new_case};

fn somebody(name: &str, role: Role, unit: &str) -> Caller {
    let mut somebody = caller("soest", unit);
    somebody.actor = model::Actor { kind: "person".into(), id: name.into() };
    somebody.roles = vec![role];
    somebody
}

async fn a_message(gateway: &Gateway) -> Message {
    let body = json!({ "toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Akte"]] });
    let message = gateway.accept(&caller("soest", "63"), &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    message
}

/// A house that wants four eyes, what a message of it says, and that message, which somebody has parked.
async fn parked_where_two_decide() -> (Gateway, Value, Id) {
    let rules = Rules { four_eyes: true, ..Rules::default() };
    let gateway = Gateway::with_rules(rules, Arc::new(SetClock::default())).await;
    let all = caller("soest", "63");
    let body = json!({ "toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Akte"]] });
    let id = gateway.accept(&all, &body).await.unwrap().id;
    gateway.broker.park_by_hand(&all, id, None, None).await.unwrap();
    (gateway, body, id)
}

fn release(message: Id, minutes: u32) -> NewApproval {
    NewApproval {
        act: Act::ReleaseMessage { message, payload: None, minutes },
        reason: "Störung 4711".into(),
    }
}

#[tokio::test]
async fn a_content_is_seen_by_whom_it_was_released_to_until_the_time_is_over() {
    on_every_engine(async |database: Option<String>| {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database, clock.clone()).await;
        let broker = &gateway.broker;
        let message = a_message(&gateway).await;
        let operator = somebody("operator", Role::Operator, "63");
        let manager = somebody("manager", Role::RecordsManager, "63");
        assert_eq!(
            broker.message_content(&operator, message.id).await.err().unwrap().code(),
            "model.forbidden"
        );

        for (new, code) in [
            (release(message.id, 0), "model.invalid"),
            (release(message.id, LONGEST_RELEASE + 1), "model.invalid"),
            (NewApproval { reason: " ".into(), ..release(message.id, 30) }, "model.invalid"),
            (NewApproval { reason: "x".repeat(501), ..release(message.id, 30) }, "model.invalid"),
            (release(ids::new_id(), 30), "model.not-found"),
        ] {
            assert_eq!(broker.ask_for(&operator, new, None).await.unwrap_err().code(), code);
        }
        let cashier = somebody("cashier", Role::Cashier, "63");
        let refused = broker.ask_for(&cashier, release(message.id, 30), None).await.unwrap_err();
        assert_eq!(refused.code(), "model.forbidden");

        let once = Once::new("k".into(), "d".into());
        let asked = broker.ask_for(&operator, release(message.id, 30), Some(&once)).await.unwrap();
        assert_eq!(
            broker.ask_for(&operator, release(message.id, 30), Some(&once)).await.unwrap().id,
            asked.id
        );
        assert_eq!((asked.kind, asked.state), (ApprovalKind::ContentRelease, ApprovalState::Open));
        let early = broker.released_content(&operator, asked.id).await.err().unwrap();
        assert_eq!(early.code(), "broker.not-released");

        // Nobody for themselves, nobody without the right, nobody of another unit.
        let mut both = operator.clone();
        both.roles.push(Role::RecordsManager);
        assert_eq!(broker.agree_to(&both, asked.id).await.unwrap_err().code(), "model.second-person");
        let colleague = somebody("colleague", Role::Operator, "63");
        assert_eq!(broker.agree_to(&colleague, asked.id).await.unwrap_err().code(), "model.forbidden");
        let elsewhere = somebody("elsewhere", Role::RecordsManager, "70");
        assert_eq!(broker.agree_to(&elsewhere, asked.id).await.unwrap_err().code(), "model.not-found");
        assert_eq!(broker.approval(&elsewhere, asked.id).await.unwrap_err().code(), "model.not-found");

        let waiting = ApprovalFilter { open: Some(true), ..ApprovalFilter::default() };
        let listed = broker.approvals(&manager, &waiting, &Page::first(9)).await.unwrap().items;
        assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [asked.id]);
        assert_eq!(broker.approval(&manager, asked.id).await.unwrap().1.as_deref(), Some("Störung 4711"));
        let agreed = broker.agree_to(&manager, asked.id).await.unwrap();
        assert_eq!(broker.agree_to(&manager, asked.id).await.unwrap(), agreed, "again changes nothing");
        assert_eq!(broker.turn_down(&manager, asked.id).await.unwrap_err().code(), "broker.approval-over");

        let released = broker.released_content(&operator, asked.id).await.unwrap();
        assert_eq!(Some(released.reference), message.payload);
        assert_eq!(
            broker.released_content(&manager, asked.id).await.err().unwrap().code(),
            "model.not-found"
        );
        let seen = broker.message_timeline(&operator, message.id, &Page::first(50)).await.unwrap();
        let kinds: Vec<String> =
            seen.iter().map(|(_, event)| json!(event.kind).as_str().unwrap().to_owned()).collect();
        for kind in ["approval.asked", "approval.agreed", "content.disclosed"] {
            assert!(kinds.iter().any(|it| it == kind), "{kind}: {kinds:?}");
        }
        clock.advance(Duration::from_secs(30 * 60));
        let late = broker.released_content(&operator, asked.id).await.err().unwrap();
        assert_eq!(late.code(), "broker.not-released");
    })
    .await;
}

#[tokio::test]
async fn what_nobody_decides_expires_and_what_is_withdrawn_or_refused_is_over() {
    let clock = Arc::new(SetClock::default());
    let gateway = Gateway::on(None, clock.clone()).await;
    let broker = &gateway.broker;
    let message = a_message(&gateway).await;
    let operator = somebody("operator", Role::Operator, "63");
    let manager = somebody("manager", Role::RecordsManager, "63");
    let ask = async || broker.ask_for(&operator, release(message.id, 5), None).await.unwrap().id;
    let (withdrawn, refused, expired) = (ask().await, ask().await, ask().await);
    assert_eq!(broker.withdraw_asked(&manager, withdrawn).await.unwrap_err().code(), "model.not-found");
    assert_eq!(broker.withdraw_asked(&operator, withdrawn).await.unwrap().state, ApprovalState::Withdrawn);
    assert_eq!(broker.turn_down(&manager, refused).await.unwrap().state, ApprovalState::Refused);
    clock.advance(Duration::from_secs(7 * 24 * 3600));
    for id in [withdrawn, refused, expired] {
        assert_eq!(broker.agree_to(&manager, id).await.unwrap_err().code(), "broker.approval-over");
        assert_eq!(broker.released_content(&operator, id).await.err().unwrap().code(), "broker.not-released");
    }
    let own = ApprovalFilter { mine: true, open: Some(false), newest: true, ..ApprovalFilter::default() };
    let listed = broker.approvals(&operator, &own, &Page::first(9)).await.unwrap().items;
    let states: Vec<_> = listed.iter().map(|it| (it.id, it.state_at(broker.now()))).collect();
    let over = [ApprovalState::Expired, ApprovalState::Refused, ApprovalState::Withdrawn];
    assert_eq!(states, [expired, refused, withdrawn].into_iter().zip(over).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_read_is_the_file_that_was_agreed_to_whatever_came_since() {
    let gateway = Gateway::start().await;
    let broker = &gateway.broker;
    let all = caller("soest", "63");
    let (operator, manager) =
        (somebody("operator", Role::Operator, "63"), somebody("manager", Role::RecordsManager, "63"));
    let case = new_case(&all, "63", "");
    let root = case.meta().id;
    broker.submit(&all, create(case), None).await.unwrap();
    let document = a_file_in(&gateway, &all, root, b"%PDF eins").await;
    let release = |version: Option<&str>| {
        let version = version.map(str::to_owned);
        let act = Act::ReleaseDocument { document, version, file: None, root: None, minutes: 30 };
        NewApproval { act, reason: "Störung 4711".into() }
    };
    let none = broker.ask_for(&operator, release(Some("9")), None).await.unwrap_err();
    assert_eq!(none.code(), "model.not-found");
    let asked = broker.ask_for(&operator, release(None), None).await.unwrap();
    assert_eq!((&asked.detail["version"], &asked.detail["root"]), (&json!("1"), &json!(root)));
    let upload = Upload { file_name: "plan.pdf".into(), version: "2".into(), ..Upload::default() };
    let body = futures::stream::iter([Ok(Bytes::from_static(b"%PDF zwei"))]);
    broker.add_content(&all, document, upload, body).await.unwrap();
    broker.agree_to(&manager, asked.id).await.unwrap();
    let released = broker.released_content(&operator, asked.id).await.unwrap();
    assert_eq!(released.payload.read_at(0, 100).await.unwrap(), &b"%PDF eins"[..]);
}

#[tokio::test]
async fn an_erasure_is_carried_out_with_the_decision() {
    on_every_engine(async |database: Option<String>| {
        let gateway = Gateway::on(database, Arc::new(SetClock::default())).await;
        let broker = &gateway.broker;
        let message = a_message(&gateway).await;
        let payload = message.payload.clone().unwrap().id;
        let all = caller("soest", "63");
        let filter = store::RecordFilter::of(model::RecordKind::Case);
        let root = broker.records(&all, &filter, &Page::first(9)).await.unwrap().items[0].meta().id;
        let (one, other) = (somebody("one", Role::Admin, "63"), somebody("other", Role::Admin, "63"));
        let erase =
            |payload| NewApproval { act: Act::ErasePayload { root, payload }, reason: "Art. 17".into() };
        assert_eq!(
            broker.ask_for(&one, erase(ids::new_id()), None).await.unwrap_err().code(),
            "model.not-found"
        );
        let asked = broker.ask_for(&one, erase(payload), None).await.unwrap();
        broker.message_content(&all, message.id).await.unwrap();
        broker.agree_to(&other, asked.id).await.unwrap();
        assert!(broker.message_content(&all, message.id).await.is_err());
        // The reason goes like any content of an event.
        broker.erase(&all, root, Erasure::Event(asked.event)).await.unwrap();
        assert_eq!(broker.approval(&other, asked.id).await.unwrap().1, None);
        assert!(broker.check_chain(&all, None).await.unwrap().ok);
    })
    .await;
}

#[tokio::test]
async fn with_four_eyes_forwarding_tokens_and_ways_to_partners_wait_for_a_second_person() {
    on_every_engine(async |database: Option<String>| {
        let rules = Rules { four_eyes: true, ..Rules::default() };
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::reopened(folder, rules, database, Arc::new(SetClock::default())).await;
        let broker = &gateway.broker;
        let message = a_message(&gateway).await;
        let whole = |name: &str, role| {
            let mut somebody = somebody(name, role, "63");
            somebody.scope.units = Within::All;
            somebody
        };
        let (one, other) = (whole("one", Role::Operator), whole("other", Role::Operator));
        let direct =
            broker.forward(&one, message.id, &lippstadt(), Some("falsch hier"), None).await.unwrap_err();
        assert_eq!(direct.code(), "broker.approval-needed");
        let outcome =
            broker.forward_or_ask(&one, message.id, &lippstadt(), Some("falsch hier"), None).await.unwrap();
        let DoneOrAsked::Asked(asked) = outcome else { panic!("{outcome:?}") };
        assert_eq!(broker.agree_to(&one, asked.id).await.unwrap_err().code(), "model.second-person");
        broker.agree_to(&other, asked.id).await.unwrap();
        let here = broker.message(&one, message.id).await.unwrap();
        assert_eq!(here.forwarding.unwrap().to, Some(lippstadt()));
        assert_eq!(broker.approval(&one, asked.id).await.unwrap().0.state, ApprovalState::Agreed);

        let (one, other) = (whole("one", Role::Admin), whole("other", Role::Admin));
        let new = NewToken {
            name: "Portal".into(),
            roles: vec![Role::System],
            units: Within::one("63"),
            services: Within::All,
            authority: None,
            expires_at: None,
        };
        let direct = broker.create_token_once(&one, new.clone(), None).await.unwrap_err();
        assert_eq!(direct.code(), "broker.approval-needed");
        let (token, asked) = broker.ask_for_token(&one, new, "Portal geht in Betrieb", None).await.unwrap();
        assert_eq!(
            broker.authenticate(&token.secret).await.unwrap(),
            None,
            "not valid before somebody agrees"
        );
        assert!(!Act::shown(&asked.detail).to_string().contains(&token.row.hash));
        broker.agree_to(&other, asked.id).await.unwrap();
        assert!(broker.authenticate(&token.secret).await.unwrap().is_some());

        let partner = Partner {
            id: "archiv".into(),
            tenant: "soest".into(),
            authority: None,
            name: "Archiv".into(),
            settings: json!({}),
            version: 1,
            updated_at: Timestamp::default(),
        };
        assert_eq!(
            broker.put_partner(&one, partner.clone()).await.unwrap_err().code(),
            "broker.approval-needed"
        );
        let outcome = broker.put_partner_or_ask(&one, partner.clone(), Some("neu")).await.unwrap();
        let DoneOrAsked::Asked(asked) = outcome else { panic!("{outcome:?}") };
        broker.agree_to(&other, asked.id).await.unwrap();
        // Why it was asked for goes like any other content, though no record has it: with the right, and by its own event alone.
        let of_unit = somebody("unit", Role::Admin, "63");
        let reason = Erasure::Event(asked.event);
        for (who, event) in [(&of_unit, reason), (&one, Erasure::Event(ids::new_id()))] {
            assert_eq!(broker.erase(who, asked.id, event).await.unwrap_err().code(), "model.not-found");
        }
        assert_eq!(broker.approval(&other, asked.id).await.unwrap().1.as_deref(), Some("neu"));
        broker.erase(&one, asked.id, reason).await.unwrap();
        assert_eq!(broker.approval(&other, asked.id).await.unwrap().1, None);
        assert!(broker.check_chain(&caller("soest", "63"), None).await.unwrap().ok);
        let renamed = Partner { name: "Kreisarchiv".into(), version: 2, ..partner };
        let outcome = broker.put_partner_or_ask(&one, renamed, None).await.unwrap();
        assert!(matches!(outcome, DoneOrAsked::Done(_)), "a name is nobody's key");
    })
    .await;
}

#[tokio::test]
async fn nobody_agrees_to_hand_on_a_message_that_stands_otherwise_than_when_it_was_asked_for() {
    let (gateway, _, id) = parked_where_two_decide().await;
    let (broker, all) = (&gateway.broker, caller("soest", "63"));
    let (one, other) = (somebody("one", Role::Operator, "63"), somebody("other", Role::Operator, "63"));
    let ask = async || {
        let outcome = broker.forward_or_ask(&one, id, &lippstadt(), Some("falsch hier"), None).await.unwrap();
        let DoneOrAsked::Asked(asked) = outcome else { panic!("{outcome:?}") };
        asked
    };
    let asked = ask().await;
    broker.resend(&all, id, None, None).await.unwrap();
    broker.run_due_jobs().await.unwrap();
    assert_eq!(broker.agree_to(&other, asked.id).await.unwrap_err().code(), "model.version-conflict");
    assert_eq!(broker.message(&one, id).await.unwrap().forwarding, None);
    broker.agree_to(&other, ask().await.id).await.unwrap();
    assert!(broker.message(&one, id).await.unwrap().forwarding.is_some());
}

#[tokio::test]
async fn who_agrees_agrees_to_the_bytes_that_were_there_when_it_was_asked_for() {
    let (gateway, body, id) = parked_where_two_decide().await;
    let (broker, all) = (&gateway.broker, caller("soest", "63"));
    let (one, other) = (somebody("one", Role::Operator, "63"), somebody("other", Role::Operator, "63"));
    let released = broker.ask_for(&one, release(id, 30), None).await.unwrap();
    let manager = somebody("manager", Role::RecordsManager, "63");
    broker.agree_to(&manager, released.id).await.unwrap();
    broker.released_content(&one, released.id).await.unwrap();
    let outcome = broker.forward_or_ask(&one, id, &lippstadt(), Some("falsch hier"), None).await.unwrap();
    let DoneOrAsked::Asked(asked) = outcome else { panic!("{outcome:?}") };

    let mut mended = body.clone();
    mended["padding"] = json!("anders");
    let bytes = futures::stream::iter([Ok(Bytes::from(mended.to_string()))]);
    broker.repair(&all, id, Incoming::default(), Some("berichtigt"), bytes).await.unwrap();
    broker.park_by_hand(&all, id, None, None).await.unwrap();
    let read = broker.released_content(&one, released.id).await.err().unwrap();
    assert_eq!(read.code(), "broker.not-released");
    assert_eq!(broker.agree_to(&other, asked.id).await.unwrap_err().code(), "model.version-conflict");
}
