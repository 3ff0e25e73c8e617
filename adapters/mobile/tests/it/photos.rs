//! Photographs of reports: in the three dialects, published without anything but the picture, and fetched from nobody whom the operator did not name.

use std::io::Cursor;

use adapter_mobile::settings::Publish;
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::{DynamicImage, ImageFormat, RgbImage};

use crate::support::{Bed, settings};

pub(crate) fn photo(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    DynamicImage::from(RgbImage::new(40, 30)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG whose camera was at 51.5, 8.25.
fn located() -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0".to_vec();
    let entry = |tag: u8, kind: u8, count: u8, value: [u8; 4]| {
        [&[0, tag, 0, kind, 0, 0, 0, count][..], &value].concat()
    };
    tiff.extend([0, 4]);
    tiff.extend(entry(1, 2, 2, *b"N\0\0\0"));
    tiff.extend(entry(2, 5, 3, 80_u32.to_be_bytes()));
    tiff.extend(entry(3, 2, 2, *b"E\0\0\0"));
    tiff.extend(entry(4, 5, 3, 104_u32.to_be_bytes()));
    tiff.extend([0; 4]);
    for part in [51, 1, 30, 1, 0, 1, 8, 1, 15, 1, 0, 1_u32] {
        tiff.extend(part.to_be_bytes());
    }
    let jpeg = photo(ImageFormat::Jpeg);
    let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, b"Exif\0\0", &tiff, &jpeg[2..]].concat()
}

#[tokio::test]
async fn photographs_come_in_three_dialects() {
    let bed = Bed::new();
    let jpeg = photo(ImageFormat::Jpeg);
    let form: [(&str, &str, &str, &[u8]); 3] =
        [("service_code", "", "", b"001"), ("lat", "", "", b"51"), ("long", "", "", b"8")];
    let with = async |name: &'static str, bytes: &[u8]| {
        let parts = [&form[..], &[(name, "a.jpg", "image/jpeg", bytes)]].concat();
        bed.post_parts(&parts).await.id()
    };
    let three = with("media", &jpeg).await;
    let fixmystreet = with("photo_1", &photo(ImageFormat::Png)).await;
    let encoded = BASE64_STANDARD.encode(photo(ImageFormat::WebP));
    let encoded: String = form_urlencoded::byte_serialize(encoded.as_bytes()).collect();
    let klarschiff = bed.post(&format!("service_code=001&lat=51&long=8&media={encoded}")).await.id();
    let address = format!("media_url=data:image/webp;base64,{encoded}");
    let as_address = bed.post(&format!("service_code=001&lat=51&long=8&{address}")).await.id();
    for id in [three, fixmystreet, klarschiff, as_address] {
        let kept = bed.host.case(&id).description.extensions["open311"].clone();
        assert_eq!((&kept["photos"][0]["width"], &kept["photos"][0]["height"]), (&40.into(), &30.into()));
    }
}

#[tokio::test]
async fn a_real_photograph_comes_as_an_address_of_its_own() {
    let bed = Bed::new();
    let mut noise = 1_u32;
    let mut noisy = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    let picture = RgbImage::from_fn(400, 300, |_, _| image::Rgb([noisy(), noisy(), noisy()]));
    let mut png = Cursor::new(vec![]);
    DynamicImage::from(picture).write_to(&mut png, ImageFormat::Png).unwrap();
    let png = png.into_inner();
    assert!(png.len() > 300_000);
    let encoded = BASE64_STANDARD.encode(&png);
    let address: String =
        form_urlencoded::byte_serialize(format!("data:image/png;base64,{encoded}").as_bytes()).collect();
    let answer = bed.post(&format!("service_code=001&lat=51&long=8&media_url={address}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kept = bed.host.case(&answer.id()).description.extensions["open311"].clone();
    assert_eq!(kept["photos"][0]["width"], 400);
    // It is no photograph, whatever it says.
    let svg = BASE64_STANDARD.encode("<svg onload='1'/>");
    let svg = format!("service_code=001&lat=51&long=8&media_url=data:image/jpeg;base64,{svg}");
    assert_eq!(bed.post(&svg).await.status, 400);
}

#[tokio::test]
async fn a_photograph_is_published_with_its_report_and_without_what_the_camera_wrote() {
    let bed = Bed::new();
    let bytes = located();
    let parts: [(&str, &str, &str, &[u8]); 4] = [
        ("service_code", "", "", b"001"),
        ("lat", "", "", b"51"),
        ("long", "", "", b"8"),
        ("media", "a.jpg", "image/jpeg", &bytes),
    ];
    let id = bed.post_parts(&parts).await.id();
    let case = bed.host.case(&id);
    // The place of the camera is a proposal beside the one that was said.
    let place = &case.locations[1];
    assert_eq!((place.latitude_micro, place.longitude_micro), (Some(51_500_000), Some(8_250_000)));
    let path = format!("media/{id}-1.jpg");
    assert_eq!(bed.get(&path).await.status, 404);
    bed.host.refer(&id, "published", "yes");
    let url = bed.get(&format!("requests/{id}.json?extensions=true")).await.json();
    let wanted = format!("https://meldung.kreis.example/open311/v2/{path}");
    assert_eq!(url[0]["media_url"], wanted);
    assert_eq!(url[0]["extended_attributes"]["media_urls"][0], wanted);
    let served = bed.get(&path).await;
    assert_eq!((served.status, served.kind.as_str()), (200, "image/jpeg"));
    assert!(served.body.starts_with(b"\xff\xd8\xff"));
    assert!(!served.body.windows(4).any(|it| it == b"Exif"));
    for wrong in ["-0.jpg", "-2.jpg", "-1.png", "-1", "-x.jpg"] {
        assert_eq!(bed.get(&format!("media/{id}{wrong}")).await.status, 404, "{wrong}");
    }
    // The original is a document, for clerks.
    let letter = bed.host.only_letter();
    let files = &letter.documents[0].files;
    let kept = bed.host.0.lock().unwrap().bytes.clone();
    assert_eq!(kept[&files[0].content.as_ref().unwrap().id], bytes);
    assert_eq!(files[1].name, "publication.jpg");
    // What was erased is not there any more.
    bed.host.0.lock().unwrap().bytes.clear();
    assert_eq!(bed.get(&path).await.status, 404);
}

#[tokio::test]
async fn photographs_are_fetched_from_hosts_that_the_operator_names_and_from_nobody_else() {
    let router = Router::new()
        .route("/a.jpg", get(|| async { photo(ImageFormat::Jpeg) }))
        .route("/a.svg", get(|| async { "<svg onload='1'/>" }))
        .route("/to", get(|| async { Redirect::temporary("/a.jpg") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let bed = |named: &[&str], allow: &[&str]| {
        let mut settings = settings();
        settings.media_hosts = named.iter().map(|&host| host.to_owned()).collect();
        settings.publish = Publish::AtOnce;
        Bed::with(settings, allow)
    };
    let report = |path: &str| format!("service_code=001&lat=51&long=8&media_url=http://{host}{path}");
    let named = bed(&[&host], &[&host]);
    let id = named.post(&report("/a.jpg")).await.id();
    assert_eq!(named.get(&format!("media/{id}-1.jpg")).await.status, 200);
    for (bed, path) in [
        (&named, "/a.svg"),
        (&named, "/to"),
        (&named, "/none"),
        // Not named by the operator, or named but nowhere that may be called.
        (&bed(&[], &[&host]), "/a.jpg"),
        (&bed(&[&host], &[]), "/a.jpg"),
        (&bed(&["fotos.example"], &[&host]), "@fotos.example/a.jpg"),
    ] {
        let id = bed.post(&report(path)).await.id();
        let case = bed.host.case(&id);
        assert!(case.description.extensions["open311"].get("photos").is_none(), "{path}");
        let kept = bed.host.0.lock().unwrap();
        assert!(kept.letters.values().any(|(letter, _)| letter.concerns.contains(&"mobile.photo-missing")));
    }
    server.abort();
}
