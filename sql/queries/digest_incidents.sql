-- Purpose: the incidents that a day opened, closed, or left open; those never confirmed do not
--   count.
-- Grain: one row per incident.
-- Reads: incident, incident_event, alert_ack. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (the day, UTC, half open), $as_of.
-- Units: `acked_at` is the first acknowledgement, null when nobody has; `is_false` when a person
--   judged the alert to be false, and nobody took that back; then its acknowledgement is none.
with bounds as (
    select
        cast($since as timestamptz) as since_at,
        cast($until as timestamptz) as until_at,
        cast($as_of as timestamptz) as as_of
),

judged as (
    select
        incident_id,
        arg_max(state_to, (changed_at, state_to)) = 'false' as is_false
    from incident_event
    where changed_at <= $as_of and state_to in ('false', 'not_false')
    group by incident_id
),

acked as (
    select
        incident_id,
        min(acked_at) as acked_at
    from alert_ack
    where acked_at <= $as_of and (void_at is null or void_at > $as_of)
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
    acked.acked_at,
    case when incident.resolved_at <= bounds.as_of then incident.resolved_at end as resolved_at,
    coalesce(judged.is_false, false) as is_false
from incident
cross join bounds
left join judged on incident.incident_id = judged.incident_id
left join acked on incident.incident_id = acked.incident_id
where
    incident.opened_at < bounds.until_at
    and incident.state not in ('ok', 'pending')
    and (
        incident.opened_at >= bounds.since_at
        or incident.resolved_at is null
        or incident.resolved_at >= bounds.since_at
    )
order by incident.opened_at, incident.incident_id;
