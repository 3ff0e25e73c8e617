//! Any bytes as a package of OSCI-Transport (src/osci): taking it apart, reading the message, its signature and its content
//! never panics, and what comes out of an envelope does not depend on how the input is cut.
#![no_main]

use std::io::Read;

use amtsbote_fuzz::{Slow, steps};
use libfuzzer_sys::fuzz_target;
use osci::content::{Part, Reader};
use osci::package::Package;
use osci::transport::{Limits, open, receivers};
use osci::{Error, Result};
use seal::algorithm::Policy;
use seal::xmlenc::Plaintext;

fn limits() -> Limits {
    Limits { package: 1 << 20, xml: 1 << 20, parts: 100, memory: 1 << 20, ..Limits::default() }
}

/// Takes a package apart as far as it goes, signed or not.
fn read(package: Plaintext) -> Result<()> {
    let (policy, limits) = (Policy::default().with_legacy(), limits());
    let mut package = Package::open(package, &limits)?;
    if package.fault()?.is_some() {
        return Ok(());
    }
    let unverified = package.read()?;
    let claimed = unverified.unbelieved().clone();
    let verified = match unverified.is_signed() {
        true => unverified.verify(&policy).map(|(message, _)| message),
        false => unverified.unsigned(),
    };
    // Content is read whether or not it was signed: its reader must stand anything.
    let message = verified.unwrap_or(claimed);
    if message.content.is_none() {
        return Ok(());
    }
    let reader = Reader { package: &package, message: &message, keys: &[], policy: &policy, limits: &limits };
    reader.read()?.iter().for_each(|part| attachments(&reader, part));
    Ok(())
}

fn attachments(reader: &Reader<'_>, part: &Part) {
    match part {
        Part::Attachment(attached) => drop(reader.open_attachment(attached)),
        Part::Container(container) => container.parts.iter().for_each(|part| attachments(reader, part)),
        _ => {}
    }
}

/// What comes out of the envelope of encryption, or the code that refuses it.
fn opened(input: impl Read) -> std::result::Result<Plaintext, String> {
    match open(input, &[], &Policy::default(), &limits()) {
        Ok(opened) => Ok(opened.package),
        Err(Error::Refused(code)) => Err(code.to_string()),
        Err(error) => panic!("{error:?}"),
    }
}

fn bytes_of(package: &Plaintext) -> Vec<u8> {
    let mut bytes = Vec::new();
    package.open().read_to_end(&mut bytes).unwrap();
    bytes
}

fuzz_target!(|input: &[u8]| {
    let first = opened(input);
    for step in steps(input) {
        let again = opened(Slow(input, *step));
        assert_eq!(first.as_ref().map(bytes_of), again.as_ref().map(bytes_of));
    }
    if let Ok(package) = first {
        let _ = read(package);
    }
    let _ = receivers(input, &limits());
});
