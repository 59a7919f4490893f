-- Purpose: the warnings that a round tells of: open at $as_of, or over since the round before.
-- Grain: one row per incident, the strongest first. Reads: incident, incident_ack.
-- Read by: pipelines/warning_round.py.
select
    incident.incident_id,
    incident.state,
    incident.opened_at,
    incident.resolved_at,
    incident.evidence,
    incident_ack.acked_by
from incident
left join incident_ack on incident.incident_id = incident_ack.incident_id
where
    incident.severity = 'warning'
    and (
        incident.state in ('firing', 'cooling')
        or (incident.resolved_at > $since and incident.resolved_at <= $as_of)
    )
order by incident.resolved_at desc nulls first, incident.opened_at asc, incident.incident_id asc;
