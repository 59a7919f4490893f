-- Question: which messages have not left yet, and could still be sent?
-- Purpose: an erasure drops those that quote an erased post. Grain: one row per message to one
--   recipient. Reads: outbox. Read by: pipelines/erasure.py.
select
    outbox.outbox_key,
    outbox.message
from outbox
where outbox.sent_at is null and octet_length(outbox.message) > 0
order by outbox.outbox_key;
