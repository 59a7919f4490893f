-- Question: in whose mails was an alert told?
-- Purpose: the mails about another alert in which $incident_id stood: as one of those that the mail
--   tells (`is_joined`), or by name among what went on then.
-- Grain: one row per moment and alert that the mail was about, in order.
-- Reads: outbox, outbox_incident, incident_event, incident. Read by: pipelines/post_mortem.py.
-- Units: UTC; `severity` is what the other alert has now.
-- Caveat: a mail names 40 at most; whether one was beyond them is not kept.
with joined as (
    select
        outbox.created_at as made_at,
        outbox.incident_id as lead_id,
        true as is_joined
    from outbox_incident
    inner join outbox on outbox_incident.outbox_key = outbox.outbox_key
    where outbox_incident.incident_id = $incident_id
),

named as (
    select
        outbox.created_at as made_at,
        outbox.incident_id as lead_id,
        false as is_joined
    from outbox
    where
        outbox.incident_id <> $incident_id
        and outbox.kind not in ('resolved', 'night')
        and (
            select
                arg_max(
                    incident_event.state_to, (incident_event.changed_at, incident_event.state_to)
                )
            from incident_event
            where
                incident_event.incident_id = $incident_id
                and incident_event.changed_at <= outbox.created_at
                and incident_event.state_to in ('pending', 'firing', 'cooling', 'resolved', 'ok')
        ) = 'firing'
),

found as (
    from joined
    union all
    from named
),

mailed as (
    select
        made_at,
        lead_id,
        bool_or(is_joined) as is_joined
    from found
    group by made_at, lead_id
)

select
    mailed.made_at,
    mailed.is_joined,
    incident.incident_id,
    incident.rule_id,
    incident.subject_id,
    incident.scope,
    incident.severity
from mailed
inner join incident on mailed.lead_id = incident.incident_id
order by mailed.made_at, incident.incident_id;
