//! `servicerequestupdates` of FixMyStreet: what somebody adds to a report, and what is told of reports that changed.

use image::ImageFormat;
use model::case::RecordStatus;
use model::letter::Letter;

use crate::photos::photo;
use crate::support::{Answer, Bed};

const HERE: &str = "service_code=001&lat=51.571388&long=8.106";

async fn add(bed: &Bed, form: &str) -> Answer {
    let form = format!("api_key=testkey&{form}");
    bed.call("POST", "servicerequestupdates.json", &[], form.as_bytes()).await
}

/// The only addition, and what its text says.
fn added(bed: &Bed) -> (Letter, String) {
    let kept = bed.host.0.lock().unwrap();
    let mut added = kept.letters.iter().filter(|(key, _)| key.starts_with("update:"));
    let letter = added.next().unwrap().1.0.clone();
    assert!(added.next().is_none());
    let content = letter.documents[0].files[0].content.as_ref().unwrap();
    let text = String::from_utf8(kept.bytes[&content.id].clone()).unwrap();
    (letter, text)
}

#[tokio::test]
async fn an_addition_reaches_its_case_with_all_that_was_said() {
    let bed = Bed::new();
    let id = bed.post(HERE).await.id();
    let form = format!(
        "service_request_id={id}&update_id=7&status=FIXED&updated_datetime=2026-11-30T09:00:00Z&\
         description=Geht+wieder&email=a%40b.example&phone=0292130&first_name=Erika&last_name=Mustermann&\
         title=Danke&media_url=http://fotos.example/1.jpg&attribute[x]=y&public_anonymity_required=TRUE"
    );
    let first = add(&bed, &form).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let (letter, text) = added(&bed);
    assert_eq!(letter.concerns, ["mobile.update", "mobile.photo-missing"]);
    assert_eq!(letter.from.as_deref(), Some("Erika Mustermann"));
    assert_eq!(letter.hints[0].confidence, 100);
    let expected = "Status: FIXED\nZeit: 2026-11-30T09:00:00Z\nVorname: Erika\nName: Mustermann\n\
        E-Mail: a@b.example\nTelefon: 0292130\nBetreff: Danke\n\nGeht wieder\n\nattribute[x]: y\n\
        public_anonymity_required: TRUE\n\nNicht abgerufenes Foto: http://fotos.example/1.jpg\n";
    assert_eq!(text, expected);
    // Nobody hears of it but clerks.
    for path in ["requests.json", "servicerequestupdates.json?api_key=testkey"] {
        let text = bed.get(path).await.text();
        assert!(!text.contains("Erika") && !text.contains("wieder"), "{text}");
    }
    for (wrong, status) in [
        (form.replace("FIXED", "EATEN"), 400),
        (form.replace(&id, "1"), 404),
        (form.replace("Erika", "Erika%0A"), 200),
        (form.replace("Erika", "E%0Arika"), 400),
        (form.replace("&description=Geht+wieder", ""), 400),
    ] {
        let wrong = wrong.replace("update_id=7", "update_id=8");
        assert_eq!(add(&bed, &wrong).await.status, status, "{wrong}");
    }
}

#[tokio::test]
async fn photographs_of_an_addition_are_taken_with_it_and_judged_like_others() {
    let bed = Bed::new();
    let id = bed.post(HERE).await.id();
    let text = |name, value| (name, "", "", value);
    let (jpeg, png) = (photo(ImageFormat::Jpeg), photo(ImageFormat::Png));
    let parts: [(&str, &str, &str, &[u8]); 6] = [
        text("service_request_id", id.as_bytes()),
        text("update_id", b"1"),
        text("status", b"OPEN"),
        text("description", b"Jetzt so"),
        ("photo1", "a.jpg", "image/jpeg", &jpeg),
        ("photo2", "b.png", "image/png", &png),
    ];
    let answer = bed.post_parts_to("servicerequestupdates.json", &parts).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (letter, _) = added(&bed);
    let names: Vec<_> =
        letter.documents.iter().flat_map(|it| it.files.iter().map(|file| &*file.name)).collect();
    assert_eq!(
        names,
        ["Ergänzung.txt", "original.jpg", "publication.jpg", "original.png", "publication.jpg"]
    );
    let content = letter.documents[2].files[0].content.as_ref().unwrap().id;
    assert_eq!(bed.host.0.lock().unwrap().bytes[&content], png);
    let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
    let mut evil = parts;
    evil[1] = text("update_id", b"2");
    evil[4] = ("photo1", "a.jpg", "image/jpeg", svg);
    assert_eq!(bed.post_parts_to("servicerequestupdates.json", &evil).await.status, 400);
    assert_eq!(bed.host.letters(), 2);
}

#[tokio::test]
async fn an_addition_is_one_however_often_it_comes_and_other_words_are_another() {
    let bed = Bed::new();
    let id = bed.post(HERE).await.id();
    let form = format!("service_request_id={id}&update_id=1&status=OPEN&description=Noch+da");
    let first = add(&bed, &form).await.json();
    assert_eq!(add(&bed, &form).await.json(), first);
    assert_eq!(add(&bed, &form.replace(&id, &id.to_uppercase())).await.json(), first, "spelt otherwise");
    // Another device that counts from 1, too: it has to hear that its words are not taken.
    let other = add(&bed, &form.replace("Noch", "Nicht+mehr")).await;
    assert_eq!((other.status, &other.json()[0]["code"]), (422, &422.into()));
    assert_ne!(add(&bed, &form.replace("update_id=1", "update_id=2")).await.json(), first);
    assert_eq!(bed.host.letters(), 3);
}

#[tokio::test]
async fn changes_are_told_from_the_oldest_on() {
    let bed = Bed::new();
    let mut ids = vec![];
    for _ in 0..3 {
        ids.push(bed.post(HERE).await.id());
    }
    let path = "servicerequestupdates.xml?api_key=testkey&start_date=2026-11-30T08:00:00Z";
    assert!(bed.get(path).await.text().contains("<service_request_updates/>"));
    for id in [&ids[1], &ids[2], &ids[0]] {
        bed.host.later(60);
        bed.host.change(id, |case| case.status = RecordStatus::Closed);
    }
    let told = bed.get(path).await.text();
    let at = |id: &String| told.find(&format!("<update_id>{id}-2</update_id>")).unwrap();
    assert!(at(&ids[1]) < at(&ids[2]) && at(&ids[2]) < at(&ids[0]));
    assert_eq!(told.matches("<status>closed</status>").count(), 3);
    let second = bed.get(&format!("{path}&page_size=2&page=2")).await.text();
    assert!(second.contains(&ids[0]) && !second.contains(&ids[1]), "{second}");
    assert_eq!(bed.get("servicerequestupdates.xml").await.status, 403);
}
