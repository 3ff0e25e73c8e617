-- PostgreSQL. One index that has all that messages are looked for by, instead of one for each; spans of what is counted.
-- The same columns in ../sqlite/0020_sought.sql.

-- Several things together are looked for within the index alone: among a million messages that is a matter of 0.2 s, however few are found.
-- A state is walked in the order of ids; a change of state moves one entry, as it did before.
CREATE INDEX message_sought ON message
    (state, tenant, id, door, direction, message_type, standard, partner, authority, unit, public_service);
-- The same for a partner, of whom there is only a part.
DROP INDEX message_partner;
CREATE INDEX message_partner ON message
    (tenant, partner, id, state, door, direction, message_type, standard, authority, unit, public_service);
-- Which kinds there are, and what is of a rare one.
CREATE INDEX message_kind ON message
    (tenant, (direction || '|' || COALESCE(door, '') || '|' || COALESCE(standard, '') || '|' || COALESCE(message_type, '')), id);
DROP INDEX message_state;
DROP INDEX message_listed;
DROP INDEX message_direction;
DROP INDEX message_authority;
DROP INDEX message_door;
DROP INDEX message_standard;

-- How long was counted, in microseconds, from `at` on; 0: the value is how things stood at that time.
ALTER TABLE figure ADD COLUMN span BIGINT NOT NULL DEFAULT 0;
