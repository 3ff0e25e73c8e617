//! What the broker is given of an e-mail: a letter with the original and its parts, or the news that one of ours did not arrive.

use std::io::Cursor;
use std::sync::Arc;

use model::activity::{Dispatch, DispatchStatus, DispatchStep};
use model::adapter::Host;
use model::case::{File, SealLevel};
use model::command::{Change, Command};
use model::letter::{Enclosure, Hint, HintKind, Letter};
use model::{Failure, Id, Record, RecordKind, Timestamp};
use serde_json::json;

use super::may_pass;
use super::nature::{Outcome, Report};
use super::read::{Attachment, Reading};

/// How sure the case is whose e-mail is answered.
const ANSWERED: u8 = 95;

/// Takes a letter in. If that is refused for good, the original alone is taken in, so that nothing behind it has to wait.
pub(super) async fn take_in(
    host: &dyn Host,
    key: &str,
    date: Timestamp,
    reading: Reading,
    raw: Arc<[u8]>,
) -> Result<(), Failure> {
    let mut hints = reading.hints.clone();
    if let Some(reference) = answered_reference(host, reading.answered).await? {
        hints.insert(
            0,
            Hint {
                kind: HintKind::RecordReference,
                value: reference,
                confidence: ANSWERED,
                place: "in-reply-to".into(),
            },
        );
    }
    let original = File {
        seal_level: reading.is_sealed.then_some(SealLevel::Advanced),
        ..kept(host, "nachricht.eml", "message/rfc822", raw).await?
    };
    let mut letter = Letter {
        key: key.to_owned(),
        way: "mail".into(),
        received_at: date,
        subject: reading.subject.clone(),
        from: reading.from.clone(),
        documents: vec![Enclosure {
            title: reading.subject.unwrap_or_else(|| "E-Mail".into()),
            kind: Some("E-Mail".into()),
            files: vec![original],
        }],
        hints,
        proof: reading.proof,
        concerns: reading.concerns,
        ..Letter::default()
    };
    let bare = letter.clone();
    enclose(host, &mut letter, reading.text, reading.decrypted, reading.attachments).await?;
    match host.take_in(letter).await {
        Err(failure) if !may_pass(&failure) => {
            tracing::warn!(key, code = &*failure.code, "an e-mail is taken in without its parts");
            let mut bare = Letter { hints: vec![], ..bare };
            bare.concerns.push("post.mail-unreadable");
            host.take_in(bare).await.map(drop)
        }
        taken => taken.map(drop),
    }
}

/// Adds what stands in the e-mail.
async fn enclose(
    host: &dyn Host,
    letter: &mut Letter,
    text: String,
    decrypted: Option<Vec<u8>>,
    attachments: Vec<Attachment>,
) -> Result<(), Failure> {
    if let Some(first) = letter.documents.first_mut() {
        if let Some(plain) = decrypted {
            first.files.push(kept(host, "nachricht-entschluesselt.eml", "message/rfc822", plain).await?);
        }
        if !text.trim().is_empty() {
            first
                .files
                .push(kept(host, "nachricht.txt", "text/plain; charset=utf-8", text.into_bytes()).await?);
        }
    }
    for (at, attachment) in attachments.into_iter().enumerate() {
        let name = format!("anlage-{:02}.{}", at + 1, attachment.ending);
        let media_type = attachment.media_type.as_deref().unwrap_or("application/octet-stream");
        let mut file = kept(host, &name, media_type, attachment.bytes).await?;
        file.original_name = Some(attachment.title.clone());
        letter.documents.push(Enclosure { title: attachment.title, kind: None, files: vec![file] });
    }
    Ok(())
}

/// What is not read as a whole, by the rule that says why: its header, for somebody who then looks into the mailbox.
pub(super) async fn header_alone(
    host: &dyn Host,
    key: &str,
    date: Timestamp,
    header: Vec<u8>,
    rule: &'static str,
) -> Result<(), Failure> {
    let head = mail_parser::MessageParser::default().parse_headers(&header);
    let plain = |text: &str| -> String { text.chars().filter(|it| !it.is_control()).take(200).collect() };
    let subject = head.as_ref().and_then(|it| it.subject()).map(plain);
    let from = head.as_ref().and_then(|it| it.from()?.first()?.address().map(plain));
    let file = kept(host, "kopf.txt", "text/plain", header).await?;
    let title = subject.clone().unwrap_or_else(|| "E-Mail".into());
    let letter = Letter {
        key: key.to_owned(),
        way: "mail".into(),
        received_at: date,
        subject,
        from,
        documents: vec![Enclosure { title, kind: Some("E-Mail".into()), files: vec![file] }],
        proof: json!({ "whole": false }),
        concerns: vec![rule],
        ..Letter::default()
    };
    host.take_in(letter).await.map(drop)
}

/// What a report has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is about nothing that went out from here, or does not say what became of it.
    Nothing,
    /// It is noted at its dispatch.
    Noted,
    /// Its dispatch has failed.
    Failed,
}

/// Tells the dispatch that a report is about. Anybody can write a report: it has to name the e-mail that this dispatch was sent as, and its
/// addressee.
pub(super) async fn reported(host: &dyn Host, key: &str, report: &Report) -> Result<Told, Failure> {
    let Some((message_id, id)) = &report.about else { return Ok(Told::Nothing) };
    let Some(dispatch) = dispatch(host, *id).await? else { return Ok(Told::Nothing) };
    let Some(Outcome { action: Some(action), status, .. }) = outcome(&dispatch, message_id, report) else {
        return Ok(Told::Nothing);
    };
    host.note(key, RecordKind::Dispatch, *id, json!({ "report": action, "status": status })).await?;
    if *action != "failed" {
        return Ok(Told::Noted);
    }
    let last = dispatch.steps.last().map(|step| step.at);
    let step = DispatchStep { kind: DispatchStatus::Failed, at: host.now().max(last.unwrap_or_default()) };
    let change = Change::DispatchStep(step, None);
    let command = Command { kind: RecordKind::Dispatch, id: *id, expected: None, change };
    match host.submit(&format!("{key}:failed"), command).await {
        // It is noted; that the record takes no further step changes nothing about it.
        Err(failure) if !may_pass(&failure) => Ok(Told::Failed),
        submitted => submitted.map(|_| Told::Failed),
    }
}

/// What the report says of the dispatch's own addressee.
fn outcome<'a>(dispatch: &Dispatch, message_id: &str, report: &'a Report) -> Option<&'a Outcome> {
    let sent_as = dispatch.reference.as_deref()?.trim_matches(['<', '>']);
    let to = dispatch.to.as_ref()?.email.as_deref()?.to_ascii_lowercase();
    let is_it = dispatch.way.as_deref() == Some("mail") && sent_as.eq_ignore_ascii_case(message_id);
    report.outcomes.iter().find(|outcome| is_it && outcome.recipients.contains(&to))
}

async fn dispatch(host: &dyn Host, id: Id) -> Result<Option<Dispatch>, Failure> {
    match host.record(RecordKind::Dispatch, id).await? {
        Some(Record::Dispatch(dispatch)) => Ok(Some(dispatch)),
        _ => Ok(None),
    }
}

/// The Aktenzeichen of the case whose dispatch is answered.
async fn answered_reference(host: &dyn Host, answered: Option<Id>) -> Result<Option<String>, Failure> {
    let Some(answered) = answered else { return Ok(None) };
    let Some(dispatch) = dispatch(host, answered).await? else { return Ok(None) };
    match host.record(RecordKind::Case, dispatch.case_id).await? {
        Some(Record::Case(case)) => Ok(case.description.record_reference),
        _ => Ok(None),
    }
}

async fn kept<B>(host: &dyn Host, name: &str, media_type: &str, bytes: B) -> Result<File, Failure>
where
    B: AsRef<[u8]> + Send + Unpin + 'static,
{
    let content = host.keep(Box::new(Cursor::new(bytes))).await?;
    Ok(File {
        name: name.to_owned(),
        media_type: Some(media_type.to_owned()),
        content: Some(content),
        ..File::default()
    })
}
