//! Applications (Anträge) that municipal portals bring by REST: one request opens the case, with the form's data as a document and
//! what comes with it announced. What it answers is derived from the case, so the same request again has the same answer, secret
//! included, though nothing of the secret is kept.

use model::case::{Description, File, Location, Reference};
use model::citizen::NUMBER;
use model::letter::{Enclosure, Letter, NewCase};
use model::party::TrustLevel;
use model::rights::Action;
use model::{Caller, Id, Record, RecordKind, Timestamp};
use serde_json::{Value, json};

use super::access::{Access, case_of};
use super::generation::FIRST;
use crate::channels::{Brought, Channel, Session};
use crate::{Broker, Error, Once};

/// Largest form, in bytes; larger ones are attachments.
const FORM_BYTES: usize = 200 * 1024;
/// Attachments of one application.
const ATTACHMENTS: usize = 100;
/// How far back the time may lie that a portal proves: half a year.
const OLDEST_SECONDS: i64 = 183 * 24 * 3_600;
/// How far a portal's clock may be ahead of ours.
const AHEAD_SECONDS: i64 = 300;
/// Titles of documents.
const FORM_TITLE: &str = "Antragsdaten";
/// Why a clerk looks at an application whose applicant is not known well enough.
const LEVEL: &str = "citizen.level-too-low";

/// An application.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// The unit; absent: that of the authority.
    pub unit: Option<String>,
    /// The public service (Leistung).
    pub service: Option<String>,
    /// Title, references and parties, the applicant first.
    pub description: Description,
    /// Places that it is about.
    pub locations: Vec<Location>,
    /// When the portal had it, if it can prove that.
    pub received_at: Option<Timestamp>,
    /// The form's data: media type and bytes.
    pub form: Option<(String, Vec<u8>)>,
    /// What the data is made by, such as the address of a schema.
    pub schema: Option<String>,
    /// What comes with it, brought afterwards.
    pub attachments: Vec<Attachment>,
    /// What the portal says of a payment (FIT-Connect metadata, `paymentInformation`).
    pub payment: Option<Value>,
}

/// Something that comes with an application.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Title.
    pub title: String,
    /// Kind of document (Dokumenttyp).
    pub kind: Option<String>,
}

/// An application that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What opens the case for its citizen.
    pub access: Access,
    /// The contact that it is.
    pub interaction: Id,
    /// When the authority had it.
    pub received_at: Timestamp,
    /// The documents of the attachments, in their order, whose bytes are brought now.
    pub documents: Vec<Id>,
    /// Whether it had been taken in before.
    pub again: bool,
}

impl Broker {
    /// Takes an application in.
    ///
    /// # Errors
    /// `Invalid` by member; `Forbidden` and `UnknownUnit` by the caller's scope; `KeyReused`.
    pub async fn take_application(
        &self,
        caller: &Caller,
        application: Application,
        once: &Once,
    ) -> Result<Applied, Error> {
        self.citizens()?;
        let scope = caller.may(Action::WriteCases)?;
        let authority = caller.authority.clone().ok_or(Error::NoAuthority)?;
        let entry = self.house().authority(&scope.tenant, &authority).ok_or(Error::UnknownAuthority)?;
        let unit = application.unit.clone().unwrap_or_else(|| entry.unit.clone());
        let channel = Channel {
            scope: scope.clone(),
            authority,
            unit,
            from_beginning: false,
            patience: std::time::Duration::ZERO,
        };
        // What was taken in before was good then, however long ago.
        let known = self.answered(caller, Some(once)).await?.is_some();
        let received_at = if known { self.now() } else { self.received_at(application.received_at)? };
        check(&application)?;
        let announced = !application.attachments.is_empty();
        let letter = self.letter_of(&scope.tenant, application, received_at, once).await?;
        let (letter, stored) = match letter {
            (letter, None) => (letter, vec![]),
            (mut letter, Some((file, bytes))) => {
                let body = futures::stream::iter([Ok(bytes::Bytes::from(bytes))]);
                let stored = self.stage(caller, body).await?;
                let file = File { content: Some(stored.reference().clone()), ..file };
                let form = Enclosure { title: FORM_TITLE.to_owned(), kind: None, files: vec![file] };
                letter.documents.insert(0, form);
                (letter, vec![stored])
            }
        };
        let has_form = !stored.is_empty();
        let host = Session::of_caller(self.clone(), caller.clone(), channel);
        let taken =
            host.bring_letter(&letter, once, stored, Brought { announced, ..Brought::default() }).await?;
        let case = taken.case.ok_or(Error::Internal)?;
        let case = case_of(self.owned(scope, RecordKind::Case, case).await?)?;
        let found = self.owned(scope, RecordKind::Interaction, taken.interaction).await?;
        let Record::Interaction(contact) = found else { return Err(Error::Internal) };
        Ok(Applied {
            // Whoever repeats the request has the secret of the first answer, also if that is over meanwhile.
            access: self.access_to(&case, FIRST, &caller.actor).await?,
            interaction: taken.interaction,
            received_at: contact.at,
            documents: contact.documents.into_iter().skip(usize::from(has_form)).collect(),
            again: taken.again,
        })
    }

    /// The time that counts: the portal's, unless it is too long ago to be believed, or later than its clock may be ahead of ours.
    fn received_at(&self, proved: Option<Timestamp>) -> Result<Timestamp, Error> {
        let now = self.now();
        let Some(proved) = proved else { return Ok(now) };
        let age = now.micros() - proved.micros();
        if (-AHEAD_SECONDS * 1_000_000..0).contains(&age) {
            return Ok(now);
        }
        if !(0..=OLDEST_SECONDS * 1_000_000).contains(&age) {
            return Err(model::Error::Invalid { field: "receivedAt" }.into());
        }
        Ok(proved)
    }

    /// The letter without the form, which is staged afterwards.
    async fn letter_of(
        &self,
        tenant: &str,
        application: Application,
        received_at: Timestamp,
        once: &Once,
    ) -> Result<(Letter, Option<(File, Vec<u8>)>), Error> {
        let Application {
            service, mut description, locations, form, schema, attachments, payment, unit, ..
        } = application;
        let minimum = self.service_of(service.as_deref()).and_then(|service| service.minimum_level);
        let authentication = description.parties.first().and_then(|party| party.authentication.as_ref());
        let level = authentication.map_or(TrustLevel::None, |it| it.level);
        let proof = json!({
            "portal": { "receivedAt": received_at, "schema": schema, "payment": payment },
            "authentication": authentication,
        });
        let concerns = if minimum.is_some_and(|minimum| level < minimum) { vec![LEVEL] } else { vec![] };
        let number = Reference { kind: NUMBER.to_owned(), value: self.new_number(tenant).await? };
        description.references.push(number);
        let announced = |it: Attachment| Enclosure { title: it.title, kind: it.kind, files: vec![] };
        let file = form.map(|(media_type, bytes)| {
            let ending = if media_type.contains("xml") { "xml" } else { "json" };
            let name = format!("antrag.{ending}");
            (File { name, media_type: Some(media_type), ..File::default() }, bytes)
        });
        let letter = Letter {
            key: seal::sha256(&[once.key.as_bytes()]).to_string(),
            way: "application".to_owned(),
            received_at,
            subject: Some(description.title.chars().take(500).collect()),
            documents: attachments.into_iter().map(announced).collect(),
            opens: Some(Box::new(NewCase { unit, public_service: service, description, locations })),
            proof,
            concerns,
            ..Letter::default()
        };
        Ok((letter, file))
    }
}

fn check(application: &Application) -> Result<(), Error> {
    let invalid = |field| Err(model::Error::Invalid { field }.into());
    if application.form.as_ref().is_some_and(|(_, bytes)| bytes.len() > FORM_BYTES) {
        return invalid("data");
    }
    if application.attachments.len() > ATTACHMENTS {
        return invalid("attachments");
    }
    if application.description.title.trim().is_empty() {
        return invalid("title");
    }
    // The number is the gateway's to give.
    if application.description.reference(NUMBER).is_some() {
        return invalid("references");
    }
    Ok(())
}
