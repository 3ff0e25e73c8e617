//! Calls that come in.

use adapter_telephone::CALL_BACK;
use model::activity::{CallDirection, CallState};
use model::adapter::Adapter;
use model::letter::SURE;
use serde_json::json;

use crate::support::{bench, bench_of, call, closed, inbound};

#[tokio::test]
async fn a_call_becomes_a_contact_with_how_long_it_rang_and_was_spoken() {
    let bench = bench().await;
    bench.called();
    bench.session().await.unwrap();
    let letters = bench.desk.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].received_at.to_string(), "2026-11-23T02:45:55.659Z");
    assert_eq!(letters[0].from.as_deref(), Some("Erika Mustermann"));
    let calls = bench.desk.calls();
    assert_eq!((calls[0].direction, calls[0].state), (CallDirection::Incoming, CallState::Ended));
    assert_eq!(calls[0].number.as_deref(), Some("+4938155512345"));
    assert_eq!((calls[0].wait_seconds, calls[0].duration_seconds), (Some(0), Some(6)));
    assert_eq!(calls[0].extension.as_deref(), Some("115"));
    assert_eq!(bench.desk.kept(), Some(json!({})), "nothing is on any more");
    assert!(bench.desk.tasks().is_empty());
    let told = bench.system.calls();
    assert!(told.iter().any(|call| call.contains("variable=AMTSBOTE") && call.contains("value=open")));
    assert!(told.iter().all(|call| !call.contains("record")), "nothing is ever recorded");
}

#[tokio::test]
async fn what_is_told_twice_is_noted_once() {
    let bench = bench().await;
    for _ in 0..2 {
        bench.called();
        bench.session().await.unwrap();
    }
    for event in inbound() {
        bench.system.tell(&event);
        bench.system.tell(&event);
    }
    bench.session().await.unwrap();
    assert_eq!((bench.desk.letters().len(), bench.desk.calls()[0].state), (1, CallState::Ended));
}

#[tokio::test]
async fn a_number_proposes_and_never_files() {
    let bench = bench().await;
    bench.called();
    for event in call("7.1", "anonymous").iter().chain(&call("7.2", "1001")) {
        bench.system.tell(event);
    }
    bench.session().await.unwrap();
    let letters = bench.desk.letters();
    assert!(letters.iter().flat_map(|letter| &letter.hints).all(|hint| hint.confidence < SURE));
    assert_eq!(letters[0].hints[0].value, "+4938155512345");
    assert!(letters[1].hints.is_empty(), "who is withheld is not looked up");
    assert_eq!(letters[1].call.as_ref().unwrap().number, None);
    assert_eq!(letters[2].call.as_ref().unwrap().number.as_deref(), Some("+493811001"));
    assert!(letters.iter().all(|letter| letter.opens.is_none() && letter.concerns.is_empty()));
}

#[tokio::test]
async fn out_of_hours_a_call_becomes_a_task_of_calling_back() {
    let bench = bench_of(|settings| settings.hours = model::hours::Hours::default()).await;
    bench.called();
    for event in call("7.1", "anonymous") {
        bench.system.tell(&event);
    }
    bench.session().await.unwrap();
    let tasks = bench.desk.tasks();
    assert_eq!(tasks.len(), 1, "whoever is withheld cannot be called back");
    // Monday 3:45 in Germany: four hours of service after 8:00.
    assert_eq!(tasks[0].kind, adapter_telephone::CALL_BACK);
    assert_eq!(tasks[0].due.unwrap().to_string(), "2026-11-23T11:00:00Z");
    let states: Vec<CallState> = bench.desk.calls().iter().map(|call| call.state).collect();
    assert!(states.contains(&CallState::CallBack) && states.contains(&CallState::Ended), "{states:?}");
    assert_eq!(bench.answers(), ["closed", "again"], "who is withheld is promised nothing");
    assert_eq!(bench.desk.kept(), Some(json!({})));
}

#[tokio::test]
async fn nothing_is_promised_that_is_not_written_and_nobody_waits_for_it() {
    // The gateway's store fails while the caller waits, at each of its writes: before that the call was not known, and is looked for.
    for (writes, answer) in
        [(0, "closed"), (1, "closed"), (2, "again"), (3, "again"), (4, "again"), (5, "closed")]
    {
        let bench = bench_of(|settings| settings.hours = closed()).await;
        bench.desk.dies_after(Some(writes));
        inbound()[..6].iter().for_each(|event| bench.system.tell(event));
        assert_eq!(bench.session().await.is_err(), writes < 5, "{writes}");
        bench.desk.dies_after(None);
        bench.session().await.unwrap();
        assert_eq!((bench.answers(), bench.went_on()), (vec![answer.to_owned()], 1), "{writes}");
        assert_eq!(bench.desk.tasks().len(), usize::from(answer == "closed"), "{writes}");
        let rest = inbound().into_iter().skip(6).filter(|event| event["type"] != "ChannelStateChange");
        rest.for_each(|event| bench.system.tell(&event));
        bench.session().await.unwrap();
        let kinds: Vec<String> = bench.desk.tasks().into_iter().map(|task| task.kind).collect();
        assert_eq!(kinds, [CALL_BACK], "{writes}: in the end nobody spoke with whoever called");
    }
}

#[tokio::test]
async fn whoever_could_not_be_let_go_on_is_as_soon_as_somebody_looks() {
    for failing in ["/continue", "/variable"] {
        let bench = bench().await;
        bench.system.fails(failing, 1);
        inbound()[..6].iter().for_each(|event| bench.system.tell(event));
        bench.session().await.unwrap_err();
        let went_on = bench.went_on();
        bench.session().await.unwrap();
        match failing {
            "/continue" => assert_eq!((went_on, bench.went_on()), (1, 2), "it was asked for again"),
            _ => assert_eq!((went_on, bench.went_on()), (1, 1), "it went on without a word"),
        }
        bench.session().await.unwrap();
        assert!(bench.went_on() <= 2, "once is enough");
    }
}

#[tokio::test]
async fn words_that_nobody_knows_keep_nobody_waiting() {
    let bench = bench().await;
    for event in &inbound()[..6] {
        let text = event.to_string().replace(r#"["inbound","115"]"#, r#"["inbuond","115"]"#);
        bench.system.say(&text);
    }
    bench.session().await.unwrap();
    assert_eq!((bench.answers(), bench.went_on()), (vec![String::new()], 1));
}

#[tokio::test]
async fn whoever_asks_for_it_is_called_back() {
    let bench = bench().await;
    for event in inbound() {
        let text = event.to_string().replace(r#"["inbound","115"]"#, r#"["callback","115"]"#);
        bench.system.tell(&serde_json::from_str(&text).unwrap());
    }
    bench.session().await.unwrap();
    assert_eq!(bench.desk.calls()[0].state, CallState::CallBack);
    assert_eq!(bench.desk.tasks().len(), 1);
}

#[tokio::test]
async fn a_call_that_nobody_took_is_missed_and_called_back() {
    let bench = bench().await;
    for event in inbound() {
        if event["type"] != "ChannelStateChange" {
            bench.system.tell(&event);
        }
    }
    bench.session().await.unwrap();
    let calls = bench.desk.calls();
    assert_eq!((calls[0].state, calls[0].duration_seconds), (CallState::Missed, None));
    assert_eq!(bench.desk.tasks().len(), 1);
}

#[tokio::test]
async fn what_happens_between_sessions_waits_in_the_line() {
    let bench = bench().await;
    let events = inbound();
    events[..7].iter().for_each(|event| bench.system.tell(event));
    bench.session().await.unwrap();
    assert_eq!(bench.desk.calls()[0].state, CallState::Answered);
    events[7..].iter().for_each(|event| bench.system.tell(event));
    bench.session().await.unwrap();
    assert_eq!((bench.desk.calls()[0].state, bench.system.lines()), (CallState::Ended, 1));
}

#[tokio::test]
async fn a_call_that_ended_while_nobody_listened_is_settled() {
    let bench = bench().await;
    let events = inbound();
    events[..7].iter().for_each(|event| bench.system.tell(event));
    bench.session().await.unwrap();
    bench.system.breaks();
    bench.session().await.unwrap_err();
    // Nobody hears of the end; another call begins.
    events[7..].iter().for_each(|event| bench.system.tell(event));
    call("7.9", "+4938155599999")[..7].iter().for_each(|event| bench.system.tell(event));
    let bench = bench.restarted();
    bench.session().await.unwrap();
    let mut states: Vec<String> = bench.desk.calls().iter().map(|call| format!("{:?}", call.state)).collect();
    states.sort();
    assert_eq!(states, ["Answered", "Ended"]);
    let ended = bench.desk.calls().into_iter().find(|call| call.state == CallState::Ended).unwrap();
    assert_eq!(ended.duration_seconds, None, "nobody knows how long it was spoken");
}

#[tokio::test]
async fn wherever_the_gateway_dies_a_call_is_one_contact() {
    for writes in 0..7 {
        let bench = bench().await;
        bench.desk.dies_after(Some(writes));
        bench.called();
        let died = bench.session().await.is_err();
        bench.desk.dies_after(None);
        let bench = bench.restarted();
        bench.session().await.unwrap();
        let calls = bench.desk.calls();
        assert!(calls.len() <= 1 && calls.iter().all(|call| call.state.is_over()), "{writes}: {calls:?}");
        assert!(calls.len() == 1 || writes == 0, "only what was never noted is unknown: {writes}");
        assert_eq!(bench.desk.kept().unwrap_or(json!({})), json!({}), "{writes} {died}");
        let false_ones = bench.desk.tasks().into_iter().filter(|task| task.kind == CALL_BACK).count();
        assert_eq!(false_ones, 0, "{writes}: it was taken, whatever of that was noted");
    }
}

#[tokio::test]
async fn of_a_call_that_rang_when_the_gateway_died_nobody_knows_how_it_ended() {
    let bench = bench().await;
    let events = inbound();
    events[..6].iter().for_each(|event| bench.system.tell(event));
    bench.session().await.unwrap();
    bench.system.breaks();
    bench.session().await.unwrap_err();
    events[6..].iter().for_each(|event| bench.system.tell(event));
    let bench = bench.restarted();
    bench.session().await.unwrap();
    let calls = bench.desk.calls();
    assert_eq!((calls[0].state, calls[0].duration_seconds), (CallState::Unknown, None));
    let tasks = bench.desk.tasks();
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        tasks[0].kind,
        adapter_telephone::UNSEEN,
        "somebody has to look, and nobody was promised anything"
    );
}

#[tokio::test]
async fn a_call_whose_end_was_told_before_the_gateway_died_stays_as_it_ended() {
    let bench = bench().await;
    let is_up = |event: &&serde_json::Value| event["type"] == "ChannelStateChange";
    let mut events: Vec<_> = inbound().into_iter().filter(|event| !is_up(&event)).collect();
    for event in &mut events {
        if event["type"] == "ChannelDestroyed" {
            event["cause"] = json!(17);
        }
    }
    events.iter().for_each(|event| bench.system.tell(event));
    // State, contact, end: and then it dies.
    bench.desk.dies_after(Some(3));
    bench.session().await.unwrap_err();
    bench.desk.dies_after(None);
    assert_eq!(bench.desk.calls()[0].state, CallState::Busy);
    let bench = bench.restarted();
    bench.session().await.unwrap();
    assert_eq!(bench.desk.calls()[0].state, CallState::Busy);
    assert!(bench.desk.tasks().is_empty(), "an engaged line is not called back");
    assert_eq!(bench.desk.kept(), Some(json!({})));
}

#[tokio::test]
async fn what_an_older_line_knows_is_forgotten_once_another_node_has_the_newest() {
    let bench = bench().await;
    inbound()[..6].iter().for_each(|event| bench.system.tell(event));
    bench.session().await.unwrap();
    // It waits in this node's line; then another node makes one, sees both taken and over, and has told so.
    call("7.1", "+4938155599999")[..6].iter().for_each(|event| bench.system.tell(event));
    let other = bench.another();
    other.run(bench.desk.clone()).await.unwrap();
    inbound()[6..].iter().for_each(|event| bench.system.tell(event));
    call("7.1", "+4938155599999")[6..].iter().for_each(|event| bench.system.tell(event));
    call("7.2", "+4938155588888")[..7].iter().for_each(|event| bench.system.tell(event));
    other.run(bench.desk.clone()).await.unwrap();
    bench.session().await.unwrap();
    let kept = bench.desk.kept().unwrap();
    assert_eq!(kept.as_object().unwrap().keys().collect::<Vec<_>>(), ["7.2"], "what is on, and nothing else");
    call("7.2", "+4938155588888")[7..].iter().for_each(|event| bench.system.tell(event));
    for node in [&bench.asterisk, &other] {
        node.run(bench.desk.clone()).await.unwrap();
    }
    assert!(bench.desk.tasks().is_empty(), "all were answered");
    let states: Vec<CallState> = bench.desk.calls().iter().map(|call| call.state).collect();
    assert_eq!(states, [CallState::Ended; 3]);
}

#[tokio::test]
async fn channels_with_names_that_are_none_are_let_go() {
    let bench = bench().await;
    bench.system.breaks();
    bench.session().await.unwrap_err();
    let mut event = call("7.1", "+4938155512345")[0].clone();
    event["channel"]["id"] = json!("../applications");
    bench.system.tell(&event);
    bench.session().await.unwrap();
    assert!(bench.desk.calls().is_empty());
}
