-- Purpose: the critical incidents of two days, and one by its id, with who took it up and when.
-- Grain: one row per incident.
-- Reads: incident, incident_event, subject. Read by: pipelines/crisis.py.
-- Parameters: $incident_name: an id, or its beginning, or null for every critical one still open;
--   $as_of (UTC).
-- Units: `acked_at` and `resolved_at` as known at $as_of, null when nobody has, or it was
--   taken back; `begun_at` is the beginning of the window in which its rule saw it.
with bounds as (
    select
        cast($incident_name as varchar) as incident_name,
        cast($as_of as timestamptz) as as_of
),

said as (
    select
        incident_event.incident_id,
        incident_event.changed_at,
        incident_event.state_to,
        coalesce(
            arg_max(
                incident_event.state_to, (incident_event.changed_at, incident_event.state_to)
            )
            filter (where incident_event.state_to in ('false', 'not_false'))
                over (partition by incident_event.incident_id)
            = 'false',
            false
        ) as is_false,
        bool_or(incident_event.state_to = 'false') over (
            partition by
                incident_event.incident_id, incident_event.changed_at, incident_event.actor
        ) as is_with_false
    from incident_event
    cross join bounds
    where incident_event.changed_at <= bounds.as_of
),

events as (
    select
        incident_id,
        min(changed_at)
        filter (where state_to = 'acked' and (is_false or not is_with_false)) as acked_at,
        bool_or(is_false) as is_false
    from said
    group by incident_id
)

select
    incident.incident_id,
    incident.rule_id,
    incident.subject_id,
    subject.label as subject,
    incident.scope,
    incident.severity,
    incident.opened_at,
    events.acked_at,
    case when incident.resolved_at <= bounds.as_of then incident.resolved_at end as resolved_at,
    coalesce(events.is_false, false) as is_false,
    incident.opened_at - to_minutes(coalesce(
        cast(json_extract_string(incident.evidence, '$.alert.window_minutes') as bigint), 0
    )) as begun_at
from incident
cross join bounds
left join events on incident.incident_id = events.incident_id
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
            and not coalesce(events.is_false, false)
            and (incident.resolved_at is null or incident.resolved_at > bounds.as_of)
    end
order by incident.opened_at asc, incident.incident_id asc;
