//! `amtsbote message …`: what waits and why, in plain words, and what is done about it. Never content.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use broker::{ClarificationFilter, MessageFilter, Page, Redrive, RedriveState};
use model::clarification::{self, Act, Attempt, Clarification, Side};
use model::{Caller, Finding, catalog};
use serde_json::{Value, json};

use crate::commands::{OnStore, Outcome};
use cli::{Language, MessageCommand, OneMessage, Resend};
use output::{harmless, print, table};

/// Events shown of a message.
const TIMELINE: u32 = 1_000;

/// Pause between two looks at an operation.
const LOOK: Duration = Duration::from_millis(250);

/// An operation that does not go on for so long has no gateway that works on it.
const PATIENCE: Duration = Duration::from_secs(30);

impl OnStore {
    /// `amtsbote message …`
    pub(crate) async fn message(&self, command: MessageCommand, language: Language) -> Outcome {
        let broker = &self.gateway.broker;
        let message = match command {
            MessageCommand::List { parked: true, partner, after, limit, of, .. } => {
                let filter = ClarificationFilter { partner, ..ClarificationFilter::default() };
                let caller = self.caller(&of)?;
                return self.list_parked(&caller, &filter, &Page { after, limit }, language).await;
            }
            MessageCommand::List { state, message_type, partner, after, limit, of, .. } => {
                let filter = MessageFilter { state, message_type, partner, ..MessageFilter::default() };
                let page = Page { after, limit };
                let listed = broker.messages(&self.caller(&of)?, &filter, &page).await?;
                let listed = json!({ "items": listed.items, "next": listed.next });
                print(self.as_json, &listed, |list| {
                    let columns =
                        ["id", "direction", "state", "identity.name", "partner", "unit", "updatedAt"];
                    table(&list["items"], &columns)
                });
                return Ok(ExitCode::SUCCESS);
            }
            MessageCommand::Show(one) => return self.show_message(&one, language).await,
            MessageCommand::Resend(Resend { id: Some(id), note, of, .. }) => {
                broker.resend(&self.caller(&of)?, id, note.as_deref(), None).await?
            }
            MessageCommand::Resend(all) => return self.resend_all(all).await,
            MessageCommand::Park(noted) => {
                let caller = self.caller(&noted.one.of)?;
                broker.park_by_hand(&caller, noted.one.id, noted.note.as_deref(), None).await?
            }
            MessageCommand::Return(noted) => {
                let caller = self.caller(&noted.one.of)?;
                broker.return_by_hand(&caller, noted.one.id, None, noted.note.as_deref(), None).await?
            }
            MessageCommand::Forward { one: noted, to } => {
                let caller = self.caller(&noted.one.of)?;
                broker.forward(&caller, noted.one.id, &to, noted.note.as_deref(), None).await?
            }
        };
        print(self.as_json, &json!(message), |_| format!("{}: {}", message.id, message.state.name()));
        Ok(ExitCode::SUCCESS)
    }

    async fn list_parked(
        &self,
        caller: &Caller,
        filter: &ClarificationFilter,
        page: &Page,
        language: Language,
    ) -> Outcome {
        let listed = self.gateway.broker.clarifications(caller, filter, page).await?;
        let items: Vec<Value> = listed.items.iter().map(|found| brief(found, language)).collect();
        print(self.as_json, &json!({ "items": items, "next": listed.next }), |list| {
            table(&list["items"], &["id", "since", "direction", "partner", "rule", "side", "says"])
        });
        Ok(ExitCode::SUCCESS)
    }

    async fn show_message(&self, one: &OneMessage, language: Language) -> Outcome {
        let broker = &self.gateway.broker;
        let caller = self.caller(&one.of)?;
        let message = broker.message(&caller, one.id).await?;
        let events = broker.message_timeline(&caller, one.id, &Page::first(TIMELINE)).await?;
        let events = events.iter().map(|(number, event)| {
            json!({ "number": number, "at": event.at, "kind": event.kind, "actor": event.actor })
        });
        let mut shown = json!({ "message": message, "timeline": events.collect::<Vec<_>>() });
        let mut explanation = String::new();
        if message.state == model::MessageState::Parked {
            let (found, attempts) = broker.clarification(&caller, one.id).await?;
            let acts = broker.acts(&caller, &found);
            explanation = explain(&found, &attempts, &acts, language) + "\n\n";
            shown["clarification"] = brief(&found, language);
            shown["clarification"]["attempts"] = json!(attempts);
            shown["clarification"]["actions"] = json!(acts);
        }
        print(self.as_json, &shown, |shown| {
            let timeline = table(&shown["timeline"], &["at", "kind", "actor.id", "number"]);
            let message = serde_json::to_string_pretty(&shown["message"]).unwrap_or_default();
            format!("{explanation}{message}\n\n{timeline}")
        });
        Ok(ExitCode::SUCCESS)
    }

    /// Begins, and shows the progress that the workers of the running gateway make.
    async fn resend_all(&self, all: Resend) -> Outcome {
        let broker = &self.gateway.broker;
        let caller = self.caller(&all.of)?;
        let Resend { partner, rule, since, limit, note, .. } = all;
        let wanted = Redrive { partner, rule, since, limit, note };
        if all.dry_run {
            let matched = broker.count_redrive(&caller, &wanted).await?;
            print(self.as_json, &json!({ "matched": matched }), |_| format!("{matched} messages match"));
            return Ok(ExitCode::SUCCESS);
        }
        let mut operation = broker.start_redrive(&caller, &wanted, None).await?;
        let bar = output::count(operation.matched);
        let mut moved = (Instant::now(), 0);
        while operation.state == "running" && moved.0.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
            operation = broker.operation(&caller, operation.id).await?;
            let done = operation.resent + operation.passed;
            bar.set_position(done);
            if done > moved.1 {
                moved = (Instant::now(), done);
            }
        }
        bar.finish_and_clear();
        let RedriveState { id, state, matched, resent, passed, .. } = &operation;
        print(self.as_json, &json!(operation), |_| {
            format!("{id}: {state}; {resent} of {matched} sent again, {passed} moved meanwhile or barred")
        });
        Ok(u8::from(state != "done").into())
    }
}

/// A clarification in one line.
fn brief(found: &Clarification, language: Language) -> Value {
    let message = &found.message;
    let finding = message.report.as_ref().and_then(clarification::leading);
    json!({
        "id": message.id,
        "since": found.since,
        "direction": message.direction,
        "partner": message.partner,
        "unit": message.unit,
        "rule": found.rule,
        "side": found.side,
        "file": finding.and_then(|finding| finding.file.as_ref()),
        "line": finding.and_then(|finding| finding.line),
        "path": finding.and_then(|finding| finding.path.as_ref()),
        "task": found.task,
        "says": sentence(&found.rule, finding, language),
    })
}

/// A clarification in plain words.
fn explain(found: &Clarification, attempts: &[Attempt], acts: &[Act], language: Language) -> String {
    let german = language == Language::De;
    let say = |de: &'static str, en: &'static str| if german { de } else { en };
    let message = &found.message;
    let finding = message.report.as_ref().and_then(clarification::leading);
    let mut lines = vec![
        format!("{} {}", say("Wartet seit", "Waiting since"), found.since),
        format!("{} [{}]", sentence(&found.rule, finding, language), found.rule),
    ];
    let place = finding.map(place).unwrap_or_default();
    if !place.is_empty() {
        lines.push(format!("{}: {place}", say("Stelle", "Place")));
    }
    lines.push(format!("{}: {}", say("Gegenüber", "Partner"), harmless(&message.partner)));
    let side = match found.side {
        Side::Sender => say("der Absender", "the sender"),
        Side::Recipient => say("der Empfänger", "the recipient"),
        Side::Us => say("wir", "we"),
    };
    lines.push(format!("{}: {side}", say("Handeln muss", "Who must act")));
    for attempt in attempts {
        let Attempt { at, kind, actor, code, .. } = attempt;
        let code = code.as_deref().map(|code| format!(" [{code}]")).unwrap_or_default();
        let kind = json!(kind).as_str().unwrap_or_default().to_owned();
        lines.push(format!("  {at}  {kind}  {}{}", harmless(&actor.id), harmless(&code)));
    }
    let acts: Vec<&str> = acts.iter().map(|act| word(*act, german)).collect();
    lines.push(format!("{}: {}", say("Möglich", "Possible"), acts.join(", ")));
    lines.join("\n")
}

fn word(act: Act, german: bool) -> &'static str {
    match (act, german) {
        (Act::Resend, true) => "erneut versuchen (resend)",
        (Act::Resend, false) => "try again (resend)",
        (Act::Repair, true) => "berichtigen (REST: repair)",
        (Act::Repair, false) => "mend (REST: repair)",
        (Act::Return, true) => "zurückgeben (return)",
        (Act::Return, false) => "send back (return)",
        (Act::Forward, true) => "an die zuständige Behörde abgeben (forward)",
        (Act::Forward, false) => "hand to the competent authority (forward)",
    }
}

fn place(finding: &Finding) -> String {
    let line = finding.line.map(|line| line.to_string());
    let parts = [finding.file.as_deref(), line.as_deref(), finding.path.as_deref()];
    harmless(&parts.into_iter().flatten().collect::<Vec<_>>().join(" : "))
}

/// What the rule means; its code where it is a county's own.
fn sentence(rule: &str, finding: Option<&Finding>, language: Language) -> String {
    let Some(sentence) = catalog::sentence(rule) else { return harmless(rule) };
    let text = if language == Language::De { &sentence.de } else { &sentence.en };
    harmless(&finding.map_or_else(|| text.clone(), |finding| finding.filled(text)))
}
