//! Any bytes as a package (src/soap, RFC 2046): the reader never panics, never gives out what a limit forbids, sees the
//! same however the input is cut, and what it read it can read again after our writer wrote it.
#![no_main]

use std::io::{Read, Write};

use libfuzzer_sys::fuzz_target;
use soap::Result;
use soap::mime::{Boundary, Limits, Multipart, NewPart, Writer};

/// A part: Content-ID and content.
type Seen = (Option<String>, Vec<u8>);

const LIMITS: Limits = Limits { parts: 100, total_bytes: 1 << 20 };

/// Gives at most so many bytes at once.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let room = target.len().min(self.1);
        self.0.read(&mut target[..room])
    }
}

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
fn with_inner_headers(input: impl Read) -> Result<Vec<Seen>> {
    parts(Multipart::with_inner_headers(input, LIMITS))
}

/// A package whose boundary comes from HTTP.
fn with_content_type(input: impl Read) -> Result<Vec<Seen>> {
    parts(Multipart::with_content_type(input, "multipart/related; boundary=b", LIMITS))
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
    let outcome = |seen: &Result<Vec<Seen>>| format!("{seen:?}");
    let inner = with_inner_headers(input);
    let outer = with_content_type(input);
    for step in [1, 7] {
        assert_eq!(outcome(&inner), outcome(&with_inner_headers(Slow(input, step))));
        assert_eq!(outcome(&outer), outcome(&with_content_type(Slow(input, step))));
    }
    for seen in [inner, outer].into_iter().flatten() {
        assert!(!seen.is_empty() && seen.len() <= LIMITS.parts);
        let without_id = seen.iter().filter(|(id, _)| id.is_none()).count();
        if without_id == 0 {
            assert_eq!(with_inner_headers(&written(&seen)[..]).unwrap(), seen);
        }
    }
});
