-- Time stamps of a foreign authority over heads of the chain; each covers all batches up to its own.
CREATE TABLE chain_stamp (
    tenant     TEXT COLLATE "C" NOT NULL,
    batch_no   BIGINT NOT NULL,
    stamped_at BIGINT NOT NULL,         -- the authority's time
    token      BYTEA  NOT NULL,         -- RFC 3161 TimeStampResp in DER, as it came
    PRIMARY KEY (tenant, batch_no)
);

-- When to ask the authority again, for all nodes together.
CREATE TABLE stamper (
    tenant   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    due_at   BIGINT NOT NULL,
    failures BIGINT NOT NULL            -- in a row
);
