//! Events: the append-only account of what happened. The evidence chain holds a digest of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Id, RecordKind, Timestamp};

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Actor {
    /// `system`, `person`, `partner` or `gateway`.
    pub kind: String,
    /// Token id, account or authority: never a name of a person.
    pub id: String,
}

impl Actor {
    /// The gateway itself.
    pub fn gateway() -> Self {
        Actor { kind: "gateway".into(), id: "amtsbote".into() }
    }
}

/// Bytes kept by the gateway, with what proves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PayloadRef {
    /// Identifier of the payload.
    pub id: Id,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// Merkle root over the SHA-256 digests of its 64 KiB chunks, lower-case hex.
    pub chunk_root: String,
}

/// What happened; the JSON form is `subject.verb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum EventKind {
    /// A record came into being.
    #[serde(rename = "record.created")]
    RecordCreated,
    /// A record was changed.
    #[serde(rename = "record.changed")]
    RecordChanged,
    /// The record-keeping system assigned the Aktenzeichen.
    #[serde(rename = "record.reference-assigned")]
    ReferenceAssigned,
    /// A document, or a contact, that lay on a desk lies in a case from now on.
    #[serde(rename = "record.placed")]
    RecordPlaced,
    /// A record was locked after its hand-over was confirmed.
    #[serde(rename = "record.locked")]
    RecordLocked,
    /// A record may be changed again after its circulation.
    #[serde(rename = "record.released")]
    RecordReleased,
    /// The archive's appraisal was applied to a record.
    #[serde(rename = "record.appraised")]
    RecordAppraised,
    /// A record was barred from destruction.
    #[serde(rename = "record.held")]
    RecordHeld,
    /// The bar was lifted.
    #[serde(rename = "record.hold-lifted")]
    HoldLifted,
    /// A record was disposed of: content and keys are gone, digests stay.
    #[serde(rename = "record.destroyed")]
    RecordDestroyed,
    /// A document received a file.
    #[serde(rename = "document.content-added")]
    ContentAdded,
    /// A message was durably taken in.
    #[serde(rename = "message.accepted")]
    MessageAccepted,
    /// A message was refused at the door; nothing of it was kept.
    #[serde(rename = "message.refused")]
    MessageRefused,
    /// A message was checked and translated into the case model.
    #[serde(rename = "message.processed")]
    MessageProcessed,
    /// A message was built by us.
    #[serde(rename = "message.prepared")]
    MessagePrepared,
    /// A message was handed to its recipient's mailbox or transport.
    #[serde(rename = "message.delivered")]
    MessageDelivered,
    /// A delivery was tried and failed.
    #[serde(rename = "message.delivery-failed")]
    DeliveryFailed,
    /// The other side's service says that the recipient has a message, which it has still to answer itself.
    #[serde(rename = "message.received")]
    MessageReceived,
    /// The recipient has confirmed a message.
    #[serde(rename = "message.confirmed")]
    MessageConfirmed,
    /// A message went back to its sender with a reason.
    #[serde(rename = "message.returned")]
    MessageReturned,
    /// A message waits for a human decision.
    #[serde(rename = "message.parked")]
    MessageParked,
    /// A message was sent again.
    #[serde(rename = "message.resent")]
    MessageResent,
    /// A message got mended bytes; those it came with stay as evidence.
    #[serde(rename = "message.repaired")]
    MessageRepaired,
    /// A message was handed to the authority that is competent.
    #[serde(rename = "message.forwarded")]
    MessageForwarded,
    /// Somebody started work on many messages at once.
    #[serde(rename = "operation.started")]
    OperationStarted,
    /// The receiver has durably taken in the exchange's message.
    #[serde(rename = "exchange.received")]
    ExchangeReceived,
    /// The receiver's record-keeping system has reported on the import.
    #[serde(rename = "exchange.import-confirmed")]
    ImportConfirmed,
    /// The archive has appraised what was offered.
    #[serde(rename = "exchange.appraised")]
    ExchangeAppraised,
    /// What an exchange waits for is overdue.
    #[serde(rename = "exchange.overdue")]
    ExchangeOverdue,
    /// A task was not done in time.
    #[serde(rename = "task.overdue")]
    TaskOverdue,
    /// Another unit was asked to see to a task that was not done in time.
    #[serde(rename = "task.escalated")]
    TaskEscalated,
    /// Somebody has asked that what an exchange disposed of be destroyed.
    #[serde(rename = "exchange.destruction-asked")]
    DestructionAsked,
    /// What was to be destroyed stays, for a reason that the exchange tells.
    #[serde(rename = "exchange.destruction-refused")]
    DestructionRefused,
    /// A provider, or a payer who came back from one, called about a payment; what came is kept.
    #[serde(rename = "payment.notified")]
    PaymentNotified,
    /// A payment is under way at its provider.
    #[serde(rename = "payment.started")]
    PaymentStarted,
    /// Money came.
    #[serde(rename = "payment.paid")]
    PaymentPaid,
    /// A payment ended without money.
    #[serde(rename = "payment.ended")]
    PaymentEnded,
    /// Something contradicts what is known of a payment: a human has to decide.
    #[serde(rename = "payment.unclear")]
    PaymentUnclear,
    /// A human has decided about a contradiction.
    #[serde(rename = "payment.cleared")]
    PaymentCleared,
    /// Somebody asked for a refund, or agreed to one.
    #[serde(rename = "payment.refund-asked")]
    RefundAsked,
    /// Somebody did not agree to a refund that another had asked for: it does not take place.
    #[serde(rename = "payment.refund-declined")]
    RefundDeclined,
    /// Whoever asked for a refund took it back before anybody agreed.
    #[serde(rename = "payment.refund-withdrawn")]
    RefundWithdrawn,
    /// Money went back.
    #[serde(rename = "payment.refunded")]
    PaymentRefunded,
    /// The payer's bank took money back.
    #[serde(rename = "payment.charged-back")]
    PaymentChargedBack,
    /// A claim is not owed any more.
    #[serde(rename = "claim.cancelled")]
    ClaimCancelled,
    /// What was paid towards a claim changed.
    #[serde(rename = "claim.paid")]
    ClaimPaid,
    /// A bank statement was taken in.
    #[serde(rename = "statement.taken")]
    StatementTaken,
    /// Somebody said what a line of a bank statement is.
    #[serde(rename = "statement.line-decided")]
    LineDecided,
    /// Bookings stand in a file for the cash system.
    #[serde(rename = "bookings.handed-over")]
    BookingsHandedOver,
    /// The cash system has said what it did with a file.
    #[serde(rename = "bookings.acknowledged")]
    BookingsAcknowledged,
    /// An adapter's other side has what happened to a record.
    #[serde(rename = "channel.delivered")]
    ChannelDelivered,
    /// What an adapter was to be told waits for a human.
    #[serde(rename = "channel.parked")]
    ChannelParked,
    /// A human has it tried again.
    #[serde(rename = "channel.resent")]
    ChannelResent,
    /// A human decided that the adapter is not told.
    #[serde(rename = "channel.dropped")]
    ChannelDropped,
    /// Something happened to a record at an adapter's other side.
    #[serde(rename = "channel.noted")]
    ChannelNoted,
    /// Bytes were erased; their digests stay.
    #[serde(rename = "payload.erased")]
    PayloadErased,
    /// What an event said was erased; its digest stays.
    #[serde(rename = "event.erased")]
    EventErased,
    /// A run of deletion began.
    #[serde(rename = "retention.begun")]
    RetentionBegun,
    /// A run of deletion has ended: how much went, and the Merkle root over the list of it.
    #[serde(rename = "retention.ended")]
    RetentionEnded,
    /// Somebody has looked up where a person is known.
    #[serde(rename = "person.sought")]
    PersonSought,
    /// What is known of a person was exported.
    #[serde(rename = "person.exported")]
    PersonExported,
    /// Somebody has asked that a person be erased, and a second one has to agree.
    #[serde(rename = "person.erasure-asked")]
    PersonErasureAsked,
    /// What is known of a person was erased from a record.
    #[serde(rename = "person.erased")]
    PersonErased,
    /// An alert was tried out.
    #[serde(rename = "alert.tested")]
    AlertTested,
    /// The evidence of a case was exported.
    #[serde(rename = "evidence.exported")]
    EvidenceExported,
    /// Deliveries to a partner that had failed too often are tried again.
    #[serde(rename = "partner.retried")]
    PartnerRetried,
    /// A partner was created or changed.
    #[serde(rename = "partner.changed")]
    PartnerChanged,
    /// Entries of the directory were imported.
    #[serde(rename = "directory.changed")]
    DirectoryChanged,
    /// A token was created or revoked.
    #[serde(rename = "token.changed")]
    TokenChanged,
    /// A user was added or changed, or has changed something of the own account.
    #[serde(rename = "user.changed")]
    UserChanged,
    /// A user has signed in.
    #[serde(rename = "user.signed-in")]
    UserSignedIn,
    /// Somebody tried to sign in, and was refused.
    #[serde(rename = "user.refused")]
    UserRefused,
    /// After many failures a login, or the address that attempts come from, has to wait before the next is looked at.
    #[serde(rename = "user.locked-out")]
    UserLockedOut,
    /// A user has signed out, or sessions were ended.
    #[serde(rename = "user.signed-out")]
    UserSignedOut,
    /// A subscription was created, changed, stopped or deleted.
    #[serde(rename = "subscription.changed")]
    SubscriptionChanged,
    /// Somebody asked for what a second person has to agree to.
    #[serde(rename = "approval.asked")]
    ApprovalAsked,
    /// A second person has agreed, and it was carried out.
    #[serde(rename = "approval.agreed")]
    ApprovalAgreed,
    /// A second person has refused.
    #[serde(rename = "approval.refused")]
    ApprovalRefused,
    /// Whoever asked does not want it any more.
    #[serde(rename = "approval.withdrawn")]
    ApprovalWithdrawn,
    /// Somebody has read what was released to them.
    #[serde(rename = "content.disclosed")]
    ContentDisclosed,
    /// A backup of the whole store was made.
    #[serde(rename = "store.backed-up")]
    StoreBackedUp,
    /// The store was restored from a backup: what happened between the two is not known here.
    #[serde(rename = "store.restored")]
    StoreRestored,
    /// Keys and secrets were wrapped anew with the current master key.
    #[serde(rename = "store.keys-rewrapped")]
    KeysRewrapped,
    /// The configuration was read anew by the running gateway.
    #[serde(rename = "configuration.reloaded")]
    ConfigurationReloaded,
    /// A node works with another configuration than before: digests of the file, and names of the keys that differ.
    #[serde(rename = "configuration.changed")]
    ConfigurationChanged,
    /// A node works with other schema packs than before: their names and digests.
    #[serde(rename = "schemas.changed")]
    SchemasChanged,
    /// From here on another evidence key signs the chain than before: fingerprints of both.
    #[serde(rename = "evidence.key-changed")]
    EvidenceKeyChanged,
}

/// One thing that happened. The canonical JSON of this type is what the evidence chain digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Identifier, time-ordered.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Unit that may see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Public service it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_service: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub actor: Actor,
    /// Record it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Case or case file under which it is proved; the root of the subject's tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<Id>,
    /// Message that caused it or that it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Id>,
    /// What changed, as a JSON merge patch on the record's JSON form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Value>,
    /// Bytes that came or went with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<PayloadRef>,
    /// Further facts: type and state of the message, digests of findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

/// A record by kind and identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// Kind of record.
    pub kind: RecordKind,
    /// Its identifier.
    pub id: Id,
}
