-- SQLite. People: users of the house, their sessions, and how often it was tried to sign in.
-- The same columns in the same order as in ../postgres/0014_people.sql.

-- A user.
CREATE TABLE person (
    id           TEXT NOT NULL PRIMARY KEY,
    tenant       TEXT NOT NULL,
    login        TEXT NOT NULL UNIQUE, -- in lower case; one in the whole house
    version      BIGINT NOT NULL,       -- counts the changes, from 1
    state        TEXT NOT NULL,        -- active, locked, disabled
    issuer       TEXT,                 -- who else knows the user, and by which name
    subject      TEXT,
    password     TEXT,                 -- argon2id in PHC format; absent: none is set
    totp         BLOB ,                 -- wrapped with the master key for tenant and id; what codes are made of
    totp_step    BIGINT NOT NULL,       -- of the last code that was taken
    recovery     TEXT NOT NULL,        -- JSON: SHA-256 of the recovery codes that are left
    invite       TEXT UNIQUE,          -- SHA-256 of the initial secret
    invite_until BIGINT,
    search       TEXT NOT NULL,        -- login and name in lower case
    body         TEXT NOT NULL
);
CREATE INDEX person_of ON person (tenant, login);
CREATE UNIQUE INDEX person_identity ON person (issuer, subject);

-- Somebody who has signed in, or is about to.
CREATE TABLE person_session (
    hash   TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of what the browser has
    id     TEXT NOT NULL,
    person TEXT NOT NULL,
    tenant TEXT NOT NULL,
    stage  TEXT NOT NULL,              -- open; code, set-up: something is still wanted
    begun  BIGINT NOT NULL,
    seen   BIGINT NOT NULL,
    ends   BIGINT NOT NULL,             -- at the latest
    draft  BLOB                         -- wrapped like person.totp: what codes will be made of, once one was right
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
