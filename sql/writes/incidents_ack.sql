-- Purpose: note who has incidents in hand, with a line in the log of each; nothing for those that
--   somebody has already.
-- Grain: the rows of $incident_ids. Reads: incident, incident_ack.
-- Run by: pipelines/alert_actions.py.
insert into incident_event by name
with wanted as (
    select
        unnest(cast($incident_ids as varchar[])) as incident_id,
        cast($made_at as timestamptz) as acked_at,
        cast($actor as varchar) as acked_by
)

select
    incident.incident_id,
    wanted.acked_at as changed_at,
    incident.state as state_from,
    'acked' as state_to,
    '' as reason,
    wanted.acked_by as actor
from incident
inner join wanted on incident.incident_id = wanted.incident_id
anti join incident_ack on incident.incident_id = incident_ack.incident_id;

insert into incident_ack by name
with wanted as (
    select
        unnest(cast($incident_ids as varchar[])) as incident_id,
        cast($made_at as timestamptz) as acked_at,
        cast($actor as varchar) as acked_by
)

select
    incident.incident_id,
    wanted.acked_at,
    wanted.acked_by
from incident
inner join wanted on incident.incident_id = wanted.incident_id
anti join incident_ack on incident.incident_id = incident_ack.incident_id;
