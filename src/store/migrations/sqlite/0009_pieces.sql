-- SQLite. What a relay keeps of deliveries that come in pieces, until all of them are here.
-- The same columns in the same order as in ../postgres/0009_pieces.sql.

-- A delivery that comes in pieces. Those of different senders never meet, even under the same ticket.
CREATE TABLE relay_whole (
    tenant      TEXT NOT NULL,
    sender      TEXT NOT NULL,
    ticket      TEXT NOT NULL,    -- the id that the delivery will use
    pieces      BIGINT NOT NULL,  -- how many it has
    bytes       BIGINT NOT NULL,  -- most bytes of all pieces together, as announced: counts for quotas
    kept        BIGINT NOT NULL,  -- bytes of the pieces that are here
    taken       BIGINT NOT NULL,  -- 1: it has become a delivery; its pieces are known, their bytes are gone
    created_at  BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, sender, ticket)
) WITHOUT ROWID;
CREATE INDEX relay_whole_expiry ON relay_whole (expires_at);

CREATE TABLE relay_piece (
    tenant  TEXT NOT NULL,
    sender  TEXT NOT NULL,
    ticket  TEXT NOT NULL,
    number  BIGINT NOT NULL,      -- from 1
    size    BIGINT NOT NULL,      -- bytes
    sha256  TEXT NOT NULL,
    payload TEXT,        -- absent: the whole has become a delivery
    PRIMARY KEY (tenant, sender, ticket, number)
) WITHOUT ROWID;
