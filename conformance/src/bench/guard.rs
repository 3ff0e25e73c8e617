//! Guards against code that gets slower unnoticed: CPU of the gateway's main ways against hard upper bounds.
//!
//! Bounds are multiples of a yard, so that they hold on any machine: the CPU that SHA-256 and deflate of ten kilobytes take in
//! this process, measured again in every round. Wall time is not looked at.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use super::node::{Node, SIZE};
use super::{check, median, rounded};
use crate::Error;
use crate::gateway::{Engine, cpu_us};

/// Most that each way may cost, in yards: about one and a half times what was measured when the bound was set.
/// Whoever makes a way cheaper lowers its bound.
const BOUNDS: [Bound; 3] = [
    Bound { way: "intake, for each message", dev: 27.0, release: 7.5 },
    Bound { way: "from the socket into the mailbox, for each message", dev: 145.0, release: 51.0 },
    Bound { way: "check of 5 MB", dev: 9_400.0, release: 2_100.0 },
];

/// Rounds; each measures everything once.
const ROUNDS: usize = 3;

/// Messages of a round on each of the two ways.
const MESSAGES: usize = 500;

/// Connections.
const CONNECTIONS: usize = 16;

/// Size of the message that is checked, in bytes.
const CHECKED: u64 = 5_000_000;

/// Yards of one measurement of the yard: half a second, since the kernel counts in hundredths.
const YARDS: u32 = 2_000;

/// A row of the table. Which column counts is decided by how this program was built: the gateway is built alike.
struct Bound {
    way: &'static str,
    dev: f64,
    release: f64,
}

impl Bound {
    fn most(&self) -> f64 {
        if cfg!(debug_assertions) { self.dev } else { self.release }
    }
}

/// What one way costs.
#[derive(Debug, Clone, Serialize)]
pub struct Guarded {
    /// What was measured.
    pub way: &'static str,
    /// CPU in microseconds; the median of the rounds.
    pub cpu_us: f64,
    /// The same in yards of its round.
    pub yards: f64,
    /// Most that it may be, in yards.
    pub most: f64,
    /// Whether the bound holds.
    pub holds: bool,
}

/// Measures each way of the gateway on SQLite.
///
/// # Errors
/// If an answer is not what the contract says.
pub async fn guard(binary: &Path) -> Result<Vec<Guarded>, Error> {
    let mut taking = Node::start(binary, &Engine::Sqlite, "[limits]\nworkers = 0\n", &[]).await?;
    let mut whole = Node::start(binary, &Engine::Sqlite, "", &[]).await?;
    let folder = tempfile::tempdir()?;
    let document = check::generate(folder.path(), CHECKED)?;
    let mut costs = [const { vec![] }; 3];
    for _ in 0..ROUNDS {
        let before = yard()?;
        let round = [
            messages(&mut taking, false).await?,
            messages(&mut whole, true).await?,
            check::measure("amtsbote", Command::new(binary).arg("check").arg(&document), &[0, 1])?.cpu * 1e6,
        ];
        // A machine that others use changes its pace within the round, too.
        let yard = f64::midpoint(before, yard()?);
        costs.iter_mut().zip(round).for_each(|(costs, cpu)| costs.push((cpu, cpu / yard)));
    }
    taking.gateway.remove().await?;
    whole.gateway.remove().await?;
    Ok(BOUNDS.iter().zip(costs).map(|(bound, costs)| judge(bound, &costs)).collect())
}

fn judge(bound: &Bound, costs: &[(f64, f64)]) -> Guarded {
    let yards = median(costs.iter().map(|(_, yards)| *yards));
    Guarded {
        way: bound.way,
        cpu_us: median(costs.iter().map(|(cpu, _)| *cpu)).round(),
        yards: rounded(yards),
        most: bound.most(),
        holds: yards <= bound.most(),
    }
}

/// CPU of the gateway for each message: up to the answer, or up to the mailbox.
async fn messages(node: &mut Node, whole_way: bool) -> Result<f64, Error> {
    let before = node.gateway.cpu_us()?;
    node.send(MESSAGES, CONNECTIONS).await?;
    if whole_way {
        node.through().await?;
    }
    Ok((node.gateway.cpu_us()? - before) / MESSAGES as f64)
}

/// CPU of a yard now, in microseconds.
fn yard() -> Result<f64, Error> {
    let mut text = vec![];
    schemas::testdata::generate_0503(&mut text, SIZE as u64)?;
    text.truncate(SIZE);
    let before = cpu_us("self")?;
    for _ in 0..YARDS {
        std::hint::black_box(openssl::sha::sha256(&text));
        let mut deflate = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default());
        deflate.start_file("yard", options).map_err(std::io::Error::from)?;
        deflate.write_all(&text)?;
        std::hint::black_box(deflate.finish().map_err(std::io::Error::from)?);
    }
    Ok((cpu_us("self")? - before) / f64::from(YARDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_above_the_bound_is_forgiven_two_are_not() {
        let bound = Bound { way: "way", dev: 2.0, release: 2.0 };
        assert!(judge(&bound, &[(1.0, 1.9), (1.0, 9.0), (1.0, 1.0)]).holds);
        assert!(!judge(&bound, &[(1.0, 2.1), (1.0, 9.0), (1.0, 1.0)]).holds);
        assert!(!judge(&bound, &[]).holds, "what was not measured does not hold");
    }
}
