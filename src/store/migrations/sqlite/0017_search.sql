-- SQLite. What messages are looked for by, and which events are acts. The same columns in ../postgres/0017_search.sql.

ALTER TABLE message ADD COLUMN door     TEXT;   -- by which it came or goes
ALTER TABLE message ADD COLUMN standard TEXT;   -- what its content says it is; absent until checked
UPDATE message SET door = json_extract(body, '$.door'), standard = json_extract(body, '$.identity.standard');
-- What few are of is looked for within the index alone: among a million messages that is a matter of 0.1 s.
DROP INDEX message_listed;
CREATE INDEX message_listed ON message (tenant, id, unit, public_service);
CREATE INDEX message_partner ON message (tenant, partner, id);
CREATE INDEX message_typed ON message (tenant, message_type, id) WHERE message_type IS NOT NULL;
CREATE INDEX message_unit ON message (tenant, unit, id, public_service);
CREATE INDEX message_authority ON message (tenant, authority, id);
CREATE INDEX message_direction ON message (tenant, direction, id);
CREATE INDEX message_door ON message (tenant, door, id);
CREATE INDEX message_standard ON message (tenant, standard, id) WHERE standard IS NOT NULL;

ALTER TABLE event ADD COLUMN act TEXT;          -- its kind, if it is an act of somebody; see `acts`
UPDATE event SET act = json_extract(body, '$.kind') WHERE message_id IS NULL AND subject_id IS NULL AND body IS NOT NULL
    AND json_extract(body, '$.kind') <> 'message.refused';
CREATE INDEX event_act ON event (tenant, id) WHERE act IS NOT NULL;

-- What lies open on a desk.
CREATE INDEX record_status ON record (tenant, kind, status, id);
