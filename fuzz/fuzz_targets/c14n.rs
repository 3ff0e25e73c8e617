//! Any bytes as XML to be brought into its canonical form (src/xml, Canonical XML 1.0 and Exclusive XML Canonicalization
//! 1.0): no form panics, each is its own canonical form, and none depends on how the input is cut; of two faults either may
//! be told.
#![no_main]

use std::io::BufRead;

use amtsbote_fuzz::{slow, steps};
use libfuzzer_sys::fuzz_target;
use xml::{Error, Event, Form, Limits, Reader, canonical_document};

type Outcome = Option<Vec<u8>>;

/// The canonical form of the whole document.
fn whole(input: impl BufRead, form: &Form) -> Outcome {
    canonical_document(input, Limits::default(), form.clone(), Vec::new()).ok()
}

/// The canonical form of the n-th element.
fn part(input: impl BufRead, form: &Form, wanted: u64) -> Result<Vec<u8>, Error> {
    let mut reader = Reader::new(input, Limits::default());
    loop {
        match reader.next()? {
            Event::Start(start) if start.ordinal() == wanted => break,
            Event::Eof => return Ok(Vec::new()),
            _ => {}
        }
    }
    reader.canonicalise(form.clone(), Vec::new())
}

/// What is canonical stays as it is. It may be longer than its source, and so break a limit.
fn check_again(form: &Form, canonical: &[u8]) {
    match canonical_document(canonical, Limits::default(), form.clone(), Vec::new()) {
        Ok(again) => assert_eq!(text(&again), text(canonical)),
        Err(Error::Limit { .. }) => {}
        Err(error) => panic!("{error}: {}", text(canonical)),
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fuzz_target!(|input: &[u8]| {
    // The last byte chooses, so that a document is an input.
    let Some((choice, document)) = input.split_last() else { return };
    let form = Form {
        exclusive: choice & 1 != 0,
        comments: choice & 2 != 0,
        prefixes: if choice & 4 != 0 { vec![String::new(), "ds".to_owned()] } else { Vec::new() },
    };
    let first = whole(document, &form);
    for step in steps(document) {
        assert_eq!(first, whole(slow(document, *step), &form));
    }
    let Some(canonical) = first else { return };
    check_again(&form, &canonical);
    let wanted = u64::from(choice >> 3);
    match part(document, &form, wanted) {
        Ok(element) if element.is_empty() => {}
        Ok(element) => check_again(&form, &element),
        Err(Error::Limit { .. }) => {}
        Err(error) => panic!("{error}"),
    }
});
