//! A gateway with a telephone system: somebody calls before dawn, the gateway dies, and a clerk calls back.

use conformance::simulate::ari::{PASSWORD, Recorded, Simulator, USER};
use serde_json::{Value, json};

use super::house::{House, until};
use crate::installation::Installation;

fn adapter(url: &str) -> String {
    format!(
        "\n[[adapter]]\nid = \"telephone\"\ntenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"\n\
         kind = \"asterisk\"\nurl = \"{url}\"\nuser = \"{USER}\"\npassword = \"file:ari.secret\"\n\
         application = \"gateway\"\ncontexts = [\"inbound\"]\noutside = \"PJSIP/{{}}@trunk\"\n\
         caller_id = \"+493815550\"\n"
    )
}

/// The only contact or task with this state of its call, or kind.
async fn found(house: &House, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    until(path, async || {
        let all = house.get(path).await["items"].as_array().unwrap().clone();
        all.into_iter().find(|item| fits(item))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_called_before_dawn_is_called_back_though_the_gateway_dies() {
    let system = Simulator::start().await.unwrap();
    let installation = Installation::new();
    let mut house = House::with(installation, &adapter(&system.url), &[("ari.secret", PASSWORD)]);
    until("the line", async || (system.lines() > 0).then_some(())).await;
    let events = Recorded::Inbound.events();
    events[..7].iter().for_each(|event| system.tell(event));
    let is_to_call_back = |contact: &Value| contact["call"]["state"] == "callBack";
    let contact = found(&house, "/interactions", is_to_call_back).await;
    assert_eq!((&contact["status"], &contact["call"]["number"]), (&json!("open"), &json!("+4938155512345")));
    house.kill();
    until("the line", async || (system.lines() > 0).then_some(())).await;
    events[7..].iter().for_each(|event| system.tell(event));

    let task = found(&house, "/tasks?status=open", |task| task["kind"] == "call-back").await;
    // Eight hours of service after Monday 3:45 in Germany.
    assert_eq!(task["due"], json!("2026-11-23T15:00:00Z"));
    let path = format!("/tasks/{}/call", task["id"].as_str().unwrap());
    let wanted = house.make(&path, json!({ "extension": "1001" })).await;
    let made =
        found(&house, "/interactions", |it| it["id"] == *wanted && it["call"]["state"] == "ended").await;
    assert_eq!((&made["call"]["durationSeconds"], &made["call"]["task"]), (&json!(5), &task["id"]));
    let all = house.get("/interactions").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "nothing twice: {all}");
}
