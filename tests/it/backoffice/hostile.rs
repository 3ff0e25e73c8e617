//! A document management system that lies, breaks off, hangs, drips and at last knows nobody any more: what it is told waits, nobody else
//! does, a human is asked, and once it is well each record is there once.

use conformance::simulate::cmis::{Fault, PASSWORD, Repository, USER};
use serde_json::{Value, json};

use super::house::{House, until};
use crate::installation::Installation;

fn adapter(id: &str, system: &Repository) -> String {
    let url = system.browser();
    format!(
        r#"
[[adapter]]
id = "{id}"
tenant = "musterkreis"
authority = "bab:00000001"
unit = "63"
kind = "cmis"
url = "{url}"
user = "{USER}"
password = "file:dms.secret"
folder = "/Fachverfahren/Amtsbote"
folder_type = "amt:akte"
document_type = "amt:dokument"
own_property = "amt:id"
poll_seconds = 1
within_seconds = 1
"#
    )
}

/// How often a record is in a system.
fn count(system: &Repository, record: &str) -> usize {
    system.objects().iter().filter(|object| object["amt:id"] == record).count()
}

impl House {
    async fn lane(&self, name: &str) -> Value {
        let all = self.get("/lanes").await["items"].as_array().unwrap().clone();
        all.into_iter().find(|lane| lane["lane"] == name).unwrap_or(Value::Null)
    }

    /// What waits for a human.
    async fn parked(&self) -> Vec<Value> {
        self.get("/channel-deliveries?parked=true").await["items"].as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_system_harms_nobody_and_has_everything_once_when_it_is_well() {
    let (bad, good) = (Repository::start().await.unwrap(), Repository::start().await.unwrap());
    let adapters = adapter("bad", &bad) + &adapter("good", &good);
    let house = House::with(Installation::new(), &adapters, &[("dms.secret", PASSWORD)]);
    bad.fault(Fault::Html, None, usize::MAX);
    let mut cases = vec![];
    for number in 1..=5 {
        let title = format!("Bauantrag {number}");
        let new = json!({ "unit": "63", "publicService": "baugenehmigung", "title": title });
        cases.push(house.make("/cases", new).await);
    }
    let open = async |code: &str| {
        until(code, async || {
            let lane = house.lane("channel:bad").await;
            (lane["breaker"] == "open" && lane["lastFailure"] == code).then_some(lane)
        })
        .await
    };
    let mut failures = open("dms.not-understood").await["failures"].as_u64().unwrap();
    for fault in [Fault::Cut, Fault::Hang, Fault::Slow] {
        bad.fault(fault, None, usize::MAX);
        house.act("/lanes/channel:bad/retry").await;
        until("another failure", async || {
            let lane = open("dms.unreachable").await;
            (lane["failures"].as_u64() > Some(failures)).then_some(())
        })
        .await;
        failures = house.lane("channel:bad").await["failures"].as_u64().unwrap();
    }
    for case in &cases {
        let told = house.events("channel.delivered", case).await;
        assert!(told.iter().all(|event| event["detail"]["adapter"] == "good"), "{told:?}");
        assert_eq!(count(&good, case), 1);
    }
    assert_eq!(house.lane("channel:good").await["breaker"], "closed");
    assert!(house.parked().await.is_empty(), "it may be well again");

    bad.fault(Fault::Stranger, None, usize::MAX);
    house.act("/lanes/channel:bad/retry").await;
    let parked = until("a task", async || Some(house.parked().await).filter(|all| !all.is_empty())).await;
    bad.fault(Fault::None, None, 0);
    for delivery in &parked {
        assert_eq!(
            (&delivery["adapter"], &delivery["parked"]["code"]),
            (&json!("bad"), &json!("dms.unauthorised"))
        );
        let task = house.get(&format!("/tasks/{}", delivery["task"].as_str().unwrap())).await;
        assert_eq!((&task["status"], &task["unit"]), (&json!("open"), &json!("63")));
    }
    house.act("/lanes/channel:bad/retry").await;
    for delivery in house.parked().await {
        house.act(&format!("/channel-deliveries/{}/resend", delivery["id"].as_str().unwrap())).await;
    }
    until("all of it there", async || {
        let left = house.get("/channel-deliveries").await["items"].as_array().unwrap().len();
        (left == 0).then_some(())
    })
    .await;
    for case in &cases {
        assert_eq!((count(&bad, case), count(&good, case)), (1, 1), "once");
    }
}
