//! Everything that can be plugged in, listed by hand: who reads this file knows what this gateway speaks.
//!
//! Standards: those of `xoev`. Authorities of one gateway reach each other by its mailboxes, the county's systems come in by REST.
//! Transports: OSCI, as intermediary, sender and recipient; XTA, as server. Adapters (DMS, workflow, post, archives, programs in any
//! language) stand in `adapters`; payment providers, bank statements and formats for the cash system in `payments`.

use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use broker::house::Reads;
use config::{Config, Limits, OnFailure, Virus, XRechnung};
use model::SystemClock;
use model::standard::Standard;
use net::clamd::{self, Address, Clamd};
use schemas::Schemas;
use xoev::xdomea;
use xoev::xrechnung::Rules;

use crate::error::Error;

/// Longest time of the virus check of one content.
const LONGEST_SCAN: Duration = Duration::from_secs(15 * 60);

/// Message standards, in the order in which they are asked whether a message is theirs; with the rules of invoices, if they are configured.
pub(crate) fn standards(
    schemas: &Arc<Schemas>,
    limits: &Limits,
    allow_restricted: bool,
    rules: Option<&XRechnung>,
) -> Vec<Arc<dyn Standard>> {
    let container = container(limits);
    let options = xdomea::Options { container, depth: limits.depth, allow_restricted };
    let rules = rules.map(|section| Rules {
        command: section.processor.clone(),
        ubl: section.ubl.clone(),
        cii: section.cii.clone(),
        within: Duration::from_secs(section.within_seconds.into()),
    });
    xoev::standards_with(Arc::clone(schemas), options, rules).into_iter().map(Arc::from).collect()
}

/// What a container may hold.
pub(crate) fn container(limits: &Limits) -> xoev::container::Limits {
    xoev::container::Limits {
        entries: limits.container_entries,
        ratio: limits.container_ratio,
        // Documents that are compressed already make up most of a container.
        total_bytes: limits.most_bytes.saturating_mul(2),
        ..xoev::container::Limits::default()
    }
}

/// What an authority of this gateway reads: whatever its standards write, newest first.
pub(crate) fn reads(standards: &[Arc<dyn Standard>]) -> Reads {
    let versions = |standard: &Arc<dyn Standard>| {
        let name = standard.name();
        standard.writes().iter().map(move |version| (name.to_owned(), (*version).to_owned()))
    };
    standards.iter().flat_map(versions).collect()
}

/// The intermediary of OSCI-Transport, if it is configured.
///
/// # Errors
/// If a key or certificate cannot be used.
pub(crate) fn osci(config: &Config, broker: &Broker) -> Result<Option<transport::osci::Door>, Error> {
    let (Some(keys), Some(osci)) = (config.osci_keys()?, &config.osci) else { return Ok(None) };
    let settings = transport::osci::Settings {
        cipher: keys.cipher,
        signer: keys.signer,
        method: keys.method,
        judging: keys.judging,
        policy: keys.policy,
        must_be_signed: osci.must_be_signed,
        must_be_encrypted: osci.must_be_encrypted,
        package_bytes: osci.package_mb << 20,
        mailboxes: keys.mailboxes,
        authority: osci.authority.clone(),
        open_mailboxes: osci.open_mailboxes,
        passive_recipients: osci.passive_recipients.clone(),
        recipient_signers: keys.recipient_signers,
    };
    Ok(Some(transport::osci::door(broker.clone(), settings, Arc::new(SystemClock))?))
}

/// The server of XTA, if it is configured.
///
/// # Errors
/// If a certificate cannot be used.
pub(crate) fn xta(config: &Config, broker: &Broker) -> Result<Option<transport::xta::Door>, Error> {
    let Some(settings) = config.xta_settings()? else { return Ok(None) };
    Ok(Some(transport::xta::door(broker, settings, Arc::new(SystemClock))?))
}

/// Whoever looks for viruses.
///
/// # Errors
/// If the address is none.
pub(crate) fn scanner(virus: &Virus) -> Result<Clamd, Error> {
    let address = Address::parse(&virus.clamd).ok_or(net::Error::Url)?;
    Ok(Clamd::new(clamd::Settings {
        address,
        most_bytes: virus.max_mb << 20,
        take_unseen: virus.on_failure == OnFailure::Take,
        silence: Duration::from_secs(virus.silence_seconds.into()),
        within: LONGEST_SCAN,
    }))
}
