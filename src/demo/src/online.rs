//! An application that comes in online, encrypted for the county alone, by a simulated delivery service of FIT-Connect: its receipt is
//! confirmed by a signed event, and the decision goes back the same way: provided, and then retrieved.

use conformance::simulate::Error;
use conformance::simulate::client::{Client, text};
use conformance::simulate::files::{self, Content};
use conformance::simulate::fit_connect::office::{self, Application, Keys};
use conformance::simulate::fit_connect::{Destination, SENDER, SUBSCRIBER, Service};
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Gateway};
use conformance::simulate::portal::{Attachment, Portal, UNIT};
use conformance::simulate::story::{Story, verify};
use serde_json::{Value, json};

use crate::office::until;
use crate::scene::Scene;

const DELIVERY: &str = "Simulator: Onlinedienst und Zustelldienst (FIT-Connect)";
const LEISTUNG: &str = "urn:de:fim:leika:leistung:99115005104000";
const SCHEMA: &str = "https://schema.fitko.de/fim/s00000096_1.0.schema.json";
/// The service as the house calls it: no system of the back office has it.
const OWN: &str = "wohnsitz";

/// The delivery service, and both who use it.
pub(crate) struct Online {
    service: Service,
    /// Where the county fetches from.
    county: Destination,
    /// Where whoever applied fetches from.
    applicant: Destination,
    applicants_keys: Keys,
}

/// A decision on its way.
pub(crate) struct Decided {
    path: String,
}

impl Online {
    /// Starts the delivery service, and makes the gateway one that fetches and sends by it. Its outbound calls may reach this machine.
    pub(crate) async fn set_up(gateway: &Gateway) -> Result<Self, Error> {
        let service = Service::start().await?;
        let keys = Keys::generate()?;
        let county = keys.new_destination(LEISTUNG, SCHEMA)?;
        let applicant = keys.new_destination(LEISTUNG, SCHEMA)?;
        service.set_up(county.clone());
        service.set_up(applicant.clone());
        for (name, secret) in [
            ("fit-in.secret", SUBSCRIBER.1.to_owned()),
            ("fit-out.secret", SENDER.1.to_owned()),
            ("fit-sign.jwk", keys.signing.private_jwk()?.to_string()),
            ("fit-open.jwk", keys.encryption.private_jwk()?.to_string()),
        ] {
            gateway.write_secret(name, &secret)?;
        }
        let online = Online { service, county, applicant, applicants_keys: keys };
        gateway.configure(&online.adapters())?;
        Ok(online)
    }

    fn adapters(&self) -> String {
        let serves = format!("tenant = \"{COUNTY}\"\nauthority = \"{COUNTY_KEY}\"\nunit = \"{UNIT}\"\npause_seconds = 5");
        let (token, submission) = (self.service.token_url(), self.service.submission_url());
        let (inbound, outbound) = (SUBSCRIBER.0, SENDER.0);
        let (county, applicant) = (self.county.id, self.applicant.id);
        format!(
            r#"
[[adapter]]
id = "fit"
{serves}
kind = "fit-connect"
token_url = "{token}"
submission_url = "{submission}"
client_id = "{inbound}"
client_secret = "file:fit-in.secret"
destination = "{county}"
signing_key = "file:fit-sign.jwk"
decryption_keys = ["file:fit-open.jwk"]

[[adapter.mapping]]
id = "{OWN}"
title = "Wohnsitz anmelden: {{/person/name}}"
public_service = "{OWN}"

[[adapter]]
id = "fit-out"
{serves}
kind = "fit-connect-sender"
token_url = "{token}"
submission_url = "{submission}"
client_id = "{outbound}"
client_secret = "file:fit-out.secret"

[adapter.target]
destination = "{applicant}"
service = "{LEISTUNG}"
service_name = "Wohnsitz anmelden"
schema = "{SCHEMA}"
"#
        )
    }
}

/// The application arrives encrypted and becomes a case; its receipt is confirmed. The case.
pub(crate) async fn arrive(scene: &Scene, story: &mut Story) -> Result<String, Error> {
    let step = story.step("Ein Onlineantrag geht verschlüsselt ein, sein Eingang wird bestätigt", DELIVERY);
    let online = &scene.online;
    let plan = files::pdf(&["Wohnungsgeberbestätigung (erfunden)"]);
    let size = plan.len() as u64;
    let application = Application {
        service: LEISTUNG.into(),
        schema: SCHEMA.into(),
        data: json!({ "person": { "name": "Erika Beispiel (erfunden)" } }),
        attachments: vec![("bestaetigung.pdf".into(), "application/pdf".into(), plan)],
        more: json!({}),
    };
    let (submission, _) = office::apply(&online.service, &online.county, &application).await?;
    let client = &scene.sender.client;
    let case = until("the case of the application", async || of_service(client).await).await?;
    let accepted = async || {
        let events = online.service.events(submission);
        Ok(events.iter().any(|(name, _)| name == "accept-submission").then_some(()))
    };
    until("the acceptance", accepted).await?;
    verify(text(&case, "title") == "Wohnsitz anmelden: Erika Beispiel (erfunden)", "die Felder stehen im Vorgang")?;
    let told = "entschlüsselt nur beim Kreis, Vorgang eröffnet, danach mit signiertem Ereignis angenommen";
    story.done(step, size, told);
    Ok(text(&case, "id").to_owned())
}

/// The decision goes out: it waits where whoever applied fetches it.
pub(crate) async fn decide(scene: &Scene, case: &str, story: &mut Story) -> Result<Decided, Error> {
    let step = story.step("Der Bescheid geht verschlüsselt zurück und steht bereit", DELIVERY);
    let content = files::pdf(&["Meldebestätigung (erfunden)"]);
    let content = Content::new("bescheid.pdf", "application/pdf", content);
    let attachment = Attachment { title: "Meldebestätigung", kind: "Bescheid", content };
    let portal = Portal { client: scene.sender.client.clone() };
    let document = portal.describe(case, &attachment).await?;
    portal.upload(&document, &attachment.content).await?;
    let body = json!({ "case": case, "kind": "disclosure", "documents": [document], "way": "fit-connect" });
    let dispatch = portal.client.post("/dispatches", "bescheid-online", &body).await?;
    let dispatch = dispatch.expect("POST /dispatches", &[201])?;
    let path = format!("/dispatches/{}", text(&dispatch, "id"));
    portal.client.wait_until(&path, |it| text(it, "status") == "provided").await?;
    story.done(step, attachment.content.size, "„provided“, sobald der Zustelldienst ihn mit signiertem Ereignis hat");
    Ok(Decided { path })
}

/// It is retrieved, and the dispatch says so.
pub(crate) async fn retrieve(scene: &Scene, decided: &Decided, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Der Bescheid wird abgeholt", DELIVERY);
    let online = &scene.online;
    let fetched = office::accept(&online.service, online.applicant.id, &online.applicants_keys).await?;
    verify(fetched.len() == 1, "genau ein Bescheid liegt bereit")?;
    let client = &scene.sender.client;
    let ended = client.wait_until(&decided.path, |it| text(it, "status") == "retrieved").await?;
    let steps = ended["steps"].as_array().map_or(0, Vec::len);
    verify(steps == 2, "bereitgestellt und abgerufen, je einmal")?;
    story.done(step, 0, "„retrieved“, belegt durch das signierte Ereignis des Empfängers");
    Ok(())
}

async fn of_service(client: &Client) -> Result<Option<Value>, Error> {
    let cases = client.list("/cases").await?;
    Ok(cases.into_iter().find(|case| text(case, "publicService") == OWN))
}
