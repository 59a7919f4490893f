-- Purpose: the messages to hand over now, oldest first.
-- Grain: one row per message to one recipient. Reads: outbox. Read by: pipelines/outbox.py.
-- Caveat: news of an incident never overtakes its first mail to the same person, and a message
--   given up after $attempt_limit attempts stays in the outbox, to be seen.
with waiting as (
    select
        outbox_key,
        incident_id,
        channel,
        recipient,
        message,
        attempt_count,
        created_at,
        next_try_at <= $now as is_due
    from outbox
    where sent_at is null and attempt_count < $attempt_limit
),

held as (
    select
        incident_id,
        recipient,
        created_at
    from waiting
    where not is_due
)

select
    waiting.outbox_key,
    waiting.incident_id,
    waiting.channel,
    waiting.recipient,
    waiting.message,
    waiting.attempt_count
from waiting
anti join held
    on
        waiting.incident_id = held.incident_id
        and waiting.recipient = held.recipient
        and waiting.created_at > held.created_at
where waiting.is_due
order by waiting.created_at, waiting.outbox_key;
