-- Purpose: end a silence before its time.
-- Grain: the one row of $silence_id; one that has been ended stays as it is. Reads: silence.
-- Written by: pipelines/alert_actions.py.
update silence
set
    ended_at = $made_at,
    ended_by = $actor
where silence_id = $silence_id and ended_at is null;
