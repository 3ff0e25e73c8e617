-- PostgreSQL. Where an open task lies on a desk. The same columns in ../sqlite/0019_desk.sql.

ALTER TABLE record ADD COLUMN urgency  TEXT COLLATE "C";  -- of an open task: text by which what is urgent comes first
ALTER TABLE record ADD COLUMN pile     TEXT COLLATE "C";  -- of an open task: what it is about, see model::activity::Pile
ALTER TABLE record ADD COLUMN assignee TEXT COLLATE "C";  -- of an open task: who has taken it
-- What a task of a hand-over is about it says itself from now on.
UPDATE record SET body = (body::jsonb || jsonb_build_object('deliveryId',
        (SELECT id FROM channel_delivery WHERE channel_delivery.tenant = record.tenant AND task = record.id LIMIT 1)))::text
WHERE id IN (SELECT task FROM channel_delivery WHERE task IS NOT NULL);
UPDATE record SET
    urgency = CASE WHEN body::json->>'overdue' IS NULL THEN '1' ELSE '0' END
        || COALESCE(body::json->>'due', '9999-12-31T23:59:59.999999Z'),
    pile = CASE
        WHEN body::json->>'kind' = 'clarification' AND body::json->>'messageId' IS NOT NULL
            THEN 'clarification'
        WHEN body::json->>'kind' IN ('letter', 'forwarded', 'call-back')
            AND body::json->>'caseId' IS NOT NULL THEN 'post'
        WHEN body::json->>'paymentId' IS NOT NULL THEN 'money'
        WHEN body::json->>'deliveryId' IS NOT NULL THEN 'delivery'
        ELSE 'task' END,
    assignee = body::json->>'assignee'
WHERE kind = 'task' AND status IN ('open', 'assigned');
-- Counted and sorted is within this alone.
CREATE INDEX record_desk ON record (tenant, kind, status, urgency, id, unit, public_service, pile, assignee, staged_by)
    WHERE kind = 'task';
