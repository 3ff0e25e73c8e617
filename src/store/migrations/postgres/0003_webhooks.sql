-- PostgreSQL. The same columns in the same order as in ../sqlite/0003_webhooks.sql.

-- Who has events sent to an address. Of each subscription at most one event is on its way: the next one behind `reached`.
CREATE TABLE subscription (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    token      TEXT COLLATE "C" NOT NULL,   -- that made it; never sees more than this
    version    BIGINT NOT NULL,
    enabled    BIGINT NOT NULL,
    stopped    TEXT COLLATE "C",            -- code of the reason why the gateway disabled it
    reached    BIGINT NOT NULL,             -- number of the last event that it has
    failures   BIGINT NOT NULL,             -- attempts in a row at the next event
    next_at    BIGINT NOT NULL,             -- when it may be called again
    secret     BYTEA NOT NULL,              -- wrapped
    old_secret BYTEA,                       -- wrapped; still signs until `old_until`
    old_until  BIGINT,
    created_at BIGINT NOT NULL,
    body       TEXT COLLATE "C" NOT NULL             -- what its owner says, as JSON
);
CREATE INDEX subscription_listed ON subscription (tenant, id);
CREATE INDEX subscription_due ON subscription (next_at) WHERE enabled = 1;

-- How the latest events were delivered; older rows are deleted.
CREATE TABLE delivery (
    subscription TEXT COLLATE "C" NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C" NOT NULL, -- as in `webhook-id`
    number       BIGINT,                    -- absent: a test
    kind         TEXT COLLATE "C" NOT NULL,
    attempts     BIGINT NOT NULL,
    delivered    BIGINT NOT NULL,
    status       BIGINT,                    -- of HTTP
    code         TEXT COLLATE "C",          -- why it failed
    at           BIGINT NOT NULL,           -- of the last attempt
    next_at      BIGINT,                    -- of the next one
    PRIMARY KEY (subscription, id)
);
CREATE INDEX delivery_listed ON delivery (subscription, at);
