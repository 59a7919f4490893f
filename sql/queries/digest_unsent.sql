-- Question: which messages could not be handed over, and by which channel?
-- Grain: one row per channel that holds messages of an hour ago or more.
-- Reads: outbox. Read by: pipelines/digest.py, pipelines/doctor.py, analysts.
-- Parameters: $as_of.
-- Caveat: as the outbox stands now: what has left since $as_of is told no more;
--   `given_up_count` are those that are no longer tried: `vigie deliver` tries them again.
with thresholds as (
    select
        360 as attempt_limit, -- as ATTEMPT_LIMIT of pipelines/outbox.py
        interval 1 hour as grace
)

select
    case when outbox.channel = 'email' then 'email' else outbox.recipient end as channel_name,
    count(*) as message_count,
    count(*) filter (where outbox.attempt_count >= thresholds.attempt_limit) as given_up_count,
    min(outbox.created_at) as oldest_at,
    max(outbox.last_error) as last_error
from outbox, thresholds
where
    outbox.created_at <= $as_of - thresholds.grace
    and outbox.sent_at is null
group by channel_name
order by oldest_at, channel_name;
