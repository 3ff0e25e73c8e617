//! Reports of citizens at a whole gateway: an app sends them to the public listener, a clerk sees cases and decides what everybody sees.

use std::path::Path;

use conformance::client::Client as Clerk;
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, free_port};
use reqwest::{Client, Method};
use serde_json::{Value, json};

fn adapter(port: u16) -> String {
    format!(
        r#"
[[adapter]]
id = "meldungen"
tenant = "{COUNTY}"
authority = "{COUNTY_KEY}"
unit = "63"
kind = "open311"
url = "http://127.0.0.1:{port}/open311/v2"
changeset = "2026-11-30T08:00:00Z"
  [[adapter.keys]]
  name = "app"
  secret = "file:app.key"
  [[adapter.reports]]
  code = "001"
  name = "Schlagloch"
  service = "strassenschaden"
  desk = "70"
"#
    )
}

/// A gateway with a server of Open311.
struct Bed {
    gateway: Gateway,
    app: Client,
    base: String,
    clerk: Clerk,
}

impl Bed {
    async fn start(engine: &Engine) -> Bed {
        let binary = Path::new(env!("CARGO_BIN_EXE_amtsbote"));
        let mut gateway = Gateway::prepare(binary, engine).await.unwrap();
        let port = free_port();
        let listen = format!("[listen]\npublic = \"127.0.0.1:{port}\"");
        gateway.reconfigure(&[("[listen]", &listen)]).unwrap();
        gateway.write_secret("app.key", "schluessel").unwrap();
        gateway.configure(&adapter(port)).unwrap();
        gateway.start().await.unwrap();
        let rights = Rights {
            tenant: COUNTY,
            roles: &["system"],
            unit: "*",
            service: "*",
            authority: Some(COUNTY_KEY),
        };
        let clerk = gateway.client(&gateway.token("clerk", rights).await.unwrap()).unwrap();
        Bed { gateway, app: Client::new(), base: format!("http://127.0.0.1:{port}/open311/v2"), clerk }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.app.get(format!("{}/{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn post(&self, path: &str, key: &str, form: &str) -> (u16, Value) {
        let request = self.app.post(format!("{}/{path}", self.base)).header("idempotency-key", key);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("api_key=schluessel&{form}")).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A clerk gives a case one more reference.
    async fn refer(&self, case: &str, kind: &str, value: &str) {
        let path = format!("/cases/{case}");
        let now = self.clerk.read(&path).await.unwrap();
        let mut references = now["references"].as_array().cloned().unwrap_or_default();
        references.push(json!({ "kind": kind, "value": value }));
        let version = now["version"].as_u64();
        let patch = json!({ "references": references });
        let changed = self.clerk.change(Method::PATCH, &path, version, &patch).await.unwrap();
        changed.expect("PATCH a case", &[200]).unwrap();
    }
}

/// A photograph, as base64 within a form.
fn photo() -> &'static str {
    // One red pixel.
    "media=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg%3D%3D"
}

async fn a_report_goes_its_way(engine: &Engine) {
    let bed = Bed::start(engine).await;
    let form =
        format!("service_code=001&lat=51.5&long=8.1&description=Tief&email=a%40mail.example&{}", photo());
    let (status, made) = bed.post("requests.json", "\"k1\"", &form).await;
    assert_eq!(status, 200, "{made}");
    let case = made[0]["service_request_id"].as_str().unwrap().to_owned();
    assert_eq!(bed.post("requests.json", "\"k1\"", &form).await, (200, made.clone()));
    let (status, other) = bed.post("requests.json", "\"k1\"", &format!("{form}&address_string=a")).await;
    assert_eq!(status, 422, "{other}");

    let seen = bed.clerk.read(&format!("/cases/{case}")).await.unwrap();
    assert_eq!((&seen["unit"], &seen["publicService"]), (&json!("70"), &json!("strassenschaden")));
    assert_eq!(seen["parties"][0]["contacts"][0]["value"], "a@mail.example");
    let path = format!("requests/{case}.json");
    let (_, shown) = bed.get(&path).await;
    assert_eq!((&shown[0]["status"], &shown[0]["description"]), (&json!("open"), &Value::Null));
    bed.refer(&case, "published", "yes").await;
    let (_, shown) = bed.get(&path).await;
    assert_eq!(shown[0]["description"], "Tief");
    let url = shown[0]["media_url"].as_str().unwrap();
    let media = bed.app.get(url).send().await.unwrap();
    let header = |name: &str| media.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((media.status().as_u16(), header("content-type")), (200, "image/jpeg".to_owned()));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").starts_with("default-src 'none'"));

    // Nearby, one more.
    let near = "service_code=001&lat=51.5001&long=8.1001&description=Loch";
    let (_, near) = bed.post("requests.json", "\"k2\"", near).await;
    assert!(near[0]["service_notice"].is_string(), "{near}");
    let near = near[0]["service_request_id"].as_str().unwrap();
    let seen = bed.clerk.read(&format!("/cases/{near}")).await.unwrap();
    assert_eq!(seen["relations"][0]["target"], json!(case));
    let (_, list) = bed.get("requests.json?status=open&service_code=001").await;
    let ids: Vec<&str> =
        list.as_array().unwrap().iter().filter_map(|it| it["service_request_id"].as_str()).collect();
    assert_eq!(ids, [near, case.as_str()]);
    let (_, around) = bed.get("requests.json?lat=51.5&long=8.1&radius=5").await;
    assert_eq!((&around[0]["service_request_id"], &around[1]), (&json!(case), &Value::Null));
    // Without a key of its own, the same words of a device are the same report.
    let device = "api_key=schluessel&service_code=001&address_id=4&device_id=d&description=dunkel";
    let mut made = vec![];
    for _ in 0..2 {
        let request = bed.app.post(format!("{}/requests.json", bed.base)).body(device);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        made.push(request.send().await.unwrap().json::<Value>().await.unwrap());
    }
    assert_eq!(made[0], made[1]);
    assert!(made[0][0]["service_request_id"].is_string(), "{}", made[0]);

    // Somebody adds something; then it is done.
    let update = format!(
        "service_request_id={case}&update_id=1&status=OPEN&description=Noch+tiefer&first_name=Erika&{}",
        photo()
    );
    let (status, added) = bed.post("servicerequestupdates.json", "", &update).await;
    assert_eq!(status, 200, "{added}");
    assert_eq!(bed.post("servicerequestupdates.json", "", &update).await, (200, added.clone()));
    let other = update.replace("tiefer", "breiter");
    assert_eq!(bed.post("servicerequestupdates.json", "", &other).await.0, 422);
    let contact = added[0]["update_id"].as_str().unwrap();
    let contact = bed.clerk.read(&format!("/interactions/{contact}")).await.unwrap();
    assert_eq!((&contact["caseId"], &contact["concerns"]), (&json!(case), &json!(["mobile.update"])));
    assert_eq!(contact["from"], "Erika");
    assert_eq!(contact["documents"].as_array().map(Vec::len), Some(2), "what was said, and the photograph");
    let close = bed.clerk.post(&format!("/cases/{case}/close"), "close", &json!({})).await.unwrap();
    close.expect("close a case", &[200]).unwrap();
    let (_, closed) = bed.get("requests.json?status=closed").await;
    assert_eq!(closed[0]["service_request_id"], json!(case));
    let (_, told) = bed.get("servicerequestupdates.json?api_key=schluessel").await;
    assert_eq!((&told[0]["service_request_id"], &told[0]["status"]), (&json!(case), &json!("closed")));
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_goes_its_way_on_sqlite() {
    a_report_goes_its_way(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_goes_its_way_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => a_report_goes_its_way(&engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}
