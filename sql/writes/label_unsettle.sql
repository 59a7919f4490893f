-- Purpose: the settlement of a message before another takes its place.
-- Grain: one row per label. Reads: label. Written by: pipelines/labels.py.
update label set withdrawn_at = $as_of
where label.task_id = $task_id and label.withdrawn_at is null and label.is_settlement;
