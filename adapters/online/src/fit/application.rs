//! What a submission becomes: a letter that opens a case, with the data, the metadata and the events as files of its first document, and a
//! document for each attachment.

use model::adapter::Host;
use model::case::{Description, File, Reference};
use model::letter::{Enclosure, Hint, HintKind, Letter, NewCase};
use model::party::{Contact, Party};
use model::{Failure, PayloadRef};
use serde_json::{Value, json};

use super::fetch::Fetched;
use super::metadata::is_known_channel;
use crate::mapping::{Applied, Mapping, STRANGE, Sources};

/// How it comes in.
pub(crate) const WAY: &str = "fit-connect";
/// Name of the file with the event by which it is accepted.
pub(crate) const ACCEPTANCE: &str = "annahme.jwt";

/// There is no mapping for its service.
pub(crate) const NO_MAPPING: &str = "online.no-mapping";

/// Kinds of references of a case that came by FIT-Connect.
pub(crate) const CASE: &str = "fit-connect-case";
pub(crate) const SUBMISSION: &str = "fit-connect-submission";
const SENDER: &str = "fit-connect-sender";
const BUNDID: &str = "id-bund-application";
/// Name of what the case carries for answers.
const EXTENSION: &str = "fit-connect";
/// Members of the metadata that it carries.
const REPLY: &str = "replyChannel";
const PAYMENT: &str = "paymentInformation";
/// Longest name of a file, title of a document and reference, in characters.
const NAME: usize = 200;
/// Longest member of the metadata that the case carries, in bytes of JSON; the file of the metadata has all of them.
const CARRIED: usize = 32 * 1024;
const TITLE: usize = 500;

/// The letter of a submission; `accepted` is the event by which it will be accepted.
pub(crate) async fn letter(
    host: &dyn Host,
    fetched: &Fetched,
    mapping: Option<&Mapping>,
    accepted: &str,
) -> Result<Letter, Failure> {
    let applied = applied(fetched, mapping);
    let Applied { description, locations, unit, public_service, mut concerns, has_applicant, .. } = applied;
    let subject = Some(description.title.clone());
    let from = description.parties.first().and_then(name);
    let description = with_references(description, fetched, has_applicant);
    if is_cut(&fetched.metadata.json) && !concerns.contains(&STRANGE) {
        concerns.push(STRANGE);
    }
    Ok(Letter {
        key: format!("submission:{}", fetched.at.submission_id),
        way: WAY.to_owned(),
        received_at: fetched.set.at,
        subject,
        from,
        documents: documents(host, fetched, accepted).await?,
        // Whatever is submitted to a case of FIT-Connect that is here already goes into it.
        hints: vec![Hint {
            kind: HintKind::RecordReference,
            value: fetched.at.case_id.to_string(),
            confidence: 100,
            place: EXTENSION.to_owned(),
        }],
        opens: Some(Box::new(NewCase { unit, public_service, description, locations })),
        proof: json!({
            "destination": fetched.at.destination_id,
            "submission": fetched.at.submission_id,
            "case": fetched.at.case_id,
            "submitted": fetched.set.id,
            "authenticationTags": {
                "metadata": fetched.tags.metadata,
                "data": fetched.tags.data,
            },
        }),
        concerns,
        ..Letter::default()
    })
}

/// The case by its mapping; without one, what the service is called.
fn applied(fetched: &Fetched, mapping: Option<&Mapping>) -> Applied {
    let untitled = match fetched.service.name.trim() {
        "" => fetched.service.identifier.as_str(),
        name => name,
    };
    let sources = Sources { data: &fetched.tree, metadata: &fetched.metadata.json };
    match mapping {
        Some(mapping) => mapping.apply(&sources, untitled),
        None => Applied {
            description: Description {
                title: untitled.chars().take(TITLE).collect(),
                ..Description::default()
            },
            locations: vec![],
            unit: None,
            public_service: None,
            concerns: vec![NO_MAPPING],
            has_applicant: false,
            rows: vec![],
        },
    }
}

/// A member of the metadata as the case carries it: not if it would make the record too large, and of reply channels only a known one.
fn carried(json: &Value, name: &str) -> Value {
    let member = &json[name];
    let is_known = name != REPLY || is_known_channel(member);
    if is_known && member.to_string().len() <= CARRIED { member.clone() } else { Value::Null }
}

/// Whether the case does not carry what answers need.
fn is_cut(json: &Value) -> bool {
    [REPLY, PAYMENT].iter().any(|name| !json[name].is_null() && carried(json, name).is_null())
}

fn with_references(mut description: Description, fetched: &Fetched, has_applicant: bool) -> Description {
    let json = &fetched.metadata.json;
    let mut add = |kind: &str, value: Option<&str>| {
        let value: String = value.unwrap_or_default().trim().chars().take(NAME).collect();
        if !value.is_empty() && !value.chars().any(char::is_control) {
            description.references.push(Reference { kind: kind.to_owned(), value });
        }
    };
    let (case, submission) = (fetched.at.case_id.to_string(), fetched.at.submission_id.to_string());
    let more = &json["additionalReferenceInfo"];
    add(CASE, Some(&case));
    add(SUBMISSION, Some(&submission));
    add(SENDER, more["senderReference"].as_str());
    add(BUNDID, more["idBundDeApplicationId"].as_str());
    let extension = json!({
        "destinationId": fetched.at.destination_id,
        "submissionId": fetched.at.submission_id,
        "caseId": fetched.at.case_id,
        "publicService": fetched.service.identifier,
        REPLY: carried(json, REPLY),
        PAYMENT: carried(json, PAYMENT),
    });
    description.extensions.insert(EXTENSION.to_owned(), extension);
    reply_channel(&mut description.parties, &json[REPLY], has_applicant);
    description
}

/// Where whoever applies wants to hear of it, if the mapping does not say it.
fn reply_channel(parties: &mut Vec<Party>, channel: &Value, has_applicant: bool) {
    let mailbox = channel["idBundDeMailbox"]["mailboxUuid"].as_str();
    let address = channel["eMail"]["address"].as_str().filter(|it| it.len() <= 320 && it.contains('@'));
    if mailbox.is_none() && address.is_none() {
        return;
    }
    if !has_applicant {
        // It is of whoever applies, and of nobody else whom the form names.
        parties.insert(0, Party { role: Some("applicant".to_owned()), ..Party::default() });
    }
    let Some(party) = parties.first_mut() else { return };
    if let Some(mailbox) = mailbox {
        party.mailbox.get_or_insert_with(|| mailbox.to_owned());
        party.prefers.get_or_insert_with(|| "fit-connect".to_owned());
    }
    if let Some(address) = address {
        if !party.contacts.iter().any(|contact| contact.channel == "email") {
            let value = address.to_owned();
            party.contacts.push(Contact { channel: "email".to_owned(), value, addition: None });
        }
        party.prefers.get_or_insert_with(|| "mail".to_owned());
    }
}

fn name(party: &Party) -> Option<String> {
    let of_person = party.person.as_ref().map(|person| {
        let parts = [&person.given_name, &person.family_name];
        parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
    });
    let of_organisation = party.organisation.as_ref().and_then(|it| it.name.clone());
    let name = of_organisation.or(of_person).filter(|name| !name.is_empty())?;
    Some(name.chars().take(TITLE).collect())
}

async fn documents(host: &dyn Host, fetched: &Fetched, accepted: &str) -> Result<Vec<Enclosure>, Failure> {
    let ending = if fetched.metadata.data.media_type == "application/xml" { "xml" } else { "json" };
    let metadata = kept(host, fetched.metadata.json.to_string()).await?;
    let submitted = kept(host, fetched.set.token.clone()).await?;
    let accepting = kept(host, accepted.to_owned()).await?;
    let set = "application/secevent+jwt";
    let files = vec![
        file(&format!("fachdaten.{ending}"), &fetched.metadata.data.media_type, fetched.data.clone()),
        file("metadaten.json", "application/json", metadata),
        file("einreichung.jwt", set, submitted),
        file(ACCEPTANCE, set, accepting),
    ];
    let kind = Some("Antrag".to_owned());
    let mut documents = vec![Enclosure { title: "Antragsdaten".to_owned(), kind, files }];
    for (attachment, content) in &fetched.attachments {
        let name = attachment.file_name.as_deref().map_or_else(|| "anlage".to_owned(), file_name);
        let words = attachment.description.as_deref().map(line).filter(|it| !it.is_empty());
        let mut file = file(&name, &attachment.media_type, content.clone());
        file.original_name.clone_from(&attachment.file_name);
        file.original_name = file.original_name.map(|name| line(&name));
        documents.push(Enclosure {
            title: words.unwrap_or_else(|| name.clone()),
            kind: Some(purpose(&attachment.purpose).to_owned()),
            files: vec![file],
        });
    }
    Ok(documents)
}

fn purpose(word: &str) -> &'static str {
    match word {
        "form" => "Antragsformular",
        "report" => "Bericht",
        "data" => "Fachdaten",
        _ => "Anlage",
    }
}

/// The last part of a name, without what no file system likes.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_bad = |it: char| it.is_control() || "<>:\"|?*".contains(it);
    let clean: String = last.chars().map(|it| if is_bad(it) { '_' } else { it }).take(NAME).collect();
    match clean.trim_matches(['.', ' ']) {
        "" => "anlage".to_owned(),
        clean => clean.to_owned(),
    }
}

fn line(text: &str) -> String {
    let plain: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE).collect()
}

fn file(name: &str, media_type: &str, content: PayloadRef) -> File {
    File {
        name: name.to_owned(),
        media_type: Some(media_type.to_owned()),
        content: Some(content),
        ..File::default()
    }
}

async fn kept(host: &dyn Host, text: String) -> Result<PayloadRef, Failure> {
    host.keep(Box::new(std::io::Cursor::new(text.into_bytes()))).await
}
