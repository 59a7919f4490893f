-- Question: which incidents did a replay open?
-- Purpose: the openings of a backtest. Grain: one row per incident that fired from $since on.
-- Reads: incident, incident_event, outbox, alert_evidence. Read by: pipelines/backtest_mentions.py.
-- Units: times UTC; `message_ids` is JSON, the messages of the first letter (null without one).
with fired as (
    select
        incident_id,
        min(changed_at) as fired_at
    from incident_event
    where state_to = 'firing'
    group by incident_id
),

mailed as (
    select
        incident_id,
        count(*) as mail_count,
        min(told_at) as first_mail_at
    from (
        select
            incident_id,
            created_at as told_at
        from outbox
        union all
        select
            incident_id,
            told_at
        from outbox_incident
    ) as every_mail
    group by incident_id
),

shown as (
    select
        incident_id,
        arg_min(messages, sequence) filter (where messages <> '[]') as message_ids
    from alert_evidence
    group by incident_id
)

select
    incident.incident_id,
    incident.rule_id,
    incident.subject_id,
    incident.scope,
    incident.severity,
    incident.resolved_at,
    incident.evidence,
    fired.fired_at,
    shown.message_ids,
    mailed.first_mail_at,
    coalesce(mailed.mail_count, 0) as mail_count
from incident
inner join fired on incident.incident_id = fired.incident_id
left join mailed on incident.incident_id = mailed.incident_id
left join shown on incident.incident_id = shown.incident_id
where fired.fired_at >= cast($since as timestamptz)
order by
    fired.fired_at, incident.rule_id, incident.subject_id, incident.scope, incident.incident_id;
