//! Many statements as one text for SQLite: handing a statement to its thread and waiting for it costs several times what
//! running it does.
//!
//! Units of the same shape are run statement by statement, first all their first ones, then all their second ones, where
//! that comes to the same. Their rows of one table become one statement then.

use futures::StreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, SqliteConnection};

use crate::Error;
use crate::sql::{Expect, Failed, Row, Step, Value, for_sqlite, refuse_nul};
use crate::sqlite::OUTCOMES;
use crate::unit::Unit;

/// Statements of a unit that go to SQLite's thread together.
pub(crate) const TOGETHER: usize = 16;
/// Units of the same shape that go there together; powers of two.
const ALIKE: usize = 8;
/// The same of those that are run statement by statement.
const SORTED: usize = 32;
/// How a statement goes on behind a row without changing what else is in the table.
const ROW_ENDS: [&str; 2] = ["", " ON CONFLICT DO NOTHING"];

/// How many of the first units can be run by one [`run_alike`]. Powers of two, so that few different texts have to be kept
/// prepared.
pub(crate) fn alike(units: &[Unit]) -> usize {
    let Some(first) = units.first().and_then(Unit::steps) else { return 1 };
    if first.len() > TOGETHER || first.iter().any(|step| step.expect == Expect::Returning) {
        return 1;
    }
    let same = |unit: &&Unit| {
        unit.steps().is_some_and(|steps| steps.len() == first.len() && steps.iter().zip(first).all(is_same))
    };
    // Rows of one table are one statement; of all others no text has more than there is room for their outcomes.
    let alone = first.iter().filter(|step| !is_row(step)).count();
    let most = if is_sortable(first) { SORTED.min(OUTCOMES / alone.max(1)) } else { ALIKE };
    let count = units.iter().take(most).take_while(same).count();
    1 << count.max(1).ilog2()
}

fn is_same((one, other): (&Step, &Step)) -> bool {
    one.sql.as_str() == other.sql.as_str() && one.expect == other.expect
}

/// Runs units of the same shape that return no rows, all or none: if one fails, the transaction may have ended by itself.
pub(crate) async fn run_alike(conn: &mut SqliteConnection, units: &[Unit]) -> Result<(), Failed> {
    let all: Vec<&[Step]> = units.iter().filter_map(Unit::steps).collect();
    let first = all.first().copied().unwrap_or_default();
    if !is_sortable(first) {
        let steps: Vec<&Step> = all.into_iter().flatten().collect();
        return run(conn, steps.chunks(1).collect()).await.map(drop);
    }
    let steps = (0..first.len()).flat_map(|nth| all.iter().filter_map(move |steps| steps.get(nth)));
    run(conn, statements(&steps.collect::<Vec<&Step>>())).await.map(drop)
}

/// Runs steps of a unit.
pub(crate) async fn run_together(conn: &mut SqliteConnection, steps: &[Step]) -> Result<Vec<Row>, Failed> {
    let steps: Vec<&Step> = steps.iter().collect();
    run(conn, steps.chunks(1).collect()).await
}

/// Whether units of this shape may be run statement by statement. They may if no two of its statements have to do with the
/// same table, unless both only add rows: then it makes no difference which is first. (It would if two statements of one unit
/// added rows of one key that may be there already, which none does. Foreign keys are not looked at: rows are added before those that
/// name them, and are not deleted by units of many.)
fn is_sortable(steps: &[Step]) -> bool {
    let touches: Vec<(Vec<&str>, bool)> =
        steps.iter().map(|step| (tables(step.sql.as_str()), row_of(step.sql.as_str()).is_some())).collect();
    touches.iter().enumerate().all(|(at, (tables, adds))| {
        touches[at + 1..]
            .iter()
            .all(|(others, add)| (*adds && *add) || tables.iter().all(|table| !others.contains(table)))
    })
}

/// The tables that a statement names.
fn tables(sql: &str) -> Vec<&str> {
    let words = sql.split_ascii_whitespace();
    let behind = words.clone().skip(1);
    let named = words.zip(behind).filter(|(word, table)| {
        matches!(*word, "INTO" | "FROM" | "JOIN") || (*word == "UPDATE" && *table != "SET")
    });
    named.map(|(_, table)| table).collect()
}

/// Runs statements as one text. A step whose expectation is unmet does not keep those behind it from running, but nothing of
/// them is kept then.
async fn run(conn: &mut SqliteConnection, statements: Vec<&[&Step]>) -> Result<Vec<Row>, Failed> {
    let (mut sql, mut args) = (String::new(), Vec::new());
    for steps in &statements {
        for step in *steps {
            refuse_nul(&step.args)?;
        }
        push(&mut sql, &mut args, steps);
    }
    let mut rows = Vec::new();
    let mut pending = statements.into_iter();
    let mut unmet = None;
    let mut outcomes = conn.fetch_many(for_sqlite(AssertSqlSafe(sql), args));
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(Either::Right(row)) => rows.push(Row::Sqlite(row)),
            Ok(Either::Left(done)) => {
                unmet = unmet.or(pending.next().and_then(|steps| unmet_by(steps, done.rows_affected())));
            }
            Err(error) => {
                let failed = pending.next().and_then(<[_]>::first).map(|step| step.failed(error));
                return Err(unmet.map(Failed::Unit).or(failed).unwrap_or(Failed::Unit(Error::Closed)));
            }
        }
    }
    match unmet {
        Some(error) => Err(error.into()),
        None => Ok(rows),
    }
}

/// The conflict that it is if a statement of these steps touched so many rows. Several steps are rows of one table: each
/// expects the same, and adds one or none.
fn unmet_by(steps: &[&Step], touched: u64) -> Option<Error> {
    let [.., last] = steps else { return None };
    last.unmet_by(touched.saturating_sub(steps.len() as u64 - 1))
}

/// The steps of each statement: one, or several that add rows to the same table.
fn statements<'a, 's>(steps: &'a [&'s Step]) -> Vec<&'a [&'s Step]> {
    let mut all = Vec::with_capacity(steps.len());
    for same in steps.chunk_by(|one, other| is_same((one, other))) {
        match same {
            [first, _, ..] if is_row(first) => all.push(same),
            _ => all.extend(same.chunks(1)),
        }
    }
    all
}

/// Whether a step adds a row, and what is expected of several of them can be told by their number.
fn is_row(step: &Step) -> bool {
    matches!(step.expect, Expect::Any | Expect::Rows(1)) && row_of(step.sql.as_str()).is_some()
}

/// What stands behind `INSERT` before, in and behind the row, if a statement does nothing but to add one.
fn row_of(sql: &str) -> Option<[&str; 3]> {
    let (head, rest) =
        sql.strip_prefix("INSERT").filter(|rest| rest.starts_with(" INTO "))?.split_once(" VALUES ")?;
    let (row, tail) = rest.split_at(rest.find(')')? + 1);
    let is_row = row.starts_with('(') && !row[1..].contains('(') && !head.contains('$');
    (is_row && ROW_ENDS.contains(&tail)).then_some([head, row, tail])
}

/// Appends a statement and its arguments.
fn push<'s>(sql: &mut String, args: &mut Vec<&'s Value>, steps: &[&'s Step]) {
    let [first, others @ ..] = steps else { return };
    match row_of(first.sql.as_str()) {
        Some([head, row, tail]) if !others.is_empty() => {
            // Without a transaction to go back in, SQLite keeps no copies of the pages that the statement changes.
            sql.push_str("INSERT OR ROLLBACK");
            sql.push_str(head);
            for (at, step) in steps.iter().enumerate() {
                sql.push_str(if at == 0 { " VALUES " } else { ", " });
                push_unnumbered(sql, args, row, &step.args);
            }
            sql.push_str(tail);
        }
        _ => push_unnumbered(sql, args, first.sql.as_str(), &first.args),
    }
    sql.push(';');
}

/// Appends `sql` with `?` for each parameter, and the arguments in the order in which they stand there: SQLite goes through
/// all numbers to find one.
fn push_unnumbered<'s>(out: &mut String, args: &mut Vec<&'s Value>, sql: &str, numbered: &'s [Value]) {
    let mut pieces = sql.split('$');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = piece[..digits].parse().unwrap_or_default();
        args.extend(numbered.get(number.wrapping_sub(1)));
        out.push('?');
        out.push_str(&piece[digits..]);
    }
}

#[cfg(test)]
mod tests {
    use model::Id;

    use super::*;
    use crate::Work;

    const ADD: &str = "INSERT INTO a (x, y) VALUES ($1, $2)";

    fn step(sql: &'static str, args: &[i64]) -> Step {
        Step::new(sql, args.iter().copied().map(Value::from).collect(), "row", Expect::Rows(1))
    }

    fn text(steps: &[Step]) -> (String, Vec<i64>) {
        let (mut sql, mut args) = (String::new(), Vec::new());
        let steps: Vec<_> = steps.iter().collect();
        statements(&steps).iter().for_each(|steps| push(&mut sql, &mut args, steps));
        let number = |arg: &&Value| if let Value::Int(Some(number)) = arg { *number } else { 0 };
        (sql, args.iter().map(number).collect())
    }

    #[test]
    fn rows_of_one_table_become_one_statement() {
        let (sql, args) = text(&[step(ADD, &[1, 2]), step(ADD, &[3, 4])]);
        assert_eq!(
            (sql.as_str(), args),
            ("INSERT OR ROLLBACK INTO a (x, y) VALUES (?, ?), (?, ?);", vec![1, 2, 3, 4])
        );
        let lane = "INSERT INTO lane (x, y) VALUES ($1, 0) ON CONFLICT DO NOTHING";
        let (sql, _) = text(&[step(lane, &[1]), step(lane, &[2])]);
        assert_eq!(sql, "INSERT OR ROLLBACK INTO lane (x, y) VALUES (?, 0), (?, 0) ON CONFLICT DO NOTHING;");
    }

    #[test]
    fn anything_else_stays_a_statement_of_its_own() {
        for sql in [
            "INSERT INTO a (x) VALUES ($1) RETURNING x",
            "INSERT INTO a (x) VALUES (lower($1))",
            "INSERT INTO a (x) VALUES ($1) ON CONFLICT (x) DO UPDATE SET x = excluded.x",
            "INSERT INTO a (x) SELECT $1",
            "UPDATE a SET x = $1",
        ] {
            let (text, args) = text(&[step(sql, &[1]), step(sql, &[2])]);
            assert_eq!(text, format!("{0};{0};", sql.replace("$1", "?")));
            assert_eq!(args, [1, 2]);
        }
    }

    #[test]
    fn arguments_stand_where_they_are_named() {
        let update =
            step("UPDATE a SET b = $2, c = $10 WHERE d = $1 AND e <> $2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let (sql, args) = text(&[update]);
        assert_eq!(sql, "UPDATE a SET b = ?, c = ? WHERE d = ? AND e <> ?;");
        assert_eq!(args, [2, 10, 1, 2]);
    }

    #[test]
    fn only_statements_that_cannot_see_each_other_are_sorted() {
        let [add, delete] = [ADD, "DELETE FROM b WHERE x = $1"];
        for (sorts, shape) in [
            (true, &[add, add][..]),
            (true, &[delete, add, "UPDATE c SET x = $1"]),
            (true, &[add, "INSERT INTO c (x) SELECT $1 WHERE $1 > 0 ON CONFLICT (x) DO UPDATE SET x = $1"]),
            (false, &[delete, add, "UPDATE b SET x = $1"]),
            (false, &[add, "UPDATE c SET x = $1 WHERE EXISTS (SELECT 1 FROM a WHERE x = $1)"]),
            (false, &["INSERT INTO b (x) VALUES ($1)", add, delete]),
        ] {
            let steps: Vec<_> = shape.iter().map(|sql| step(sql, &[1, 2])).collect();
            assert_eq!(is_sortable(&steps), sorts, "{shape:?}");
        }
    }

    #[test]
    fn a_row_that_was_not_added_is_missed() {
        let steps = [step(ADD, &[1, 2]), step(ADD, &[3, 4])];
        let steps: Vec<_> = steps.iter().collect();
        assert!(unmet_by(&steps, 2).is_none());
        assert!(unmet_by(&steps, 1).is_some());
        assert!(unmet_by(&steps[..1], 0).is_some());
    }

    #[test]
    fn units_that_take_messages_in_go_together() {
        let unit = || {
            let mut work = Work::new();
            let id = model::ids::new_id();
            work.claim_dedup("t", "in", &id.to_string(), id, "d", None);
            work.cancel_jobs("t", Id::nil());
            Unit::Steps(work.into_steps().unwrap())
        };
        let units: Vec<_> = (0..40).map(|_| unit()).collect();
        assert_eq!(alike(&units), SORTED);
        assert_eq!(alike(&units[..7]), 4);
        assert_eq!(alike(&[]), 1);
    }
}
