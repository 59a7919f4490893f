-- Purpose: put one message for one recipient in the outbox; nothing when its key is there already.
-- Grain: one row per outbox_key, which is what makes a repeated evaluation harmless.
-- Reads: outbox. Written by: pipelines/outbox.py.
merge into outbox
using (select 1 as one) as fresh
    on outbox.outbox_key = $outbox_key
when not matched then insert (
    outbox_key, incident_id, kind, reason, channel, recipient, message_id, message,
    created_at, attempt_count, next_try_at, sent_at, last_error, readers
) values (
    $outbox_key, $incident_id, $kind, $reason, $channel, $recipient, $message_id, $message,
    $created_at, 0, $created_at, null, null, $readers
);
