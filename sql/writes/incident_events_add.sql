-- Purpose: the changes of incidents at one evaluation, kept for ever; not those that are there.
-- Grain: one row per incident, moment and change. Reads: incident_event, and `incoming`.
-- Run by: pipelines/incident_rows.py.
insert into incident_event by name
select
    incoming.incident_id,
    incoming.changed_at,
    incoming.state_from,
    incoming.state_to,
    incoming.reason,
    incoming.actor
from incoming
anti join incident_event
    on
        incoming.incident_id = incident_event.incident_id
        and incoming.changed_at = incident_event.changed_at
        and incoming.state_from = incident_event.state_from
        and incoming.state_to = incident_event.state_to;
