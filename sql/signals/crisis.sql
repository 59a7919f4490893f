-- Purpose: when a subject was not itself, so that crisis hours stay out of the baseline.
-- Grain: one row per incident that fired in the 50 days before $as_of. Reads: incident.
-- Read by: pipelines/baseline.py (28 days of it), pipelines/surge.py.
-- Caveat: an incident about a source names no subject, and touches every one (null).
select
    subject_id,
    date_trunc('hour', opened_at) - interval 1 hour as since_at,
    least(coalesce(resolved_at, last_fired_at), cast($as_of as timestamptz)) as until_at
from incident
where
    state not in ('ok', 'pending')
    and opened_at < $as_of
    and coalesce(resolved_at, last_fired_at) >= $as_of - interval 50 day;
