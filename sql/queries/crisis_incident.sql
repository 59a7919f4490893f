-- Purpose: the critical incidents of two days, and one by its id, with who took it up and when.
-- Grain: one row per incident.
-- Reads: incident, incident_event, alert_ack, subject. Read by: pipelines/crisis.py.
-- Parameters: $incident_name: an id, or its beginning, or null for every critical one still open;
--   $as_of (UTC).
-- Units: `acked_at` and `resolved_at` as known at $as_of, null when nobody has, or it was
--   taken back; `begun_at` is the beginning of the window in which its rule saw it.
with bounds as (
    select
        cast($incident_name as varchar) as incident_name,
        cast($as_of as timestamptz) as as_of
),

judged as (
    select
        incident_event.incident_id,
        arg_max(
            incident_event.state_to, (incident_event.changed_at, incident_event.state_to)
        ) = 'false' as is_false
    from incident_event
    cross join bounds
    where
        incident_event.changed_at <= bounds.as_of
        and incident_event.state_to in ('false', 'not_false')
    group by incident_event.incident_id
),

acked as (
    select
        alert_ack.incident_id,
        min(alert_ack.acked_at) as acked_at
    from alert_ack
    cross join bounds
    where
        alert_ack.acked_at <= bounds.as_of
        and (alert_ack.void_at is null or alert_ack.void_at > bounds.as_of)
    group by alert_ack.incident_id
)

select
    incident.incident_id,
    incident.rule_id,
    incident.subject_id,
    subject.label as subject,
    incident.scope,
    incident.severity,
    incident.opened_at,
    acked.acked_at,
    case when incident.resolved_at <= bounds.as_of then incident.resolved_at end as resolved_at,
    coalesce(judged.is_false, false) as is_false,
    incident.opened_at - to_minutes(coalesce(
        cast(json_extract_string(incident.evidence, '$.alert.window_minutes') as bigint), 0
    )) as begun_at
from incident
cross join bounds
left join judged on incident.incident_id = judged.incident_id
left join acked on incident.incident_id = acked.incident_id
left join subject on incident.subject_id = subject.subject_id
where
    incident.opened_at <= bounds.as_of
    and incident.state not in ('ok', 'pending')
    and case
        when bounds.incident_name is not null
            then starts_with(incident.incident_id, bounds.incident_name)
        else
            incident.severity = 'critical'
            and incident.opened_at > bounds.as_of - interval 2 day
            and not coalesce(judged.is_false, false)
            and (incident.resolved_at is null or incident.resolved_at > bounds.as_of)
    end
order by incident.opened_at asc, incident.incident_id asc;
