-- Purpose: to whom messages about an incident went: a link is believed only of one of them.
-- Grain: one row per recipient. Reads: outbox, outbox_incident.
-- Read by: pipelines/link_pages.py.
select distinct outbox.recipient
from outbox
left join outbox_incident on outbox.outbox_key = outbox_incident.outbox_key
where outbox.incident_id = $incident_id or outbox_incident.incident_id = $incident_id
order by outbox.recipient;
