//! What one session leaves for the next: stacks that are half in, files that change, folders that somebody has written to.

use std::fs;
use std::time::Duration;

use model::payment::day::german_day;
use model::{Failure, FailureKind, Timestamp, ids};

use super::support::{Office, When, blank};

const THREE: [(u32, &str); 3] = [(1, "AB1;ref=1"), (3, "AB1;ref=2"), (5, "AB1;ref=3")];

/// The ends of keys, which are the pages.
fn pages(office: &Office) -> Vec<String> {
    let letters = office.gateway.letters();
    letters.iter().map(|it| it.key.rsplit_once(':').unwrap().1.to_owned()).collect()
}

#[tokio::test]
async fn a_stack_is_taken_apart_once_whatever_its_decoder_says_later() {
    let mut office = Office::with_codes(&THREE);
    office.settings.session = Duration::ZERO;
    office.put("s.pdf", &blank(6));
    office.session().await.unwrap();
    assert_eq!(pages(&office), ["2-2"]);
    // A sheet less: by a new count the second letter would be the third, and the second be lost.
    office.finds(&[(1, "AB1;ref=1"), (5, "AB1;ref=3")]);
    while !office.names("work").is_empty() {
        office.session().await.unwrap();
    }
    assert_eq!(pages(&office), ["2-2", "4-4", "6-6"]);
    assert_eq!((*office.gateway.again.lock().unwrap(), office.names("done")), (0, vec!["s.pdf".to_owned()]));
}

#[tokio::test]
async fn the_same_file_taken_apart_otherwise_loses_nothing() {
    let mut office = Office::with_codes(&THREE);
    office.put("s.pdf", &blank(6));
    office.session().await.unwrap();
    office.finds(&[(1, "AB1;ref=1"), (5, "AB1;ref=3")]);
    office.put("s.pdf", &blank(6));
    office.session().await.unwrap();
    assert_eq!(pages(&office), ["2-2", "4-4", "6-6", "2-4"], "other pages are another letter");
    assert_eq!(*office.gateway.again.lock().unwrap(), 1);
}

#[tokio::test]
async fn what_of_a_refused_stack_is_in_is_told() {
    let mut office = Office::with_codes(&THREE);
    office.settings.session = Duration::ZERO;
    office.put("s.pdf", &blank(7));
    office.session().await.unwrap();
    office.session().await.unwrap();
    office.settings.tools.qpdf = vec!["false".into()];
    office.session().await.unwrap();
    assert_eq!(office.refused(), [("s.pdf".to_owned(), "post.scan-tool".to_owned())]);
    let folder = fs::read_dir(office.path("error")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(folder.join("s.pdf.err.txt")).unwrap();
    assert!(
        text.contains("2 Schreiben, die Seiten 2 bis 4.") && text.contains("2 letters, pages 2-4, are in."),
        "{text}"
    );
}

#[tokio::test]
async fn a_file_that_somebody_still_writes_to_is_not_taken_as_it_was() {
    let office = Office::new();
    office.put("a.pdf", &blank(1));
    *office.gateway.writer.lock().unwrap() = Some((When::Keep, office.folder.path().to_owned()));
    office.session().await.unwrap();
    assert!(office.gateway.letters().is_empty() && office.names("work") == ["a.pdf"]);
    office.session().await.unwrap();
    let [letter] = &office.gateway.letters()[..] else { panic!("{:?}", office.refused()) };
    assert!(office.gateway.bytes(letter, 0, "scan.pdf").ends_with(b"% more\n%%EOF\n"));

    office.put("b.pdf", &blank(2));
    *office.gateway.writer.lock().unwrap() = Some((When::TakeIn, office.folder.path().to_owned()));
    office.session().await.unwrap();
    office.session().await.unwrap();
    assert_eq!(office.gateway.letters().len(), 3, "what was written after the first is a letter of its own");
    assert_eq!(office.names("done"), ["a.pdf", "b.pdf"]);
}

/// A folder in `work`, as the gateway makes them.
fn begin(office: &Office, item: &str) -> (std::path::PathBuf, String) {
    let id = ids::new_id().to_string();
    let folder = office.settings.folder.join("work").join(&id);
    fs::create_dir_all(&folder).unwrap();
    if !item.is_empty() {
        fs::write(folder.join(".item"), item).unwrap();
    }
    (folder, id)
}

#[tokio::test]
async fn what_lost_its_names_is_taken_anew_or_told() {
    let office = Office::new();
    for (number, item) in ["", "\0\0\0\0", "{\"docu"].into_iter().enumerate() {
        let (folder, _) = begin(&office, item);
        fs::write(folder.join(format!("{number}.pdf")), blank(number as u32 + 1)).unwrap();
        fs::write(folder.join(format!("{number}.csv")), format!("az\n{number}\n")).unwrap();
    }
    // Another file has its name by now.
    let (folder, _) = begin(&office, "");
    fs::write(folder.join("3.pdf"), blank(4)).unwrap();
    office.put("3.pdf", &blank(5));
    office.session().await.unwrap();
    let letters = office.gateway.letters();
    let with_index = letters.iter().filter(|it| it.hints.len() == 1).count();
    assert_eq!((letters.len(), with_index), (4, 3));
    assert_eq!(office.refused(), [("file".to_owned(), "post.scan-orphan".to_owned())]);
    assert_eq!(office.names("error"), ["3.pdf", "file.err.txt"]);
    assert_eq!(fs::read_dir(office.path("work")).unwrap().count(), 0);
}

#[tokio::test]
async fn names_that_lead_out_of_the_folder_are_not_followed() {
    let mut office = Office::new();
    let hot = office.path("hot");
    fs::create_dir(&hot).unwrap();
    office.settings.folder = hot.clone();
    office.put("x.pdf", &blank(1));
    office.put("x.csv", b"az\n1\n");
    fs::create_dir(hot.join("done")).unwrap();
    begin(&office, r#"{"document":"../x.pdf","index":null}"#);
    begin(&office, r#"{"document":"done","index":null}"#);
    let (own, _) = begin(&office, r#"{"document":"a.pdf","index":"../x.csv"}"#);
    fs::write(own.join("a.pdf"), blank(2)).unwrap();
    let absolute = office.path("x.pdf").to_str().unwrap().to_owned();
    begin(&office, &format!("{{\"document\":\"{absolute}\",\"index\":null}}"));
    office.session().await.unwrap();
    assert!(office.path("x.pdf").exists() && office.path("x.csv").exists() && hot.join("done").exists());
    let letters = office.gateway.letters();
    assert_eq!((letters.len(), letters[0].hints.len()), (1, 0), "the one that lay there by itself");
    assert_eq!(fs::read_dir(hot.join("work")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_cannot_be_put_away_keeps_no_other_waiting_and_is_not_to_blame() {
    let office = Office::new();
    let (folder, id) = begin(&office, r#"{"document":"bad.pdf","index":null}"#);
    fs::write(folder.join("bad.pdf"), b"<html>").unwrap();
    // Its place among the errors is taken.
    fs::create_dir_all(office.path("error").join(format!("bad.{id}")).join("x")).unwrap();
    // So is the place of everything that is done today.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let day = german_day(Timestamp::from_micros(now.as_micros() as i64));
    fs::create_dir(office.path("done")).unwrap();
    fs::write(office.path("done").join(&day), b"").unwrap();
    office.put("good.pdf", &blank(1));
    for _ in 0..6 {
        office.session().await.unwrap();
    }
    assert_eq!((office.gateway.letters().len(), *office.gateway.again.lock().unwrap()), (1, 0));
    assert_eq!(office.names("work"), ["bad.pdf", "bad.pdf.err.txt", "good.pdf"]);
    fs::remove_file(office.path("done").join(&day)).unwrap();
    fs::remove_dir_all(office.path("error").join(format!("bad.{id}"))).unwrap();
    office.session().await.unwrap();
    assert_eq!((office.names("done"), office.gateway.letters().len()), (vec!["good.pdf".to_owned()], 1));
    assert_eq!(office.refused(), [("bad.pdf".to_owned(), "post.scan-given-up".to_owned())]);
}

#[tokio::test]
async fn tries_are_counted_for_what_was_tried() {
    let office = Office::new();
    for number in 1..=3 {
        let (folder, _) = begin(&office, &format!("{{\"document\":\"{number}.pdf\",\"index\":null}}"));
        fs::write(folder.join(format!("{number}.pdf")), blank(number)).unwrap();
    }
    let refuse = Failure::new(FailureKind::Permanent, "model.invalid", "");
    *office.gateway.refuses.lock().unwrap() = Some(refuse);
    for _ in 0..4 {
        office.session().await.unwrap_err();
    }
    *office.gateway.refuses.lock().unwrap() = None;
    office.session().await.unwrap();
    assert_eq!((office.gateway.letters().len(), office.refused().len()), (2, 1));
}
