-- SQLite. Approvals: what one person asks for and another agrees to (four eyes).
-- The same columns in the same order for both engines.
CREATE TABLE approval (
    id             TEXT NOT NULL PRIMARY KEY,
    tenant         TEXT NOT NULL,
    unit           TEXT,          -- absent: of the whole tenant
    public_service TEXT,
    kind           TEXT NOT NULL,
    subject_kind   TEXT NOT NULL, -- what it is about
    subject        TEXT NOT NULL,
    detail         TEXT NOT NULL, -- JSON of what is carried out
    event          TEXT NOT NULL, -- that says why; erasable
    asked_by       TEXT NOT NULL, -- kind of actor, colon, id
    asked_at       BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    state          TEXT NOT NULL, -- open, agreed, refused, withdrawn
    decided_by     TEXT,
    decided_at     BIGINT,
    valid_until    BIGINT           -- how long what was released may be read
);
CREATE INDEX approval_list ON approval (tenant, state, id);
CREATE INDEX approval_asked ON approval (tenant, asked_by, id);
CREATE INDEX approval_subject ON approval (tenant, subject, id);
