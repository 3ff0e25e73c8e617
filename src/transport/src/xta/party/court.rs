//! Submissions to a court by way of a certified gateway in front of a beBPo, which does SAFE, the proof of origin and OSCI: an XJustiz
//! message with its documents, judged by the rules for what courts take, then each of them a content of its own. The form was
//! seen at one sender in production.
//!
//! The `Message` is the text of the transmission; the attachments are `xjustiz_nachricht.xml` and the documents.

use broker::house::CourtForm;
use model::{Failure, FailureKind, Report, Timestamp};
use seal::xmlenc::Staging;
use serde_json::Value;
use xoev::container::Limits;
use xoev::xjustiz::{self, FILE_NAME, Rules, Submission};
use xta::model::{Content, ContentRole, Key, MetaData, Party as Name, Scenario};
use xta::server::backend::Contents;

use super::goods::Goods;
use super::verdict;
use crate::xta::package::media_type;

/// What a message is called that says no file number.
const SUBJECT: &str = "XJustiz-Nachricht";

/// What a court takes at a moment, in a container that may hold what is taken in.
pub(super) fn rules(form: &CourtForm, container: Limits, now: Timestamp) -> Rules {
    let mut rules = Rules { container, ..Rules::at(now) };
    rules.files = form.files.unwrap_or(rules.files);
    rules.bytes = form.megabytes.map_or(rules.bytes, |megabytes| megabytes.saturating_mul(1_000_000));
    rules.formats.extend(form.formats.iter().cloned());
    if !form.versions.is_empty() {
        rules.versions.clone_from(&form.versions);
    }
    rules
}

/// The contents that a court is sent, by its rules; `detail` says what the goods are.
///
/// # Errors
/// Rejected, with every finding, if a court does not take the message.
pub(super) fn unpacked(goods: Goods, detail: &Value, rules: &Rules) -> Result<Goods, Failure> {
    let mut report = Report::default();
    // Whoever has sent it by XTA has given it its form already.
    if detail["container"] == true {
        judge(&goods, rules, &mut report)?;
        return if report.is_acceptable() { Ok(goods) } else { Err(refused(report)) };
    }
    let mut source = goods.all();
    match Submission::open(&mut source, rules, &mut report)? {
        Some(submission) => take_apart(&goods, &submission),
        None => Err(refused(report)),
    }
}

fn refused(report: Report) -> Failure {
    let failure = Failure::new(FailureKind::Rejected, "xta-party.court", "a court does not take it");
    failure.finding(report.findings)
}

/// Judges contents that have their form already.
fn judge(goods: &Goods, rules: &Rules, report: &mut Report) -> Result<(), Failure> {
    let name = |content: &Content| match &content.file_name {
        None if content.role == ContentRole::Message => xjustiz::LETTER.to_owned(),
        // One without a name counts like any, and breaks the rules for names.
        said => said.clone().unwrap_or_default(),
    };
    let files = goods.list().iter().enumerate();
    let files = files.map(|(index, (content, size))| (index, name(content), *size));
    let files: Vec<(usize, String, u64)> = files.filter(|(_, name, _)| name != xjustiz::LETTER).collect();
    let message = files.iter().find(|(_, name, _)| name == FILE_NAME).map(|(index, ..)| *index);
    let said = match message {
        Some(index) => xjustiz::read(goods.open(index).map_err(|error| verdict::ours(&error))?),
        None => Ok(None),
    };
    let files: Vec<(String, u64)> = files.into_iter().map(|(_, name, size)| (name, size)).collect();
    xjustiz::judge(said, &files, rules, report).map(|_| ())
}

/// Each file of a submission as a content, behind the letter.
fn take_apart(goods: &Goods, submission: &Submission) -> Result<Goods, Failure> {
    let ours = |error: xta::Error| verdict::ours(&error);
    let mut source = goods.all();
    let subject = subject(submission);
    let letter = submission.letter.as_deref().filter(|text| !text.trim().is_empty()).unwrap_or(&subject);
    let mut parts = Parts { staging: Staging::new(super::goods::MEMORY, u64::MAX), listed: Vec::new() };
    let text = Content {
        media_type: "text/plain".to_owned(),
        encoding: Some("UTF-8".to_owned()),
        ..Content::default()
    };
    parts.add(text, &mut letter.as_bytes()).map_err(ours)?;
    let each = submission.each(&mut source, |name, bytes| {
        let content = Content {
            role: ContentRole::Attachment,
            media_type: media_type(Some(name)).to_owned(),
            file_name: Some(name.to_owned()),
            ..Content::default()
        };
        parts.add(content, bytes)
    });
    each.map_err(ours)?;
    Ok(Goods::of(parts.staging.finish(), parts.listed, Some(subject)))
}

/// Contents, one behind the other.
struct Parts {
    staging: Staging,
    listed: Vec<(Content, u64)>,
}

impl Parts {
    fn add(&mut self, content: Content, bytes: &mut dyn std::io::Read) -> xta::Result<()> {
        let length = std::io::copy(bytes, &mut self.staging)?;
        self.listed.push((Content { size: Some(length), ..content }, length));
        Ok(())
    }
}

/// What the message is about, in the words that are usual: a court knows it by its file number.
fn subject(submission: &Submission) -> String {
    let number = submission.said.file_number.as_deref();
    match (number, &submission.said.eeb) {
        (Some(number), Some(_)) => format!("EB zu: {number}"),
        (Some(number), None) => format!("Az. {number}"),
        (None, _) => SUBJECT.to_owned(),
    }
}

/// Gives an envelope the form that such a gateway takes. One that came by XTA keeps what its author wrote of its content.
pub(super) fn envelope(meta: MetaData, form: &CourtForm, subject: Option<&str>) -> MetaData {
    let author = Name { scheme: Some(form.author_scheme.clone()), ..meta.author };
    let Some(subject) = subject else { return MetaData { author, ..meta } };
    MetaData {
        author,
        subject: Some(subject.to_owned()),
        service: form.service.clone(),
        scenario: Some(Scenario::Undefined(form.scenario.clone())),
        message_type: Key {
            code: form.message_type.clone(),
            list: form.message_types.clone(),
            version: form.message_types_version.clone(),
            name: None,
        },
        payload_schema: form.payload_schema.clone(),
        ..meta
    }
}

#[cfg(test)]
mod tests;
