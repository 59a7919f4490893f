-- Question: who was told of an alert, when and why?
-- Purpose: who was told of an incident, when and why, and whether the server took it.
-- Grain: one row per message and reader of $incident_id. Reads: outbox, outbox_incident.
-- Read by: pipelines/post_mortem.py.
-- Caveat: names the people who were told: for the institution's own eyes.
select
    outbox.created_at,
    outbox.sent_at,
    outbox.kind,
    outbox.reason,
    outbox.channel,
    outbox.recipient,
    outbox.attempt_count,
    outbox.last_error is not null and outbox.sent_at is null as is_failing
from outbox
where
    outbox.incident_id = $incident_id
    or outbox.outbox_key in (
        select outbox_incident.outbox_key
        from outbox_incident
        where outbox_incident.incident_id = $incident_id
    )
order by outbox.created_at, outbox.outbox_key;
