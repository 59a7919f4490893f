-- Purpose: the incidents that a day opened, closed, or left open; those never confirmed do not
--   count.
-- Grain: one row per incident.
-- Reads: incident, incident_event. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (the day, UTC, half open), $as_of.
-- Units: `acked_at` is the first acknowledgement, null when nobody has; `is_false` when a person
--   judged the alert to be false, and nobody took that back; then its acknowledgement is none.
with bounds as (
    select
        cast($since as timestamptz) as since_at,
        cast($until as timestamptz) as until_at,
        cast($as_of as timestamptz) as as_of
),

said as (
    select
        incident_id,
        changed_at,
        state_to,
        coalesce(
            arg_max(state_to, (changed_at, state_to))
            filter (where state_to in ('false', 'not_false'))
                over (partition by incident_id)
            = 'false',
            false
        ) as is_false,
        bool_or(state_to = 'false')
            over (partition by incident_id, changed_at, actor) as is_with_false
    from incident_event
    where changed_at <= $as_of
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
    incident.rule_version,
    incident.subject_id,
    incident.scope,
    incident.severity,
    incident.opened_at,
    events.acked_at,
    case when incident.resolved_at <= bounds.as_of then incident.resolved_at end as resolved_at,
    coalesce(events.is_false, false) as is_false
from incident
cross join bounds
left join events on incident.incident_id = events.incident_id
where
    incident.opened_at < bounds.until_at
    and incident.state not in ('ok', 'pending')
    and (
        incident.opened_at >= bounds.since_at
        or incident.resolved_at is null
        or incident.resolved_at >= bounds.since_at
    )
order by incident.opened_at, incident.incident_id;
