//! Every recorded exchange with a real engine, in its order: the simulated one gives the same status and the same answer, but for its
//! identifiers and times.

use std::collections::BTreeMap;

use conformance::simulate::camunda::Simulator;
use model::outbound::ChosenBy;
use net::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Recorded, client, recordings};

/// The recorded engine's names and those of this one.
type Names = BTreeMap<String, String>;

struct Replay {
    client: net::Client,
    engine: Simulator,
    names: Names,
}

impl Replay {
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> (u16, String) {
        let base = self.engine.url.trim_end_matches("/engine-rest");
        let kept = |(name, _): &&(String, String)| name == "accept" || name == "content-type";
        let request = Request {
            method: method.parse::<Method>().unwrap(),
            url: format!("{base}{path}"),
            chosen_by: ChosenBy::Administrator,
            headers: headers.iter().filter(kept).cloned().collect(),
            body: (!body.is_empty()).then(|| body.as_bytes().to_vec().into()),
            within: std::time::Duration::from_secs(5),
            most_answer: 1 << 20,
        };
        let answer = self.client.send(request).await.unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    /// What was done between two recordings.
    async fn unrecorded(&mut self, method: &str, path: &str, body: Value) -> Value {
        let json = [("content-type".to_owned(), "application/json".to_owned())];
        let path = format!("/engine-rest{}", self.translated(path));
        let (_, answer) = self.send(method, &path, &json, &body.to_string()).await;
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    /// The same text with this engine's names.
    fn translated(&self, text: &str) -> String {
        let is_end = |char: char| !char.is_ascii_alphanumeric();
        let mut out = String::new();
        for part in text.split_inclusive(is_end) {
            let word = part.trim_end_matches(is_end);
            out.push_str(self.names.get(word).map_or(word, String::as_str));
            out.push_str(&part[word.len()..]);
        }
        out
    }

    async fn replay(&mut self, recorded: &Recorded) {
        let path = self.translated(&recorded.path);
        let (status, answer) = self.send(&recorded.method, &path, &recorded.headers, &recorded.body).await;
        assert_eq!(status, recorded.status, "{}: {answer}", recorded.name);
        match serde_json::from_str::<Value>(&recorded.answer) {
            Ok(wanted) => {
                let given = serde_json::from_str(&answer).unwrap();
                self.same(&recorded.name, &wanted, &given);
            }
            Err(_) => assert_eq!(answer, recorded.answer, "{}", recorded.name),
        }
    }

    /// The same members with the same values; identifiers are learned, times are not looked at.
    fn same(&mut self, place: &str, wanted: &Value, given: &Value) {
        match (wanted, given) {
            (Value::Object(wanted), Value::Object(given)) => {
                let keys = |map: &serde_json::Map<String, Value>| {
                    map.keys().map(|key| self.without_ids(key)).collect::<std::collections::BTreeSet<_>>()
                };
                assert_eq!(keys(wanted), keys(given), "{place}");
                for (key, one) in wanted {
                    let other = given.get(key).or_else(|| {
                        given
                            .iter()
                            .find(|(it, _)| self.without_ids(it) == self.without_ids(key))
                            .map(|(_, it)| it)
                    });
                    self.same(&format!("{place}.{key}"), one, other.unwrap());
                }
            }
            (Value::Array(wanted), Value::Array(given)) => {
                assert_eq!(wanted.len(), given.len(), "{place}");
                let (wanted, given) = (ordered(wanted), ordered(given));
                for (one, other) in wanted.iter().zip(&given) {
                    self.same(&format!("{place}[]"), one, other);
                }
            }
            (Value::String(wanted), Value::String(given)) => self.same_text(place, wanted, given),
            (Value::Number(_), Value::Number(_)) if place.ends_with("durationInMillis") => {}
            _ => assert_eq!(wanted, given, "{place}"),
        }
    }

    fn same_text(&mut self, place: &str, wanted: &str, given: &str) {
        let name = place.rsplit('.').next().unwrap();
        let is_time = |text: &str| text.len() == 28 && text.ends_with("+0000");
        if is_time(wanted) && is_time(given) {
            return;
        }
        if name == "id" || name.ends_with("Id") {
            for (one, other) in wanted.split(':').zip(given.split(':')) {
                if one.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.names.insert(one.to_owned(), other.to_owned());
                }
            }
            return;
        }
        if name == "href" {
            return;
        }
        assert_eq!(self.without_ids(wanted), self.without_ids(given), "{place}");
    }

    /// Identifiers in running text are numbers.
    fn without_ids(&self, text: &str) -> String {
        match text.contains("External")
            || text.contains("antrag:")
            || text.contains("Task '")
            || text.contains("antragPer")
            || text.contains("instance with id")
        {
            true => text.chars().filter(|char| !char.is_ascii_digit()).collect(),
            false => text.to_owned(),
        }
    }
}

/// Lists of the engine's variables have no order.
fn ordered(list: &[Value]) -> Vec<Value> {
    let mut list = list.to_vec();
    if list.iter().all(|one| one["name"].is_string() && one["value"] != json!(null) || one["type"] == "Null")
    {
        list.sort_by_key(|one| one["name"].as_str().map(str::to_owned));
    }
    list
}

#[tokio::test]
async fn the_simulated_engine_answers_as_the_recorded_one() {
    let recordings = recordings();
    if recordings.is_empty() {
        return;
    }
    let mut replay =
        Replay { client: client(), engine: Simulator::start().await.unwrap(), names: Names::new() };
    for recorded in &recordings {
        match &recorded.name[..2] {
            "07" => {
                let given = serde_json::from_str::<Value>(
                    &recordings.iter().find(|it| it.name.starts_with("05")).unwrap().body,
                );
                let mut given = given.unwrap();
                given["variables"]
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name != "antrag" && name != "xml");
                given["businessKey"] = json!("VG-2026-0001");
                let started = replay.unrecorded("POST", "/process-definition/key/antrag/start", given).await;
                replay.names.insert("8".into(), started["id"].as_str().unwrap().into());
            }
            "16" => {
                let body = json!({ "workerId": "gateway-1", "errorMessage": "DMS nicht erreichbar",
                    "errorDetails": "connect timeout", "retries": 2, "retryTimeout": 0 });
                replay.unrecorded("POST", "/external-task/26/failure", body).await;
            }
            "22" => {
                replay.unrecorded("PUT", "/external-task/26/retries", json!({ "retries": 3 })).await;
            }
            "25" => {
                let topics = json!([{ "topicName": "dms-ablage", "lockDuration": 30_000 }]);
                let body = json!({ "workerId": "gateway-1", "maxTasks": 1, "topics": topics });
                replay.unrecorded("POST", "/external-task/fetchAndLock", body).await;
            }
            "34" => {
                replay.unrecorded("POST", "/task/43/unclaim", json!({})).await;
            }
            "46" => {
                let variables = json!({ "hinweis": { "value": "bitte klären", "type": "String" } });
                let body = json!({ "workerId": "gateway-1", "errorCode": "ABLAGE_ABGELEHNT",
                    "errorMessage": "Aktenplan unbekannt", "variables": variables });
                replay.unrecorded("POST", "/external-task/64/bpmnError", body).await;
            }
            "49" => {
                replay.unrecorded("POST", "/task/75/complete", json!({})).await;
            }
            _ => {}
        }
        replay.replay(recorded).await;
    }
}
