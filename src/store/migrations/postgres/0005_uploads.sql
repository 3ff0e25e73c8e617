-- Uploads that are continued after an interruption. Column names and their order are the same for both engines.

-- First chunks of the runs in which a payload was sealed, as JSON; absent: one run from the first chunk on.
ALTER TABLE payload ADD COLUMN runs TEXT;

-- The bytes lie in segment files like those of a payload, under the upload's id.
CREATE TABLE upload (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    owner       TEXT COLLATE "C" NOT NULL,        -- token that began it: nobody else may go on
    target      TEXT COLLATE "C" NOT NULL,        -- JSON: what becomes of it
    size        BIGINT NOT NULL,        -- bytes that are kept, durably
    length      BIGINT,                 -- bytes in the end, once that is known
    wrapped_key BYTEA,              -- absent: it is complete
    runs        TEXT COLLATE "C" NOT NULL,        -- JSON, see payload.runs
    writing     BIGINT NOT NULL,        -- 1: more chunks may have been sealed than `size` says
    tail        BYTEA,              -- the kept bytes behind the last whole chunk, sealed
    tail_key    BYTEA,              -- the wrapped key that opens them
    answer      TEXT,                   -- JSON: the answer to its completion
    version     BIGINT NOT NULL,        -- counts the changes: of two writers one loses
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX upload_owned ON upload (tenant, owner);
CREATE INDEX upload_expired ON upload (expires_at);
