-- SQLite. Portable types only: time = BIGINT microseconds since 1970 UTC, ids = TEXT (UUID, hyphenated, lower case),
-- JSON = TEXT, digests = TEXT (hex). What is filtered has a column, the rest stands in `body`.
-- Column names and their order are the same in ../postgres/0001_start.sql; only types, partitions and collation differ.

CREATE TABLE record (
    id               TEXT   NOT NULL PRIMARY KEY,
    tenant           TEXT   NOT NULL,
    kind             TEXT   NOT NULL,
    authority        TEXT   NOT NULL,
    unit             TEXT   NOT NULL,
    public_service   TEXT,
    root             TEXT   NOT NULL,
    parent           TEXT,
    place            BIGINT,            -- position among its siblings
    status           TEXT   NOT NULL,
    record_reference TEXT,
    version          BIGINT NOT NULL,
    staged_by        TEXT,              -- message whose translation made it; see `staging`
    body             TEXT   NOT NULL    -- JSON form of the record
);
CREATE INDEX record_listed ON record (tenant, kind, id);
CREATE INDEX record_child ON record (tenant, parent, kind, id) WHERE parent IS NOT NULL;
CREATE INDEX record_root ON record (tenant, root, id);
CREATE INDEX record_named ON record (tenant, record_reference, id) WHERE record_reference IS NOT NULL;
CREATE INDEX record_staged ON record (staged_by) WHERE staged_by IS NOT NULL;

-- Other identifiers of a record, for look-ups.
CREATE TABLE record_alias (
    tenant TEXT NOT NULL,
    kind   TEXT NOT NULL,
    value  TEXT NOT NULL,
    record TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    PRIMARY KEY (tenant, kind, value, record)
);
CREATE INDEX record_alias_owner ON record_alias (record);

-- A message that is being translated in slices: its records are invisible while `revealed` is 0. The row stays, so that
-- a late worker cannot hide again what is visible.
CREATE TABLE staging (
    message  TEXT   NOT NULL PRIMARY KEY,
    tenant   TEXT   NOT NULL,
    revealed BIGINT NOT NULL,
    slices   BIGINT NOT NULL            -- written by every slice, which makes reveal and slice exclude each other
);

CREATE TABLE message (
    id             TEXT   NOT NULL PRIMARY KEY,
    tenant         TEXT   NOT NULL,
    authority      TEXT   NOT NULL,
    unit           TEXT   NOT NULL,
    public_service TEXT,
    direction      TEXT   NOT NULL,
    partner        TEXT   NOT NULL,
    message_type   TEXT,
    process_id     TEXT,
    exchange       TEXT,
    state          TEXT   NOT NULL,
    received_at    BIGINT NOT NULL,     -- never changed; wins over the body
    body           TEXT   NOT NULL
);
CREATE INDEX message_listed ON message (tenant, id);
CREATE INDEX message_state ON message (state, tenant, id);
CREATE INDEX message_exchange ON message (tenant, exchange, id) WHERE exchange IS NOT NULL;
CREATE INDEX message_process ON message (tenant, process_id, id) WHERE process_id IS NOT NULL;

-- Never partitioned: a message is the same message in any month.
CREATE TABLE dedup (
    tenant     TEXT   NOT NULL,
    space      TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    digest     TEXT   NOT NULL,
    answer     TEXT,
    PRIMARY KEY (tenant, space, name)
);

CREATE TABLE event (
    id             TEXT   NOT NULL PRIMARY KEY,
    tenant         TEXT   NOT NULL,
    unit           TEXT,
    public_service TEXT,
    case_id        TEXT,
    message_id     TEXT,
    subject_id     TEXT,
    digest         TEXT   NOT NULL,
    salt           TEXT,                -- erased together with the body
    body           TEXT                 -- canonical JSON: what the digest covers
);
CREATE INDEX event_of_case ON event (tenant, case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX event_of_message ON event (tenant, message_id, id) WHERE message_id IS NOT NULL;
CREATE INDEX event_of_subject ON event (tenant, subject_id, id) WHERE subject_id IS NOT NULL;

-- Events that have no number yet. A queue: rows live for seconds.
CREATE TABLE unsealed (
    tenant   TEXT NOT NULL,
    event_id TEXT NOT NULL,
    digest   TEXT NOT NULL,
    PRIMARY KEY (tenant, event_id)
);

-- The chain outlives the events: it holds digests only.
CREATE TABLE chain_entry (
    tenant   TEXT   NOT NULL,
    number   BIGINT NOT NULL,
    event_id TEXT   NOT NULL UNIQUE,
    digest   TEXT   NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE TABLE chain_batch (
    tenant        TEXT   NOT NULL,
    no            BIGINT NOT NULL,
    first         BIGINT NOT NULL,
    last          BIGINT NOT NULL,
    root          TEXT   NOT NULL,
    previous_head TEXT   NOT NULL,
    head          TEXT   NOT NULL,
    sealed_at     BIGINT NOT NULL,
    signature     TEXT   NOT NULL,
    PRIMARY KEY (tenant, no),
    UNIQUE (tenant, first)
);
CREATE TABLE sealer (
    tenant TEXT   NOT NULL PRIMARY KEY,
    holder TEXT   NOT NULL,
    until  BIGINT NOT NULL
);

CREATE TABLE payload (
    id          TEXT   NOT NULL PRIMARY KEY,
    tenant      TEXT   NOT NULL,
    size        BIGINT NOT NULL,        -- bytes
    sha256      TEXT   NOT NULL,
    chunk_root  TEXT   NOT NULL,
    wrapped_key BLOB,                   -- absent: erased
    sealed      BLOB,                   -- the sealed bytes of a small payload; larger ones are segment files
    staged_by   TEXT                    -- message whose translation stored it; see `staging`
);
CREATE INDEX payload_staged ON payload (staged_by) WHERE staged_by IS NOT NULL;

-- Finished jobs are deleted.
CREATE TABLE job (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of enqueueing, for FIFO keys
    id         TEXT   NOT NULL UNIQUE,
    tenant     TEXT   NOT NULL,
    lane       TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    fifo_key   TEXT,
    attempts   BIGINT NOT NULL,
    epoch      BIGINT NOT NULL,         -- fencing: counts the claims
    holder     TEXT,                    -- worker that has it; absent: waiting
    due_at     BIGINT NOT NULL,         -- waiting: when it may be claimed; leased: when the lease runs out
    created_at BIGINT NOT NULL
);
CREATE INDEX job_due ON job (tenant, lane, due_at, seq);
CREATE INDEX job_leased ON job (tenant, lane, due_at) WHERE holder IS NOT NULL;
CREATE INDEX job_fifo ON job (tenant, fifo_key, seq) WHERE fifo_key IS NOT NULL;

-- One row per lane that was ever used; a claim locks the lanes that it looks at.
CREATE TABLE lane (
    tenant TEXT NOT NULL,
    lane   TEXT NOT NULL,
    PRIMARY KEY (tenant, lane)
);

CREATE TABLE inbox (
    id             TEXT   NOT NULL PRIMARY KEY,
    tenant         TEXT   NOT NULL,
    authority      TEXT   NOT NULL,
    unit           TEXT   NOT NULL,
    public_service TEXT,
    message_id     TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    lease_until    BIGINT,
    holder         TEXT,
    created_at     BIGINT NOT NULL
);
CREATE INDEX inbox_listed ON inbox (tenant, authority, state, id);

CREATE TABLE partner (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE token (
    id         TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    hash       TEXT   NOT NULL UNIQUE,
    expires_at BIGINT,
    revoked_at BIGINT,
    body       TEXT   NOT NULL
);
CREATE INDEX token_listed ON token (tenant, id);

CREATE TABLE adapter_state (
    tenant  TEXT NOT NULL,
    adapter TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (tenant, adapter, name)
);
