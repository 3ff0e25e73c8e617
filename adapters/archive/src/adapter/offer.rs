//! Offers (0501): no archive of these can read one, so the administrator has said how they are appraised. The appraisal is made when the
//! offer is delivered, stands in the receipt, and is told when the delivery is followed up.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use model::adapter::{Delivery, Followed, Receipt, Source};
use model::case::Disposition;
use model::exchange::Appraisal;
use model::standard::{Intake, Object, Standard};
use model::{Failure, Id, PayloadRef, Record};
use schemas::Schemas;
use serde_json::{Value, json};
use xoev::Options;
use xoev::xdomea::Xdomea;

use super::{Archive, blocking};
use crate::AppraisalBy;
use crate::codes::{not_for_archives, not_understood};
use crate::message::{Message, spool};

/// Objects of one offer; more are appraised in more offers.
const MOST_OBJECTS: usize = 10_000;
/// Objects of one offer that say what becomes of them.
const MOST_SAID: usize = 100_000;
/// What stands for an Aussonderungsart that both sides have agreed on.
const AGREED: &str = "AussonderungsartKonfigurierbar";

impl Archive {
    pub(super) async fn offer(&self, delivery: &Delivery, source: &dyn Source) -> Result<Receipt, Failure> {
        let by = self.settings.appraisal;
        if by == AppraisalBy::Nobody {
            return Err(not_for_archives("nobody appraises offers for this archive"));
        }
        let file = spool(source, self.settings.work.as_deref()).await?;
        let schemas = Arc::clone(&self.schemas);
        let appraisals = blocking(move || {
            let mut message = Message::open(file)?;
            read_objects(&mut message, schemas, by)
        });
        let appraisals: Vec<Value> =
            appraisals.await?.into_iter().map(|(id, disposition)| json!([id, disposition])).collect();
        let data = json!({ "appraisals": appraisals });
        Ok(Receipt { reference: Some(delivery.id.to_string()), data, ..Receipt::default() })
    }
}

/// The objects of a message with what is decided of each: all roots, and what lies in them where it is decided otherwise.
pub(super) fn read_objects(
    message: &mut Message,
    schemas: Arc<Schemas>,
    by: AppraisalBy,
) -> Result<Vec<(Id, Disposition)>, Failure> {
    let mut appraising = Appraising { by, said: Vec::new(), too_many: false };
    Xdomea::new(schemas, Options::default()).read(message.whole()?, &mut appraising)?;
    appraising.finish()
}

/// What was appraised when the offer was delivered.
pub(super) fn appraised(delivery: &Delivery) -> Result<Followed, Failure> {
    let told = delivery.detail["receipt"]["data"]["appraisals"].clone();
    let appraisals: Vec<(Id, Disposition)> =
        serde_json::from_value(told).map_err(|_| not_understood("its appraisal is not known any more"))?;
    let appraisal = |disposition| Appraisal { disposition: Some(disposition), other: None };
    Ok(Followed::Appraised(
        appraisals.into_iter().map(|(id, disposition)| (id, appraisal(disposition))).collect(),
    ))
}

/// Collects what the records say. What lies in an object shares its appraisal; only what differs is named in the end.
struct Appraising {
    by: AppraisalBy,
    said: Vec<Said>,
    too_many: bool,
}

/// An object of which something is decided by itself.
struct Said {
    id: Id,
    /// What it lies in, outermost first.
    within: Vec<Id>,
    disposition: Disposition,
}

impl Appraising {
    /// What an object's own Aussonderungsart comes to. Only what is to be destroyed is: whatever else somebody wanted to have
    /// looked at is kept, also below something that is not.
    fn disposition(&self, object: &Object) -> Option<Disposition> {
        let archive_root = object.ancestors.is_empty().then_some(Disposition::Archive);
        if self.by != AppraisalBy::Records {
            return archive_root;
        }
        let description = match &object.record {
            Record::CaseFile(file) => &file.description,
            Record::Case(case) => &case.description,
            Record::Document(document) => &document.description,
            _ => return archive_root,
        };
        match description.retention.as_ref().and_then(|retention| retention.disposition) {
            Some(Disposition::Destroy) => Some(Disposition::Destroy),
            Some(Disposition::Archive | Disposition::Appraise) => Some(Disposition::Archive),
            // One that both sides agreed on is not understood here, and no silence.
            None if description.extensions.values().any(|it| it.to_string().contains(AGREED)) => {
                Some(Disposition::Archive)
            }
            None => archive_root,
        }
    }

    /// Everything that differs from what it lies in, and all roots. What an object lies in comes after it in a message.
    fn finish(self) -> Result<Vec<(Id, Disposition)>, Failure> {
        let all: HashMap<Id, Disposition> =
            self.said.iter().map(|said| (said.id, said.disposition)).collect();
        let shared = |said: &Said| said.within.iter().rev().find_map(|id| all.get(id));
        let differs = |said: &&Said| shared(said) != Some(&said.disposition);
        let found: Vec<_> =
            self.said.iter().filter(differs).map(|said| (said.id, said.disposition)).collect();
        match self.too_many || found.len() > MOST_OBJECTS {
            true => Err(not_understood("it holds too many objects")),
            false => Ok(found),
        }
    }
}

impl Intake for Appraising {
    fn file(&mut self, _: &str, _: &mut dyn Read) -> Result<PayloadRef, Failure> {
        // Files are not looked at.
        let nothing = String::new();
        Ok(PayloadRef { id: Id::nil(), size: 0, sha256: nothing.clone(), chunk_root: nothing })
    }

    fn object(&mut self, object: Object) -> Result<(), Failure> {
        let Some(disposition) = self.disposition(&object) else { return Ok(()) };
        if self.said.len() == MOST_SAID {
            self.too_many = true;
            return Ok(());
        }
        let within = object.ancestors.iter().map(|(_, id)| *id).collect();
        self.said.push(Said { id: object.object_id, within, disposition });
        Ok(())
    }
}
