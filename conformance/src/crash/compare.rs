//! Holds what was seen against what was told. Pure, so that every way to fail can be tested.

use std::collections::{BTreeMap, BTreeSet};

use super::outside::{self, Given};
use super::seen::{Seen, SeenExchange, other};
use super::told::{Told, ToldExchange};

/// Something that is not as clients were told, or is there twice. Each begins with a short word for
/// the invariant that it breaks.
pub(super) type Discrepancy = String;

/// Everything that does not fit; empty if all is well.
pub(super) fn compare(told: &Told, seen: &Seen, given: &Given) -> Vec<Discrepancy> {
    let mut found = vec![];
    records(told, seen, &mut found);
    contents(told, seen, &mut found);
    messages(told, seen, &mut found);
    mailboxes(told, seen, &mut found);
    for exchange in &told.exchanges {
        let reported = told.reported.contains(&exchange.process_id);
        exchange_effects(exchange, reported, seen, &mut found);
    }
    events(told, seen, &mut found);
    deliveries(told, seen, given, &mut found);
    let numbers = |tenant: &str| -> Vec<u64> {
        let events = seen.events.iter().filter(|(known, _)| **known == tenant).flat_map(|(_, events)| events);
        events.map(|(number, _)| *number).collect()
    };
    outside::hooks(given, &numbers, &mut found);
    let broken = seen.evidence.iter().filter(|(_, whole)| !whole);
    found.extend(broken.map(|(root, _)| format!("evidence: the bundle of {root} is not whole")));
    found
}

fn records(told: &Told, seen: &Seen, found: &mut Vec<Discrepancy>) {
    for record in &told.records {
        let there = seen.records.iter().find(|known| known.tenant == record.tenant && known.id == record.id);
        match there {
            None => found.push(format!("lost: {} {} of {}", record.route, record.id, record.tenant)),
            Some(known) if known.version < record.version || known.title != record.title => {
                found.push(format!("undone: {} {} is older than was told", record.route, record.id));
            }
            Some(_) => {}
        }
    }
    let mut titles = BTreeSet::new();
    for record in &seen.records {
        if !record.title.is_empty() && !titles.insert((record.tenant, record.route, &record.title)) {
            found.push(format!("doubled: {} {} of {}", record.route, record.id, record.tenant));
        }
    }
}

fn contents(told: &Told, seen: &Seen, found: &mut Vec<Discrepancy>) {
    for content in &told.contents {
        let fetched =
            seen.contents.get(&(content.tenant, content.document.clone())).map_or("", String::as_str);
        if fetched != content.sha256 {
            let what = if fetched.is_empty() { "lost" } else { "changed" };
            found.push(format!("{what}: the file of document {}", content.document));
        }
    }
}

fn messages(told: &Told, seen: &Seen, found: &mut Vec<Discrepancy>) {
    for message in &told.messages {
        let there =
            seen.messages.iter().find(|known| known.tenant == message.tenant && known.id == message.id);
        match there {
            None => found.push(format!("lost: message {}", message.id)),
            Some(known) if known.sha256 != message.sha256 => {
                found.push(format!("changed: message {}", message.id))
            }
            Some(_) => {}
        }
    }
    let mut own_ids = BTreeSet::new();
    let waiting: BTreeSet<&String> = seen
        .inbox
        .iter()
        .filter(|(_, _, state)| state == "available" || state == "handedOut")
        .map(|(_, id, _)| id)
        .collect();
    for message in &seen.messages {
        let is_known = !message.own_id.is_empty() && message.state != "returned";
        if is_known && !own_ids.insert((message.tenant, &message.direction, &message.own_id)) {
            found.push(format!("doubled: message {} has the process and type of another", message.id));
        }
        if message.state != "returned" && message.fetched != message.sha256 {
            found.push(format!("lost: the bytes of message {}", message.id));
        }
        match message.state.as_str() {
            "confirmed" | "returned" => {}
            // What is sent to authorities outside is looked at by itself.
            "parked" if told.sent.iter().any(|sent| sent.message == message.id) => {}
            // Nothing else that the load sends is unclear: a clarification is an effect that got lost.
            "parked" => found.push(format!("parked: message {} ({})", message.id, message.own_id)),
            "processed" if waiting.contains(&message.id) => {}
            state => found.push(format!("stuck: message {} ({}) is {state}", message.id, message.own_id)),
        }
    }
}

/// Each message to an authority outside has arrived as often as it may, or is for a human, with one task.
fn deliveries(told: &Told, seen: &Seen, given: &Given, found: &mut Vec<Discrepancy>) {
    for sent in &told.sent {
        let there =
            seen.messages.iter().find(|known| known.tenant == sent.tenant && known.id == sent.message);
        let Some(message) = there else {
            found.push(format!("lost: message {} to the outside", sent.message));
            continue;
        };
        let wrong = outside::delivery(&sent.message, sent.may_repeat, &message.state, &message.rule, given);
        found.extend(wrong);
        let tasks = seen.clarifications.iter().filter(|(_, id)| *id == sent.message).count();
        if tasks != usize::from(message.state == "parked") {
            found.push(format!(
                "effects: message {} is {} and has {tasks} tasks",
                sent.message, message.state
            ));
        }
    }
}

fn mailboxes(told: &Told, seen: &Seen, found: &mut Vec<Discrepancy>) {
    let mut known = BTreeSet::new();
    for (tenant, message, _) in &seen.inbox {
        if !known.insert((tenant, message)) {
            found.push(format!("doubled: message {message} lies twice in the mailbox of {tenant}"));
        }
    }
    for (tenant, message) in &told.confirmed {
        let is_confirmed =
            |(t, m, state): &&(&str, String, String)| t == tenant && m == message && state == "confirmed";
        if seen.inbox.iter().find(is_confirmed).is_none() {
            found.push(format!("undone: the confirmation of message {message} by {tenant}"));
        }
    }
}

/// One received exchange, one receipt and one import confirmation for each hand-over.
fn exchange_effects(told: &ToldExchange, reported: bool, seen: &Seen, found: &mut Vec<Discrepancy>) {
    let process = &told.process_id;
    let sides = [("sender", told.tenant), ("receiver", other(told.tenant))];
    for (side, tenant) in sides {
        let is_it = |known: &&SeenExchange| {
            known.tenant == tenant && known.side == side && known.process_id == *process
        };
        let exchanges: Vec<&SeenExchange> = seen.exchanges.iter().filter(is_it).collect();
        let [exchange] = exchanges[..] else {
            found.push(format!("effects: {} exchanges of process {process} at the {side}", exchanges.len()));
            continue;
        };
        let mut types: BTreeMap<&str, u32> = BTreeMap::new();
        for message_type in &exchange.messages {
            *types.entry(message_type).or_default() += 1;
        }
        let wanted: &[&str] = if reported { &["0401", "0402", "0403"] } else { &["0401", "0403"] };
        for message_type in wanted {
            let times = types.get(message_type).copied().unwrap_or_default();
            if times != 1 {
                found.push(format!(
                    "effects: {message_type} of process {process} {times} times at the {side}"
                ));
            }
        }
        if reported && exchange.status != "confirmed" {
            found.push(format!("effects: process {process} is {} at the {side}", exchange.status));
        }
    }
}

fn events(told: &Told, seen: &Seen, found: &mut Vec<Discrepancy>) {
    for (tenant, events) in &seen.events {
        let numbers = events.iter().map(|(number, _)| *number);
        if !numbers.eq(1..=events.len() as u64) {
            found.push(format!("feed: the numbers of {tenant} are not 1, 2, 3 …"));
        }
    }
    for ((tenant, number), event) in &told.events {
        let all = seen.events.get(tenant).map_or(&[][..], Vec::as_slice);
        if !all.iter().any(|(known, now)| known == number && now == event) {
            found.push(format!("feed: event {number} of {tenant} is not what it was"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::seen::{SeenMessage, SeenRecord};
    use super::super::told::{ToldContent, ToldMessage, ToldRecord};
    use super::*;
    use crate::gateway::{COUNTY, TOWN};

    /// One of everything, and a gateway that shows all of it.
    fn whole() -> (Told, Seen) {
        let record =
            ToldRecord { tenant: COUNTY, route: "case-files", id: "r".into(), title: "t".into(), version: 2 };
        let told = Told {
            records: vec![record],
            contents: vec![ToldContent { tenant: COUNTY, document: "d".into(), sha256: "1".into() }],
            messages: vec![ToldMessage { tenant: COUNTY, id: "m".into(), sha256: "2".into() }],
            exchanges: vec![ToldExchange { tenant: COUNTY, id: "x".into(), process_id: "p".into() }],
            sent: vec![],
            reported: ["p".to_owned()].into(),
            confirmed: vec![(COUNTY, "m".into())],
            events: [((COUNTY, 1), json!({ "id": "e" }))].into(),
        };
        let exchange = |tenant, side: &str| SeenExchange {
            tenant,
            side: side.into(),
            process_id: "p".into(),
            status: "confirmed".into(),
            messages: ["0401", "0403", "0402"].map(String::from).to_vec(),
        };
        let message = SeenMessage {
            tenant: COUNTY,
            id: "m".into(),
            direction: "in".into(),
            state: "confirmed".into(),
            own_id: "q:0401".into(),
            rule: String::new(),
            sha256: "2".into(),
            fetched: "2".into(),
        };
        let seen = Seen {
            records: vec![SeenRecord {
                tenant: COUNTY,
                route: "case-files",
                id: "r".into(),
                title: "t".into(),
                version: 2,
            }],
            contents: [((COUNTY, "d".to_owned()), "1".to_owned())].into(),
            clarifications: vec![],
            messages: vec![message],
            exchanges: vec![exchange(COUNTY, "sender"), exchange(TOWN, "receiver")],
            inbox: vec![(COUNTY, "m".into(), "confirmed".into())],
            events: [(COUNTY, vec![(1, json!({ "id": "e" }))])].into(),
            evidence: vec![("r".into(), true)],
        };
        (told, seen)
    }

    /// Damages what is seen and returns what the comparison says.
    fn damaged(damage: impl Fn(&mut Seen)) -> String {
        let (told, mut seen) = whole();
        damage(&mut seen);
        compare(&told, &seen, &Given::default()).join("\n")
    }

    #[test]
    fn nothing_is_found_where_everything_is_as_told() {
        let (told, seen) = whole();
        assert_eq!(compare(&told, &seen, &Given::default()), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_lost_is_found() {
        assert!(damaged(|seen| seen.records.clear()).contains("lost: case-files r"));
        assert!(damaged(|seen| seen.records[0].version = 1).contains("undone: case-files r"));
        assert!(damaged(|seen| seen.contents.clear()).contains("lost: the file of document d"));
        assert!(damaged(|seen| seen.messages.clear()).contains("lost: message m"));
        assert!(damaged(|seen| seen.messages[0].fetched.clear()).contains("lost: the bytes of message m"));
        assert!(damaged(|seen| seen.inbox.clear()).contains("undone: the confirmation of message m"));
        assert!(
            damaged(|seen| {
                seen.exchanges[1].messages.pop();
            })
            .contains("effects: 0402 of process p 0 times")
        );
        assert!(
            damaged(|seen| {
                seen.exchanges.pop();
            })
            .contains("effects: 0 exchanges")
        );
        assert!(damaged(|seen| seen.events.clear()).contains("feed: event 1"));
    }

    #[test]
    fn whatever_is_doubled_is_found() {
        assert!(
            damaged(|seen| {
                let twin = SeenRecord { id: "r2".into(), ..seen.records[0].clone() };
                seen.records.push(twin);
            })
            .contains("doubled: case-files r2")
        );
        assert!(
            damaged(|seen| {
                let twin = SeenMessage { id: "m2".into(), ..seen.messages[0].clone() };
                seen.messages.push(twin);
            })
            .contains("doubled: message m2")
        );
        assert!(
            damaged(|seen| seen.inbox.push(seen.inbox[0].clone())).contains("doubled: message m lies twice")
        );
        assert!(
            damaged(|seen| seen.exchanges.push(seen.exchanges[1].clone())).contains("effects: 2 exchanges")
        );
        assert!(
            damaged(|seen| seen.exchanges[0].messages.push("0403".into()))
                .contains("0403 of process p 2 times")
        );
    }

    #[test]
    fn whatever_is_changed_or_stuck_is_found() {
        assert!(
            damaged(|seen| {
                seen.contents.insert((COUNTY, "d".into()), "9".into());
            })
            .contains("changed: the file of document d")
        );
        assert!(damaged(|seen| seen.messages[0].sha256 = "9".into()).contains("changed: message m"));
        assert!(damaged(|seen| seen.messages[0].state = "accepted".into()).contains("stuck: message m"));
        assert!(damaged(|seen| seen.messages[0].state = "parked".into()).contains("parked: message m"));
        assert!(
            damaged(|seen| seen.exchanges[0].status = "received".into())
                .contains("is received at the sender")
        );
        assert!(damaged(|seen| seen.evidence[0].1 = false).contains("evidence: the bundle of r"));
        assert!(
            damaged(|seen| {
                seen.events.insert(COUNTY, vec![(1, json!({ "id": "e" })), (3, json!({}))]);
            })
            .contains("feed: the numbers")
        );
    }
}
