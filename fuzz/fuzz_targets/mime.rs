//! Any bytes as a package (src/soap, RFC 2046): the reader never panics, never gives out what a limit forbids, sees the
//! same however the input is cut (of two faults either may be told), and what it read it can read again after our writer wrote it.
#![no_main]

use std::io::{Read, Write};

use amtsbote_fuzz::{Slow, steps};
use libfuzzer_sys::fuzz_target;
use soap::Result;
use soap::mime::{Boundary, Limits, Multipart, NewPart, Writer};

/// A part: Content-ID and content.
type Seen = (Option<String>, Vec<u8>);

/// What was seen; nothing if anything is wrong.
type Outcome = Option<Vec<Seen>>;

const LIMITS: Limits = Limits { parts: 100, total_bytes: 1 << 20 };

fn parts<R: Read>(package: Result<Multipart<R>>) -> Result<Vec<Seen>> {
    let mut package = package?;
    let mut seen = Vec::new();
    while let Some(mut part) = package.next_part()? {
        let id = part.content_id().map(str::to_owned);
        let mut content = Vec::new();
        part.read_to_end(&mut content)?;
        seen.push((id, content));
    }
    Ok(seen)
}

/// A package with its headers inside.
fn with_inner_headers(input: impl Read) -> Outcome {
    parts(Multipart::with_inner_headers(input, LIMITS)).ok()
}

/// A package whose boundary comes from HTTP.
fn with_content_type(input: impl Read) -> Outcome {
    parts(Multipart::with_content_type(input, "multipart/related; boundary=b", LIMITS)).ok()
}

fn written(seen: &[Seen]) -> Vec<u8> {
    let mut writer = Writer::osci(Vec::new(), Boundary::from_random([7; 24])).unwrap();
    for (id, content) in seen {
        let part = NewPart::attachment(id.as_deref().unwrap_or("no id")).with_length(content.len() as u64);
        writer.begin(&part).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap()
}

fuzz_target!(|input: &[u8]| {
    let readers: [fn(&mut dyn Read) -> Outcome; 2] =
        [|it| with_inner_headers(it), |it| with_content_type(it)];
    for read in readers {
        let outcome = read(&mut &input[..]);
        for step in steps(input) {
            assert_eq!(outcome, read(&mut Slow(input, *step)));
        }
        let Some(seen) = outcome else { continue };
        assert!(!seen.is_empty() && seen.len() <= LIMITS.parts);
        if seen.iter().all(|(id, _)| id.is_some()) {
            assert_eq!(with_inner_headers(&written(&seen)[..]).unwrap(), seen);
        }
    }
});
