-- Purpose: the incidents of one letter, for the link that takes all in hand.
-- Grain: one row per incident, gravest and oldest first; none when there is no such letter.
-- Reads: outbox, outbox_incident, incident, incident_ack. Read by: pipelines/link_pages.py.
with letter as (
    select
        outbox_key,
        incident_id,
        recipient
    from outbox
    where starts_with(outbox_key, $letter_id)
),

told as (
    select
        incident_id,
        recipient
    from letter
    union
    select
        outbox_incident.incident_id,
        letter.recipient
    from letter
    inner join outbox_incident on letter.outbox_key = outbox_incident.outbox_key
)

select
    told.recipient,
    incident.incident_id,
    incident.state,
    incident.opened_at,
    incident.evidence,
    incident_ack.acked_at
from told
inner join incident on told.incident_id = incident.incident_id
left join incident_ack on incident.incident_id = incident_ack.incident_id
order by incident.severity, incident.opened_at, incident.incident_id;
