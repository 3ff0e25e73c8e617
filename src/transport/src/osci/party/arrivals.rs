//! Handing to the broker what was delivered: opened, its sender known by the certificate that signed it, taken in by the
//! first transaction. What cannot be opened or comes from nobody we know is taken in as well and waits for a human.

use std::collections::HashMap;
use std::io;

use ::osci::message::Message as Said;
use ::osci::package::Package;
use broker::{Arrival, Broker, Carried, StoredPayload};
use model::message::{Door, Finding};
use model::{Actor, Authority, Caller, Id, Message, Role, Scope};
use seal::x509::Certificate;
use seal::xmlenc::Plaintext;
use serde_json::json;

use super::acknowledgement::{self, Acknowledgement};
use super::carried;
use super::line::Lines;
use super::unpack::{Leaf, Rule, unpack};
use super::{Partner, Party};
use crate::xta::along;

/// Whom a delivery comes from that names no certificate.
const NOBODY: &str = "anonymous";

/// Takes deliveries in.
pub(super) struct Arrivals {
    broker: Broker,
    /// Partners by the fingerprints of the certificates that they sign with.
    senders: HashMap<String, Authority>,
}

/// A delivery that has come.
pub(super) struct Delivered<'a> {
    /// Whom it is for.
    pub(super) party: &'a Party,
    /// The intermediary that it comes from, by the fingerprint of its certificate: its ids are its own.
    pub(super) intermediary: &'a str,
    /// Its package.
    pub(super) package: &'a Package,
    /// Its message, verified.
    pub(super) message: &'a Said,
    /// Its message id there.
    pub(super) message_id: String,
    /// The message of ours that it answers.
    pub(super) answers: Option<Id>,
    /// Why the intermediary that handed it over is not quite believed.
    pub(super) doubt: Option<Rule>,
}

/// What is taken in of a delivery.
struct Chosen {
    caller: Caller,
    name: Option<String>,
    finding: Option<Rule>,
    stored: StoredPayload,
    /// Several contents, as a container of XTA.
    is_container: bool,
}

impl Arrivals {
    pub(super) fn new(broker: Broker, partners: &[Partner]) -> Self {
        let signs = |partner: &Partner| {
            let authority = partner.authority.clone();
            let names = partner.signed_by.iter().map(|it| it.fingerprint().to_owned());
            names.map(move |name| (name, authority.clone())).collect::<Vec<_>>()
        };
        Arrivals { broker, senders: partners.iter().flat_map(signs).collect() }
    }

    /// Takes a delivery in. Returns once it is durable; the same delivery again gets the same message. On a thread that may
    /// block.
    ///
    /// # Errors
    /// If our own store or disk fails: the delivery must not count as received.
    pub(super) fn take(&self, lines: &Lines, delivered: &Delivered<'_>) -> Result<Message, broker::Error> {
        let tenant = &delivered.party.tenant;
        let arrival = self.arrival(delivered);
        if let Some(first) = lines.runtime.block_on(self.broker.arrived(tenant, &arrival))? {
            return Ok(first);
        }
        let chosen = self.choose(lines, delivered)?;
        let arrival = self.with_metadata(arrival, delivered, &chosen);
        let arrival = Arrival { file_name: chosen.name, ..arrival };
        lines.runtime.block_on(async {
            let (broker, caller) = (&self.broker, &chosen.caller);
            match chosen.is_container {
                true => broker.take_screened_arrival(caller, arrival, chosen.stored).await,
                false => broker.take_arrival(caller, arrival, chosen.stored).await,
            }
        })
    }

    /// What the passive recipient of a gateway like ours says in its answer, if it is nothing but that and `partner` itself has signed it.
    pub(super) fn acknowledged(
        &self,
        lines: &Lines,
        delivered: &Delivered<'_>,
        partner: &Authority,
    ) -> Option<Acknowledgement> {
        if delivered.package.raw.length() > acknowledgement::MOST_PACKAGE {
            return None;
        }
        let leaves = unpack(lines, delivered.party, delivered.package, delivered.message).ok()?.ok()?;
        let [leaf] = leaves.as_slice() else { return None };
        let is_believed = |author: &Certificate| {
            let signer = self.sender(lines, &delivered.party.tenant, author);
            signer.is_ok_and(|signer| signer.as_ref() == Some(partner))
                && lines.vetting.refuses(author).is_ok_and(|rule| rule.is_none())
        };
        acknowledgement::read(&leaf.bytes).filter(|_| leaf.authors.iter().any(is_believed))
    }

    /// The same with why it waits, and with the metadata of XTA that it brings. They count only for whoever signed it, and
    /// for the owner of the mailbox.
    fn with_metadata(&self, mut arrival: Arrival, delivered: &Delivered<'_>, chosen: &Chosen) -> Arrival {
        arrival.finding = chosen.finding.map(Finding::error);
        let fetches = self.has_box(delivered.party);
        let Some(meta) = carried::metadata(delivered.package, delivered.message) else {
            let container = Carried { container: true, ..Carried::default() };
            return Arrival { carried: chosen.is_container.then_some(container), ..arrival };
        };
        let authority = delivered.party.authority.as_str();
        let mut carried = along::carried(&meta, chosen.is_container, fetches);
        if meta.author.id.trim() != chosen.caller.actor.id || meta.reader.id.trim() != authority {
            arrival.finding.get_or_insert_with(|| Finding::error("osci-party.metadata"));
            // Nobody is to read them as what its author has said, whatever a human decides.
            carried = Carried { container: chosen.is_container, ..Carried::default() };
        }
        arrival.test = meta.is_test;
        arrival.facts["xtaMessageId"] = json!(meta.message_id.trim().to_lowercase());
        arrival.facts["inReplyTo"] = json!(meta.in_reply_to);
        Arrival { carried: Some(carried), ..arrival }
    }

    /// Whether the readers of an authority look into a message box.
    fn has_box(&self, party: &Party) -> bool {
        let entry = self.broker.house().authority(&party.tenant, &party.authority);
        entry.is_some_and(|entry| entry.xta_box)
    }

    fn arrival(&self, delivered: &Delivered<'_>) -> Arrival {
        let originator = &delivered.message.certificates.signature_originator;
        Arrival {
            door: Door::Osci,
            ticket: format!("{}:{}", delivered.intermediary, delivered.message_id),
            authority: delivered.party.authority.clone(),
            file_name: None,
            answers: delivered.answers,
            finding: None,
            facts: json!({
                "messageId": delivered.message_id,
                "intermediary": delivered.intermediary,
                "originator": originator.as_ref().map(|it| it.certificate.fingerprint()),
            }),
            not_before: None,
            sent: None,
            carried: None,
            test: false,
        }
    }

    /// The content that a standard recognises; if there is none, the only one, or else the package as it came.
    fn choose(&self, lines: &Lines, delivered: &Delivered<'_>) -> Result<Chosen, broker::Error> {
        let leaves = match unpack(lines, delivered.party, delivered.package, delivered.message) {
            Err(error) => {
                tracing::error!(code = error.code(), "a delivery could not be opened");
                return Err(broker::Error::Internal);
            }
            Ok(Err(rule)) => return self.whole(lines, delivered, rule),
            Ok(Ok(leaves)) => leaves,
        };
        if self.has_box(delivered.party) && carried::is_container(&leaves).map_err(kept_badly)? {
            return self.all(lines, delivered, &leaves);
        }
        let only = leaves.len() == 1;
        for leaf in leaves {
            let caller = self.caller(lines, delivered, &leaf.authors)?;
            let stored = self.write(&caller, &leaf.bytes)?;
            let name = leaf.name.as_deref();
            if only || lines.runtime.block_on(self.broker.recognises(&caller, &stored, name))? {
                let finding = match delivered.doubt {
                    None => self.distrust(lines, delivered, &leaf)?,
                    doubt => doubt,
                };
                return Ok(Chosen { caller, name: leaf.name, finding, stored, is_container: false });
            }
            lines.runtime.block_on(self.broker.discard_arrival(stored));
        }
        self.whole(lines, delivered, "osci-party.no-message")
    }

    /// All contents as a container of XTA, for a reader who takes them together. Whoever signed the first must have signed all.
    fn all(
        &self,
        lines: &Lines,
        delivered: &Delivered<'_>,
        leaves: &[Leaf],
    ) -> Result<Chosen, broker::Error> {
        let Some(first) = leaves.first() else {
            return self.whole(lines, delivered, "osci-party.no-content");
        };
        let caller = self.caller(lines, delivered, &first.authors)?;
        let mut finding = delivered.doubt;
        for leaf in leaves {
            if finding.is_some() {
                break;
            }
            finding = match self.caller(lines, delivered, &leaf.authors)? == caller {
                true => self.distrust(lines, delivered, leaf)?,
                false => Some("osci-party.unknown-sender"),
            };
        }
        if self.is_harmful(leaves)? {
            finding = Some("virus.found");
        }
        let writer = self.broker.arrival_writer(&caller)?;
        let stored = carried::pack(writer, leaves, self.broker.most_bytes()).map_err(kept_badly)?;
        Ok(Chosen { caller, name: None, finding, stored, is_container: true })
    }

    /// Whether one of the contents is harmful. What they are kept in is not shown to the virus check.
    fn is_harmful(&self, leaves: &[Leaf]) -> Result<bool, broker::Error> {
        for leaf in leaves {
            match self.broker.screen_source(&mut leaf.bytes.open(), leaf.bytes.length()) {
                Ok(()) => {}
                Err(broker::Error::Harmful) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The package as it came.
    fn whole(&self, lines: &Lines, delivered: &Delivered<'_>, rule: Rule) -> Result<Chosen, broker::Error> {
        let caller = self.caller(lines, delivered, &[])?;
        let stored = self.write(&caller, &delivered.package.raw)?;
        Ok(Chosen { caller, name: None, finding: Some(rule), stored, is_container: false })
    }

    fn write(&self, caller: &Caller, bytes: &Plaintext) -> Result<StoredPayload, broker::Error> {
        let mut writer = self.broker.arrival_writer(caller)?;
        io::copy(&mut bytes.open(), &mut writer).map_err(|_| broker::Error::Interrupted)?;
        Ok(writer.finish()?)
    }

    /// Why no author of a content is believed: of those that are known one must have a good certificate.
    fn distrust(
        &self,
        lines: &Lines,
        delivered: &Delivered<'_>,
        leaf: &Leaf,
    ) -> Result<Option<Rule>, broker::Error> {
        let mut rule = Some("osci-party.unknown-sender");
        for author in &leaf.authors {
            if self.sender(lines, &delivered.party.tenant, author)?.is_none() {
                continue;
            }
            rule = lines.vetting.refuses(author).map_err(|error| {
                tracing::error!(code = error.code(), "a certificate could not be judged");
                broker::Error::Internal
            })?;
            if rule.is_none() {
                break;
            }
        }
        Ok(rule)
    }

    /// Who signs with a certificate: by the configuration, or by an imported entry.
    fn sender(
        &self,
        lines: &Lines,
        tenant: &str,
        certificate: &Certificate,
    ) -> Result<Option<Authority>, broker::Error> {
        match self.senders.get(certificate.fingerprint()) {
            Some(authority) => Ok(Some(authority.clone())),
            None => lines.runtime.block_on(self.broker.signer(tenant, certificate.fingerprint())),
        }
    }

    /// Whoever signed: a partner, or a fingerprint that nobody knows. What is only claimed is no better than that.
    fn caller(
        &self,
        lines: &Lines,
        delivered: &Delivered<'_>,
        authors: &[Certificate],
    ) -> Result<Caller, broker::Error> {
        let tenant = &delivered.party.tenant;
        let known = authors.iter().find_map(|author| self.sender(lines, tenant, author).transpose());
        let known = known.transpose()?;
        let claimed = delivered.message.certificates.signature_originator.as_ref();
        let stranger = authors.first().or(claimed.map(|named| &named.certificate));
        let id = match (known, stranger) {
            (Some(authority), _) => authority.to_string(),
            (None, Some(certificate)) => certificate.fingerprint().to_owned(),
            (None, None) => NOBODY.to_owned(),
        };
        Ok(Caller {
            actor: Actor { kind: "partner".to_owned(), id },
            roles: vec![Role::System],
            scope: Scope::tenant(tenant),
            authority: Some(delivered.party.authority.clone()),
        })
    }
}

/// Contents that could not be kept together.
fn kept_badly(error: ::xta::Error) -> broker::Error {
    tracing::error!(code = error.code(), "the contents of a delivery could not be kept together");
    broker::Error::Internal
}
