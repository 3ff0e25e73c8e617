-- SQLite. What message boxes are looked through by: when a delivery enters its mailbox, and what it answers.
-- The same columns in the same order as in ../postgres/0010_boxes.sql.

ALTER TABLE relay_delivery ADD COLUMN enters_at BIGINT;   -- not to be seen before; absent: since it was taken in
ALTER TABLE relay_delivery ADD COLUMN related TEXT;       -- JSON array: the ids of what it answers; absent: of nothing
UPDATE relay_delivery SET enters_at = created_at;
CREATE INDEX relay_delivery_waits ON relay_delivery (tenant, mailbox, enters_at, message) WHERE stage < 2;
