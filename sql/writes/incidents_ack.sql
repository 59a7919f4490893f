-- Purpose: note who has incidents in hand, with a line in the log of each; nothing for those that
--   somebody has already.
-- Grain: the rows of $incident_ids. Reads: incident, incident_ack. Run by: pipelines/alert_actions.py.
insert into incident_event by name
select
    incident.incident_id,
    cast($made_at as timestamptz) as changed_at,
    incident.state as state_from,
    'acked' as state_to,
    '' as reason,
    $actor as actor
from incident
anti join incident_ack on incident.incident_id = incident_ack.incident_id
where list_contains(cast($incident_ids as varchar[]), incident.incident_id);

insert into incident_ack by name
select
    incident.incident_id,
    cast($made_at as timestamptz) as acked_at,
    $actor as acked_by
from incident
anti join incident_ack on incident.incident_id = incident_ack.incident_id
where list_contains(cast($incident_ids as varchar[]), incident.incident_id);
