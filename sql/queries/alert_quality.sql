-- Question: which alerts were right?
-- Purpose: what moderators said of each alert that was told. Grain: one row per incident with a
--   letter, opened from $since. Reads: incident, alert_evidence, alert_judgement, incident_event.
-- Read by: pipelines/quality.py.
-- Units: `level` is the highest that a letter told of, 1 is where the rule enters; `opened_at` UTC.
-- Caveat: the judgement that stands counts: of one that was taken back nothing is left, nor of its
--   acknowledgement. An alert that was taken in hand and not called false counts as right. One that
--   nobody touched is not known to be either.
with told as (
    select
        incident_id,
        max(cast(json_extract(alert, '$.level') as double)) as level
    from alert_evidence
    group by incident_id
),

judged as (
    select
        incident_id,
        bool_or(verdict = 'false_alarm') as is_false
    from alert_judgement
    where mention_id is null
    group by incident_id
),

held as (
    select distinct incident_event.incident_id
    from incident_event
    anti join incident_event as called_false
        on
            incident_event.incident_id = called_false.incident_id
            and incident_event.changed_at = called_false.changed_at
            and incident_event.actor = called_false.actor
            and called_false.state_to = 'false'
    where incident_event.state_to = 'acked'
)

select
    incident.incident_id,
    incident.rule_id,
    incident.rule_version,
    incident.opened_at,
    told.level,
    coalesce(judged.is_false, false) as is_false,
    held.incident_id is not null and not coalesce(judged.is_false, false) as is_right
from incident
inner join told on incident.incident_id = told.incident_id
left join judged on incident.incident_id = judged.incident_id
left join held on incident.incident_id = held.incident_id
where incident.opened_at >= cast($since as timestamptz)
order by incident.opened_at, incident.incident_id;
