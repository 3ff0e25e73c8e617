-- What is told of a parked message besides itself. Written and deleted together with its state; wins over nothing.
CREATE TABLE clarification (
    message TEXT NOT NULL PRIMARY KEY,
    tenant  TEXT NOT NULL,
    rule    TEXT NOT NULL,     -- the finding that keeps it
    side    TEXT NOT NULL,     -- who has to act
    since   BIGINT NOT NULL,
    task    TEXT               -- the task on the desk of its unit
);
CREATE INDEX clarification_listed ON clarification (tenant, message);
CREATE INDEX clarification_rule ON clarification (tenant, rule, message);

INSERT INTO clarification (message, tenant, rule, side, since)
SELECT id, tenant, COALESCE(json_extract(body, '$.report.findings[0].rule'), 'message.parked-by-hand'), 'us', CAST(unixepoch(json_extract(body, '$.updatedAt')) AS INTEGER) * 1000000
FROM message WHERE state = 'parked';

-- Work on many messages at once, asked for by a caller and done in slices. Outlives its job, to be looked at.
CREATE TABLE operation (
    id     TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    state  TEXT NOT NULL,      -- running, done, failed
    done   BIGINT NOT NULL,      -- messages that were sent again
    passed BIGINT NOT NULL,      -- messages that others had moved in between
    behind TEXT,               -- the last message that was looked at
    body   TEXT NOT NULL       -- who asked for what, and within which scope
);
