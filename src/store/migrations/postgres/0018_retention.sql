-- PostgreSQL. Deletion of transport copies: what is still to be looked at, whose turn it is, and what each run deleted and left.
-- The same columns in the same order as in ../sqlite/0018_retention.sql.

-- 1: the message's bytes may be here. Only of messages that have ended does anybody ask.
ALTER TABLE message ADD COLUMN copies BIGINT NOT NULL DEFAULT 1;
CREATE INDEX message_copies ON message (tenant, id) WHERE copies = 1 AND state IN ('confirmed', 'returned');
ALTER TABLE payment_notice ADD COLUMN copies BIGINT NOT NULL DEFAULT 1;
CREATE INDEX payment_notice_copies ON payment_notice (tenant, id) WHERE copies = 1;

-- When the next run is due, for all nodes together.
CREATE TABLE retention_clock (
    tenant TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    due_at BIGINT NOT NULL
);

CREATE TABLE retention_run (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,                  -- absent: it is under way
    deleted    BIGINT NOT NULL,         -- lines of the list
    root       TEXT COLLATE "C",                    -- Merkle root over the lines
    event      TEXT COLLATE "C",                    -- that says so in the chain
    body       TEXT COLLATE "C" NOT NULL          -- JSON: what was configured, and how much was left for which reason
);
CREATE INDEX retention_run_listed ON retention_run (tenant, id);

-- What a run deleted. Stays: it is what the proof is about.
CREATE TABLE retention_item (
    run    TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,             -- from 1
    body   TEXT COLLATE "C" NOT NULL,             -- canonical JSON
    PRIMARY KEY (run, number)
);

-- What the last run of a tenant had to leave, and why.
CREATE TABLE retention_kept (
    tenant  TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    reason  TEXT COLLATE "C" NOT NULL,
    since   BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, subject)
);

-- That one person has asked for the erasure of somebody from exactly these records, where a second one has to agree.
CREATE TABLE erasure_asked (
    tenant   TEXT COLLATE "C" NOT NULL,
    digest   TEXT COLLATE "C" NOT NULL,           -- over the ids of the records
    asked_by TEXT COLLATE "C" NOT NULL,
    asked_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, digest)
);
