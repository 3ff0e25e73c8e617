-- PostgreSQL. How figures went, and alerts. The same columns in the same order as in ../sqlite/0016_figures.sql.

-- One value a minute, of what is older than two days one an hour.
CREATE TABLE figure (
    tenant TEXT COLLATE "C" NOT NULL,             -- empty: of the whole house
    series TEXT COLLATE "C" NOT NULL,
    label  TEXT COLLATE "C" NOT NULL,             -- empty: of the whole
    at     BIGINT NOT NULL,
    value  BIGINT NOT NULL,            -- thousandths
    PRIMARY KEY (tenant, series, at, label)
);
CREATE INDEX figure_at ON figure (at);

-- Whose turn it is to note figures and to look at the alerts, for all nodes together.
CREATE TABLE figure_clock (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    due_at BIGINT NOT NULL
);

-- What a rule has seen of one label. A row goes once all is well and everybody was told so.
CREATE TABLE alert (
    rule    TEXT COLLATE "C" NOT NULL,
    tenant  TEXT COLLATE "C" NOT NULL,
    label   TEXT COLLATE "C" NOT NULL,
    since   BIGINT NOT NULL,            -- since when the limit is passed
    value   BIGINT NOT NULL,            -- thousandths
    firing  BIGINT NOT NULL,            -- 1: for as long as the rule wants
    told_at BIGINT,                     -- when it was told last
    tried_at BIGINT,                    -- when somebody was called last, whatever came of it
    over_at BIGINT,                     -- since when all is well, while somebody still has to be told so
    waiting TEXT COLLATE "C" NOT NULL,   -- JSON: who still has to be told
    code    TEXT COLLATE "C",            -- why telling failed last
    version BIGINT NOT NULL,            -- from 1; counts the changes
    PRIMARY KEY (rule, tenant, label)
);
