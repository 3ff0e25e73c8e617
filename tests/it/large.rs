//! Large things against the whole gateway: uploads over SIGKILL, many documents at once, a file over all hops.

use std::path::Path;

use conformance::bench;
use conformance::client::text;
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};
use conformance::simulate::files::noise;
use reqwest::{Body, Client, Response};
use serde_json::json;

/// Most memory above idle that any leg may need, in MB.
const MOST_MB: f64 = 64.0;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_amtsbote"))
}

async fn offset(client: &Client, url: &str, token: &str) -> u64 {
    let head = client.head(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["upload-complete"], "?0");
    head.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
}

/// A part that never ends is sent, and the gateway killed once it has kept `segments` of 8 MiB.
async fn kill_within(gateway: &mut Gateway, url: &str, token: &str, from: u64, body: Body, segments: u64) {
    let request = part(url, token, from, false).body(body);
    let sending = tokio::spawn(request.send());
    // Asking how far it is would end the part: the files tell.
    let payloads = gateway.folder().join("data/payloads");
    while written(&payloads) < from + segments * (8 << 20) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    gateway.kill().await.unwrap();
    assert!(sending.await.unwrap().is_err(), "nobody answers any more");
}

fn written(payloads: &Path) -> u64 {
    let folders = std::fs::read_dir(payloads).unwrap().map(|folder| folder.unwrap().path());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files.map(|file| file.unwrap().metadata().map_or(0, |file| file.len())).sum()
}

fn part(url: &str, token: &str, offset: u64, last: bool) -> reqwest::RequestBuilder {
    let request = Client::new().patch(url).bearer_auth(token);
    request
        .header("content-type", "application/partial-upload")
        .header("upload-complete", if last { "?1" } else { "?0" })
        .header("upload-offset", offset)
}

#[tokio::test]
async fn an_upload_survives_a_gateway_that_is_killed_within_its_parts() {
    let mut gateway = Gateway::prepare(binary(), &Engine::Sqlite).await.unwrap();
    gateway.start().await.unwrap();
    let rights =
        Rights { tenant: COUNTY, roles: &["system"], unit: "63", service: "*", authority: Some(COUNTY_KEY) };
    let token = gateway.token("Portal", rights).await.unwrap();
    let api = gateway.client(&token).unwrap();
    let case = json!({ "unit": "63", "title": "Bauantrag" });
    let case = api.post("/cases", "1", &case).await.unwrap().expect("case", &[201]).unwrap();
    let path = format!("/cases/{}/documents", text(&case, "id"));
    let document = api.post(&path, "2", &json!({ "title": "Plan" })).await.unwrap();
    let content = format!("/api/v1/documents/{}/content", text(&document.body, "id"));
    let client = Client::new();
    let begun: Response = client
        .put(format!("{}{content}?fileName=plan.bin", gateway.internal()))
        .bearer_auth(&token)
        .header("content-type", "application/octet-stream")
        .header("upload-complete", "?0")
        .send()
        .await
        .unwrap();
    assert_eq!(begun.status(), 201);
    let upload = begun.headers()["location"].to_str().unwrap().to_owned();

    let bytes = noise(1, 40 << 20);
    let mut kept = 0;
    for segments in [1, 2] {
        let url = format!("{}{upload}", gateway.internal());
        let rest = bytes.slice(kept as usize..);
        let endless = futures::stream::iter(
            rest.chunks(100_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>(),
        );
        let body = Body::wrap_stream(futures::StreamExt::chain(endless, futures::stream::pending()));
        kill_within(&mut gateway, &url, &token, kept, body, segments).await;
        gateway.start().await.unwrap();
        let now = offset(&client, &format!("{}{upload}", gateway.internal()), &token).await;
        assert!(now >= kept && now % 65_536 == 0, "{now} after {kept}");
        kept = now;
    }
    assert!(kept >= 8 << 20, "whole segments are kept: {kept}");
    let url = format!("{}{upload}", gateway.internal());
    let last = part(&url, &token, kept, true).body(bytes.slice(kept as usize..)).send().await.unwrap();
    assert_eq!(last.status(), 201);
    let read =
        client.get(format!("{}{content}", gateway.internal())).bearer_auth(&token).send().await.unwrap();
    assert!(read.bytes().await.unwrap() == bytes, "what came in parts is what was sent");
    gateway.remove().await.unwrap();
}

#[tokio::test]
async fn many_documents_come_in_slices_while_others_go_on() {
    let figures = bench::import(binary(), &Engine::Sqlite, 2_000, 500).await.unwrap();
    assert!(figures.answers_meanwhile >= 3, "{figures:?}");
    assert!(figures.peak_mb < MOST_MB, "{figures:?}");
}

#[tokio::test]
async fn a_large_file_stays_out_of_memory_on_every_leg() {
    let figures = bench::transfer(binary(), &Engine::Sqlite, 100).await.unwrap();
    let legs = [figures.peak_mb_in, figures.peak_mb_out, figures.peak_mb_received, figures.peak_mb_fetched];
    assert!(legs.iter().all(|peak| *peak < MOST_MB), "{figures:?}");
}
