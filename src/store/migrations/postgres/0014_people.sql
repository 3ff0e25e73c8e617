-- PostgreSQL. People: users of the house, their sessions, and how often it was tried to sign in.
-- The same columns in the same order as in ../sqlite/0014_people.sql.

-- A user.
CREATE TABLE person (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant       TEXT COLLATE "C" NOT NULL,
    login        TEXT COLLATE "C" NOT NULL UNIQUE, -- in lower case; one in the whole house
    version      BIGINT NOT NULL,       -- counts the changes, from 1
    state        TEXT COLLATE "C" NOT NULL,        -- active, locked, disabled
    issuer       TEXT COLLATE "C",                 -- who else knows the user, and by which name
    subject      TEXT COLLATE "C",
    password     TEXT COLLATE "C",                 -- argon2id in PHC format; absent: none is set
    totp         BYTEA,                 -- wrapped with the master key for tenant and id; what codes are made of
    totp_step    BIGINT NOT NULL,       -- of the last code that was taken
    recovery     TEXT COLLATE "C" NOT NULL,        -- JSON: SHA-256 of the recovery codes that are left
    invite       TEXT COLLATE "C" UNIQUE,          -- SHA-256 of the initial secret
    invite_until BIGINT,
    search       TEXT COLLATE "C" NOT NULL,        -- login and name in lower case
    body         TEXT COLLATE "C" NOT NULL
);
CREATE INDEX person_of ON person (tenant, login);
CREATE UNIQUE INDEX person_identity ON person (issuer, subject);

-- Somebody who has signed in, or is about to.
CREATE TABLE person_session (
    hash   TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- SHA-256 of what the browser has
    id     TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    stage  TEXT COLLATE "C" NOT NULL,              -- open; code, set-up: something is still wanted
    begun  BIGINT NOT NULL,
    seen   BIGINT NOT NULL,
    ends   BIGINT NOT NULL,             -- at the latest
    draft  BYTEA                        -- wrapped like person.totp: what codes will be made of, once one was right
);
CREATE INDEX person_session_of ON person_session (person);
CREATE INDEX person_session_ends ON person_session (ends);

-- Failed attempts to sign in. Logins and origins share a fixed number of places, whether there are such or not.
CREATE TABLE sign_in_try (
    place    BIGINT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    until    BIGINT NOT NULL            -- nothing is tried before
);
