-- Question: what became of an alert, by whom, and why?
-- Purpose: `vigie alerts show`. Grain: one row per change, in order.
-- Reads: incident_event. Read by: pipelines/alerts_cli.py.
-- Parameters: $incident_id.
select
    changed_at,
    state_from,
    state_to,
    actor,
    reason
from incident_event
where incident_id = $incident_id
order by changed_at, state_to, state_from;
