//! Behaviour suites that every implementation of a trait runs, and builders for tests.

use std::sync::Arc;

use crate::activity::{Dispatch, DispatchKind, Task};
use crate::adapter::{Adapter, Capability, Delivery, Source};
use crate::case::{Case, Description, Priority, RecordStatus};
use crate::exchange::{Exchange, ExchangeKind, ExchangeObject, ExchangeStatus, Side};
use crate::payment::{Claim, ClaimStatus, Payment, PaymentStatus};
use crate::record::{Meta, Record};
use crate::{Authority, EventKind, FailureKind, Id, RecordKind, Timestamp, ids};

/// Complete ownership for a record of tests: tenant `soest`, unit `63`, service `baugenehmigung`.
pub fn a_meta() -> Meta {
    let id = ids::new_id();
    Meta {
        id,
        tenant: "soest".into(),
        authority: "bab:05974000".parse().unwrap_or_else(|_| Authority::nobody()),
        unit: "63".into(),
        public_service: Some("baugenehmigung".into()),
        root: id,
        version: 0,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

/// A case with a title.
pub fn a_case(title: &str) -> Record {
    Record::Case(Case {
        meta: a_meta(),
        description: Description { title: title.into(), ..Description::default() },
        case_file: None,
        parent: None,
        status: RecordStatus::Open,
        priority: Priority::Normal,
        locations: vec![],
    })
}

/// An open task.
pub fn a_task(title: &str) -> Record {
    Record::Task(Task::new(a_meta(), "test", title))
}

/// A dispatch of this kind that goes nowhere yet.
pub fn a_dispatch(kind: DispatchKind) -> Dispatch {
    Dispatch::new(a_meta(), ids::new_id(), kind)
}

/// An open claim of so many cents.
pub fn a_claim(amount_cents: i64) -> Claim {
    Claim {
        meta: a_meta(),
        case_id: ids::new_id(),
        account: "baugebuehren".into(),
        amount_cents,
        purpose: "Gebühr".into(),
        cash_reference: None,
        due: None,
        lines: vec![],
        payer: None,
        status: ClaimStatus::Open,
        paid_cents: 0,
    }
}

/// A payment towards a claim that its provider does not know yet.
pub fn a_payment(claim: &Claim) -> Payment {
    let meta = a_meta();
    Payment {
        request_id: meta.id.to_string(),
        meta,
        claim_id: claim.meta.id,
        provider: "giro".into(),
        amount_cents: claim.amount_cents,
        paid_cents: 0,
        status: PaymentStatus::Created,
        reference: None,
        payment_url: None,
        return_to: None,
        cash_reference: None,
        method: None,
        deadline: Timestamp::from_micros(3_600_000_000),
        paid_at: None,
        failure: None,
        refunds: vec![],
        refunded_cents: 0,
        charged_back_cents: 0,
        clearing: None,
        contradictions: vec![],
        cleared: vec![],
        settled_by: None,
    }
}

/// A hand-over of one object.
pub fn an_exchange(object: Id) -> Exchange {
    Exchange {
        meta: a_meta(),
        kind: ExchangeKind::Handover,
        side: Side::Sender,
        partner: Authority::nobody(),
        process_id: ids::new_id(),
        standard: "xdomea".into(),
        standard_version: "3.1.0".into(),
        status: ExchangeStatus::Sending,
        wants_receipt: false,
        waits: None,
        objects: vec![ExchangeObject::new(RecordKind::Case, object, object, object)],
        exceptions: vec![],
        destruction_asked: None,
        route: None,
        file_plan: None,
        messages: vec![],
        extensions: crate::case::Extensions::default(),
    }
}

/// The contract of every adapter. `delivery` is one that the adapter can carry out, with the bytes of its files.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn adapter_contract(adapter: Arc<dyn Adapter>, delivery: Delivery, files: &[Vec<u8>]) {
    let sources: Vec<Box<dyn Source>> = files.iter().map(|bytes| Box::new(bytes.clone()) as _).collect();
    let descriptor = adapter.descriptor();
    assert!(ids::is_name(&descriptor.id), "the id is a name");
    assert!(adapter.check().await.ok, "the other side can be reached");

    let offers = |capability| descriptor.capabilities.contains(&capability);
    if offers(Capability::Deliver) {
        let first = adapter.deliver(&delivery, &sources).await.expect("it delivers");
        let again = adapter.deliver(&delivery, &sources).await.expect("it delivers again");
        assert_eq!(first, again, "the same delivery twice has one effect and one receipt");
    } else {
        let refused = adapter.deliver(&delivery, &sources).await.expect_err("it offers no delivery");
        assert_eq!(refused.kind, FailureKind::Permanent);
    }
    let asked = adapter.reconcile(&delivery).await;
    // Some carriers of dispatches cannot be asked about what they took: a human decides, and is told so.
    let is_unclear = asked
        .as_ref()
        .is_err_and(|failure| failure.kind == FailureKind::Permanent && failure.code.ends_with("-unclear"));
    let is_undecided = descriptor.way.is_some() && is_unclear;
    if offers(Capability::Reconcile) && !is_undecided {
        let known = asked.expect("it can be asked");
        assert!(known.is_some(), "a delivery made is known");
        let mut never_made = Delivery { id: ids::new_id(), ..delivery.clone() };
        // Who is asked by the record and not by the delivery does not know another one.
        if let Some(about) = &mut never_made.about {
            about.record.meta_mut().id = ids::new_id();
            about.links.clear();
        }
        let unknown = adapter.reconcile(&never_made).await.expect("it can be asked");
        assert!(unknown.is_none(), "a delivery never made is not");
    }
    if descriptor.keeps_records {
        let follows = |event| descriptor.follows.iter().any(|interest| interest.event == event);
        assert!(follows(EventKind::RecordCreated), "who keeps records is told of new ones");
    }
    if let Some(way) = &descriptor.way {
        assert!(ids::is_name(way), "the way is a name");
        assert!(
            descriptor.is_told_of_new(RecordKind::Dispatch),
            "who carries dispatches is told of new ones"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::Failure;
    use crate::adapter::{Descriptor, Health, Receipt, Sources};

    /// Remembers deliveries, or forgets that it did; says what became of them, or that nobody knows.
    struct Memory {
        descriptor: Descriptor,
        idempotent: bool,
        can_tell: bool,
        made: Mutex<HashMap<Id, u32>>,
    }

    impl Memory {
        fn new(idempotent: bool, can_tell: bool) -> Arc<Self> {
            let capabilities = vec![Capability::Deliver, Capability::Reconcile];
            let descriptor = Descriptor::new("memory", "dms", capabilities);
            Arc::new(Memory { descriptor, idempotent, can_tell, made: Mutex::default() })
        }
    }

    #[async_trait]
    impl Adapter for Memory {
        fn descriptor(&self) -> &Descriptor {
            &self.descriptor
        }

        async fn deliver(&self, delivery: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
            let mut made = self.made.lock().unwrap();
            let times = made.entry(delivery.id).or_default();
            if !self.idempotent || *times == 0 {
                *times += 1;
            }
            Ok(Receipt { reference: Some(times.to_string()), ..Receipt::default() })
        }

        async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
            if !self.can_tell {
                return Err(Failure::permanent("memory-unclear", "nobody knows"));
            }
            let known = self.made.lock().unwrap().contains_key(&delivery.id);
            Ok(known.then(Receipt::default))
        }

        async fn check(&self) -> Health {
            Health { ok: true, detail: String::new() }
        }
    }

    fn a_delivery() -> Delivery {
        Delivery {
            id: ids::new_id(),
            tenant: "soest".into(),
            kind: "case.created".into(),
            record: None,
            detail: json!({}),
            about: None,
        }
    }

    #[tokio::test]
    async fn the_contract_accepts_an_idempotent_adapter() {
        adapter_contract(Memory::new(true, true), a_delivery(), &[]).await;
    }

    #[tokio::test]
    #[should_panic(expected = "one effect")]
    async fn the_contract_rejects_an_adapter_that_delivers_twice() {
        adapter_contract(Memory::new(false, true), a_delivery(), &[]).await;
    }
    #[tokio::test]
    #[should_panic(expected = "it can be asked")]
    async fn the_contract_lets_only_carriers_of_dispatches_not_know() {
        adapter_contract(Memory::new(true, false), a_delivery(), &[]).await;
    }
}
