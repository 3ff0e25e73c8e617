//! What an engine commits as one: the steps of a [`Work`](crate::Work), a claim of jobs, a lease of mail, or a change of a
//! breaker.

use std::fmt::Write;

use futures::StreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, SqliteConnection};

use crate::Error;
use crate::inbox::LeaseUnit;
use crate::lanes::LaneChange;
use crate::queue::Claim;
use crate::sql::{Conn, Expect, Failed, Row, Step, for_sqlite, refuse_nul};

/// Statements of a unit that go to SQLite's thread together.
const TOGETHER: usize = 16;
/// Units of the same shape that go there together; a power of two.
const ALIKE: usize = 8;

/// All or nothing of it is written. It may be run again if a database wants it so.
pub(crate) enum Unit {
    /// One after the other; the first unmet expectation fails the unit.
    Steps(Vec<Step>),
    /// See [`Claim`].
    Claim(Claim),
    /// See [`LeaseUnit`].
    Lease(LeaseUnit),
    /// See [`LaneChange`].
    Lane(LaneChange),
}

impl Unit {
    /// Runs within a transaction or savepoint that the engine opened. Returns the rows of returning steps.
    pub(crate) async fn run(&self, conn: &mut Conn<'_>) -> Result<Vec<Row>, Failed> {
        let steps = match self {
            Unit::Steps(steps) => steps,
            Unit::Claim(claim) => return claim.run(conn).await,
            Unit::Lease(lease) => return lease.run(conn).await,
            Unit::Lane(change) => return change.run(conn).await,
        };
        let mut rows = Vec::new();
        match conn {
            Conn::Sqlite(conn) => {
                for some in steps.chunks(TOGETHER) {
                    rows.extend(run_together(conn, some.iter()).await?);
                }
            }
            Conn::Postgres(_) => {
                for step in steps {
                    rows.extend(step.run(conn).await?);
                }
            }
        }
        Ok(rows)
    }
}

/// How many of the first units can be run by one [`run_alike`]: 1, 2, 4 or 8. Powers of two, so that few different texts
/// have to be kept prepared.
pub(crate) fn alike(units: &[Unit]) -> usize {
    let Some(Unit::Steps(first)) = units.first() else { return 1 };
    let packs = first.len() <= TOGETHER && first.iter().all(|step| step.expect != Expect::Returning);
    let same = |unit: &&Unit| {
        matches!(unit, Unit::Steps(steps) if steps.len() == first.len()
            && steps.iter().zip(first).all(|(step, first)| step.sql.as_str() == first.sql.as_str()))
    };
    let count = if packs { units.iter().take(ALIKE).take_while(same).count() } else { 1 };
    1 << count.max(1).ilog2()
}

/// Runs units of the same shape that return no rows, all or none.
pub(crate) async fn run_alike(conn: &mut SqliteConnection, units: &[Unit]) -> Result<(), Failed> {
    let steps = units.iter().flat_map(|unit| match unit {
        Unit::Steps(steps) => steps.as_slice(),
        Unit::Claim(_) | Unit::Lease(_) | Unit::Lane(_) => &[],
    });
    run_together(conn, steps).await.map(drop)
}

/// Runs steps as one text of several statements. Handing a statement to SQLite's thread and waiting for it costs several
/// times what running it does, so small units go there and back once. A step whose expectation is unmet does not keep
/// those behind it from running, but nothing of the unit is kept then.
async fn run_together<'s>(
    conn: &mut SqliteConnection,
    steps: impl Iterator<Item = &'s Step> + Clone,
) -> Result<Vec<Row>, Failed> {
    let (mut sql, mut behind) = (String::new(), 0);
    for step in steps.clone() {
        refuse_nul(&step.args)?;
        push_renumbered(&mut sql, step.sql.as_str(), behind);
        sql.push(';');
        behind += step.args.len();
    }
    let mut rows = Vec::new();
    let args = steps.clone().flat_map(|step| &step.args);
    let mut pending = steps;
    let mut unmet = None;
    let mut outcomes = conn.fetch_many(for_sqlite(AssertSqlSafe(sql), args));
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(Either::Right(row)) => rows.push(Row::Sqlite(row)),
            Ok(Either::Left(done)) => {
                let step = pending.next();
                unmet = unmet.or(step.and_then(|step| step.unmet_by(done.rows_affected())));
            }
            Err(error) => {
                let failed = pending.next().map(|step| step.failed(error));
                return Err(unmet.map(Failed::Unit).or(failed).unwrap_or(Failed::Unit(Error::Closed)));
            }
        }
    }
    match unmet {
        Some(error) => Err(error.into()),
        None => Ok(rows),
    }
}

/// Appends `sql` with its parameters counted from `behind` on: `$2` becomes `$9` behind seven others.
fn push_renumbered(out: &mut String, sql: &str, behind: usize) {
    let mut pieces = sql.split('$');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = piece[..digits].parse().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(out, "${}{}", number + behind, &piece[digits..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_on_counting() {
        let mut sql = String::new();
        push_renumbered(&mut sql, "UPDATE a SET b = $2, c = $10 WHERE d = $1", 7);
        assert_eq!(sql, "UPDATE a SET b = $9, c = $17 WHERE d = $8");
    }
}
