//! The federal status monitor (Statusmonitor): each change of where a case stands for those whom it concerns becomes a submission to the
//! bridge, if the case is known there. What was told last is remembered with the case, so that nothing is told twice.

use model::adapter::{About, Host, Link, Receipt, Wanted};
use model::case::Case;
use model::public_state::PublicState;
use model::{Failure, Record, RecordKind};
use serde_json::{Map, Value, json};

use super::order::{application_of, case_of, reference};
use super::outgoing::{self, Data};
use super::sender::Sender;
use super::zbp::{German, State, cut, moment};

/// Where the state that was told last is remembered.
const PART: &str = "status";
/// Tasks, and claims, of a case that are looked at.
const MOST: u32 = 1_000;

impl Sender {
    /// Tells where the case stands, if that is another state than the one that was told last.
    pub(super) async fn tell_state(&self, about: &About, host: &dyn Host) -> Result<Receipt, Failure> {
        let Some(bridge) = self.settings.bridge.as_ref().filter(|_| self.settings.tells_state) else {
            return Ok(Receipt::nothing());
        };
        let (Some(case), Some(application)) = (case_of(about), application_of(about)) else {
            return Ok(Receipt::nothing());
        };
        let status = standing(host, case).await?.name();
        let told = host.links(case.meta.id).await?.into_iter().find(|link| link.part == PART);
        if told.is_some_and(|link| link.state["status"] == status) {
            return Ok(Receipt::nothing());
        }
        let state = State {
            application_id: application,
            status,
            public_service_name: German { de: cut(&bridge.status.name, 100) },
            sender_name: cut(&bridge.sender, 100),
            created_date: moment(self.access.now()),
            reference: reference(about).map(|it| cut(it, 50)),
        };
        let bytes = bridge.envelope(&state, self.access.now())?;
        let data = Data { bytes, media_type: "application/json", schema: bridge.schema.clone() };
        let open = outgoing::open(&self.access, bridge.destination).await?;
        let mut at = outgoing::announce(&self.access, open.id, &bridge.status, &[], None).await?;
        let info = json!({ "idBundDeApplicationId": application });
        let more = Map::from_iter([("additionalReferenceInfo".to_owned(), info)]);
        let sealing = outgoing::seal_parts(&open.key, &data, &[], more)?;
        at.tags.push(outgoing::digest(&sealing.tags));
        outgoing::submit(&self.access, &at, sealing).await?;
        let link = Link {
            kind: RecordKind::Case,
            record: case.meta.id,
            part: PART.to_owned(),
            reference: format!("status:{}", at.submission),
            state: json!({ "status": status, "submission": at.submission }),
        };
        let data: Value = json!({ "status": status });
        Ok(Receipt {
            reference: Some(at.submission.to_string()),
            data,
            links: vec![link],
            ..Receipt::default()
        })
    }
}

async fn standing(host: &dyn Host, case: &Case) -> Result<PublicState, Failure> {
    let wanted = |kind| Wanted { root: Some(case.meta.root), limit: MOST, ..Wanted::of(kind) };
    let (mut tasks, mut claims) = (vec![], vec![]);
    for record in host.records(&wanted(RecordKind::Task)).await? {
        if let Record::Task(task) = record
            && task.case_id == Some(case.meta.id)
        {
            tasks.push(task);
        }
    }
    for record in host.records(&wanted(RecordKind::Claim)).await? {
        if let Record::Claim(claim) = record
            && claim.case_id == case.meta.id
        {
            claims.push(claim);
        }
    }
    // What was told of a case that changes in between is told anew by the change itself.
    Ok(PublicState::of(case, &tasks, &claims))
}
