-- Purpose: note what became of one attempt to hand a message over.
-- Grain: the one row of $outbox_key; a row that is sent stays as it is.
-- Reads: outbox. Written by: pipelines/outbox.py.
update outbox
set
    attempt_count = $attempt_count,
    next_try_at = $next_try_at,
    sent_at = $sent_at,
    last_error = $last_error
where outbox_key = $outbox_key and sent_at is null;
