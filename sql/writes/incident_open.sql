-- Purpose: the incidents that an evaluation at $as_of may change or still has to tell.
-- Grain: one row per fingerprint, its newest incident.
-- Reads: incident, incident_event, incident_ack. Read by: pipelines/incident_rows.py.
-- Caveat: a resolved one stays for 12 hours, since it may come back; and for three days while its
--   end is not told: a warning waits over two holidays for the morning.
with opening as (
    select
        incident_id,
        count(*) as opening_count
    from incident_event
    where state_to = 'firing' and changed_at > $as_of - interval 1 day and changed_at <= $as_of
    group by incident_id
),

recent as (
    select
        incident_id,
        fingerprint,
        severity,
        state,
        opened_at,
        last_fired_at,
        resolved_at,
        evidence,
        row_number() over (
            partition by fingerprint
            order by opened_at desc, incident_id asc
        ) as age_rank
    from incident
    where
        coalesce(resolved_at, $as_of) >= $as_of - interval 12 hour
        or (
            resolved_at >= $as_of - interval 3 day
            and coalesce(evidence ->> '$.told.kind', 'none') in ('none', 'firing', 'update')
        )
)

select
    recent.incident_id,
    recent.fingerprint,
    recent.severity,
    recent.state,
    recent.opened_at,
    recent.last_fired_at,
    recent.resolved_at,
    recent.evidence,
    incident_ack.acked_at,
    incident_ack.acked_by,
    coalesce(opening.opening_count, 0) as opening_count
from recent
left join opening on recent.incident_id = opening.incident_id
left join incident_ack on recent.incident_id = incident_ack.incident_id
where recent.age_rank = 1
order by recent.fingerprint;
