-- Purpose: take back what a person said of a message; it stays, and no longer holds.
-- Grain: one row per label. Reads: label. Written by: pipelines/labels.py.
update label set withdrawn_at = $as_of
where
    label.task_id = $task_id
    and label.labeller = $labeller
    and label.withdrawn_at is null
    and not label.is_settlement;
