//! GeoReport v2, with the samples of the specification and of FixMyStreet's adapter.

use std::sync::Arc;

use model::case::RecordStatus;
use model::{Record, ids};
use tokio::sync::Notify;

use crate::support::{Bed, settings, shared};

const HERE: &str = "service_code=001&lat=51.571388&long=8.106";

#[tokio::test]
async fn a_report_opens_a_case_that_says_what_was_said_and_shows_nobody() {
    let bed = Bed::new();
    let form = format!(
        "{HERE}&description=Ampel+dunkel&email=erika%40mail.example&phone=0292130&first_name=Erika&\
         last_name=Mustermann&device_id=tt222&account_id=77&address_string=Hoher+Weg+1"
    );
    let answer = bed.post(&form).await;
    assert_eq!((answer.status, answer.kind.as_str()), (200, "application/json; charset=utf-8"));
    assert_eq!(answer.json()[0]["account_id"], "77");
    let id = answer.id();
    let case = bed.host.case(&id);
    assert_eq!(case.description.title, "Ampel");
    assert_eq!(case.description.note.as_deref(), Some("Ampel dunkel"));
    assert_eq!(case.description.parties[0].contacts[1].value, "0292130");
    assert_eq!(case.locations[0].latitude_micro, Some(51_571_388));
    assert_eq!(case.meta.public_service.as_deref(), Some("strassenschaden"));
    let letter = bed.host.only_letter();
    assert_eq!((letter.way.as_str(), letter.concerns.len()), ("open311", 0));
    for path in ["requests.json", &format!("requests/{id}.json"), "requests.xml?extensions=true"] {
        let text = bed.get(path).await.text();
        assert!(text.contains(&id), "{text}");
        for secret in ["erika", "Erika", "Mustermann", "0292130", "tt222", "Ampel dunkel", "testkey"] {
            assert!(!text.contains(secret), "{path} tells {secret}");
        }
    }
    let shown = &bed.get(&format!("requests/{id}.json")).await.json()[0];
    assert_eq!(shown["status"], "open");
    assert_eq!((&shown["lat"], &shown["long"]), (&51.571_388.into(), &8.106.into()));
    assert!(shown["address"].is_null(), "what somebody has written is not shown before it was looked at");
    assert_eq!(shown["requested_datetime"], "2026-11-30T08:00:00Z");
    assert!(shown["description"].is_null() && shown["media_url"].is_null());
}

#[tokio::test]
async fn a_text_is_shown_once_a_clerk_says_so_and_a_report_is_hidden_if_one_says_so() {
    let bed = Bed::new();
    let id = bed.post(&format!("{HERE}&description=dunkel")).await.id();
    bed.host.refer(&id, "published", "yes");
    bed.host.refer(&id, "status-note", "Bestellt <b>");
    let path = format!("requests/{id}.json");
    let shown = bed.get(&path).await.json();
    assert_eq!(
        (&shown[0]["description"], &shown[0]["status_notes"]),
        (&"dunkel".into(), &"Bestellt <b>".into())
    );
    let xml = bed.get(&format!("requests/{id}.xml")).await.text();
    assert!(xml.contains("<status_notes>Bestellt &lt;b&gt;</status_notes>"), "{xml}");
    bed.host.change(&id, |case| case.status = RecordStatus::Closed);
    assert_eq!(bed.get(&path).await.json()[0]["status"], "closed");
    bed.host.refer(&id, "published", "no");
    assert_eq!(bed.get(&path).await.status, 404);
    assert_eq!(bed.get("requests.json").await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn a_queue_may_send_a_report_as_often_as_it_likes() {
    let bed = Bed::new();
    let key = [("idempotency-key", "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"")];
    let form = format!("api_key=testkey&{HERE}&description=a");
    let call = |form: String| {
        let bed = &bed;
        async move { bed.call("POST", "requests.json", &key, form.as_bytes()).await }
    };
    let first = call(form.clone()).await.id();
    let again = call(form.clone()).await;
    assert_eq!(again.id(), first);
    assert!(again.json()[0]["service_notice"].is_null(), "it is not near itself");
    let other = call(format!("{form}b")).await;
    assert_eq!((other.status, other.json()[0]["code"].clone()), (422, 422.into()));
    // Another app has other keys.
    let foreign = call(form.replace("testkey", "xyz")).await.id();
    assert_ne!(foreign, first);
    // Without a key, the same words of the same device within a day.
    let device = format!("{HERE}&device_id=d1&description=b");
    let one = bed.post(&device).await.id();
    assert_eq!(bed.post(&device).await.id(), one);
    assert_ne!(bed.post(&device.replace("d1", "d2")).await.id(), one);
    bed.host.later(25 * 3_600);
    assert_ne!(bed.post(&device).await.id(), one);
    // Without a device, nobody knows.
    assert_ne!(bed.post(HERE).await.id(), bed.post(HERE).await.id());
    let empty = bed.call("POST", "requests.json", &[("idempotency-key", "\"\"")], form.as_bytes()).await;
    assert_eq!(empty.status, 400);
}

#[tokio::test]
async fn what_is_known_nearby_is_told_to_reporter_and_clerk() {
    let bed = Bed::new();
    let first = bed.post(HERE).await.id();
    let near = bed.post("service_code=001&lat=51.5716&long=8.1061").await;
    assert!(near.json()[0]["service_notice"].as_str().unwrap().contains("bereits"));
    let case = bed.host.case(&near.id());
    assert_eq!(case.description.relations[0].target.unwrap().to_string(), first);
    let concerns: Vec<_> = {
        let kept = bed.host.0.lock().unwrap();
        kept.letters.values().flat_map(|(letter, _)| letter.concerns.clone()).collect()
    };
    assert_eq!(concerns, ["mobile.perhaps-known"]);
    let far = bed.post("service_code=001&lat=51.58&long=8.1061").await;
    assert!(far.json()[0]["service_notice"].is_null());
    let other = bed.post("service_code=POT&attribute[depth]=3&lat=51.5716&long=8.1061").await;
    assert!(other.json()[0]["service_notice"].is_null());
    for id in [first, near.id()] {
        bed.host.change(&id, |case| case.status = RecordStatus::Closed);
    }
    assert!(bed.post(HERE).await.json()[0]["service_notice"].is_null());
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let bed = Bed::new();
    let mut made = vec![];
    for at in 0..7 {
        let code = if at % 2 == 0 { "001" } else { "BIN" };
        let answer = bed.post(&format!("service_code={code}&lat=51.{at}&long=8")).await.json();
        made.push(answer[0]["service_request_id"].clone());
        bed.host.later(3_600);
    }
    let count = |path: &'static str| {
        let bed = &bed;
        async move { bed.get(path).await.json().as_array().unwrap().len() }
    };
    assert_eq!(count("requests.json").await, 7);
    assert_eq!(count("requests.json?page_size=3&page=1").await, 3);
    assert_eq!(count("requests.json?page_size=3&page=3").await, 1);
    assert_eq!(count("requests.json?page_size=3&page=4").await, 0);
    assert_eq!(count("requests.json?service_code=BIN").await, 3);
    assert_eq!(count("requests.json?service_code=BIN,001&status=open").await, 7);
    assert_eq!(count("requests.json?status=closed").await, 0);
    assert_eq!(count("requests.json?status=open,closed&jurisdiction_id=kreis.example").await, 7);
    assert_eq!(count("requests.json?start_date=2026-11-30T10:30:00Z").await, 4);
    assert_eq!(count("requests.json?end_date=2026-11-30T11:30:00%2B01:00").await, 3);
    assert_eq!(count("requests.json?lat=51.1&long=8&radius=20000").await, 3);
    assert_eq!(count("requests.json?updated_after=2026-11-30T13:00:00Z").await, 2);
    let first = made[0].as_str().unwrap();
    let named = bed.get(&format!("requests.json?status=closed&service_request_id={first},unknown")).await;
    assert_eq!(named.json().as_array().unwrap().len(), 1);
    bed.host.later(91 * 24 * 3_600);
    assert_eq!(count("requests.json").await, 0);
    for wrong in ["page=0", "page_size=x", "start_date=2026-11-30", "status=gone", "lat=1&long=1&radius=x"] {
        assert_eq!(bed.get(&format!("requests.json?{wrong}")).await.status, 400, "{wrong}");
    }
    assert_eq!(bed.get("requests.json?service_code=NONE").await.status, 404);
}

#[tokio::test]
async fn what_lies_around_a_place_is_found_wherever_it_lies() {
    let bed = Bed::new();
    let mut made = vec![];
    for (lat, long) in
        [("51.5", "8.1"), ("51.509", "8.1"), ("51.5", "8.115"), ("51.6", "8.1"), ("51.499", "8.0999")]
    {
        made.push(bed.post(&format!("service_code=001&lat={lat}&long={long}")).await.id());
    }
    let around = async |radius: &str| {
        let list = bed.get(&format!("requests.json?lat=51.5&long=8.1&radius={radius}")).await.json();
        let ids =
            list.as_array().unwrap().iter().map(|it| it["service_request_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let of = |which: &[usize]| which.iter().map(|at| made[*at].clone()).collect::<Vec<_>>();
    // The newest first, whichever area they lie in.
    assert_eq!(around("200").await, of(&[4, 0]));
    for radius in ["2000", "5000"] {
        assert_eq!(around(radius).await, of(&[4, 2, 1, 0]));
    }
    assert_eq!(around("20000").await, of(&[4, 3, 2, 1, 0]));
    // A clerk has seen that it is a little farther on.
    bed.host.change(&made[2], |case| case.locations[0].longitude_micro = Some(8_100_500));
    assert_eq!(around("200").await, of(&[4, 2, 0]));
    let paged = bed.get("requests.json?lat=51.5&long=8.1&radius=2000&page_size=2&page=2").await.json();
    assert_eq!(paged[1]["service_request_id"], made[0]);
}

#[tokio::test]
async fn what_lies_around_a_place_is_found_behind_more_than_a_list_looks_at() {
    let bed = Bed::new();
    let old = bed.post(HERE).await.id();
    let far = bed.post("service_code=001&lat=52.5&long=8.106").await.id();
    {
        let far = Record::Case(bed.host.case(&far));
        let mut kept = bed.host.0.lock().unwrap();
        kept.records.extend((0..5_100).map(|_| {
            let mut record = far.clone();
            if let Record::Case(case) = &mut record {
                case.meta.id = ids::new_id();
                case.description.references.clear();
            }
            record
        }));
    }
    let around = "requests.json?lat=51.57&long=8.106&radius=";
    let near = bed.get(&format!("{around}5000")).await.json();
    assert_eq!((near.as_array().unwrap().len(), near[0]["service_request_id"].as_str()), (1, Some(&*old)));
    assert_eq!(bed.get(&format!("{around}5001")).await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn whoever_reports_to_a_batch_service_is_given_a_token_first() {
    let bed = Bed::new();
    let answer = bed.post("service_code=BIN&address_id=4").await.json();
    let token = answer[0]["token"].as_str().unwrap();
    assert!(answer[0].get("service_request_id").is_none());
    let id = bed.get(&format!("tokens/{token}.json")).await.id();
    bed.host.refer(&id, "published", "yes");
    assert_eq!(bed.get(&format!("requests/{id}.json")).await.json()[0]["address_id"], "4");
    assert_eq!(bed.get(&format!("tokens/{id}.json")).await.status, 404);
}

#[tokio::test]
async fn whatever_is_wrong_is_told_in_the_format_that_was_asked_for() {
    let bed = Bed::new();
    let post = |form: &'static str| {
        let bed = &bed;
        async move { bed.call("POST", "requests.xml", &[], form.as_bytes()).await }
    };
    for (form, status) in [
        ("service_code=001&lat=1&long=2", 403),
        ("api_key=no&service_code=001&lat=1&long=2", 403),
        ("api_key=testkey&service_code=NONE&lat=1&long=2", 404),
        ("api_key=testkey&jurisdiction_id=other&service_code=001&lat=1&long=2", 404),
        ("api_key=testkey&lat=1&long=2", 400),
        ("api_key=testkey&service_code=POT&lat=1&long=2", 400),
    ] {
        let answer = post(form).await;
        assert_eq!((answer.status, answer.kind.as_str()), (status, "text/xml; charset=utf-8"), "{form}");
        let begin = format!("<errors><error><code>{status}</code><description>");
        assert!(answer.text().contains(&begin), "{}", answer.text());
    }
    assert_eq!(bed.host.letters(), 0);
    for path in
        ["services/001.json", "services/NONE.json", "requests/1.json", "tokens/1.json", "x.json", "requests"]
    {
        assert_eq!(bed.get(path).await.status, 404, "{path}");
    }
    assert_eq!(bed.call("DELETE", "requests.json", &[], b"").await.status, 404);
    // The key that may call thrice.
    let often = "api_key=xyz&service_code=001&lat=1&long=2";
    let mut statuses = vec![];
    for _ in 0..4 {
        statuses.push(post(often).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[tokio::test]
async fn the_request_of_the_specification_is_taken() {
    let Some(sample) = shared("samples/open311/spec-post-request.http") else { return };
    let sample = String::from_utf8(sample).unwrap();
    let body = sample.trim_end().lines().last().unwrap();
    let mut settings = settings();
    settings.jurisdiction = Some("city.gov".into());
    let bed = Bed::with(settings, &[]);
    let answer = bed.call("POST", "requests.xml", &[], body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let letter = bed.host.only_letter();
    // Its photograph lies on a host that nobody named.
    assert_eq!(letter.concerns, ["mobile.photo-missing"]);
    let case = letter.opens.unwrap();
    assert_eq!(case.locations[0].longitude_micro, Some(-122_421_204));
    assert_eq!(case.description.extensions["open311"]["notFetched"][0].as_str().map(str::len), Some(61));
}

#[tokio::test]
async fn a_report_that_is_sent_again_over_midnight_is_the_same() {
    let bed = Bed::new();
    // 23:59:50 in Germany.
    bed.host.later(14 * 3_600 + 59 * 60 + 50);
    for (service, name) in [("001", "service_request_id"), ("BIN", "token")] {
        let form = format!("service_code={service}&lat=51.5&long=8.1&device_id=d1&description=Loch");
        let first = bed.post(&form).await.json();
        bed.host.later(30);
        let again = bed.post(&form).await;
        assert_eq!(again.json()[0][name], first[0][name]);
        assert!(again.json()[0]["service_notice"].is_null(), "it is not near itself");
        assert_ne!(bed.post(&form.replace("Loch", "Riss")).await.json()[0][name], first[0][name]);
        let of_another = form.clone() + "&api_key=xyz";
        let other = bed.call("POST", "requests.json", &[], of_another.as_bytes()).await.json();
        assert_ne!(other[0][name], first[0][name]);
        bed.host.later(24 * 3_600 - 40);
    }
}

#[tokio::test]
async fn a_report_that_was_cut_off_is_taken_in_and_sent_again_is_the_same() {
    let bed = Bed::new();
    let (has_come, may_go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    bed.host.0.lock().unwrap().gate = Some((Arc::clone(&has_come), Arc::clone(&may_go)));
    tokio::select! {
        answer = bed.post(HERE) => panic!("{}", answer.status),
        () = has_come.notified() => {}
    }
    may_go.notify_one();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bed.host.letters(), 1, "nobody waits for it");
    let again = bed.post(HERE).await;
    assert_eq!(bed.host.letters(), 1);
    assert!(again.json()[0]["service_notice"].is_null(), "it is not near itself");
    // Now it is known that it was taken in.
    assert_ne!(bed.post(HERE).await.id(), again.id());
}

/// Names of the elements of a document.
fn elements(xml: &[u8]) -> std::collections::BTreeSet<String> {
    let mut reader = xml::Reader::new(xml, xml::Limits::default());
    let mut names = std::collections::BTreeSet::new();
    loop {
        match reader.next().unwrap() {
            xml::Event::Start(start) => _ = names.insert(start.local().to_owned()),
            xml::Event::Eof => return names,
            _ => {}
        }
    }
}

#[tokio::test]
async fn answers_have_the_elements_of_the_samples_of_the_specification() {
    let bed = Bed::new();
    let form = format!("api_key=testkey&{HERE}&account_id=1");
    let made = bed.call("POST", "requests.xml", &[], form.as_bytes()).await;
    let wrong = bed.call("POST", "requests.xml", &[], b"api_key=no").await;
    for (sample, ours) in [
        ("spec-discovery.xml", bed.get("discovery.xml").await),
        ("spec-service-list.xml", bed.get("services.xml").await),
        ("spec-service-definition.xml", bed.get("services/POT.xml").await),
        ("spec-service-request.xml", bed.get("requests.xml").await),
        ("spec-service-request-post.xml", made),
        ("spec-errors.xml", wrong),
        ("adapter-definition-POT.xml.http", bed.get("services/POT.xml").await),
        ("adapter-requests.xml.http", bed.get("requests.xml").await),
    ] {
        let Some(bytes) = shared(&format!("samples/open311/{sample}")) else { return };
        // Some were recorded with the head of the answer.
        let begin = bytes.windows(5).position(|it| it == b"<?xml").unwrap();
        let (theirs, ours) = (elements(&bytes[begin..]), elements(&ours.body));
        let missing: Vec<_> = theirs.difference(&ours).collect();
        assert!(missing.is_empty(), "{sample}: {missing:?}");
    }
}
