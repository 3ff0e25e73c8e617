//! Measurements side by side with programs that others wrote: pairs interleaved in one run, medians, CPU and memory as
//! the kernel accounts them. The load generator runs on the same machine and takes its share of it.

mod check;
mod console;
mod copies;
mod deliver;
mod guard;
mod import;
mod ingest;
mod memory;
mod node;
mod open311;
mod osci;
mod screenpop;
mod soak;
mod transfer;
pub(crate) mod wire;
mod xta;

pub use check::{Beside, CheckFigures, Container, check};
pub use console::{Console, ConsoleFigures, Shown, console};
pub use deliver::{DeliverFigures, deliver};
pub use guard::{Guarded, guard};
pub use import::{ImportFigures, import};
pub use ingest::{Ingest, IngestFigures, ingest};
pub use open311::{OpenFigures, open311};
pub use osci::{OsciFigures, osci};
pub use screenpop::{ScreenPop, ScreenPopFigures, screenpop};
pub use soak::{Heard, Minute, Soak, SoakFigures, soak};
pub use transfer::{TransferFigures, transfer};
pub use xta::{XtaFigures, xta};

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three decimals are more than any machine repeats.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_mind_one_odd_value() {
        assert_eq!(median([1.0, 99.0, 2.0, 3.0, 2.5].into_iter()), 2.5);
    }
}
