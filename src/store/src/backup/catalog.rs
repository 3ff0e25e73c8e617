//! Which tables and columns a database has, told by itself: a new migration needs nothing here.

use crate::Error;
use crate::backup::SCHEMA;
use crate::sql::Conn;

/// All tables but that of schema versions, each behind those that it refers to.
pub(super) struct Catalog {
    pub(super) tables: Vec<Table>,
}

pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Bytes,
}

/// Texts for either engine: tables; columns of one with their types; who refers to whom.
struct Texts {
    tables: &'static str,
    columns: &'static str,
    references: &'static str,
}

const SQLITE: Texts = Texts {
    tables: "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%' \
             ORDER BY name",
    columns: "SELECT name, type FROM pragma_table_xinfo($1) WHERE hidden = 0 ORDER BY cid",
    references: "SELECT DISTINCT it.name, other.\"table\" FROM pragma_table_list AS it, \
                 pragma_foreign_key_list(it.name) AS other WHERE it.schema = 'main'",
};

/// Partitions belong to their table.
const POSTGRES: Texts = Texts {
    tables: "SELECT CAST(relname AS TEXT) FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition \
             AND relnamespace = to_regnamespace(current_schema()::text) ORDER BY 1",
    columns: "SELECT CAST(attname AS TEXT), CAST(format_type(atttypid, NULL) AS TEXT) FROM pg_attribute \
              WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' \
              ORDER BY attnum",
    references: "SELECT DISTINCT CAST(it.relname AS TEXT), CAST(other.relname AS TEXT) FROM pg_constraint AS k \
                 JOIN pg_class AS it ON it.oid = k.conrelid JOIN pg_class AS other ON other.oid = k.confrelid \
                 WHERE k.contype = 'f'",
};

impl Catalog {
    /// What the database has.
    pub(super) async fn of(conn: &mut Conn<'_>) -> Result<Self, Error> {
        let texts = match conn {
            Conn::Sqlite(_) => &SQLITE,
            Conn::Postgres(_) => &POSTGRES,
        };
        let mut tables = Vec::new();
        for row in conn.rows(texts.tables, &[]).await? {
            let name = row.text(0)?;
            if name == SCHEMA {
                continue;
            }
            let mut columns = Vec::new();
            for row in conn.rows(texts.columns, &[name.as_str().into()]).await? {
                columns.push(Column { name: row.text(0)?, kind: kind(&row.text(1)?)? });
            }
            tables.push(Table { name, columns });
        }
        let references = conn.rows(texts.references, &[]).await?;
        let references: Result<Vec<_>, Error> =
            references.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect();
        Ok(Catalog { tables: ordered(tables, &references?) })
    }

    pub(super) fn table(&self, name: &str) -> Result<&Table, Error> {
        self.tables
            .iter()
            .find(|table| table.name == name)
            .ok_or(Error::Corrupt { what: "table of a backup" })
    }
}

impl Table {
    /// All of it, but for what must not come back: uploads under way (see [`super`]), and who is signed in.
    pub(super) fn select(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        let which = match self.name.as_str() {
            "upload" => " WHERE wrapped_key IS NULL",
            "person_session" => " WHERE 1 = 0",
            _ => "",
        };
        format!("SELECT {} FROM {}{which}", columns.join(", "), quoted(&self.name))
    }
}

/// Names are those of our own migrations; quoted because some are words of SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The version of the schema; 0 if the database has none.
pub(super) async fn schema(conn: &mut Conn<'_>) -> Result<i64, Error> {
    let rows = conn.rows("SELECT COALESCE(MAX(version), 0) FROM amtsbote_schema", &[]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

fn kind(name: &str) -> Result<Kind, Error> {
    match name.to_ascii_uppercase().as_str() {
        "BIGINT" | "INTEGER" => Ok(Kind::Int),
        "TEXT" => Ok(Kind::Text),
        "BLOB" | "BYTEA" => Ok(Kind::Bytes),
        _ => Err(Error::Corrupt { what: "type of a column" }),
    }
}

/// Each table behind those that it refers to; tables are few.
fn ordered(mut left: Vec<Table>, references: &[(String, String)]) -> Vec<Table> {
    let mut done: Vec<Table> = Vec::new();
    while !left.is_empty() {
        let waits = |table: &Table| {
            references.iter().any(|(it, other)| {
                *it == table.name && it != other && !done.iter().any(|table| table.name == *other)
            })
        };
        let (waiting, ready): (Vec<_>, Vec<_>) = left.into_iter().partition(waits);
        if ready.is_empty() {
            // A circle, or a table of somebody else: as they come.
            done.extend(waiting);
            return done;
        }
        done.extend(ready);
        left = waiting;
    }
    done
}
