-- Purpose: how many alert mails a day put in the outbox, and what became of them.
-- Grain: one row.
-- Reads: outbox. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (UTC, half open).
-- Caveat: `sent_count` as the outbox stands now.
select
    count(*) as mail_count,
    count(sent_at) as sent_count
from outbox
where
    created_at >= $since and created_at < $until
    and incident_id is not null;
