-- Purpose: note that the letter about $lead_id made at $as_of tells of $incident_ids as well.
-- Grain: one row per message and incident. Reads: outbox. Run by: pipelines/notify.py.
insert into outbox_incident (outbox_key, incident_id, told_at)
select
    outbox.outbox_key,
    unnest(cast($incident_ids as varchar[])) as incident_id,
    outbox.created_at as told_at
from outbox
where
    outbox.incident_id = $lead_id
    and outbox.created_at = $as_of
    and outbox.kind = $kind
    and list_contains(cast($recipients as varchar[]), outbox.recipient);
