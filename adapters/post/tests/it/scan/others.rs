//! Sheets that lie otherwise than they should, sheets of others, and decoders that leave something out.

use adapter_post::scan::settings::Word;

use super::support::{Office, blank};

/// What each letter names, and why a human has to look at it.
fn told(office: &Office) -> Vec<(String, Vec<&'static str>)> {
    let letters = office.gateway.letters();
    letters
        .iter()
        .map(|it| (it.hints.first().map_or(String::new(), |hint| hint.value.clone()), it.concerns.clone()))
        .collect()
}

#[tokio::test]
async fn a_sheet_that_nothing_follows_is_told_at_the_letters_beside_it() {
    let office = Office::with_codes(&[
        (1, "AB1;ref=1"),
        (3, "AB1;ref=2"),
        (5, "AB1;ref=3"),
        (6, "AB1;doc;subject=Lageplan"),
        (8, "AB1;ref=4"),
    ]);
    office.put("s.pdf", &blank(9));
    office.session().await.unwrap();
    let empty = || vec!["post.scan-sheet-empty"];
    let told: Vec<_> = told(&office);
    let told: Vec<_> =
        told.iter().map(|(reference, concerns)| (reference.as_str(), concerns.clone())).collect();
    assert_eq!(told, [("1", vec![]), ("2", empty()), ("3", empty()), ("4", vec![])]);
    assert!(office.gateway.letters().iter().all(|it| it.documents.len() == 1));
}

#[tokio::test]
async fn a_code_without_the_word_of_the_house_opens_nothing_and_is_told() {
    let mut office =
        Office::with_codes(&[(1, "AB1;word=Musterhaus-7;ref=1"), (3, "AB1;ref=2;received=05.11.2026")]);
    office.settings.separate.as_mut().unwrap().word =
        Some(Word::new("Musterhaus-7".to_owned().into()).unwrap());
    office.put("s.pdf", &blank(4));
    office.session().await.unwrap();
    assert_eq!(told(&office), [("1".to_owned(), vec!["post.scan-sheet-foreign"])]);
    assert_eq!(office.gateway.letters()[0].proof["pages"], serde_json::json!([2, 4]));
}

#[tokio::test]
async fn without_a_word_of_the_house_a_time_on_a_sheet_is_looked_at() {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap() - std::time::Duration::from_secs(3_600);
    let now = model::Timestamp::from_micros(now.as_micros() as i64);
    let office = Office::with_codes(&[(1, &format!("AB1;ref=1;received={now}"))]);
    office.put("s.pdf", &blank(2));
    office.session().await.unwrap();
    assert_eq!(told(&office), [("1".to_owned(), vec!["post.scan-sheet-received"])]);
    assert_eq!(office.gateway.letters()[0].received_at, now);
}

#[tokio::test]
async fn a_page_without_an_image_is_not_passed_over() {
    let mut office = Office::with_codes(&[(1, "AB1;ref=1")]);
    let script = "pdftoppm \"$@\"; for prefix; do :; done; rm \"$prefix\"-2.pgm";
    office.settings.tools.pdftoppm = vec!["sh".into(), "-c".into(), script.into(), "pdftoppm".into()];
    office.put("s.pdf", &blank(3));
    office.session().await.unwrap();
    assert_eq!(office.refused(), [("s.pdf".to_owned(), "post.scan-tool".to_owned())]);
}
