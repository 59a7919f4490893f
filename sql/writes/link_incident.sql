-- Purpose: what the page of a link shows of its incident, and who has used the link when.
-- Grain: one row, or none when there is no such incident.
-- Reads: incident, incident_ack, link_use. Read by: pipelines/link_pages.py.
select
    incident.incident_id,
    incident.severity,
    incident.state,
    incident.opened_at,
    incident.evidence,
    incident_ack.acked_at,
    incident_ack.acked_by,
    link_use.used_at,
    link_use.actor
from incident
left join incident_ack on incident.incident_id = incident_ack.incident_id
left join link_use on link_use.link_id = $link_id
where incident.incident_id = $incident_id;
