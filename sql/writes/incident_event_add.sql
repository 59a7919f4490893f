-- Purpose: one change of an incident, kept for ever; nothing when it is there already.
-- Grain: one row per incident, moment and change. Reads: incident_event.
-- Run by: pipelines/alert_actions.py.
merge into incident_event
using (select 1 as one) as fresh
    on
        incident_event.incident_id = $incident_id
        and incident_event.changed_at = $changed_at
        and incident_event.state_from = $state_from
        and incident_event.state_to = $state_to
when not matched then insert (
    incident_id, changed_at, state_from, state_to, reason, actor
) values (
    $incident_id, $changed_at, $state_from, $state_to, $reason, $actor
);
