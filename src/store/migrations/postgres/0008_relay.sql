-- PostgreSQL. What a relay remembers: it takes opaque deliveries in for somebody who picks them up later.
-- The same columns in the same order as in ../sqlite/0008_relay.sql.

-- A dialog with a client: what both sides have to remember between two requests. The state itself is its protocol's.
CREATE TABLE relay_conversation (
    tenant     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,        -- digits
    version    BIGINT NOT NULL,        -- counts the requests: of two that go on at the same place one loses
    touched_at BIGINT NOT NULL,        -- of the last request
    body       TEXT COLLATE "C" NOT NULL,        -- JSON
    PRIMARY KEY (tenant, id)
);
CREATE INDEX relay_conversation_idle ON relay_conversation (touched_at);

-- Message ids that were issued here and not used yet. Used ones stand in `relay_delivery`.
CREATE TABLE relay_ticket (
    tenant     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    owner      TEXT COLLATE "C" NOT NULL,        -- whom it was issued to: nobody else may use it
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX relay_ticket_expired ON relay_ticket (expires_at);

-- How much waits in each mailbox: changed in the transaction that changes what waits, so that quotas are exact.
CREATE TABLE relay_mailbox (
    tenant  TEXT COLLATE "C" NOT NULL,
    mailbox TEXT COLLATE "C" NOT NULL,
    waiting BIGINT NOT NULL,           -- deliveries of stages 0 and 1
    bytes   BIGINT NOT NULL,           -- of their payloads
    PRIMARY KEY (tenant, mailbox)
);

-- Deliveries that somebody picks up. One row beside each message of this kind.
CREATE TABLE relay_delivery (
    message        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant         TEXT COLLATE "C" NOT NULL,
    unit           TEXT COLLATE "C" NOT NULL,
    public_service TEXT COLLATE "C",
    ticket         TEXT COLLATE "C" NOT NULL,    -- the id that its sender knows it by
    mailbox        TEXT COLLATE "C" NOT NULL,    -- an authority, or the fingerprint of a certificate
    originator     TEXT COLLATE "C" NOT NULL,    -- fingerprint
    addressee      TEXT COLLATE "C" NOT NULL,    -- fingerprint of the certificate it was encrypted for
    subject        TEXT COLLATE "C",
    size           BIGINT NOT NULL,    -- bytes of the payload
    stage          BIGINT NOT NULL,    -- 0 never handed out, 1 handed out, 2 received, 3 returned: the order of picking
    created_at     BIGINT NOT NULL,
    forwarded_at   BIGINT,
    received_at    BIGINT,
    modified_at    BIGINT NOT NULL,    -- the latest of the three
    expires_at     BIGINT NOT NULL,    -- until when it must have been received
    body           TEXT COLLATE "C" NOT NULL,    -- JSON, the protocol's
    UNIQUE (tenant, ticket)
);
CREATE INDEX relay_delivery_picked ON relay_delivery (tenant, mailbox, stage, created_at, message);
CREATE INDEX relay_delivery_modified ON relay_delivery (tenant, mailbox, modified_at, message);
CREATE INDEX relay_delivery_sent ON relay_delivery (tenant, originator, modified_at, message);
CREATE INDEX relay_delivery_expiry ON relay_delivery (expires_at) WHERE stage < 2;
