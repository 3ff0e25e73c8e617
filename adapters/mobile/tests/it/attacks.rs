//! Those who mean harm.

use std::time::Duration;

use adapter_mobile::settings::Publish;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::ImageFormat;
use tokio::io::AsyncWriteExt;

use crate::photos::photo;
use crate::support::{Bed, settings};

type Part<'a> = (&'a str, &'a str, &'a str, &'a [u8]);

fn with_photo<'a>(kind: &'a str, bytes: &'a [u8]) -> [Part<'a>; 4] {
    let text = |name: &'a str, value: &'a [u8]| (name, "", "", value);
    [text("service_code", b"001"), text("lat", b"51"), text("long", b"8"), ("media", "a.jpg", kind, bytes)]
}

#[tokio::test]
async fn no_text_gets_out_of_its_element() {
    let mut settings = settings();
    settings.publish = Publish::AtOnce;
    let bed = Bed::with(settings, &[]);
    let evil = "]]></description></request><request><status>closed</status></request><!-- &#x3C; \u{1} \"'";
    let encoded: String = form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    let form = format!(
        "service_code=001&lat=1&long=2&description={encoded}&address_string={encoded}&account_id=%3Cb%3E"
    );
    let made = bed.call("POST", "requests.xml", &[], format!("api_key=testkey&{form}").as_bytes()).await;
    assert_eq!(made.text().matches("<request>").count(), 1);
    let list = bed.get("requests.xml").await.text();
    assert_eq!((list.matches("<request>").count(), list.matches("<status>").count()), (1, 1), "{list}");
    assert!(!list.contains('\u{1}'));
    assert_eq!(bed.get("requests.json").await.json()[0]["description"], evil);
    let service = bed.get("services/%3Cx%3E%26.xml").await.text();
    assert!(!service.contains("<x>"));
    let code = bed.get("requests.xml?service_code=%3Cx%3E").await;
    assert!(code.status == 404 && code.text().contains("&lt;x>") || code.text().contains("&lt;x&gt;"));
}

#[tokio::test]
async fn what_is_no_photograph_is_refused_whatever_it_is_called() {
    let bed = Bed::new();
    let svg =
        b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    for bytes in [&svg[..], b"<html><script>", b"GIF89a;", b"%PDF-1.7", b"\x7fELF", b"PK\x03\x04"] {
        let answer = bed.post_parts(&with_photo("image/jpeg", bytes)).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert_eq!(bed.host.letters(), 0);
}

#[tokio::test]
async fn what_hides_behind_a_picture_is_not_published() {
    let mut settings = settings();
    settings.publish = Publish::AtOnce;
    let bed = Bed::with(settings, &[]);
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let bytes = [&photo(format)[..], b"<script>alert(1)</script>PK\x03\x04"].concat();
        let id = bed.post_parts(&with_photo("text/html", &bytes)).await.id();
        let served = bed.get(&format!("media/{id}-1.jpg")).await;
        assert_eq!((served.status, served.kind.as_str()), (200, "image/jpeg"), "{format:?}");
        assert!(!served.body.windows(8).any(|it| it == b"<script>"));
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_kept_for_clerks_alone() {
    let mut settings = settings();
    settings.publish = Publish::AtOnce;
    let bed = Bed::with(settings, &[]);
    let mut bomb = photo(ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let broken = &photo(ImageFormat::Jpeg)[..200];
    for bytes in [&bomb[..], broken, b"\0\0\0\x18ftypheic\0\0\0\0", b"\xff\xd8\xff<svg onload=alert(1)>"] {
        let id = bed.post_parts(&with_photo("image/jpeg", bytes)).await.id();
        let report = bed.get(&format!("requests/{id}.json")).await.json();
        assert!(report[0]["media_url"].is_null());
        assert_eq!(bed.get(&format!("media/{id}-1.jpg")).await.status, 404);
    }
    let kept = bed.host.0.lock().unwrap();
    let concerned =
        |(letter, _): &(model::letter::Letter, _)| letter.concerns.contains(&"mobile.photo-unpublished");
    assert!(kept.letters.values().all(concerned));
}

#[tokio::test]
async fn what_is_too_large_or_too_much_is_refused() {
    let bed = Bed::new();
    let large = [&photo(ImageFormat::Jpeg)[..], &vec![0; 1 << 20]].concat();
    assert_eq!(bed.post_parts(&with_photo("image/jpeg", &large)).await.status, 400);
    let small = photo(ImageFormat::Jpeg);
    let mut many = with_photo("image/jpeg", &small).to_vec();
    many.extend(std::iter::repeat_n(many[3], 6));
    assert_eq!(bed.post_parts(&many).await.status, 400);
    let long = "x".repeat(40_000);
    assert_eq!(bed.post(&format!("service_code=001&lat=1&long=2&description={long}")).await.status, 400);
    let fields = "a=b&".repeat(400);
    assert_eq!(bed.post(&format!("service_code=001&lat=1&long=2&{fields}")).await.status, 400);
    // A body that ends early, and one that is no form at all.
    let cut = b"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=xyz")];
    assert_eq!(bed.call("POST", "requests.json?api_key=testkey", &kind, cut).await.status, 400);
    let json = [("content-type", "application/json")];
    assert_eq!(bed.call("POST", "requests.json", &json, b"{}").await.status, 400);
    assert_eq!(bed.host.letters(), 0);
}

#[tokio::test]
async fn guessing_keys_ends_soon() {
    let mut settings = settings();
    settings.reads_per_minute = 5;
    let bed = Bed::with(settings, &[]);
    let mut statuses = vec![];
    for guess in 0..7 {
        let form = format!("api_key={guess}&service_code=001&lat=1&long=2");
        statuses.push(bed.call("POST", "requests.xml", &[], form.as_bytes()).await.status);
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429, 429]);
    // Who has a key is not kept out by that.
    assert_eq!(bed.post("service_code=001&lat=1&long=2").await.status, 200);
}

#[tokio::test]
async fn what_nobody_can_see_is_in_no_name_and_no_database_is_given_what_it_cannot_keep() {
    let bed = Bed::new();
    for wrong in ["description=a%00b", "address_id=a%00", "address_id=a%0Ab", "account_id=%01", "email=a%1B"]
    {
        let answer = bed.post(&format!("service_code=001&lat=1&long=2&{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
    assert_eq!(bed.post("service_code=001&lat=1&long=2&description=a%0D%0A%09b").await.status, 200);
}

/// A large form that begins to come, and never ends.
async fn endless(bed: &Bed, path: &str) -> u16 {
    let (mut app, body) = tokio::io::duplex(64 * 1024);
    app.write_all(&[b"media=", &[b'A'; 32 * 1024][..]].concat()).await.unwrap();
    let length = [("content-length", "16777216")];
    let answer = bed.call_with("POST", path, &length, Box::new(body)).await;
    drop(app);
    answer.status
}

#[tokio::test]
async fn whoever_has_no_key_keeps_nobody_from_sending_photographs() {
    let bed = Bed::new();
    let key_first = "requests.json?api_key=testkey&service_code=001&lat=1&long=2";
    let photo: String = form_urlencoded::byte_serialize(
        BASE64_STANDARD.encode([&photo(ImageFormat::Jpeg)[..], &[0; 300_000]].concat()).as_bytes(),
    )
    .collect();
    let honest = async {
        // The others have begun.
        tokio::time::sleep(Duration::from_millis(50)).await;
        bed.call("POST", key_first, &[], format!("media={photo}").as_bytes()).await.status
    };
    let attack = futures::future::join_all((0..8).map(|_| endless(&bed, "requests.json")));
    tokio::select! {
        status = honest => assert_eq!(status, 200),
        statuses = attack => panic!("{statuses:?}"),
    }
    // A key that is wrong is told so before the rest has come.
    assert_eq!(endless(&bed, "requests.json?api_key=guessed").await, 403);
}

#[tokio::test]
async fn large_forms_that_are_only_announced_keep_nobody_from_sending_photographs() {
    let bed = Bed::new();
    let known = "requests.json?api_key=testkey&service_code=001&lat=1&long=2";
    let bytes = [&photo(ImageFormat::Jpeg)[..], &[0; 300_000]].concat();
    let honest = async {
        // The others have begun.
        tokio::time::sleep(Duration::from_millis(50)).await;
        bed.post_parts(&with_photo("image/jpeg", &bytes)).await.status
    };
    // Whoever has an app has its key.
    let attack = futures::future::join_all((0..40).map(|_| endless(&bed, known)));
    tokio::select! {
        status = honest => assert_eq!(status, 200),
        statuses = attack => panic!("{statuses:?}"),
    }
}

#[tokio::test]
async fn whoever_makes_the_database_work_may_call_less_often() {
    let mut settings = settings();
    settings.reads_per_minute = 20;
    let bed = Bed::with(settings, &[]);
    for at in 0..600 {
        let answer = bed.post(&format!("service_code=001&address_id={at}")).await;
        assert_eq!(answer.status, 200);
    }
    let nothing = "requests.json?updated_after=2026-12-01T00:00:00Z";
    assert_eq!(bed.get(nothing).await.json(), serde_json::json!([]));
    assert_eq!(bed.get(nothing).await.status, 200);
    assert_eq!(bed.get(nothing).await.status, 429);
    assert_eq!(bed.get("services.json?api_key=testkey").await.status, 200);
}

#[tokio::test]
async fn whoever_looks_around_a_place_keeps_nobody_from_doing_so() {
    let mut settings = settings();
    settings.reads_per_minute = 18;
    let bed = Bed::with(settings, &[]);
    let mut statuses = vec![];
    // About 63 areas, which nothing was reported in.
    for _ in 0..4 {
        statuses.push(bed.get("requests.json?lat=51.5&long=8.1&radius=5000").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}
