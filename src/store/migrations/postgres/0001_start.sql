-- PostgreSQL. Portable types only: time = BIGINT microseconds since 1970 UTC, ids = TEXT (UUID, hyphenated, lower case),
-- JSON = TEXT, digests = TEXT (hex). What is filtered has a column, the rest stands in `body`.
-- Column names and their order are the same in ../sqlite/0001_start.sql; only types, partitions and collation differ.
-- All text is COLLATE "C", as in SQLite. Ids are UUIDv7, so they sort by time and a month is a range of ids. The
-- partitions of months are made by the program (src/partition.rs); the default partition takes what no month takes.

CREATE TABLE record (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant           TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL,
    authority        TEXT COLLATE "C" NOT NULL,
    unit             TEXT COLLATE "C" NOT NULL,
    public_service   TEXT COLLATE "C",
    root             TEXT COLLATE "C" NOT NULL,
    parent           TEXT COLLATE "C",
    place            BIGINT,            -- position among its siblings
    status           TEXT COLLATE "C" NOT NULL,
    record_reference TEXT COLLATE "C",
    version          BIGINT NOT NULL,
    staged_by        TEXT COLLATE "C",  -- message whose translation made it; see `staging`
    body             TEXT COLLATE "C" NOT NULL   -- JSON form of the record
);
CREATE INDEX record_listed ON record (tenant, kind, id);
CREATE INDEX record_child ON record (tenant, parent, kind, id) WHERE parent IS NOT NULL;
CREATE INDEX record_root ON record (tenant, root, id);
CREATE INDEX record_named ON record (tenant, record_reference, id) WHERE record_reference IS NOT NULL;
CREATE INDEX record_staged ON record (staged_by) WHERE staged_by IS NOT NULL;

-- Other identifiers of a record, for look-ups.
CREATE TABLE record_alias (
    tenant TEXT COLLATE "C" NOT NULL,
    kind   TEXT COLLATE "C" NOT NULL,
    value  TEXT COLLATE "C" NOT NULL,
    record TEXT COLLATE "C" NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    PRIMARY KEY (tenant, kind, value, record)
);
CREATE INDEX record_alias_owner ON record_alias (record);

-- A message that is being translated in slices: its records are invisible while `revealed` is 0. The row stays, so that
-- a late worker cannot hide again what is visible.
CREATE TABLE staging (
    message  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant   TEXT COLLATE "C" NOT NULL,
    revealed BIGINT NOT NULL,
    slices   BIGINT NOT NULL            -- written by every slice, which makes reveal and slice exclude each other
);

CREATE TABLE message (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant         TEXT COLLATE "C" NOT NULL,
    authority      TEXT COLLATE "C" NOT NULL,
    unit           TEXT COLLATE "C" NOT NULL,
    public_service TEXT COLLATE "C",
    direction      TEXT COLLATE "C" NOT NULL,
    partner        TEXT COLLATE "C" NOT NULL,
    message_type   TEXT COLLATE "C",
    process_id     TEXT COLLATE "C",
    exchange       TEXT COLLATE "C",
    state          TEXT COLLATE "C" NOT NULL,
    received_at    BIGINT NOT NULL,     -- never changed; wins over the body
    body           TEXT COLLATE "C" NOT NULL
) PARTITION BY RANGE (id);
CREATE TABLE message_default PARTITION OF message DEFAULT;
CREATE INDEX message_listed ON message (tenant, id);
CREATE INDEX message_state ON message (state, tenant, id);
CREATE INDEX message_exchange ON message (tenant, exchange, id) WHERE exchange IS NOT NULL;
CREATE INDEX message_process ON message (tenant, process_id, id) WHERE process_id IS NOT NULL;

-- Never partitioned: a message is the same message in any month.
CREATE TABLE dedup (
    tenant     TEXT COLLATE "C" NOT NULL,
    space      TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    answer     TEXT COLLATE "C",
    PRIMARY KEY (tenant, space, name)
);

CREATE TABLE event (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant         TEXT COLLATE "C" NOT NULL,
    unit           TEXT COLLATE "C",
    public_service TEXT COLLATE "C",
    case_id        TEXT COLLATE "C",
    message_id     TEXT COLLATE "C",
    subject_id     TEXT COLLATE "C",
    digest         TEXT COLLATE "C" NOT NULL,
    salt           TEXT COLLATE "C",                -- erased together with the body
    body           TEXT COLLATE "C" -- canonical JSON: what the digest covers
) PARTITION BY RANGE (id);
CREATE TABLE event_default PARTITION OF event DEFAULT;
CREATE INDEX event_of_case ON event (tenant, case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX event_of_message ON event (tenant, message_id, id) WHERE message_id IS NOT NULL;
CREATE INDEX event_of_subject ON event (tenant, subject_id, id) WHERE subject_id IS NOT NULL;

-- Events that have no number yet. A queue: rows live for seconds.
CREATE TABLE unsealed (
    tenant   TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    digest   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, event_id)
);

-- The chain outlives the events: it holds digests only.
CREATE TABLE chain_entry (
    tenant   TEXT COLLATE "C" NOT NULL,
    number   BIGINT NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL UNIQUE,
    digest   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE TABLE chain_batch (
    tenant        TEXT COLLATE "C" NOT NULL,
    no            BIGINT NOT NULL,
    first         BIGINT NOT NULL,
    last          BIGINT NOT NULL,
    root          TEXT COLLATE "C" NOT NULL,
    previous_head TEXT COLLATE "C" NOT NULL,
    head          TEXT COLLATE "C" NOT NULL,
    sealed_at     BIGINT NOT NULL,
    signature     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, no),
    UNIQUE (tenant, first)
);
CREATE TABLE sealer (
    tenant TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    until  BIGINT NOT NULL
);

CREATE TABLE payload (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    size        BIGINT NOT NULL,        -- bytes
    sha256      TEXT COLLATE "C" NOT NULL,
    chunk_root  TEXT COLLATE "C" NOT NULL,
    wrapped_key BYTEA,              -- absent: erased
    sealed      BYTEA,              -- the sealed bytes of a small payload; larger ones are segment files
    staged_by   TEXT COLLATE "C"    -- message whose translation stored it; see `staging`
);
CREATE INDEX payload_staged ON payload (staged_by) WHERE staged_by IS NOT NULL;

-- Finished jobs are deleted.
CREATE TABLE job (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,   -- order of enqueueing, for FIFO keys
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant     TEXT COLLATE "C" NOT NULL,
    lane       TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    detail     TEXT COLLATE "C" NOT NULL,
    fifo_key   TEXT COLLATE "C",
    attempts   BIGINT NOT NULL,
    epoch      BIGINT NOT NULL,         -- fencing: counts the claims
    holder     TEXT COLLATE "C",                    -- worker that has it; absent: waiting
    due_at     BIGINT NOT NULL,         -- waiting: when it may be claimed; leased: when the lease runs out
    created_at BIGINT NOT NULL
);
CREATE INDEX job_due ON job (tenant, lane, due_at, seq);
CREATE INDEX job_leased ON job (tenant, lane, due_at) WHERE holder IS NOT NULL;
CREATE INDEX job_fifo ON job (tenant, fifo_key, seq) WHERE fifo_key IS NOT NULL;

-- One row per lane that was ever used; a claim locks the lanes that it looks at.
CREATE TABLE lane (
    tenant TEXT COLLATE "C" NOT NULL,
    lane   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, lane)
);

CREATE TABLE inbox (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant         TEXT COLLATE "C" NOT NULL,
    authority      TEXT COLLATE "C" NOT NULL,
    unit           TEXT COLLATE "C" NOT NULL,
    public_service TEXT COLLATE "C",
    message_id     TEXT COLLATE "C" NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    lease_until    BIGINT,
    holder         TEXT COLLATE "C",
    created_at     BIGINT NOT NULL
);
CREATE INDEX inbox_listed ON inbox (tenant, authority, state, id);

CREATE TABLE partner (
    tenant  TEXT COLLATE "C" NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE token (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    hash       TEXT COLLATE "C" NOT NULL UNIQUE,
    expires_at BIGINT,
    revoked_at BIGINT,
    body       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX token_listed ON token (tenant, id);

CREATE TABLE adapter_state (
    tenant  TEXT COLLATE "C" NOT NULL,
    adapter TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    value   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, adapter, name)
);
