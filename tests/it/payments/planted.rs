//! What nobody may find: secrets, tokens of doors, card and account numbers are planted everywhere, and looked for in all that the gateway
//! tells of itself.

use std::process::Command;

use reqwest::Url;
use seal::mac::{MacDigest, hmac};
use serde_json::json;

use super::contracts::SECRETS;
use super::till::{Begun, Mock, Till, doors, senders, simulator};

const CARD: &str = "4111111111111111";
const IBAN: &str = "DE02120300000000202051";
const HOLDER: &str = "Erika Geldgeberin";

/// A notification of GiroCheckout's payment page, with what it may tell of the payer.
fn callback(door: &str, begun: &Begun, password: &str) -> Url {
    let fields = [
        ("gcPaymethod", "11"),
        ("gcType", "SALE"),
        ("gcProjectId", "1234"),
        ("gcReference", &begun.reference),
        ("gcMerchantTxId", &begun.request_id),
        ("gcBackendTxId", "b1"),
        ("gcAmount", "2500"),
        ("gcCurrency", "EUR"),
        ("gcResultPayment", "4000"),
        ("gcCardnumber", CARD),
        ("gcAccountHolder", HOLDER),
        ("gcIban", IBAN),
    ];
    let signed: String = fields.iter().map(|(_, value)| *value).collect();
    let code = hmac(MacDigest::Md5, password.as_bytes(), signed.as_bytes()).unwrap();
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut url = Url::parse(door).unwrap();
    url.query_pairs_mut().extend_pairs(fields).append_pair("gcHash", &code);
    url
}

/// Every call that can go wrong at the doors; gives what was answered.
async fn calls(till: &Till, begun: &Begun, doors: &[String]) -> Vec<String> {
    let [notify, back] = [0, 1].map(|index| till.here(&doors[index]));
    let with = |door: &str, query: &str| format!("{door}?{query}");
    let details = format!("iban={IBAN}&card={CARD}&name=Erika%20Geldgeberin&status=paid");
    let (forged, unknown) =
        (callback(&notify, begun, "another"), format!("{}AAAA", &notify[..notify.len() - 4]));
    let gets = [
        (forged.to_string(), 400),
        (with(&notify, &details), 400),
        (with(&unknown, &details), 400),
        (with(&notify.replace("/giro-page/", "/giro/"), &details), 400),
        (callback(&notify, begun, "secure").to_string(), 200),
        (with(&back, &details), 303),
        (format!("{back}/{IBAN}"), 404),
    ];
    let mut told = vec![];
    for (url, status) in gets {
        let answer = till.knock(|client| client.get(&url)).await;
        assert_eq!(answer.status().as_u16(), status, "{url}");
        if let Some(location) = answer.headers().get("location") {
            let onward = location.to_str().unwrap();
            assert_eq!(onward, format!("https://portal.example/antrag?payment={}", begun.id));
        }
        told.push(answer.text().await.unwrap());
    }
    let large = details.repeat(2_000);
    for (body, status) in [(details, 405), (large, 413)] {
        let answer = till.knock(|client| client.post(&notify).body(body)).await;
        assert_eq!(answer.status().as_u16(), status);
        told.push(answer.text().await.unwrap());
    }
    let wrong = json!({ "returnTo": format!("https://elsewhere.example/?iban={IBAN}") });
    let (status, problem) = till.post(&format!("/claims/{}/payments", begun.claim), &wrong).await;
    assert!((400..500).contains(&status), "{problem}");
    told.push(problem.to_string());
    told
}

/// Everything in an archive, unpacked.
fn unpacked(till: &Till, archive: &str) -> String {
    let path = till.installation.folder().join(archive);
    let output = Command::new("unzip").arg("-p").arg(path).output().unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_token_card_or_account_number_is_told_to_anybody() {
    let Some(folder) = senders() else { return };
    let (mock, simulator) = (Mock::start(&folder).await, simulator().await);
    let till = Till::talking(&mock.url, &simulator.url, "debug").await;
    let begun = till.begin("giro-page", &json!({ "returnTo": "https://portal.example/antrag" })).await;
    mock.told(&format!("/_ctl/set?p=gc&id={}&status=4000", begun.reference)).await;
    let mut secrets: Vec<String> = vec![];
    let mut told = calls(&till, &begun, &{
        let doors = doors(&mock, &begun).await;
        let [notify, .., back] = &doors[..] else { panic!("{doors:?}") };
        secrets.extend([notify, back].map(|door| door.rsplit('/').next().unwrap().to_owned()));
        vec![notify.clone(), back.clone()]
    })
    .await;
    till.comes_to(&begun, "paid", None).await;
    // Each of the others is begun, one of them at a provider that answers nonsense.
    for account in ["giro", "pm", "xb", "epay21", "epaybl", "standard", "stripe", "computop"] {
        till.begin(account, &json!({})).await;
    }
    simulator.fault(conformance::simulate::payment::Fault::Garbage);
    let claim = json!({ "account": "stripe", "amountCents": 100, "purpose": "Gebuehr" });
    let (_, claim) = till.post(&format!("/cases/{}/claims", till.case), &claim).await;
    let path = format!("/claims/{}/payments", claim["id"].as_str().unwrap());
    let (status, payment) = till.post(&path, &json!({})).await;
    assert_eq!(status, 201, "{payment}");
    told.push(payment.to_string());

    let metrics = till.knock(|client| client.get(format!("{}/metrics", till.operations))).await;
    told.push(metrics.text().await.unwrap());
    told.push(till.get("/events?limit=200").await.to_string());
    told.push(till.get(&format!("/payments/{}", begun.id)).await.to_string());
    told.push(till.get(&format!("/payments/{}/timeline", begun.id)).await.to_string());
    told.push(till.cashier_get("/bookings?limit=200").await.to_string());
    let export = ["evidence", "export", &till.case, "--tenant", "musterkreis", "--output"];
    till.installation.json(&[&export[..], &["bare.zip", "--json"]].concat());
    let bare = unpacked(&till, "bare.zip");
    assert!(bare.contains("payment.notified"), "the bundle does not tell of callbacks");
    told.push(bare);
    till.installation.json(&[&export[..], &["whole.zip", "--content", "--json"]].concat());
    let whole = unpacked(&till, "whole.zip");
    let log = till.close();
    assert!(log.contains("DEBUG"), "the log is not as talkative as it can be");
    told.push(log);

    // Too common a word to be looked for.
    secrets
        .extend(SECRETS.iter().map(|(_, secret)| (*secret).to_owned()).filter(|secret| secret != "secure"));
    for (index, told) in told.iter().enumerate() {
        for secret in secrets.iter().map(String::as_str).chain([CARD, IBAN, HOLDER, "Erika%20Geldgeberin"]) {
            let found = told.find(secret);
            assert!(found.is_none(), "{secret} in {index}: …{}", around(told, found.unwrap_or_default()));
        }
    }
    // Whoever may see contents sees what was sent, but never the token of the door.
    for secret in &secrets {
        assert!(!whole.contains(secret.as_str()), "{secret}");
    }
}

fn around(text: &str, at: usize) -> String {
    text.chars().skip(text[..at].chars().count().saturating_sub(200)).take(400).collect()
}
