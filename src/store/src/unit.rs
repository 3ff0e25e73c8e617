//! What an engine commits as one: the steps of a [`Work`](crate::Work), a claim of jobs, a lease of mail, or a change of a
//! breaker.

use crate::inbox::LeaseUnit;
use crate::lanes::LaneChange;
use crate::queue::Claim;
use crate::sql::{Conn, Failed, Row, Step};
use crate::together::{TOGETHER, run_together};

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
                    rows.extend(run_together(conn, some).await?);
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

    /// Its statements, if it is nothing but statements.
    pub(crate) fn steps(&self) -> Option<&[Step]> {
        match self {
            Unit::Steps(steps) => Some(steps),
            Unit::Claim(_) | Unit::Lease(_) | Unit::Lane(_) => None,
        }
    }
}
