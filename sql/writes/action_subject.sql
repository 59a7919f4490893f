-- Purpose: what an action of a person has to know of the incident that it is about.
-- Grain: the one row of $incident_id. Reads: incident, incident_ack.
-- Read by: pipelines/alert_actions.py.
select
    incident.incident_id,
    incident.fingerprint,
    incident.rule_id,
    incident.rule_version,
    incident.state,
    incident_ack.acked_at
from incident
left join incident_ack on incident.incident_id = incident_ack.incident_id
where incident.incident_id = $incident_id;
