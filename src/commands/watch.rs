//! `amtsbote retention …`, `person …` and `alert …`: what is kept and deleted, what is known of persons, and who is told when.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use broker::{AlertNow, AlertSent, DeletionProof, PersonBy, RetentionRun, verify_deletion};
use cli::{AlertCommand, Named, OfTenant, PersonCommand, RetentionCommand};
use model::{Caller, Role};
use output::{print, table};
use seal::evidence_key::EvidencePublicKey;
use serde_json::{Value, json};

use crate::commands::{OnStore, Outcome};
use crate::error::Error;

/// Runs that are listed.
const RUNS: u32 = 50;

impl OnStore {
    /// `amtsbote retention …`
    pub(crate) async fn retention(&self, command: RetentionCommand) -> Outcome {
        let broker = &self.gateway.broker;
        match command {
            RetentionCommand::Plan { most, of } => {
                let plan = broker.retention_plan(&self.caller(&of)?, most).await?;
                let kept = plan.kept.iter().map(|kept| {
                    json!({ "kind": kept.kind, "subject": kept.subject, "since": kept.since, "reason": kept.reason })
                });
                let shown = json!({
                    "days": broker.keeping(), "due": plan.due, "kept": kept.collect::<Vec<_>>(), "more": plan.more,
                });
                print(self.as_json, &shown, |shown| {
                    let due = table(&shown["due"], &["kind", "subject", "unit", "since", "bytes"]);
                    let kept = table(&shown["kept"], &["kind", "subject", "since", "reason"]);
                    format!("goes:\n{due}\nstays:\n{kept}")
                });
            }
            RetentionCommand::Run { of } => {
                let begun = broker.start_retention(&self.caller(&of)?).await?;
                print(self.as_json, &run(&begun), |_| format!("{}: begun; the gateway does it", begun.id));
            }
            RetentionCommand::List { of } => {
                let runs = broker.retention_runs(&self.caller(&of)?, RUNS).await?;
                let runs = json!({ "items": runs.iter().map(run).collect::<Vec<_>>() });
                print(self.as_json, &runs, |runs| {
                    table(&runs["items"], &["id", "startedAt", "endedAt", "deleted", "kept", "root"])
                });
            }
            RetentionCommand::Proof { run, output, of } => {
                let proof = json!(broker.retention_proof(&self.caller(&of)?, run).await?);
                let Some(file) = output else {
                    output::line(&format!("{proof:#}"));
                    return Ok(ExitCode::SUCCESS);
                };
                std::fs::write(&file, format!("{proof:#}\n"))
                    .map_err(|reason| Error::File { file: file.clone(), reason })?;
                print(self.as_json, &json!({ "file": file }), |_| format!("{}: written", file.display()));
            }
            RetentionCommand::Verify { proof, key } => return verify(&proof, &key, self.as_json),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// `amtsbote person …`
    pub(crate) async fn person(&self, command: PersonCommand) -> Outcome {
        let broker = &self.gateway.broker;
        match command {
            PersonCommand::Find { who, of } => {
                let found = broker.person(&self.person_caller(&of)?, &by(who)?).await?;
                print(self.as_json, &json!(found), |found| {
                    table(&found["places"], &["kind", "id", "unit", "recordReference", "roles", "status"])
                });
            }
            PersonCommand::Export { who, output, of } => {
                let (caller, who) = (self.person_caller(&of)?, by(who)?);
                let unwritable = |reason| Error::File { file: output.clone(), reason };
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&output);
                let exported = broker.export_person(&caller, &who, file.map_err(unwritable)?).await;
                let file = match exported {
                    Ok(file) => file,
                    Err(error) => {
                        // Half of it would pass for all.
                        std::fs::remove_file(&output).map_err(unwritable)?;
                        return Err(error.into());
                    }
                };
                file.sync_all().map_err(unwritable)?;
                let bytes = file.metadata().map_err(unwritable)?.len();
                print(self.as_json, &json!({ "file": output, "bytes": bytes }), |_| {
                    format!("{}: {bytes} bytes", output.display())
                });
            }
            PersonCommand::Erase { who, withdrawn, of } => {
                let caller = self.person_caller(&of)?;
                let outcome = broker.erase_person(&caller, &by(who)?, withdrawn.as_deref()).await?;
                print(self.as_json, &json!(outcome), |shown| {
                    if outcome.asked {
                        return "asked for: a second person has to ask for the same".to_owned();
                    }
                    let stays = table(&shown["stays"], &["kind", "id", "reason"]);
                    format!("erased from {} records\nstays:\n{stays}", outcome.erased.len())
                });
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Whoever reaches the store's keys may give out what is known.
    fn person_caller(&self, of: &OfTenant) -> Result<Caller, Error> {
        let mut caller = self.caller(of)?;
        caller.roles.push(Role::Admin);
        Ok(caller)
    }

    /// `amtsbote alert …`
    pub(crate) async fn alert(&self, command: AlertCommand) -> Outcome {
        let broker = &self.gateway.broker;
        match command {
            AlertCommand::List { of } => {
                let alerts = broker.alerts(&self.caller(&of)?).await?;
                let alerts = json!({ "items": alerts.iter().map(alert).collect::<Vec<_>>() });
                print(self.as_json, &alerts, |alerts| {
                    table(
                        &alerts["items"],
                        &[
                            "id", "severity", "series", "label", "rule", "firing", "since", "value",
                            "toldAt", "failed",
                        ],
                    )
                });
                Ok(ExitCode::SUCCESS)
            }
            AlertCommand::Test { id, of } => {
                let sent = broker.test_alert(&self.caller(&of)?, &id).await?;
                let failed = sent.iter().any(|sent| sent.code.is_some());
                let shown = |sent: &AlertSent| json!({ "to": sent.to, "code": sent.code });
                let items = json!({ "items": sent.iter().map(shown).collect::<Vec<_>>() });
                print(self.as_json, &items, |items| table(&items["items"], &["to", "code"]));
                Ok(u8::from(failed).into())
            }
        }
    }
}

/// `amtsbote retention verify`: needs neither configuration nor store.
pub(crate) fn verify(proof: &Path, key: &Path, as_json: bool) -> Outcome {
    let read = |file: &Path| {
        let unreadable = |reason| Error::File { file: file.to_owned(), reason };
        std::fs::read_to_string(file).map_err(unreadable)
    };
    let public = EvidencePublicKey::from_pem(&read(key)?)?;
    let parsed: Result<DeletionProof, _> = serde_json::from_str(&read(proof)?);
    let outcome =
        parsed.map_err(|_| "evidence.line-invalid").and_then(|it| verify_deletion(&it, &public).map(|()| it));
    let shown = match &outcome {
        Ok(it) => json!({ "ok": true, "run": it.run, "deleted": it.items.len(), "code": null }),
        Err(code) => json!({ "ok": false, "code": code }),
    };
    print(as_json, &shown, |_| match &outcome {
        Ok(it) => format!("{}: whole and unchanged; {} lines", proof.display(), it.items.len()),
        Err(code) => format!("{}: {code}", proof.display()),
    });
    Ok(u8::from(outcome.is_err()).into())
}

fn by(named: Named) -> Result<PersonBy, Error> {
    Ok(match named {
        Named { reference: Some(reference), .. } => PersonBy::Reference(reference),
        Named { phone: Some(number), .. } => PersonBy::Phone(number),
        Named { email: Some(address), .. } => PersonBy::Email(address),
        Named { family_name: Some(family_name), given_name, born: Some(born), .. } => {
            PersonBy::Born { family_name, given_name, born }
        }
        _ => {
            return Err(Error::Usage(
                "name a reference, a name with a day of birth, a number or an address".to_owned(),
            ));
        }
    })
}

fn run(run: &RetentionRun) -> Value {
    json!({
        "id": run.id,
        "startedAt": run.started_at,
        "endedAt": run.ended_at,
        "deleted": run.deleted,
        "kept": run.body["kept"],
        "root": run.root,
    })
}

fn alert(alert: &AlertNow) -> Value {
    json!({
        "id": alert.id,
        "severity": alert.severity,
        "series": alert.series,
        "label": alert.label,
        "rule": alert.rule,
        "firing": alert.firing,
        "since": alert.since,
        "value": alert.value,
        "toldAt": alert.told_at,
        "failed": alert.failed,
    })
}
