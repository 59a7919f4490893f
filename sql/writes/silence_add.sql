-- Purpose: put one silence there; nothing when it is there already.
-- Grain: one row per silence_id. Reads: silence. Written by: pipelines/alert_actions.py.
merge into silence
using (select 1 as one) as fresh
    on silence.silence_id = $silence_id
when not matched then insert (
    silence_id, fingerprint, incident_id, since_at, until_at, actor, reason, ended_at, ended_by
) values (
    $silence_id, $fingerprint, $incident_id, $made_at, $until_at, $actor, $reason, null, null
);
