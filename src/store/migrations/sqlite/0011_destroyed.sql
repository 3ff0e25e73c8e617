-- SQLite. What is destroyed is in no kept answer either: the answers that tell of a record are found by it.
-- The same index as in ../postgres/0011_destroyed.sql.

CREATE INDEX dedup_told ON dedup (subject) WHERE answer IS NOT NULL;
