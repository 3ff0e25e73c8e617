//! An archive that speaks no xdomea: what its adapter says of a disposition counts as the archive's own answers would.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::house::PartnerEntry;
use broker::{NewExchange, Opening};
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Followed, Health, Receipt, Sources};
use model::case::Disposition;
use model::command::Change;
use model::exchange::{Appraisal, Exchange, ExchangeKind, ExchangeStatus, ImportResult};
use model::{Authority, Caller, EventKind, Failure, Id, MessageState, Record, RecordKind, ids};
use serde_json::json;
use store::Page;

use crate::house::{Gateway, SetClock, caller, change};

const HOUR: Duration = Duration::from_secs(3_600);

/// It takes everything, and says this of it.
struct Archive {
    descriptor: Descriptor,
    says: Mutex<Followed>,
}

#[async_trait]
impl Adapter for Archive {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, _: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
        Ok(Receipt::default())
    }

    async fn follow(&self, _: &Delivery, _: Sources<'_>) -> Result<Followed, Failure> {
        Ok(self.says.lock().unwrap().clone())
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

struct Bed {
    gateway: Gateway,
    clock: Arc<SetClock>,
    ours: Caller,
    archive: Arc<Archive>,
    cases: [Id; 2],
    exchange: Id,
}

impl Bed {
    /// Two cases are offered, and the offer is delivered.
    async fn new() -> Bed {
        let descriptor = Descriptor::new("fake", "test", vec![Capability::Deliver, Capability::Follow]);
        let archive = Arc::new(Archive { descriptor, says: Mutex::new(Followed::Open) });
        let to: Authority = "kv:00000099".parse().unwrap();
        let partner = PartnerEntry {
            tenant: Some("soest".into()),
            authority: to.clone(),
            name: "Kreisarchiv".into(),
            adapter: Some("fake".into()),
            osci: None,
            xta: None,
            prefer: vec![],
            reads: vec![("toy".into(), "1".into())],
            most_bytes: 1 << 20,
            may_repeat: false,
        };
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::with_partners(clock.clone(), vec![partner], vec![archive.clone()]).await;
        let ours = caller("soest", "63");
        let mut cases = vec![];
        for title in ["eins", "zwei"] {
            let case = gateway.a_case(&ours, title).await.meta.id;
            gateway.broker.submit(&ours, change(RecordKind::Case, case, Change::Close), None).await.unwrap();
            cases.push(case);
        }
        let wanted = NewExchange {
            kind: ExchangeKind::Disposition,
            to,
            objects: cases.clone(),
            version: None,
            wants_receipt: false,
            opening: Opening::Usual,
        };
        let exchange = gateway.broker.start_exchange(&ours, wanted, None).await.unwrap().meta.id;
        gateway.broker.run_due_jobs().await.unwrap();
        Bed { gateway, clock, ours, archive, cases: [cases[0], cases[1]], exchange }
    }

    /// Asked the next time, it says this.
    async fn says(&self, it: Followed) {
        *self.archive.says.lock().unwrap() = it;
        self.clock.advance(HOUR);
        self.gateway.broker.run_due_jobs().await.unwrap();
    }

    async fn exchange(&self) -> Exchange {
        let record = self.gateway.broker.record(&self.ours, RecordKind::Exchange, self.exchange).await;
        match record.unwrap() {
            Record::Exchange(exchange) => exchange,
            _ => unreachable!(),
        }
    }

    async fn case(&self, at: usize) -> Record {
        self.gateway.broker.record(&self.ours, RecordKind::Case, self.cases[at]).await.unwrap()
    }
}

#[tokio::test]
async fn what_it_decides_is_transferred_and_what_it_keeps_is_confirmed() {
    let bed = Bed::new().await;
    let [one, two] = bed.cases;
    let decided =
        vec![(one, Appraisal::of(Disposition::Archive)), (two, Appraisal::of(Disposition::Destroy))];
    bed.says(Followed::Appraised(decided)).await;
    assert_eq!(bed.exchange().await.status, ExchangeStatus::Appraised);
    let retention = bed.case(1).await.description().unwrap().retention.clone().unwrap();
    assert_eq!(retention.disposition, Some(Disposition::Destroy), "applied to the record");

    *bed.archive.says.lock().unwrap() = Followed::Open;
    bed.gateway.broker.transfer(&bed.ours, bed.exchange, None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    assert_eq!(bed.exchange().await.status, ExchangeStatus::Transferred);
    let kept =
        ImportResult { successful: true, archive_reference: Some("AIP-1".into()), ..ImportResult::default() };
    let proof = json!({ "aoid": "1" });
    bed.says(Followed::Imported { results: vec![(one, kept)], proof: proof.clone() }).await;
    let ended = bed.exchange().await;
    assert_eq!(ended.status, ExchangeStatus::Confirmed);
    assert_eq!(bed.case(0).await.description().unwrap().reference("archive"), Some("AIP-1"));
    let transfer = ended.messages.iter().find(|it| it.message_type == "0503").unwrap().id;
    let timeline = bed.gateway.broker.message_timeline(&bed.ours, transfer, &Page::first(50)).await.unwrap();
    let is_it = |event: &&model::Event| event.kind == EventKind::MessageReceived;
    let received = timeline.iter().map(|(_, event)| event).find(is_it).unwrap();
    assert_eq!(received.detail.as_ref().unwrap()["proof"], proof);
}

#[tokio::test]
async fn what_contradicts_the_offer_waits_for_a_human() {
    let bed = Bed::new().await;
    bed.says(Followed::Appraised(vec![(ids::new_id(), Appraisal::of(Disposition::Archive))])).await;
    let offer = bed.exchange().await.messages[0].id;
    let message = bed.gateway.broker.message(&bed.ours, offer).await.unwrap();
    assert_eq!(message.state, MessageState::Parked);
    assert_eq!(message.report.unwrap().findings[0].rule, "exchange.unknown-object");
    assert_eq!(bed.exchange().await.status, ExchangeStatus::Sent);
}
