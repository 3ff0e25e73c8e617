//! Dispatches are the business of the adapter of their way.

use broker::Error;
use model::activity::{Dispatch, DispatchKind};
use model::adapter::Receipt;
use model::case::Case;
use model::record::Meta;
use model::rights::Within;
use model::{EventKind, Id, Record, RecordKind, Scope, ids};

use super::bed::{Bed, DMS, FOLLOWS, Scripted, a_document, kinds};
use crate::engines::on_every_engine;
use crate::house::{caller, create, new_case};

/// A gateway with one adapter that carries letters on paper, of one unit.
async fn printing(database: Option<String>) -> Bed {
    let mut printer = Scripted::new(DMS, &[(EventKind::RecordCreated, RecordKind::Dispatch)]);
    printer.descriptor.way = Some("print".into());
    Bed::with(database, printer, Scope { units: Within::one("63"), ..Scope::tenant("soest") }).await
}

fn a_dispatch(case: &Case, way: Option<&str>, documents: Vec<Id>) -> Record {
    Record::Dispatch(Dispatch {
        documents,
        way: way.map(str::to_owned),
        ..Dispatch::new(
            Meta { id: ids::new_id(), ..case.meta.clone() },
            case.meta.id,
            DispatchKind::Disclosure,
        )
    })
}

#[tokio::test]
async fn only_who_carries_its_way_is_told_of_a_dispatch() {
    on_every_engine(|database| async move {
        let bed = printing(database).await;
        let case = bed.case("Neubau").await;
        let by_hand = bed.submit(a_dispatch(&case, None, vec![])).await.meta().id;
        let printed = bed.submit(a_dispatch(&case, Some("print"), vec![])).await.meta().id;
        bed.run().await;
        let told: Vec<_> = bed.dms.told().into_iter().map(|told| told.record.1).collect();
        assert_eq!(told, [printed]);
        assert_eq!(kinds(&bed.timeline(by_hand).await), [EventKind::RecordCreated]);
        assert!(bed.waiting().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_document_without_bytes_is_missing_and_nobody_is_kept_from_the_dispatch() {
    on_every_engine(|database| async move {
        let bed = printing(database).await;
        let case = bed.case("Neubau").await;
        let full = bed.document(&case, "Bescheid", "Der Bescheid").await;
        let meta = Meta { id: ids::new_id(), ..case.meta.clone() };
        let empty = meta.id;
        bed.submit(Record::Document(a_document(meta, Some(case.meta.id), "Anlage"))).await;
        bed.submit(a_dispatch(&case, Some("print"), vec![empty, full])).await;
        bed.run().await;
        let told = bed.dms.told();
        assert_eq!((told.len(), &told[0].bytes), (1, &vec![b"Der Bescheid".to_vec()]));
        assert!(bed.waiting().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_way_that_nobody_carries_is_refused() {
    let bed = printing(None).await;
    let case = bed.case("Neubau").await;
    let refused = bed.broker.submit(&bed.ours, create(a_dispatch(&case, Some("fax"), vec![])), None).await;
    assert!(matches!(refused, Err(Error::UnknownWay)), "{refused:?}");

    // The printer does not serve this unit.
    let others = caller("soest", "70");
    let Record::Case(elsewhere) = new_case(&others, "70", "Anderswo") else { panic!("a case") };
    bed.broker.submit(&others, create(Record::Case(elsewhere.clone())), None).await.unwrap();
    let dispatch = a_dispatch(&elsewhere, Some("print"), vec![]);
    let refused = bed.broker.submit(&others, create(dispatch), None).await;
    assert!(matches!(refused, Err(Error::UnknownWay)), "{refused:?}");
}

#[tokio::test]
async fn who_names_no_way_is_told_of_all() {
    let program = Scripted::new(DMS, &[(EventKind::RecordCreated, RecordKind::Dispatch)]);
    let bed = Bed::with(None, program, Scope::tenant("soest")).await;
    let case = bed.case("Neubau").await;
    bed.submit(a_dispatch(&case, Some("fax"), vec![])).await;
    bed.submit(a_dispatch(&case, None, vec![])).await;
    bed.run().await;
    assert_eq!(bed.dms.told().len(), 2);
}

#[tokio::test]
async fn what_is_nobodys_business_leaves_nothing() {
    on_every_engine(|database| async move {
        let bed = Bed::with(database, Scripted::new(DMS, FOLLOWS), Scope::tenant("soest")).await;
        bed.dms.set(|state| state.answer = Some(Box::new(|_| Receipt::nothing())));
        let case = bed.case("Neubau").await;
        bed.run().await;
        assert_eq!(bed.dms.told().len(), 1);
        assert_eq!(kinds(&bed.timeline(case.meta.id).await), [EventKind::RecordCreated]);
        assert!(bed.waiting().await.is_empty());
    })
    .await;
}
