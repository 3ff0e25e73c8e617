-- PostgreSQL. Channels: how far each adapter has been told of what happened, what it does not have yet, and what it calls the records.
-- The same columns in the same order as in ../sqlite/0013_channels.sql.

-- How far an adapter has been told of the sealed events.
CREATE TABLE channel (
    tenant  TEXT COLLATE "C" NOT NULL,
    adapter TEXT COLLATE "C" NOT NULL,
    reached BIGINT NOT NULL,            -- number of the last event that is delivered, waits, or is of no interest to it
    PRIMARY KEY (tenant, adapter)
);

-- What an adapter is to be told and does not have yet. Once it has it, an event tells of it, and the row goes.
CREATE TABLE channel_delivery (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant         TEXT COLLATE "C" NOT NULL,
    adapter        TEXT COLLATE "C" NOT NULL,
    unit           TEXT COLLATE "C" NOT NULL,
    public_service TEXT COLLATE "C",
    number         BIGINT NOT NULL,     -- of the event
    event          TEXT COLLATE "C" NOT NULL,       -- its kind
    record_kind    TEXT COLLATE "C" NOT NULL,
    record         TEXT COLLATE "C" NOT NULL,
    root           TEXT COLLATE "C" NOT NULL,
    payload        TEXT COLLATE "C",                -- the bytes that go with it
    message        TEXT COLLATE "C",                -- that brought the record with everything below it
    whole          BIGINT NOT NULL,     -- 1: what lies in the record comes after it
    state          TEXT COLLATE "C" NOT NULL,       -- waiting, parked; dropped: by a human, until somebody was told that it was not imported
    code           TEXT COLLATE "C",                -- why it is parked, or what was in the way of its last attempt
    task           TEXT COLLATE "C",                -- of whoever has to see to that
    created_at     BIGINT NOT NULL
);
CREATE INDEX channel_delivery_of ON channel_delivery (tenant, adapter, state, id);
CREATE INDEX channel_delivery_root ON channel_delivery (tenant, root, number);
CREATE INDEX channel_delivery_record ON channel_delivery (tenant, record);

-- What an adapter's other side calls a record.
CREATE TABLE record_link (
    tenant    TEXT COLLATE "C" NOT NULL,
    adapter   TEXT COLLATE "C" NOT NULL,
    record    TEXT COLLATE "C" NOT NULL,
    part      TEXT COLLATE "C" NOT NULL,            -- empty: the whole
    kind      TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    state     TEXT COLLATE "C" NOT NULL,            -- JSON of the adapter's own
    PRIMARY KEY (tenant, adapter, record, part)
);
CREATE INDEX record_link_reference ON record_link (tenant, reference, adapter);
CREATE INDEX record_link_record ON record_link (tenant, record);

-- What a letter says it is about is looked up whatever kind of reference it is.
CREATE INDEX record_alias_value ON record_alias (tenant, value);
