-- Purpose: the silences that hold at $as_of, of one trouble or, without $fingerprint, of all.
-- Grain: one row per silence. Reads: silence. Read by: pipelines/alert_actions.py, notify.py.
-- Caveat: a silence lasts seven days at most, so older rows need no reading.
select
    silence_id,
    fingerprint,
    until_at,
    actor,
    reason
from silence
where
    since_at > $as_of - interval 8 day
    and since_at <= $as_of
    and until_at > $as_of
    and coalesce(ended_at > $as_of, true)
    and (cast($fingerprint as varchar) is null or fingerprint = $fingerprint)
order by fingerprint, until_at, silence_id;
