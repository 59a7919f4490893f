-- Question: which alerts are there, and who has them in hand?
-- Purpose: `vigie alerts list`. Grain: one row per incident: the open ones first, of
--   those the critical ones, then the newest.
-- Reads: incident, incident_ack, silence. Read by: pipelines/alerts_cli.py,
--   pipelines/board/alerts.py.
-- Parameters: $since (UTC): what ended before is left out; $as_of;
--   $incident_id, or null for every one.
-- Caveat: `evidence` is JSON, read by pipelines/notify.py.
with held as (
    select
        fingerprint,
        max(until_at) as silent_until
    from silence
    where
        since_at > $as_of - interval 8 day
        and since_at <= $as_of
        and until_at > $as_of
        and coalesce(ended_at > $as_of, true)
    group by fingerprint
)

select
    incident.incident_id,
    incident.rule_id,
    incident.subject_id,
    incident.scope,
    incident.severity,
    incident.state,
    incident.opened_at,
    incident.resolved_at,
    incident_ack.acked_by,
    incident_ack.acked_at,
    held.silent_until,
    coalesce(from_json(incident.evidence, '{"marks": ["VARCHAR"]}').marks, []) as marks
from incident
left join incident_ack on incident.incident_id = incident_ack.incident_id
left join held on incident.fingerprint = held.fingerprint
where
    incident.state <> 'ok'
    and coalesce(incident.resolved_at >= $since, true)
    and incident.incident_id = coalesce($incident_id, incident.incident_id)
order by
    incident.resolved_at is not null,
    incident.resolved_at is null and incident.severity <> 'critical',
    incident.opened_at desc,
    incident.incident_id asc;
