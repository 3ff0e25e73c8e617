//! What must not happen whatever comes by the line.

use model::FailureKind;
use model::activity::CallState;
use serde_json::json;

use crate::support::{bench, bench_of, call, made, settings};

#[tokio::test]
async fn more_calls_than_people_make_are_counted() {
    let bench = bench_of(|settings| settings.calls_a_minute = 3).await;
    for number in 0..50 {
        call(&format!("8.{number}"), &format!("+4938155{number:05}"))
            .iter()
            .for_each(|event| bench.system.tell(event));
    }
    bench.session().await.unwrap();
    let letters = bench.desk.letters();
    assert_eq!(letters.len(), 4);
    assert_eq!(letters[3].concerns, ["telephone.flood"]);
    assert_eq!(
        (letters[3].proof["calls"].as_u64(), letters[3].call.as_ref().unwrap().state),
        (Some(47), CallState::Missed)
    );
}

#[tokio::test]
async fn whoever_floods_the_line_is_left() {
    let bench = bench_of(|settings| settings.most_events = 100).await;
    for _ in 0..200 {
        bench.system.say(r#"{"type":"ChannelVarset"}"#);
    }
    let failure = bench.session().await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, "telephone.flood"));
    bench.session().await.unwrap();
}

#[tokio::test]
async fn calls_beyond_are_counted_whatever_ends_the_line() {
    let bench = bench_of(|settings| (settings.calls_a_minute, settings.most_events) = (2, 60)).await;
    let rings = |number: u32| call(&format!("8.{number}"), "+4938155512345")[0].clone();
    (0..50).for_each(|number| bench.system.tell(&rings(number)));
    (0..50).for_each(|_| bench.system.say(r#"{"type":"ChannelVarset"}"#));
    let failure = bench.session().await.unwrap_err();
    assert_eq!(&*failure.code, "telephone.flood");
    let told = |bench: &crate::support::Bench| {
        let letters = bench.desk.letters().into_iter();
        letters.filter_map(|letter| letter.proof["calls"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!((bench.desk.letters().len(), told(&bench)), (3, vec![48]));
    // The look finds those that are on: the bound of their minute holds for the next line, too.
    bench.session().await.unwrap();
    let noted = bench.desk.letters().len() - told(&bench).len();
    assert_eq!((noted, told(&bench)[0]), (2, 48));
}

#[tokio::test]
async fn a_session_ends_in_its_time_though_events_do_not() {
    let bench = bench_of(|settings| settings.most_events = 5_000_000).await;
    let system = &bench.system;
    let floods = async {
        loop {
            (0..200).for_each(|_| system.say(r#"{"type":"ChannelVarset"}"#));
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        outcome = bench.session() => assert!(outcome.is_ok()),
        () = floods => {}
    }
}

#[tokio::test]
async fn out_of_hours_nobody_beyond_is_promised_anything() {
    let bench = bench_of(|settings| {
        (settings.calls_a_minute, settings.hours) = (1, model::hours::Hours::default());
    })
    .await;
    for id in ["8.1", "8.2"] {
        call(id, "+4938155512345").iter().for_each(|event| bench.system.tell(event));
    }
    bench.session().await.unwrap();
    assert_eq!((bench.answers(), bench.desk.tasks().len()), (vec!["closed".into(), "again".into()], 1));
}

#[tokio::test]
async fn rubbish_is_let_go_and_what_is_too_large_breaks_the_line() {
    let bench = bench().await;
    for text in ["", "nichts", "[[[[", r#"{"type":7}"#, r#"{"type":"StasisStart","channel":{"id":"../.."}}"#]
    {
        bench.system.say(text);
    }
    bench.called();
    bench.session().await.unwrap();
    assert_eq!(bench.desk.calls().len(), 1);
    bench.system.say(&json!({ "type": "x".repeat(70_000) }).to_string());
    let failure = bench.session().await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, "telephone.garbage"));
    bench.session().await.unwrap();
}

#[tokio::test]
async fn names_that_callers_show_are_short_and_on_one_line() {
    let bench = bench().await;
    for event in call("7.1", "+4938155512345") {
        let name = format!("a\\r\\nb{}", "x".repeat(500));
        bench.system.say(&event.to_string().replace("Erika Mustermann", &name));
    }
    bench.session().await.unwrap();
    let from = bench.desk.letters()[0].from.clone().unwrap();
    assert!(from.starts_with("abx") && from.chars().count() == 80, "{from}");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_never_told() {
    let bench = bench().await;
    let mut wrong = settings(&bench.system.url, crate::support::ALWAYS);
    wrong.login.password = "falsch".to_owned().into();
    let asterisk = made(wrong);
    let failure = model::adapter::Adapter::run(&asterisk, bench.desk.clone()).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Unauthorised, "telephone.unauthorised"));
    assert!(!failure.detail.contains("falsch"));
}
