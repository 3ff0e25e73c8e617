//! Offers (0501): no archive of these can read one, so the administrator has said how they are appraised. The appraisal is made when the
//! offer is delivered, stands in the receipt, and is told when the delivery is followed up.

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
    let mut appraising = Appraising { by, found: Vec::new(), too_many: false };
    Xdomea::new(schemas, Options::default()).read(message.whole()?, &mut appraising)?;
    match appraising.too_many {
        true => Err(not_understood("it holds too many objects")),
        false => Ok(appraising.found),
    }
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

/// Appraises what it is told of. What lies in an object shares its appraisal; only what differs is named.
struct Appraising {
    by: AppraisalBy,
    found: Vec<(Id, Disposition)>,
    too_many: bool,
}

impl Intake for Appraising {
    fn file(&mut self, _: &str, _: &mut dyn Read) -> Result<PayloadRef, Failure> {
        // Files are not looked at.
        let nothing = String::new();
        Ok(PayloadRef { id: Id::nil(), size: 0, sha256: nothing.clone(), chunk_root: nothing })
    }

    fn object(&mut self, object: Object) -> Result<(), Failure> {
        let said = match &object.record {
            Record::CaseFile(file) => file.description.retention.as_ref(),
            Record::Case(case) => case.description.retention.as_ref(),
            Record::Document(document) => document.description.retention.as_ref(),
            _ => None,
        };
        let said = said.and_then(|retention| retention.disposition);
        let is_root = object.ancestors.is_empty();
        let disposition = match (self.by, said) {
            (AppraisalBy::Records, Some(said @ (Disposition::Destroy | Disposition::Archive))) => said,
            _ if is_root => Disposition::Archive,
            _ => return Ok(()),
        };
        if self.found.len() == MOST_OBJECTS {
            self.too_many = true;
            return Ok(());
        }
        self.found.push((object.object_id, disposition));
        Ok(())
    }
}
