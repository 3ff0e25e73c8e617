//! Letters to the simulated carrier.

use std::sync::Arc;
use std::time::Duration;

use adapter_post::out::hybrid;
use adapter_post::out::settings::{Hybrid, Pdf};
use conformance::simulate::epost::{Carrier, Fault, LOGIN};
use model::activity::DispatchStatus;
use model::adapter::Adapter;
use model::command::Change;
use model::{FailureKind, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use crate::desk::Desk;
use crate::parcel::{addressee, changed, client, dispatch_of, noon, parcel, pdf, refused, sources, step};

fn settings(carrier: &Carrier) -> Hybrid {
    let [vendor, ekp, secret, password] = LOGIN.map(str::to_owned);
    let qpdf = std::path::PathBuf::from("/usr/bin/qpdf");
    Hybrid {
        id: "epost".into(),
        base: carrier.url.clone(),
        vendor,
        ekp,
        secret: Zeroizing::new(secret),
        password: Zeroizing::new(password),
        test: None,
        cost_centre: Some("63".into()),
        pdf: Pdf { qpdf: qpdf.exists().then_some(qpdf), ..Pdf::default() },
        pause: Duration::from_secs(600),
        within: Duration::from_secs(5),
    }
}

fn ours(carrier: &Carrier) -> Arc<dyn Adapter> {
    hybrid(settings(carrier), client(), noon())
}

#[tokio::test]
async fn hybrid_mail_keeps_the_contract() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let delivery = parcel("hybrid", addressee(), 1);
    model::testkit::adapter_contract(ours(&carrier), delivery, &[pdf()]).await;
    assert_eq!(carrier.letters().len(), 1, "one letter, however often it is delivered");
}

#[tokio::test]
async fn a_letter_arrives_with_its_fields_and_bytes() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let delivery = changed(parcel("hybrid", addressee(), 1), |dispatch| {
        dispatch.options.registered = Some("Einwurf Einschreiben".into());
        dispatch.options.cover_page = true;
        if let Some(to) = &mut dispatch.to {
            to.country = Some("AT".into());
        }
    });
    // A length that no piece and no group of three divides.
    let large = [pdf(), vec![b'\n'; 150_001]].concat();
    let receipt = ours(&carrier).deliver(&delivery, &sources(&[&large])).await.unwrap();
    let letter = carrier.letters().remove(0);
    assert_eq!(letter["sha256"], seal::sha256(&[&large]).to_string());
    let wanted = json!([
        "Frau",
        "Anna & Bert <Müller>",
        "Am Weg 1",
        "59494",
        "Soest",
        "Österreich",
        "Einwurf Einschreiben",
        true,
        false,
        true,
        "63"
    ]);
    let names = [
        "addressLine1",
        "addressLine2",
        "addressLine3",
        "zipCode",
        "city",
        "country",
        "registeredLetter",
        "isColor",
        "isDuplex",
        "coverLetter",
        "costCenter",
    ];
    assert_eq!(json!(names.map(|name| letter[name].clone())), wanted);
    assert_eq!(letter["custom1"], delivery.id.to_string());
    assert_eq!(receipt.reference.as_deref(), Some("1000"));
    // The carrier tells what its clock shows.
    let created = Timestamp::parse("2026-03-01T11:00:00Z").unwrap();
    assert_eq!(step(&receipt.commands), (DispatchStatus::Accepted, created));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_no_letter_goes_twice() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let (ours, delivery, pdf) = (ours(&carrier), parcel("hybrid", addressee(), 1), pdf());
    carrier.fault(Fault::Lost);
    assert_eq!(
        refused(&ours, &delivery, &[&pdf]).await,
        (FailureKind::Uncertain, "post.carrier-unclear".to_owned())
    );
    carrier.fault(Fault::None);
    let found = ours.reconcile(&delivery).await.unwrap().expect("it has arrived");
    assert_eq!(ours.deliver(&delivery, &sources(&[&pdf])).await.unwrap(), found);
    assert_eq!(carrier.letters().len(), 1);
    assert_eq!(ours.reconcile(&parcel("hybrid", addressee(), 1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_carrier_that_is_down_lies_or_has_forgotten_us() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let (ours, pdf) = (ours(&carrier), pdf());
    let delivery = parcel("hybrid", addressee(), 1);
    for (fault, code) in [(Fault::Down, "post.carrier-busy"), (Fault::Garbage, "post.carrier-garbage")] {
        carrier.fault(fault);
        // The question before it fails already: nothing was sent.
        assert_eq!(refused(&ours, &delivery, &[&pdf]).await, (FailureKind::Transient, code.to_owned()));
        assert_eq!(ours.reconcile(&delivery).await.unwrap_err().kind, FailureKind::Transient);
        assert!(!ours.check().await.ok);
    }
    carrier.fault(Fault::None);
    ours.deliver(&delivery, &sources(&[&pdf])).await.unwrap();
    carrier.fault(Fault::LoggedOut);
    ours.deliver(&parcel("hybrid", addressee(), 1), &sources(&[&pdf])).await.unwrap();
    assert_eq!(carrier.letters().len(), 2);
    let wrong = Hybrid { password: Zeroizing::new("falsch".into()), ..settings(&carrier) };
    let wrong = hybrid(wrong, client(), noon());
    assert_eq!(
        refused(&wrong, &delivery, &[&pdf]).await,
        (FailureKind::Unauthorised, "post.carrier-login".to_owned())
    );
    let slow = Hybrid { within: Duration::from_millis(300), ..settings(&carrier) };
    carrier.fault(Fault::Slow);
    assert_eq!(refused(&hybrid(slow, client(), noon()), &delivery, &[&pdf]).await.0, FailureKind::Transient);
}

#[tokio::test]
async fn what_the_carrier_could_not_carry_is_refused_before() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let (ours, pdf) = (ours(&carrier), pdf());
    let with = |change: fn(&mut model::activity::Dispatch)| changed(parcel("hybrid", addressee(), 1), change);
    for (delivery, code) in [
        (with(|it| it.to.as_mut().unwrap().zip = None), "post.no-address"),
        (with(|it| it.to.as_mut().unwrap().lines.clear()), "post.no-address"),
        (with(|it| it.to.as_mut().unwrap().lines = vec!["x".repeat(81)]), "post.no-address"),
        (with(|it| it.to.as_mut().unwrap().country = Some("XX".into())), "post.no-address"),
        (with(|it| it.options.registered = Some("Brieftaube".into())), "post.option"),
    ] {
        assert_eq!(refused(&ours, &delivery, &[&pdf]).await, (FailureKind::Rejected, code.to_owned()));
    }
    let alone = Hybrid { pdf: Pdf::default(), ..settings(&carrier) };
    let two = parcel("hybrid", addressee(), 2);
    let alone = hybrid(alone, client(), noon());
    let several = (FailureKind::Permanent, "post.several-documents".to_owned());
    assert_eq!(refused(&alone, &two, &[&pdf, &pdf]).await, several);
    assert_eq!(carrier.letters().len(), 0);
    if settings(&carrier).pdf.qpdf.is_some() {
        ours.deliver(&two, &sources(&[&pdf, &pdf])).await.unwrap();
        assert_eq!(carrier.letters().len(), 1, "joined into one");
    }
}

#[tokio::test]
async fn steps_follow_what_the_carrier_says_each_once() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let (ours, desk, pdf) = (ours(&carrier), Arc::new(Desk::default()), pdf());
    let registered = |it: &mut model::activity::Dispatch| it.options.registered = Some("Einschreiben".into());
    let deliveries = [
        parcel("hybrid", addressee(), 1),
        parcel("hybrid", addressee(), 1),
        changed(parcel("hybrid", addressee(), 1), registered),
        parcel("hybrid", addressee(), 1),
    ];
    // The last one is of another gateway.
    for (delivery, is_ours) in deliveries.iter().zip([true, true, true, false]) {
        ours.deliver(delivery, &sources(&[&pdf])).await.unwrap();
        if is_ours {
            desk.records.lock().unwrap().push(delivery.about.as_ref().unwrap().record.clone());
        }
    }
    let today: String = model::adapter::Host::now(&*desk).to_string().chars().take(10).collect();
    for id in 1_000..1_004 {
        carrier.set(id, "createdDate", json!(format!("{today}T00:00:01")));
    }
    ours.run(desk.clone()).await.unwrap();
    assert!(desk.submitted.lock().unwrap().is_empty(), "all are still open");
    for id in [1_000, 1_002, 1_003] {
        carrier.set(id, "statusID", json!(4));
        carrier.set(id, "printFeedbackDate", json!("2026-03-02T18:00:00+01:00"));
    }
    carrier.set(1_001, "statusID", json!(99));
    carrier.set(1_002, "registeredLetterID", json!("RT123456789DE"));
    carrier.set(1_002, "registeredLetterStatus", json!("IN_DELIVERY"));
    ours.run(desk.clone()).await.unwrap();
    carrier.set(1_002, "registeredLetterStatus", json!("RETURNED_TO_SENDER"));
    for _ in 0..2 {
        assert_eq!(ours.run(desk.clone()).await.unwrap(), Duration::from_secs(600));
    }
    let submitted = desk.submitted.lock().unwrap().clone();
    let steps: Vec<_> = submitted
        .iter()
        .map(|(_, command)| match &command.change {
            Change::DispatchStep(step, Some(reference)) => (command.id, step.kind, reference.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    let of = |at: usize| dispatch_of(&deliveries[at]).meta.id;
    use DispatchStatus::{Failed, Posted, Returned};
    assert_eq!(
        steps,
        [
            (of(0), Posted, "1000"),
            (of(1), Failed, "1001"),
            (of(2), Posted, "1002"),
            (of(2), Returned, "1002")
        ]
    );
    let Change::DispatchStep(posted, _) = &submitted[0].1.change else { panic!() };
    assert_eq!(posted.at, Timestamp::parse("2026-03-02T17:00:00Z").unwrap());
    let notes: Vec<_> = desk.notes.lock().unwrap().iter().map(|it| it.2["registered"].clone()).collect();
    assert_eq!(notes, ["IN_DELIVERY", "RETURNED_TO_SENDER"]);
    let before = carrier.calls().len();
    ours.run(desk).await.unwrap();
    assert!(
        carrier.calls().len() - before <= 3,
        "what is at its end is asked for no more than its days are looked at"
    );
}

#[tokio::test]
async fn what_ends_the_way_of_a_letter_is_its_last_step_whatever_the_carriers_clock_says() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let (ours, desk, pdf) = (ours(&carrier), Arc::new(Desk::default()), pdf());
    let now = model::adapter::Host::now(&*desk);
    let posted = now.plus(Duration::from_secs(3_600));
    let delivery = parcel("hybrid", addressee(), 1);
    ours.deliver(&delivery, &sources(&[&pdf])).await.unwrap();
    let known = changed(delivery, |it| {
        it.steps = vec![model::activity::DispatchStep { kind: DispatchStatus::Posted, at: posted }];
    });
    desk.records.lock().unwrap().push(known.about.as_ref().unwrap().record.clone());
    let day: String = now.to_string().chars().take(10).collect();
    carrier.set(1_000, "createdDate", json!(format!("{day}T00:00:01")));
    carrier.set(1_000, "statusID", json!(99));
    carrier.set(1_000, "processedDate", json!("2099-01-01T00:00:00"));
    ours.run(desk.clone()).await.unwrap();
    let submitted = desk.submitted.lock().unwrap().clone();
    let Change::DispatchStep(failed, _) = &submitted[0].1.change else { panic!() };
    assert_eq!((failed.kind, failed.at), (DispatchStatus::Failed, posted));
}

#[tokio::test]
async fn a_day_that_could_not_be_looked_at_is_looked_at_again() {
    let carrier = Carrier::start_on(0).await.unwrap();
    let (ours, desk) = (ours(&carrier), Arc::new(Desk::default()));
    let now = model::adapter::Host::now(&*desk);
    let since: String =
        Timestamp::from_micros(now.micros() - 5 * 86_400_000_000).to_string().chars().take(10).collect();
    let state = json!({ "open": {}, "day": since });
    model::adapter::Host::set_state(&*desk, "letters", state).await.unwrap();
    carrier.fault(Fault::Down);
    ours.run(desk.clone()).await.unwrap_err();
    let kept = async || model::adapter::Host::state(&*desk, "letters").await.unwrap().unwrap()["day"].clone();
    assert_eq!(kept().await, json!(since));
    carrier.fault(Fault::None);
    ours.run(desk.clone()).await.unwrap();
    let asked = carrier.calls().iter().filter(|it| it.ends_with("/api/Letter/Date")).count();
    assert_eq!(asked, 6, "one question for each day");
    assert!(kept().await.as_str().unwrap() > since.as_str());
}
