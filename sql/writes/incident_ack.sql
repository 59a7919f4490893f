-- Purpose: note who has an incident in hand; nothing where somebody has it already.
-- Grain: the one row of $incident_id. Reads: incident_ack. Written by: pipelines/alert_actions.py.
merge into incident_ack
using (select 1 as one) as fresh
    on incident_ack.incident_id = $incident_id
when not matched then insert (
    incident_id, acked_at, acked_by
) values (
    $incident_id, $made_at, $actor
);
