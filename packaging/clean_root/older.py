"""A store as an earlier version left it: the rows of today's SQLite database in the schema of an earlier migration, so that an upgrade
really has something to migrate. What cannot be in such a store (tables and columns of later migrations) is left behind."""

import os
import sqlite3
from pathlib import Path

MIGRATIONS = Path(__file__).resolve().parents[2] / "src/store/migrations/sqlite"


def newest():
    """Number of the newest migration of this source."""
    return max(int(file.name[:4]) for file in MIGRATIONS.glob("*.sql"))


def version(database):
    """Migration that a database is at."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as store:
        return store.execute("SELECT max(version) FROM amtsbote_schema").fetchone()[0]


def columns(store, schema, table):
    found = store.execute(f"PRAGMA {schema}.table_xinfo('{table}')").fetchall()
    return [row[1] for row in found if row[6] == 0]


def tables(store, schema):
    rows = store.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {row[0] for row in rows}


def take_back(database, to):
    """Takes the database of a gateway that does not run back to migration `to`. Returns how many rows are in it."""
    database = Path(database)
    older = database.with_suffix(".older")
    store = sqlite3.connect(older, isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("CREATE TABLE amtsbote_schema (version BIGINT NOT NULL PRIMARY KEY)")
    for file in sorted(MIGRATIONS.glob("*.sql")):
        if int(file.name[:4]) <= to:
            store.executescript(file.read_text())
            store.execute("INSERT INTO amtsbote_schema VALUES (?)", (int(file.name[:4]),))
    store.execute("ATTACH ? AS now", (str(database),))
    store.execute("BEGIN")
    count = 0
    for table in sorted(tables(store, "main") & tables(store, "now") - {"amtsbote_schema"}):
        both = [name for name in columns(store, "main", table) if name in columns(store, "now", table)]
        names = ", ".join(f'"{name}"' for name in both)
        store.execute(f'DELETE FROM main."{table}"')
        count += store.execute(f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM now."{table}"').rowcount
    if store.execute("SELECT count(*) FROM now.sqlite_master WHERE name = 'sqlite_sequence'").fetchone()[0]:
        store.execute("DELETE FROM main.sqlite_sequence")
        store.execute("INSERT INTO main.sqlite_sequence SELECT * FROM now.sqlite_sequence WHERE name IN "
                      "(SELECT name FROM main.sqlite_master)")
    store.execute("COMMIT")
    store.close()
    owner = database.stat()
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    older.rename(database)
    for beside in older.parent.glob(f"{older.name}-*"):
        beside.unlink()
    os.chown(database, owner.st_uid, owner.st_gid)
    database.chmod(owner.st_mode & 0o777)
    return count
