-- SQLite. What is only ever looked up by its key lies in the key's tree alone, instead of in a table with an index beside:
-- every event is written to these. Not `dedup`: its rows may hold answers, and large rows make such a tree deep.

CREATE TABLE compact_unsealed (
    tenant   TEXT NOT NULL,
    event_id TEXT NOT NULL,
    digest   TEXT NOT NULL,
    PRIMARY KEY (tenant, event_id)
) WITHOUT ROWID;
INSERT INTO compact_unsealed SELECT tenant, event_id, digest FROM unsealed;
DROP TABLE unsealed;
ALTER TABLE compact_unsealed RENAME TO unsealed;

CREATE TABLE compact_chain_entry (
    tenant   TEXT   NOT NULL,
    number   BIGINT NOT NULL,
    event_id TEXT   NOT NULL UNIQUE,
    digest   TEXT   NOT NULL,
    PRIMARY KEY (tenant, number)
) WITHOUT ROWID;
INSERT INTO compact_chain_entry SELECT tenant, number, event_id, digest FROM chain_entry;
DROP TABLE chain_entry;
ALTER TABLE compact_chain_entry RENAME TO chain_entry;

CREATE TABLE compact_lane (
    tenant     TEXT   NOT NULL,
    lane       TEXT   NOT NULL,
    class      TEXT   NOT NULL DEFAULT 'work',    -- which workers take its jobs: 'work' or 'network'
    breaker    TEXT   NOT NULL DEFAULT 'closed',  -- 'closed', 'open' or 'halfOpen'
    failures   BIGINT NOT NULL DEFAULT 0,         -- in a row
    openings   BIGINT NOT NULL DEFAULT 0,         -- in a row: how long the breaker stays open grows with it
    open_until BIGINT NOT NULL DEFAULT 0,         -- nothing is claimed before
    since      BIGINT NOT NULL DEFAULT 0,         -- when the breaker changed last
    last_code  TEXT,                              -- of the last failure
    PRIMARY KEY (tenant, lane)
) WITHOUT ROWID;
INSERT INTO compact_lane
SELECT tenant, lane, class, breaker, failures, openings, open_until, since, last_code FROM lane;
DROP TABLE lane;
ALTER TABLE compact_lane RENAME TO lane;
