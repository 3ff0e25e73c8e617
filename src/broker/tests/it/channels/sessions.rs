//! Sessions: one at a time over all nodes; what they submit has one effect, however often.

use std::time::Duration;

use model::adapter::{Link, Receipt};
use model::case::{Disposition, Version};
use model::command::{Change, Command};
use model::payment::{Claim, Payment};
use model::record::Meta;
use model::testkit::{a_claim, a_payment};
use model::{EventKind, FailureKind, Record, RecordKind, ids};
use serde_json::json;

use super::bed::{Bed, a_document, detail, kept};
use crate::engines::on_every_engine;
use crate::house::{change, create};

#[tokio::test(flavor = "multi_thread")]
async fn of_all_nodes_one_runs_a_session_at_a_time() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let (one, two) = (bed.broker.clone(), bed.broker.clone());
        for _ in 0..5 {
            one.enqueue_sessions().await.unwrap();
            two.enqueue_sessions().await.unwrap();
            let (first, second) = tokio::join!(one.run_due_jobs(), two.run_due_jobs());
            first.unwrap();
            second.unwrap();
            bed.later(Duration::from_secs(61)).await;
        }
        let (ran, most) = bed.post.set(|state| (state.hosts.len(), state.most_running));
        assert_eq!(most, 1);
        assert_eq!(ran, 6, "each pause is followed by one");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_fails_is_tried_again_after_longer_and_longer_pauses() {
    let bed = Bed::new(None).await;
    let failures = [FailureKind::Transient, FailureKind::Permanent, FailureKind::Unauthorised];
    bed.post.set(|state| state.sessions.extend(failures));
    bed.sessions().await;
    let ran = |bed: &Bed| bed.post.set(|state| state.hosts.len());
    assert_eq!(ran(&bed), 1);
    bed.later(Duration::from_millis(1_100)).await;
    assert_eq!(ran(&bed), 2);
    bed.later(Duration::from_millis(1_100)).await;
    assert_eq!(ran(&bed), 2);
    bed.later(Duration::from_secs(1)).await;
    assert_eq!(ran(&bed), 3);
    bed.later(Duration::from_secs(4)).await;
    assert_eq!(ran(&bed), 4);
    let whole = model::Caller { scope: model::Scope::tenant("soest"), ..bed.ours.clone() };
    let lanes = bed.broker.lanes(&whole).await.unwrap();
    let lane = lanes.into_iter().find(|lane| lane.lane == "session:post").unwrap();
    assert_eq!(lane.breaker.failures, 0, "it works again");
}

#[tokio::test]
async fn an_adapter_whose_session_keeps_failing_is_a_figure_until_it_works() {
    let bed = Bed::new(None).await;
    bed.post.set(|state| state.sessions.extend([FailureKind::Unauthorised; 8]));
    bed.sessions().await;
    let whole = model::Caller { scope: model::Scope::tenant("soest"), ..bed.ours.clone() };
    let failing = async || {
        let now = bed.broker.now();
        assert!(bed.broker.figures_due().await.unwrap());
        let until = now.plus(Duration::from_secs(60));
        let all = bed.broker.figures(&whole, "adapters.failing", now, until).await.unwrap();
        all.into_iter().map(|figure| figure.label).collect::<Vec<_>>()
    };
    for _ in 0..6 {
        bed.later(Duration::from_secs(600)).await;
    }
    assert_eq!(failing().await, ["post"]);
    for _ in 0..6 {
        bed.later(Duration::from_secs(3_600)).await;
    }
    assert!(failing().await.is_empty(), "it works again");
}

#[tokio::test]
async fn what_a_session_submits_has_one_effect() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = bed.case("Neubau").await;
        bed.run().await;
        bed.sessions().await;
        let (host, again) = (bed.dms.host(), bed.post.host());
        let new = |file| {
            let meta = Meta { id: ids::new_id(), ..case.meta.clone() };
            let mut document = a_document(meta, Some(case.meta.id), "Bescheid");
            document.versions = vec![Version { number: "1".into(), files: vec![file] }];
            create(Record::Document(document))
        };
        let first = host.submit("d-1", new(kept(&host, "b.pdf", "Bescheid").await)).await.unwrap();
        let second = host.submit("d-1", new(kept(&host, "b.pdf", "Bescheid").await)).await.unwrap();
        assert_eq!(first, second);
        let others = again.submit("d-1", new(kept(&again, "b.pdf", "Bescheid").await)).await.unwrap();
        assert_ne!(others.meta().id, first.meta().id, "keys are each adapter's own");
        let Record::Document(document) = &first else { panic!("a document") };
        let content = document.versions[0].files[0].content.clone().unwrap();
        let mut bytes = String::new();
        let mut stream = host.open(&content).await.unwrap();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut bytes).await.unwrap();
        assert_eq!(bytes, "Bescheid");
        assert_eq!(bed.timeline(first.meta().id).await[0].payloads, std::slice::from_ref(&content));
        let foreign =
            model::case::File { name: "c.pdf".into(), content: Some(content), ..Default::default() };
        assert_eq!(host.submit("d-2", new(foreign)).await.unwrap_err().code, "model.invalid");
        for forbidden in [Change::Destroy, Change::Lock, Change::ConfirmReceived, Change::Hold("x".into())] {
            let command =
                Command { kind: RecordKind::Case, id: case.meta.id, expected: None, change: forbidden };
            assert_eq!(host.submit("x", command).await.unwrap_err().code, "model.forbidden");
        }
        for _ in 0..2 {
            host.note("n", RecordKind::Case, case.meta.id, json!({ "state": "signed" })).await.unwrap();
        }
        let noted = detail(&bed.timeline(case.meta.id).await, EventKind::ChannelNoted);
        assert_eq!(noted["noted"], json!({ "state": "signed" }));

        bed.run().await;
        let heard = bed.dms.heard();
        assert_eq!(heard.len(), 2, "of what it did itself it is not told: {heard:?}");

        host.set_state("cursor", json!(7)).await.unwrap();
        assert_eq!(again.state("cursor").await.unwrap(), None);
        assert_eq!(bed.dms.host().state("cursor").await.unwrap(), Some(json!(7)));
        let link = Link {
            kind: RecordKind::Case,
            record: case.meta.id,
            part: "x".into(),
            reference: "engine-1".into(),
            state: json!(null),
        };
        host.link(link.clone()).await.unwrap();
        assert_eq!(host.linked("engine-1").await.unwrap(), Some(link));
        assert_eq!(again.linked("engine-1").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_adapter_neither_appraises_nor_touches_money_whatever_it_wants_or_answers() {
    let bed = Bed::new(None).await;
    let case = bed.case("Neubau").await;
    bed.run().await;
    bed.sessions().await;
    let meta = || Meta { id: ids::new_id(), ..case.meta.clone() };
    let claim = Claim { meta: meta(), case_id: case.meta.id, ..a_claim(100) };
    let payment = Payment { meta: meta(), ..a_payment(&claim) };
    let of_claim = |wanted| change(RecordKind::Claim, claim.meta.id, wanted);
    let of_case = |wanted| change(RecordKind::Case, case.meta.id, wanted);
    let wanted = vec![
        of_case(Change::Appraise(Disposition::Destroy)),
        of_case(Change::Lock),
        of_case(Change::Destroy),
        of_case(Change::LiftHold),
        create(Record::Claim(claim.clone())),
        create(Record::Payment(payment)),
        of_claim(Change::CancelClaim),
        of_claim(Change::PaidTowards(100)),
        of_claim(Change::AssignCashReference("4711".into())),
        of_claim(Change::Amend(json!({ "purpose": "x" }))),
    ];
    let host = bed.dms.host();
    for (number, command) in wanted.iter().enumerate() {
        let refused = host.submit(&format!("m-{number}"), command.clone()).await.unwrap_err();
        assert_eq!(refused.code, "model.forbidden", "{command:?}");
    }
    let refused = json!(vec!["model.forbidden"; wanted.len()]);
    bed.dms.set(|state| {
        state.answer = Some(Box::new(move |_| Receipt { commands: wanted.clone(), ..Receipt::default() }));
    });
    let next = bed.case("Umbau").await;
    bed.run().await;
    let delivered = detail(&bed.timeline(next.meta.id).await, EventKind::ChannelDelivered);
    assert_eq!(delivered["refused"], refused, "{delivered}");
    assert!(bed.all(RecordKind::Claim).await.is_empty());
    assert_eq!(bed.record(RecordKind::Case, case.meta.id).await.status(), "open");
}
