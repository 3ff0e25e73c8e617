//! A message of our own for each standard that is read beside xdomea: it is known for what it is and taken, and refused once something is
//! wrong with it. No official schema is part of the program, so what is judged here is what the program knows by itself.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

use config::Limits;
use model::standard::Standard;
use schemas::Schemas;

use crate::error::Error;
use crate::registry;
use crate::selftest::Check;

/// Name of the check, standard, message.
const SAMPLES: [(&str, &str, &str); 4] = [
    ("a message of XInneres, whole and cut off", "xinneres", include_str!("samples/xinneres.xml")),
    ("a message of XBau, whole and cut off", "xbau", include_str!("samples/xbau.xml")),
    ("a message of XJustiz, whole and cut off", "xjustiz", include_str!("samples/xjustiz.xml")),
    ("an invoice (XRechnung), whole and cut off", "xrechnung", INVOICE),
];
const INVOICE: &str = include_str!("samples/xrechnung.xml");

/// What is cut off: less than the last end tag.
const CUT: usize = 5;

/// All of it.
pub(super) fn run() -> Vec<Check> {
    let schemas = Arc::new(Schemas::new());
    let standards = registry::standards(&schemas, &Limits::default(), false, None);
    let mut checks = vec![];
    for (name, standard, message) in SAMPLES {
        checks.push(made(name, || whole_and_cut(&standards, standard, message)));
    }
    checks.push(made("an invoice with totals that do not fit", || {
        Ok(!is_taken(&standards, "xrechnung", &INVOICE.replace(">119.00<", ">120.00<"))?)
    }));
    checks
}

fn made(name: &'static str, check: impl FnOnce() -> Result<bool, Error>) -> Check {
    let begin = Instant::now();
    let outcome = check();
    Check::of(name, outcome, begin.elapsed())
}

fn whole_and_cut(standards: &[Arc<dyn Standard>], standard: &str, message: &str) -> Result<bool, Error> {
    let message = message.trim_end();
    let cut = message.get(..message.len().saturating_sub(CUT)).unwrap_or_default();
    Ok(is_taken(standards, standard, message)? && !is_taken(standards, standard, cut)?)
}

/// Whether a message is one of that standard, and nothing stands against taking it.
fn is_taken(standards: &[Arc<dyn Standard>], standard: &str, message: &str) -> Result<bool, Error> {
    let checked = broker::check(standards, &mut Cursor::new(message.as_bytes()), None)?;
    let is_it = checked.identity.is_some_and(|identity| identity.standard == standard);
    Ok(is_it && checked.report.is_acceptable())
}
