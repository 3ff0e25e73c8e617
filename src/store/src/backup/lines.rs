//! A row as a line: a JSON array of numbers, texts, nulls, and bytes as `{"b":"base64"}`.

use std::io::{BufRead, Read, Write};
use std::pin::Pin;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{Stream, TryStreamExt};
use serde_json::{Value as Json, json};

use super::catalog::{Kind, Table};
use crate::Error;
use crate::sql::{Row, Value};

/// Longest line, in bytes: many times what the largest row has.
const LONGEST: u64 = 256 << 20;

/// Writes all rows of a table; returns how many.
pub(super) async fn write<R>(
    mut rows: Pin<Box<dyn Stream<Item = Result<R, sqlx::Error>> + Send + '_>>,
    of: impl Fn(R) -> Row,
    table: &Table,
    to: &mut impl Write,
) -> Result<u64, Error> {
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        let row = of(row);
        let values = table.columns.iter().enumerate().map(|(at, column)| value(&row, at, column.kind));
        serde_json::to_writer(&mut *to, &values.collect::<Result<Vec<_>, _>>()?)
            .map_err(std::io::Error::from)?;
        to.write_all(b"\n")?;
        count += 1;
    }
    Ok(count)
}

fn value(row: &Row, at: usize, kind: Kind) -> Result<Json, Error> {
    Ok(match kind {
        Kind::Int => json!(row.opt_int(at)?),
        Kind::Text => json!(row.opt_text(at)?),
        Kind::Bytes => {
            row.opt_bytes(at)?.map_or(Json::Null, |bytes| json!({ "b": BASE64_STANDARD.encode(bytes) }))
        }
    })
}

/// The next row, with the bytes that its line took; `None` behind the last one.
pub(super) fn read(from: &mut dyn BufRead, kinds: &[Kind]) -> Result<Option<(Vec<Value>, usize)>, Error> {
    let damaged = Error::Corrupt { what: "row of a backup" };
    let mut line = Vec::new();
    let bytes = from.take(LONGEST).read_until(b'\n', &mut line)?;
    if bytes == 0 {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_slice::<Vec<Json>>(&line) else { return Err(damaged) };
    if values.len() != kinds.len() {
        return Err(damaged);
    }
    let values = values.into_iter().zip(kinds).map(|(value, kind)| parameter(value, *kind));
    Ok(Some((values.collect::<Option<Vec<_>>>().ok_or(damaged)?, bytes)))
}

fn parameter(value: Json, kind: Kind) -> Option<Value> {
    Some(match (kind, value) {
        (Kind::Int, Json::Null) => Value::Int(None),
        (Kind::Int, Json::Number(number)) => Value::Int(Some(number.as_i64()?)),
        (Kind::Text, Json::Null) => Value::Text(None),
        (Kind::Text, Json::String(text)) => text.into(),
        (Kind::Bytes, Json::Null) => Value::Bytes(None),
        (Kind::Bytes, bytes) => Value::Bytes(Some(BASE64_STANDARD.decode(bytes["b"].as_str()?).ok()?.into())),
        _ => return None,
    })
}
