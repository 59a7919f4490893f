-- Purpose: the incidents from before a replay, so that their hours teach no rhythm in it either.
-- Grain: one row per incident that opened before $since. Reads: store.incident.
-- Read by: pipelines/backtest_copy.py. Writes: incident.
-- Caveat: each is over, told to be over, and joined by nothing, whatever it was.
insert into incident by name  -- noqa: PRS
select
    incident_id,
    'before ' || incident_id as fingerprint,
    rule_id,
    rule_version,
    subject_id,
    scope,
    severity,
    'resolved' as state,
    opened_at,
    least(last_fired_at, $since) as last_fired_at,
    least(coalesce(resolved_at, last_fired_at), $since) as resolved_at,
    peak_observed,
    peak_score,
    json_merge_patch(
        evidence,
        json_object(
            'told',
            json_object(
                'at', strftime(opened_at, '%Y-%m-%dT%H:%M:%SZ'),
                'kind', 'resolved',
                'severity', severity,
                'peak', 0,
                'sequence', 0
            )
        )
    ) as evidence
from store.incident
where state not in ('ok', 'pending') and opened_at < $since;
