//! What is in a message that was written: shown to the scanner and to the standards of the house, and taken out of its container.

use std::io::{self, Read};

use broker::{Broker, Checked, StoredPayload};
use model::Caller;
use xta::model::{Content, ContentRole};
use xta::server::backend::Contents;
use xta::{Error, Fault, Result};

use super::boxes::{Boxes, blocking, failed};
use super::package::Unpacked;

/// Contents that are shown to the standards of the house.
const MOST_LOOKED_AT: usize = 100;

impl Boxes {
    /// Looks into the contents: whether they are harmful, what the standards say. It may take long, unless they are none of theirs at the
    /// first look.
    pub(super) async fn look(&self, member: &Caller, stored: &StoredPayload) -> Result<Option<&'static str>> {
        let unpacked = opened(&self.broker, member, stored)?;
        let is_quick = !self.broker.has_scanner() && is_opaque(&unpacked)?;
        let (broker, check) = (self.broker.clone(), self.settings.check);
        let look = move || {
            screen(&broker, &unpacked).map_err(|error| failed(&error))?;
            looked_at(&broker, &unpacked, check)
        };
        if is_quick { look() } else { blocking(look).await }
    }
}

/// Whether no content begins like XML or a ZIP, which is what standards read.
fn is_opaque(unpacked: &Unpacked) -> Result<bool> {
    for index in 0..unpacked.list().len() {
        let mut begin = Vec::new();
        unpacked.section(index)?.take(2).read_to_end(&mut begin)?;
        // XML may begin with a byte order mark or white space, too.
        let is_letter = |byte: &u8| (b'!'..=b'~').contains(byte) && *byte != b'<';
        if begin == b"PK" || !begin.first().is_some_and(is_letter) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A container that was written just now.
pub(super) fn opened(broker: &Broker, member: &Caller, stored: &StoredPayload) -> Result<Unpacked> {
    Unpacked::open(broker.written(member, stored).map_err(|error| failed(&error))?)
}

/// Shows the contents of a container to the standards of the house, which `check` them or only recognise them. Says why the
/// message has to wait for a human if it is handed over; nothing if a standard recognises its only content.
pub(super) fn looked_at(broker: &Broker, unpacked: &Unpacked, check: bool) -> Result<Option<&'static str>> {
    if unpacked.list().is_empty() {
        return Err(Fault::NO_PARAMETERS.into());
    }
    let mut is_recognised = false;
    for (index, (content, _)) in unpacked.list().iter().enumerate().take(MOST_LOOKED_AT) {
        if content.role == ContentRole::Encrypted {
            continue;
        }
        let (mut source, name) = (unpacked.section(index)?, content.file_name.as_deref());
        is_recognised |= match check {
            true => {
                let checked = broker.check_source(&mut source, name);
                is_sound(&checked.map_err(|error| failed(&error))?, content)?
            }
            false => broker.recognises_source(&mut source, name).map_err(|error| failed(&error))?,
        };
    }
    // What stands beside a content that is processed would be lost.
    Ok(match (is_recognised, unpacked.list().len()) {
        (false, _) => Some("message.unknown"),
        (true, 1) => None,
        (true, _) => Some("message.several-contents"),
    })
}

/// Looks for harmful content in each of the contents. The container as a whole is not shown: it is ours, and may be larger than
/// what the scanner takes.
pub(super) fn screen(broker: &Broker, unpacked: &Unpacked) -> std::result::Result<(), broker::Error> {
    let unreadable = |error: Error| {
        tracing::error!(code = error.code(), "contents could not be read again");
        broker::Error::Internal
    };
    for (index, (_, length)) in unpacked.list().iter().enumerate() {
        broker.screen_source(&mut unpacked.section(index).map_err(unreadable)?, *length)?;
    }
    Ok(())
}

/// The first content of a container as bytes of their own, with its name.
pub(super) fn take_out(
    broker: &Broker,
    caller: &Caller,
    container: &StoredPayload,
) -> Result<(StoredPayload, Option<String>)> {
    let unpacked = opened(broker, caller, container)?;
    let mut writer = broker.arrival_writer(caller).map_err(|error| failed(&error))?;
    io::copy(&mut unpacked.section(0)?, &mut writer)?;
    let stored = writer.finish().map_err(|error| failed(&error.into()))?;
    Ok((stored, unpacked.list().first().and_then(|(content, _)| content.file_name.clone())))
}

/// Whether a standard recognises a content; an error if it does and refuses it. What says that it is XML must be; other bytes
/// may look like the beginning of some.
fn is_sound(checked: &Checked, content: &Content) -> Result<bool> {
    let findings = &checked.report.findings;
    let is_unknown = findings.iter().all(|finding| finding.rule == "message.unknown");
    if checked.identity.is_none() && (is_unknown || !says_xml(content)) {
        return Ok(false);
    }
    if checked.report.is_acceptable() {
        return Ok(true);
    }
    let is_encoding = findings.iter().any(|finding| finding.rule == "xml.encoding");
    Err(if is_encoding { Fault::ENCODING } else { Fault::SCHEMA }.into())
}

/// Whether a content says of itself that it is XML, by its media type or the name of its file.
fn says_xml(content: &Content) -> bool {
    let kind = content.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let name = content.file_name.as_deref().unwrap_or_default().to_ascii_lowercase();
    kind.ends_with("/xml") || kind.ends_with("+xml") || name.ends_with(".xml")
}
