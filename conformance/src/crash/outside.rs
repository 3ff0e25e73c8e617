//! What lies outside of the gateway and lives through all kills: two authorities behind remote adapters, the one knowing
//! deliveries by their id, the other not; and for each tenant a receiver of webhooks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::REST;
use crate::Error;
use crate::client::{Client, text};
use crate::gateway::Gateway;
use crate::simulate::partner::{Call, Manner, Partner, SECRET};

/// Authority that can be given a delivery again.
pub(super) const AGAIN_KEY: &str = "bab:00000201";

/// Authority that must be given nothing twice: what is unclear is for a human.
pub(super) const ONCE_KEY: &str = "bab:00000202";

/// Pause of those who look again and again.
const PAUSE: Duration = Duration::from_millis(20);

/// Everybody outside.
pub(super) struct Outside {
    again: Partner,
    once: Partner,
    /// One for each client, in their order.
    hooks: Vec<Partner>,
}

/// What they were given.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    /// Ids of the deliveries to either authority, as often as they came.
    pub(super) deliveries: Vec<String>,
    /// Webhooks by tenant: id and number of the event, in the order in which they came.
    pub(super) hooks: Vec<(&'static str, Vec<(String, u64)>)>,
}

impl Outside {
    /// Starts them, and tells the gateway how they are reached.
    ///
    /// # Errors
    /// If there is no free port, or the configuration cannot be written.
    pub(super) async fn start(gateway: &Gateway, receivers: usize) -> Result<Self, Error> {
        gateway.write_token("partner", SECRET)?;
        let (again, once) = (Partner::start(Manner::Healthy).await?, Partner::start(Manner::Healthy).await?);
        let mut hooks = vec![];
        for _ in 0..receivers {
            hooks.push(Partner::start(Manner::Healthy).await?);
        }
        let mut config = "[egress]\nallow = [\"127.0.0.1\"]\n".to_owned();
        for (id, key, partner) in [("again", AGAIN_KEY, &again), ("once", ONCE_KEY, &once)] {
            config += &partner.config(id, key, id == "again");
        }
        gateway.configure(&config)?;
        Ok(Outside { again, once, hooks })
    }

    /// Subscribes the receivers to everything from the beginning.
    ///
    /// # Errors
    /// If the gateway refuses.
    pub(super) async fn subscribe(&self, clients: &[(&'static str, Client)]) -> Result<(), Error> {
        for ((_, client), hook) in clients.iter().zip(&self.hooks) {
            let body = json!({ "url": format!("{}/hook", hook.url), "after": 0 });
            let made = client.insist(async || client.post("/subscriptions", "hook", &body).await).await?;
            // A repetition after a lost answer is refused, since the secret is shown once.
            made.expect("POST /subscriptions", &[201, 409])?;
        }
        Ok(())
    }

    /// Waits until the receiver of a client was given the event of that number. What never comes is left to the
    /// comparison.
    pub(super) async fn wait_for(&self, client: usize, number: u64) {
        let begin = Instant::now();
        let Some(hook) = self.hooks.get(client) else { return };
        while begin.elapsed() < REST && !hook.calls().iter().any(|call| number_of(call) == number) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What they were given so far.
    pub(super) fn given(&self, clients: &[(&'static str, Client)]) -> Given {
        let calls = [&self.again, &self.once].map(Partner::calls).concat();
        let hooks = clients.iter().zip(&self.hooks).map(|((tenant, _), hook)| {
            (*tenant, hook.calls().iter().map(|call| (call.id.clone(), number_of(call))).collect())
        });
        Given { deliveries: calls.into_iter().map(|call| call.id).collect(), hooks: hooks.collect() }
    }
}

/// Number of the event that a webhook is about; 0 if it says none.
fn number_of(call: &Call) -> u64 {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    body["data"]["number"].as_u64().unwrap_or_default()
}

/// Everything that does not fit about webhooks: each event of the feed came, in order, under one id of its own.
pub(super) fn hooks(given: &Given, events: &dyn Fn(&str) -> Vec<u64>, found: &mut Vec<String>) {
    for (tenant, calls) in &given.hooks {
        let (mut seen, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for (id, number) in calls {
            if !seen.insert(*number) {
                if ids.insert(id) {
                    found.push(format!("doubled: event {number} of {tenant} went out under two ids"));
                }
                continue;
            }
            ids.insert(id);
            if seen.last() != Some(number) {
                found.push(format!("order: event {number} of {tenant} was sent after a later one"));
            }
        }
        for number in events(tenant).into_iter().filter(|number| !seen.contains(number)) {
            found.push(format!("lost: event {number} of {tenant} was not sent to the subscriber"));
        }
    }
}

/// Everything that does not fit about a message to an authority outside that came to rest in `state`.
pub(super) fn delivery(
    message: &str,
    may_repeat: bool,
    state: &str,
    parked_as: &str,
    given: &Given,
) -> Option<String> {
    let times = given.deliveries.iter().filter(|id| *id == message).count();
    match (may_repeat, state, times) {
        (true, "confirmed", 1..) | (false, "confirmed", 1) => None,
        // Whether it has arrived, the gateway cannot know, and says so.
        (false, "parked", 0..=1) if parked_as == "broker.uncertain" => None,
        _ => Some(format!("outside: message {message} is {state} ({parked_as}) and was given {times} times")),
    }
}

/// The rule for which a message was parked.
pub(super) fn parked_as(message: &Value) -> String {
    let findings = message["report"]["findings"].as_array();
    findings
        .and_then(|findings| findings.last())
        .map(|finding| text(finding, "rule").to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(deliveries: &[&str], calls: &[(&str, u64)]) -> Given {
        Given {
            deliveries: deliveries.iter().map(|&id| id.to_owned()).collect(),
            hooks: vec![("a", calls.iter().map(|&(id, number)| (id.to_owned(), number)).collect())],
        }
    }

    #[test]
    fn a_delivery_that_is_lost_doubled_or_claimed_without_reason_is_found() {
        let one = given(&["m"], &[]);
        let fits =
            |may_repeat, state, rule, given: &Given| delivery("m", may_repeat, state, rule, given).is_none();
        assert!(fits(true, "confirmed", "", &one) && fits(false, "confirmed", "", &one));
        assert!(fits(false, "parked", "broker.uncertain", &one));
        let (none, two) = (given(&[], &[]), given(&["m", "m"], &[]));
        assert!(fits(true, "confirmed", "", &two));
        assert!(!fits(false, "confirmed", "", &two), "given twice to who must be given it once");
        assert!(!fits(false, "parked", "broker.uncertain", &two));
        assert!(!fits(true, "confirmed", "", &none), "never given");
        assert!(!fits(true, "parked", "broker.uncertain", &one), "could have been given again");
        assert!(!fits(false, "parked", "broker.given-up", &one));
    }

    #[test]
    fn a_webhook_that_is_lost_late_or_under_another_id_is_found() {
        let found = |calls: &[(&str, u64)]| {
            let mut found = vec![];
            hooks(&given(&[], calls), &|_| vec![1, 2, 3], &mut found);
            found.len()
        };
        assert_eq!(
            found(&[("x", 1), ("y", 2), ("y", 2), ("z", 3)]),
            0,
            "once more under the same id is allowed"
        );
        assert_eq!(found(&[("x", 1), ("z", 3)]), 1);
        assert_eq!(found(&[("x", 1), ("z", 3), ("y", 2)]), 1);
        assert_eq!(found(&[("x", 1), ("y", 2), ("v", 2), ("z", 3)]), 1);
    }
}
