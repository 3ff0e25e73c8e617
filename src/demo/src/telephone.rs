//! Somebody calls out of hours and is promised to be called back; a clerk does so by one click. The simulated telephone system tells what a
//! real one (Asterisk 22.10) told when it was recorded: of a Monday before dawn.

use conformance::simulate::Error;
use conformance::simulate::ari::{PASSWORD, Recorded, Simulator, USER};
use conformance::simulate::client::{Client, text};
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Gateway, Rights};
use conformance::simulate::portal::UNIT;
use conformance::simulate::story::{Story, verify};
use serde_json::{Value, json};

use crate::backoffice::CLERK;
use crate::office::until;
use crate::scene::{Scene, token};

const SYSTEM: &str = "Simulator: Telefonanlage (Asterisk)";
/// The number that the recorded caller shows.
const NUMBER: &str = "+4938155512345";
/// Events until the call comes to the gateway's application, and the announcement is heard.
const UNTIL_ASKED: usize = 6;

/// The telephone system, and who takes its calls.
pub(crate) struct Telephone {
    system: Simulator,
    clerk: Client,
}

/// A call-back that was promised.
pub(crate) struct Promised {
    contact: Value,
    task: Value,
}

impl Telephone {
    /// Starts the system, and makes the gateway one that knows its calls. Its outbound calls may reach this machine.
    pub(crate) async fn set_up(gateway: &Gateway) -> Result<Self, Error> {
        let system = Simulator::start().await?;
        gateway.write_secret("ari.secret", PASSWORD)?;
        let url = &system.url;
        gateway.configure(&format!(
            "[[adapter]]\nid = \"telefon\"\ntenant = \"{COUNTY}\"\nauthority = \"{COUNTY_KEY}\"\nunit = \"{UNIT}\"\n\
             kind = \"asterisk\"\nurl = \"{url}\"\nuser = \"{USER}\"\npassword = \"file:ari.secret\"\n\
             application = \"gateway\"\ncontexts = [\"inbound\"]\noutside = \"PJSIP/{{}}@trunk\"\n\
             caller_id = \"+493815550\"\n"
        ))?;
        let rights = Rights {
            tenant: COUNTY,
            roles: &["clerk"],
            unit: UNIT,
            service: "*",
            authority: Some(COUNTY_KEY),
        };
        Ok(Telephone { system, clerk: token(gateway, "telefonzentrale", rights).await? })
    }

    async fn contacts(&self) -> Result<Vec<Value>, Error> {
        let all = self.clerk.list("/interactions").await?;
        Ok(all.into_iter().filter(|contact| text(contact, "kind") == "call").collect())
    }

    /// The call of a contact once it stands so.
    async fn contact(&self, is_it: impl Fn(&Value) -> bool) -> Result<Value, Error> {
        until("a call", async || Ok(self.contacts().await?.into_iter().find(&is_it))).await
    }
}

/// A call comes in when nobody is there: the caller is told to be called back, and only then is.
pub(crate) async fn call_at_night(scene: &Scene, story: &mut Story) -> Result<Promised, Error> {
    let step = story.step("Montag, 3:45 Uhr: Ein Anruf außerhalb der Servicezeit", SYSTEM);
    let Telephone { system, clerk } = &scene.telephone;
    until("the line", async || Ok((system.lines() > 0).then_some(()))).await?;
    let events = Recorded::Inbound.events();
    let (first, rest) = events.split_at(UNTIL_ASKED);
    first.iter().for_each(|event| system.tell(event));
    let told = |what: &str| system.calls().iter().any(|call| call.contains(what));
    until("the answer", async || Ok(told("/continue").then_some(()))).await?;
    verify(told("value=closed"), "dem Anrufer wird der Rückruf angesagt")?;
    let tasks = clerk.list("/tasks?status=open").await?;
    let task = tasks.into_iter().find(|task| text(task, "kind") == "call-back");
    verify(task.is_some(), "die Aufgabe stand, bevor die Ansage kam")?;
    let task = task.unwrap_or_default();
    rest.iter().for_each(|event| system.tell(event));
    let contact = scene.telephone.contact(|it| it["call"]["state"] == "callBack").await?;
    verify(contact["call"]["number"] == NUMBER, "der Kontakt nennt die Nummer")?;
    verify(text(&contact, "status") == "open", "eine Nummer allein ordnet nichts zu")?;
    let (title, due) = (text(&task, "title"), text(&task, "due"));
    story.done(step, 0, &format!("Aufgabe „{title}“ bis {due}; erst danach sagte die Anlage den Rückruf zu"));
    Ok(Promised { contact, task })
}

/// The clerk calls by one click: first the clerk's telephone rings, then the citizen's; the contact says how that went.
pub(crate) async fn call_back(scene: &Scene, promised: &Promised, story: &mut Story) -> Result<(), Error> {
    let step = story.step("Der Rückruf mit einem Klick", CLERK);
    let Telephone { system, clerk } = &scene.telephone;
    let task = text(&promised.task, "id");
    let path = format!("/tasks/{task}/call");
    let click = async || clerk.post(&path, "rueckruf", &json!({ "extension": "1001" })).await;
    let wanted = click().await?.expect(&path, &[201])?;
    let again = click().await?.expect(&path, &[201])?;
    verify(wanted["id"] == again["id"], "zweimal geklickt ist einmal angerufen")?;
    let is_over = |it: &Value| it["id"] == wanted["id"] && it["call"]["state"] == "ended";
    let made = scene.telephone.contact(is_over).await?;
    let call = &made["call"];
    verify(text(call, "task") == task, "der Kontakt nennt die Aufgabe")?;
    let seconds = call["durationSeconds"].as_u64().unwrap_or_default();
    verify(seconds > 0, "der Kontakt nennt die Dauer")?;
    let calls = system.calls();
    let rung = |endpoint: &str| calls.iter().filter(|call| call.contains(endpoint)).count();
    let outside = format!("endpoint=PJSIP/{}@trunk", NUMBER.trim_start_matches('+'));
    verify((rung("endpoint=PJSIP/1001 "), rung(&outside)) == (1, 1), "jedes Telefon klingelte einmal")?;
    verify(rung("addChannel") >= 2, "beide wurden verbunden")?;
    let path = format!("/tasks/{task}/complete");
    clerk.post(&path, "zurueckgerufen", &json!({ "result": "erledigt" })).await?.expect(&path, &[200])?;
    let dismiss = format!("/interactions/{}/dismiss", text(&promised.contact, "id"));
    clerk.post(&dismiss, "anruf-erledigt", &json!({})).await?.expect(&dismiss, &[200])?;
    verify(scene.telephone.contacts().await?.len() == 2, "zwei Anrufe, zwei Kontakte")?;
    story.done(step, 0, &format!("beide verbunden; der Kontakt: „ended“, {seconds} Sekunden gesprochen"));
    Ok(())
}
