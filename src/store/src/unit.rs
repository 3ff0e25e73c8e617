//! What an engine commits as one: the steps of a [`Work`](crate::Work), or a claim of jobs.

use crate::queue::Claim;
use crate::sql::{Conn, Failed, Row, Step};

/// All or nothing of it is written. It may be run again if a database wants it so.
pub(crate) enum Unit {
    /// One after the other; the first unmet expectation fails the unit.
    Steps(Vec<Step>),
    /// See [`Claim`].
    Claim(Claim),
}

impl Unit {
    /// Runs within a transaction or savepoint that the engine opened. Returns the rows of returning steps.
    pub(crate) async fn run(&self, conn: &mut Conn<'_>) -> Result<Vec<Row>, Failed> {
        match self {
            Unit::Claim(claim) => claim.run(conn).await,
            Unit::Steps(steps) => {
                let mut rows = Vec::new();
                for step in steps {
                    rows.extend(step.run(conn).await?);
                }
                Ok(rows)
            }
        }
    }
}
