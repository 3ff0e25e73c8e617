//! Behaviour of the reader, the writer and the values, seen from outside.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod agreement;
mod canonical;
mod observing;
mod places;
mod round_trip;
mod strictness;
mod text;
mod values;

use xml::{Error, Event, Limits, Reader};

/// A readable trace of all events: `(name`, `"text`, `)`.
pub(crate) fn trace_with(input: &[u8], limits: Limits) -> Result<String, Error> {
    let mut reader = Reader::new(input, limits);
    let mut trace = String::new();
    loop {
        match reader.next()? {
            Event::Start(start) => {
                trace.push('(');
                trace.push_str(start.local());
                for a in start.attributes() {
                    trace.push_str(&format!(" {}={:?}", a.local, a.value));
                }
            }
            Event::Text(text) => trace.push_str(&format!("{text:?}")),
            Event::End => trace.push(')'),
            Event::Eof => return Ok(trace),
        }
    }
}

pub(crate) fn trace(input: impl AsRef<[u8]>) -> Result<String, Error> {
    trace_with(input.as_ref(), Limits::default())
}

pub(crate) fn code(input: impl AsRef<[u8]>) -> &'static str {
    trace(input).map_or_else(|error| error.code(), |_| "ok")
}
