//! The fee for the application: it is claimed, somebody claims that it was paid, and then it is paid at a simulated provider. The gateway
//! believes none of those who call, it asks the provider; so the forger gets nothing, and three calls book once.

use conformance::simulate::Error;
use conformance::simulate::client::{Answer, items, text};
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Gateway, free_port};
use conformance::simulate::payment::{GIRO_PASSWORD, Notification, Provider, State, Visitor};
use conformance::simulate::story::{Story, verify};
use serde_json::{Value, json};

use crate::intake::Application;
use crate::scene::{PORTAL, Scene};

const PROVIDER: &str = "Simulator: Zahlungsdienst (GiroCheckout)";
const FORGER: &str = "Simulator: Fälscher";

/// The fee, in cents.
const FEE: i64 = 12_500;

/// Key of the citizens' app.
const APP: &str = "schluessel";

/// Who takes the money, and whoever calls at the doors that are open to everybody.
pub(crate) struct Till {
    provider: Provider,
    visitor: Visitor,
    /// Address of the public doors.
    own: String,
}

impl Till {
    /// Starts the provider, and makes the gateway one that takes money by it. The other house has the authority of its certificate.
    pub(crate) async fn set_up(gateway: &Gateway, other: &Gateway) -> Result<Self, Error> {
        let provider = Provider::start().await?;
        let port = free_port();
        gateway.reconfigure(&[("[listen]", &format!("[listen]\npublic = \"127.0.0.1:{port}\""))])?;
        let visitor = Visitor::trusting(&other.folder().join("pki/other/ca.pem"))?;
        let (url, own) = (&provider.url, visitor.address(port));
        gateway.configure(&format!(
            "[egress]\nallow = [\"127.0.0.1\"]\n[payments]\npublic_url = \"{own}\"\n\
             [[payment_provider]]\nid = \"giro\"\ngirocheckout = {{ url = \"{url}/girocheckout/api/v2\", \
             merchant = \"1234567\", project = \"1234\", password = \"file:giro.secret\" }}\n\
             [[payment_account]]\nid = \"gebuehren\"\ntenant = \"{COUNTY}\"\nprovider = \"giro\"\n\
             registers = \"gateway\"\nnumbering = {{ prefix = \"42\", digits = 10 }}\n"
        ))?;
        gateway.configure(&reports(&own))?;
        gateway.write_secret("app.secret", APP)?;
        gateway.write_secret("giro.secret", GIRO_PASSWORD)?;
        Ok(Till { provider, visitor, own })
    }

    /// A citizen's app reports something; what the gateway answers.
    pub(crate) async fn report(&self, form: &str) -> Result<Value, Error> {
        let url = format!("{}/open311/v2/requests.json", self.own);
        let (status, answer) = self.visitor.submit(&url, format!("api_key={APP}&{form}")).await?;
        verify(status == 200, "die Meldung wird angenommen")?;
        Ok(answer)
    }
}

/// The door of citizens' apps (Open311).
fn reports(own: &str) -> String {
    format!(
        "[[adapter]]\nid = \"meldungen\"\ntenant = \"{COUNTY}\"\nauthority = \"{COUNTY_KEY}\"\nunit = \"63\"\n\
         kind = \"open311\"\nurl = \"{own}/open311/v2\"\nchangeset = \"2026-11-30T08:00:00Z\"\n\
         [[adapter.keys]]\nname = \"app\"\nsecret = \"file:app.secret\"\n\
         [[adapter.reports]]\ncode = \"001\"\nname = \"Schlagloch\"\nservice = \"strassenschaden\"\ndesk = \"63\"\n"
    )
}

/// A payment that was begun.
pub(crate) struct Fee {
    claim: String,
    payment: String,
    /// The gateway's name for it at the provider.
    request_id: String,
}

impl Fee {
    fn path(&self) -> String {
        format!("/payments/{}", self.payment)
    }
}

pub(crate) async fn claim(scene: &Scene, application: &Application, story: &mut Story) -> Result<Fee, Error> {
    let step = story.step("Die Gebühr wird gefordert, die Zahlung beginnt", PORTAL);
    let client = &scene.portal.client;
    let claim = json!({ "amountCents": FEE, "purpose": "Baugenehmigung" });
    let path = format!("/cases/{}/claims", application.main.case);
    let claim = client.post(&path, "gebuehr", &claim).await?.expect("Forderung", &[201])?;
    let path = format!("/claims/{}/payments", text(&claim, "id"));
    let begin = async || -> Result<Answer, Error> { client.post(&path, "zahlung", &json!({})).await };
    let payment = begin().await?.expect("Zahlung", &[201])?;
    let again = begin().await?.expect("Zahlung", &[201])?;
    verify(payment["id"] == again["id"], "die wiederholte Anfrage beginnt keine zweite Zahlung")?;
    let fee = Fee {
        claim: text(&claim, "id").to_owned(),
        payment: text(&payment, "id").to_owned(),
        request_id: text(&payment, "requestId").to_owned(),
    };
    let started = client.wait_until(&fee.path(), |payment| payment["status"] == "started").await?;
    verify(!text(&started, "paymentUrl").is_empty(), "wer zahlt, bekommt die Seite des Zahlungsdiensts")?;
    let known = scene.till.provider.held(&fee.request_id).is_some_and(|held| held.amount_cents == FEE);
    verify(known, "der Zahlungsdienst kennt die Zahlung mit ihrem Betrag")?;
    let number = text(&claim, "cashReference");
    story.done(
        step,
        0,
        &format!("125,00 EUR, Kassenzeichen {number}; wer zahlt, wird zum Zahlungsdienst geleitet"),
    );
    Ok(fee)
}

/// Somebody says that it was paid: with a signature that is none, and as a browser that comes back.
pub(crate) async fn ignore_forger(scene: &Scene, fee: &Fee, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Ein gefälschter Rückruf behauptet, es sei bezahlt", FORGER);
    let Till { provider, visitor, .. } = &scene.till;
    let genuine = paid(provider, fee)?;
    provider.change(&fee.request_id, |held| held.state = State::Open);
    let forged = Notification { url: genuine.url.replacen("gcHash=", "gcHash=0", 1), ..genuine };
    verify(visitor.send(&forged).await? == 400, "eine Unterschrift, die keine ist, wird abgewiesen")?;
    let back = provider.held(&fee.request_id).and_then(|held| held.return_url);
    let back = format!("{}?status=paid", back.unwrap_or_default());
    let asked = questions(provider);
    verify(visitor.open(&back).await? == 200, "wer zurückkommt, sieht, wie es steht")?;
    verify(
        questions(provider) > asked,
        "das Gateway fragt den Zahlungsdienst, statt dem Browser zu glauben",
    )?;
    let payment = scene.portal.client.read(&fee.path()).await?;
    verify(
        payment["status"] == "started" && receipts(scene, fee).await? == 0,
        "nichts ist bezahlt, nichts gebucht",
    )?;
    story.done(
        step,
        0,
        "ohne gültige Unterschrift abgewiesen; der Zahlungsdienst sagt „offen“, also bleibt es offen",
    );
    Ok(())
}

/// It is paid, and the provider says so three times.
pub(crate) async fn count_once(scene: &Scene, fee: &Fee, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Es wird bezahlt; der Rückruf kommt dreimal", PROVIDER);
    let Till { provider, visitor, .. } = &scene.till;
    let genuine = paid(provider, fee)?;
    for _ in 0..3 {
        verify(visitor.send(&genuine).await? == 200, "jeder Rückruf wird angenommen")?;
    }
    let client = &scene.portal.client;
    client.wait_until(&fee.path(), |payment| payment["status"] == "paid").await?;
    let claim = client.read(&format!("/claims/{}", fee.claim)).await?;
    verify(claim["status"] == "paid" && claim["paidCents"] == FEE, "die Forderung ist bezahlt")?;
    verify(receipts(scene, fee).await? == 1, "gebucht wird einmal")?;
    story.done(step, 0, "nach eigenem Abruf beim Zahlungsdienst bezahlt, einmal für die Kasse gebucht");
    Ok(())
}

/// The payer pays, and the provider writes its notification.
fn paid(provider: &Provider, fee: &Fee) -> Result<Notification, Error> {
    provider.change(&fee.request_id, |held| held.state = State::Paid);
    let notification = provider.notification(&fee.request_id);
    notification.ok_or_else(|| Error::Unverified("der Zahlungsdienst kennt die Zahlung".to_owned()))
}

/// How often the provider was asked how a payment stands.
fn questions(provider: &Provider) -> usize {
    provider.calls().iter().filter(|call| call.ends_with("/transaction/status")).count()
}

/// How often the cash office was told of money.
async fn receipts(scene: &Scene, fee: &Fee) -> Result<usize, Error> {
    let path = format!("/bookings?kind=receipt&payment={}", fee.payment);
    Ok(items(&scene.cashier.read(&path).await?, "items").len())
}
