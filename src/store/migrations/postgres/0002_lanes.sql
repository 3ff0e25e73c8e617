-- PostgreSQL. Breakers of lanes, what became of a job's calls, and when waiting ends. The same columns in ../sqlite/0002_lanes.sql.

ALTER TABLE lane ADD COLUMN class      TEXT COLLATE "C" NOT NULL DEFAULT 'work';    -- which workers take its jobs: 'work' or 'network'
ALTER TABLE lane ADD COLUMN breaker    TEXT COLLATE "C" NOT NULL DEFAULT 'closed';  -- 'closed', 'open' or 'halfOpen'
ALTER TABLE lane ADD COLUMN failures   BIGINT NOT NULL DEFAULT 0;         -- in a row
ALTER TABLE lane ADD COLUMN openings   BIGINT NOT NULL DEFAULT 0;         -- in a row: how long the breaker stays open grows with it
ALTER TABLE lane ADD COLUMN open_until BIGINT NOT NULL DEFAULT 0;         -- nothing is claimed before
ALTER TABLE lane ADD COLUMN since      BIGINT NOT NULL DEFAULT 0;         -- when the breaker changed last
ALTER TABLE lane ADD COLUMN last_code  TEXT COLLATE "C";                              -- of the last failure

ALTER TABLE job ADD COLUMN calling    BIGINT NOT NULL DEFAULT 0;  -- 1: a call outside was begun, and its outcome is not known
ALTER TABLE job ADD COLUMN lost       BIGINT NOT NULL DEFAULT 0;  -- how often its holder never came back
ALTER TABLE job ADD COLUMN expires_at BIGINT;                     -- when it is too late
CREATE INDEX job_expiry ON job (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE inbox ADD COLUMN expires_at BIGINT;                   -- until when it must have been fetched
CREATE INDEX inbox_expiry ON inbox (expires_at) WHERE expires_at IS NOT NULL AND state IN ('available', 'handedOut');
