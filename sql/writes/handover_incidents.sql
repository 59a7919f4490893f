-- Purpose: what whoever comes on call finds open, gravest and oldest first.
-- Grain: one row per incident that is firing or cooling. Reads: incident, incident_ack, silence.
-- Read by: pipelines/handover.py.
with silenced as (
    select
        fingerprint,
        max(until_at) as silent_until_at
    from silence
    where since_at <= $as_of and until_at > $as_of and ended_at is null
    group by fingerprint
)

select
    incident.incident_id,
    incident.severity,
    incident.opened_at,
    incident.evidence,
    incident_ack.acked_by,
    silenced.silent_until_at
from incident
left join incident_ack on incident.incident_id = incident_ack.incident_id
left join silenced on incident.fingerprint = silenced.fingerprint
where incident.state in ('firing', 'cooling')
order by incident.severity, incident.opened_at, incident.incident_id;
