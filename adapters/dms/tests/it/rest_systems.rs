//! d.velop documents and enaio against simulators that were written from the public facts.

use std::sync::Arc;
use std::time::Duration;

use adapter_dms::{Login, dvelop, enaio};
use conformance::simulate::dms as simulate;
use conformance::simulate::dms::Held;
use model::adapter::{Adapter as _, Source};
use model::{FailureKind, SystemClock, testkit};
use zeroize::Zeroizing;

use crate::given::{Given, client, dms};

fn dvelop_settings(url: &str, key: &str) -> dvelop::Settings {
    dvelop::Settings {
        url: url.into(),
        login: Login::Bearer(Zeroizing::new(key.into())),
        repository: simulate::dvelop::REPOSITORY.into(),
        folder_category: "AKTE".into(),
        document_category: "DOK".into(),
        own_property: "amtsbote".into(),
        mark_property: "stand".into(),
        name_property: Some("name".into()),
        parent_property: Some("in".into()),
        root: None,
        within: Duration::from_secs(10),
        transfer: Duration::from_secs(10),
    }
}

fn enaio_settings(url: &str) -> enaio::Settings {
    let kind = |id: &str| enaio::ObjectType {
        id: id.into(),
        own_field: "AMTSBOTE".into(),
        name_field: Some("NAME".into()),
    };
    let [cabinet, register, document] = simulate::enaio::TYPES;
    enaio::Settings {
        url: url.into(),
        login: Login::Basic { user: "gateway".into(), password: Zeroizing::new("geheim".into()) },
        cabinet: kind(cabinet),
        register: kind(register),
        document: kind(document),
        mark_field: "STAND".into(),
        root: None,
        within: Duration::from_secs(10),
        transfer: Duration::from_secs(10),
    }
}

fn sources(bytes: &[u8]) -> Vec<Box<dyn Source>> {
    vec![Box::new(bytes.to_vec())]
}

fn named<'a>(held: &'a [Held], property: &str, name: &str) -> &'a Held {
    held.iter().find(|it| it.values.get(property).is_some_and(|it| it == name)).expect(name)
}

#[tokio::test]
async fn dvelop_keeps_the_contract_and_holds_each_thing_once() {
    let simulator = simulate::dvelop::Simulator::start().await.unwrap();
    let open =
        |key: &str| dvelop::repository(dvelop_settings(&simulator.url, key), client(), Arc::new(SystemClock));
    let adapter = dms(open(simulate::dvelop::KEY).unwrap());
    let mut given = Given::new();
    given.begin(&*adapter).await;
    let delivery = given.version("1", b"eins");
    testkit::adapter_contract(adapter.clone(), delivery.clone(), &[b"eins".to_vec()]).await;
    given.keep(&adapter.deliver(&delivery, &sources(b"eins")).await.unwrap());
    let second = given.version("2", b"zwei");
    given.keep(&adapter.deliver(&second, &sources(b"zwei")).await.unwrap());

    let held = simulator.held();
    assert_eq!(held.len(), 4, "unit of the file plan, case file, case, document");
    let document = named(&held, "name", "Lageplan Nord.pdf");
    let case = named(&held, "name", "Bauantrag Garage");
    assert_eq!(document.versions, [b"eins".to_vec(), b"zwei".to_vec()]);
    assert_eq!(
        (&document.parents, &document.values["in"]),
        (&vec![case.id.clone()], &case.values["amtsbote"])
    );
    assert!(adapter.check().await.detail.contains("untested live"));

    let refused = dms(open("falsch").unwrap()).deliver(&second, &sources(b"zwei")).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Unauthorised);
}

#[tokio::test]
async fn the_aktenzeichen_that_dvelop_assigns_comes_back() {
    let simulator = simulate::dvelop::Simulator::start().await.unwrap();
    let settings = dvelop_settings(&simulator.url, simulate::dvelop::KEY);
    let adapter = dms(dvelop::repository(settings, client(), Arc::new(SystemClock)).unwrap());
    let mut given = Given::new();
    let first = given.version("1", b"eins");
    given.keep(&adapter.deliver(&first, &sources(b"eins")).await.unwrap());
    let case = named(&simulator.held(), "name", "Bauantrag Garage").id.clone();
    simulator.change(&case, "aktenzeichen", "63.10-2026/17");
    let mut delivery = given.delivery("record.changed", vec![]);
    let about = delivery.about.as_mut().unwrap();
    about.record = about.above.pop().unwrap();
    delivery.record = Some((about.record.kind(), about.record.meta().id));
    let receipt = adapter.deliver(&delivery, &[]).await.unwrap();
    let assigned = model::command::Change::AssignReference("63.10-2026/17".into());
    assert_eq!(receipt.commands.iter().map(|it| it.change.clone()).collect::<Vec<_>>(), [assigned]);
}

#[tokio::test]
async fn enaio_keeps_the_contract_and_holds_each_thing_once() {
    let simulator = simulate::enaio::Simulator::start().await.unwrap();
    let settings = enaio_settings(&simulator.url);
    let adapter = dms(enaio::enaio(settings, client(), Arc::new(SystemClock)).unwrap());
    let mut given = Given::new();
    given.begin(&*adapter).await;
    let delivery = given.version("1", b"eins");
    testkit::adapter_contract(adapter.clone(), delivery.clone(), &[b"eins".to_vec()]).await;
    given.keep(&adapter.deliver(&delivery, &sources(b"eins")).await.unwrap());
    let second = given.version("2", b"zwei");
    given.keep(&adapter.deliver(&second, &sources(b"zwei")).await.unwrap());

    let held = simulator.held();
    assert_eq!(held.len(), 4);
    let document = named(&held, "NAME", "Lageplan Nord.pdf");
    assert_eq!(document.versions, [b"eins".to_vec(), b"zwei".to_vec()]);
    assert_eq!(document.parents, [named(&held, "NAME", "Bauantrag Garage").id.clone()]);
    assert!(adapter.check().await.detail.contains("untested live"));
}

#[tokio::test]
async fn a_version_that_a_clerk_made_is_never_superseded() {
    let dvelop = simulate::dvelop::Simulator::start().await.unwrap();
    let enaio = simulate::enaio::Simulator::start().await.unwrap();
    let settings = dvelop_settings(&dvelop.url, simulate::dvelop::KEY);
    let adapters = [
        dms(dvelop::repository(settings, client(), Arc::new(SystemClock)).unwrap()),
        dms(enaio::enaio(enaio_settings(&enaio.url), client(), Arc::new(SystemClock)).unwrap()),
    ];
    for adapter in adapters {
        let mut given = Given::new();
        let first = given.version("1", b"eins");
        given.keep(&adapter.deliver(&first, &sources(b"eins")).await.unwrap());
        // Its answer is lost: that the mark is another one shows that it was ours.
        let second = given.version("2", b"zwei");
        adapter.deliver(&second, &sources(b"zwei")).await.unwrap();
        given.keep(&adapter.deliver(&second, &sources(b"zwei")).await.unwrap());
        let third = given.version("3", b"drei");
        given.keep(&adapter.deliver(&third, &sources(b"drei")).await.unwrap());

        let link = given.links.iter().find(|link| link.record == given.document.meta.id).unwrap().clone();
        dvelop.revise(&link.reference, b"von jemand");
        enaio.revise(&link.reference, b"von jemand");
        let fourth = given.version("4", b"vier");
        let refused = adapter.deliver(&fourth, &sources(b"vier")).await.unwrap_err();
        assert_eq!((refused.kind, refused.code.as_ref()), (FailureKind::Permanent, "dms.conflict"));
        // Properties still follow the record, and hide nothing of it.
        given.document.description.title = "Lageplan Süd".into();
        given.keep(&adapter.deliver(&given.delivery("record.changed", vec![]), &[]).await.unwrap());
        let fourth = given.version("4", b"vier");
        let refused = adapter.deliver(&fourth, &sources(b"vier")).await.unwrap_err();
        assert_eq!(refused.code, "dms.conflict");
    }
    let versions = |held: Vec<Held>| held.into_iter().find(|it| it.versions.len() == 4).unwrap().versions;
    for versions in [versions(dvelop.held()), versions(enaio.held())] {
        assert_eq!(versions.last().unwrap(), b"von jemand");
    }
}
