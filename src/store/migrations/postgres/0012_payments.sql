-- PostgreSQL. Payments: their doors for providers and payers, what came in there, what the cash system is told, and lines of bank statements.
-- The same columns in the same order as in ../sqlite/0012_payments.sql.

-- The doors of a payment, each known by the SHA-256 of its token.
CREATE TABLE payment_door (
    payment     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    provider    TEXT COLLATE "C" NOT NULL,
    notify_hash TEXT COLLATE "C" NOT NULL UNIQUE,   -- of the provider
    return_hash TEXT COLLATE "C" NOT NULL UNIQUE,   -- of the payer's browser
    tokens      BYTEA NOT NULL,         -- what both tokens are made of, wrapped
    hints       BIGINT NOT NULL,        -- counts the calls that have the provider asked
    refused     BIGINT NOT NULL         -- counts the calls that led to nothing
);

-- A call at a door. What came lies as a payload.
CREATE TABLE payment_notice (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    payment     TEXT COLLATE "C" NOT NULL,
    provider    TEXT COLLATE "C" NOT NULL,
    door        TEXT COLLATE "C" NOT NULL,          -- notify, return
    dedup_key   TEXT COLLATE "C" NOT NULL,
    verdict     TEXT COLLATE "C" NOT NULL,          -- hint, differs, or why it was refused
    status      BIGINT NOT NULL,        -- how it was answered
    payload     TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    UNIQUE (tenant, provider, dedup_key)
);
CREATE INDEX payment_notice_of ON payment_notice (payment, id);

-- Names that belong to one thing alone: a provider's name for a payment; a Kassenzeichen (provider `~cash`) for a claim.
CREATE TABLE payment_reference (
    tenant    TEXT COLLATE "C" NOT NULL,
    provider  TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    payment   TEXT COLLATE "C" NOT NULL,            -- or the claim
    PRIMARY KEY (tenant, provider, reference)
);

-- Running numbers.
CREATE TABLE cash_counter (
    tenant TEXT COLLATE "C" NOT NULL,
    name   TEXT COLLATE "C" NOT NULL,
    value  BIGINT NOT NULL,             -- the last one that was taken
    PRIMARY KEY (tenant, name)
);

CREATE TABLE booking (
    seq            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant         TEXT COLLATE "C" NOT NULL,
    unit           TEXT COLLATE "C" NOT NULL,
    public_service TEXT COLLATE "C",
    account        TEXT COLLATE "C" NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL,
    claim          TEXT COLLATE "C" NOT NULL,
    payment        TEXT COLLATE "C",
    amount_cents   BIGINT NOT NULL,
    cash_reference TEXT COLLATE "C",
    state          TEXT COLLATE "C" NOT NULL,       -- open, handedOver, acknowledged, refused
    file           BIGINT,              -- number of the file that it stands in
    created_at     BIGINT NOT NULL,
    body           TEXT COLLATE "C" NOT NULL        -- JSON; its state is in the column
);
CREATE INDEX booking_state ON booking (tenant, account, state, seq);
CREATE INDEX booking_file_of ON booking (tenant, account, file, seq);
CREATE INDEX booking_claim ON booking (claim);
CREATE INDEX booking_payment ON booking (payment);
CREATE INDEX booking_made ON booking (tenant, account, created_at, seq);

CREATE TABLE booking_file (
    tenant          TEXT COLLATE "C" NOT NULL,
    account         TEXT COLLATE "C" NOT NULL,
    number          BIGINT NOT NULL,
    sha256          TEXT COLLATE "C" NOT NULL,
    bytes           BIGINT NOT NULL,
    payload         TEXT COLLATE "C" NOT NULL,
    bookings        BIGINT NOT NULL,    -- how many
    made_at         BIGINT NOT NULL,
    acknowledged_at BIGINT,
    PRIMARY KEY (tenant, account, number)
);

CREATE TABLE statement_line (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant       TEXT COLLATE "C" NOT NULL,
    account      TEXT COLLATE "C" NOT NULL,
    line         TEXT COLLATE "C" NOT NULL,         -- the bank's own name for it
    statement    TEXT COLLATE "C" NOT NULL,         -- the payload that it came in
    booked_on    TEXT COLLATE "C",                  -- YYYY-MM-DD
    amount_cents BIGINT NOT NULL,
    credit       BIGINT NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,         -- matched, settled, unmatched, ignored
    payment      TEXT COLLATE "C",
    claim        TEXT COLLATE "C",
    body         TEXT COLLATE "C" NOT NULL,         -- JSON
    version      BIGINT NOT NULL,
    UNIQUE (tenant, account, line)
);
CREATE INDEX statement_line_state ON statement_line (tenant, account, state, id);
CREATE INDEX statement_line_payment ON statement_line (payment);
