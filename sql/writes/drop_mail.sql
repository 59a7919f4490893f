-- Purpose: messages that quote an erased post are never sent.
-- Grain: one row per message. Writes: outbox. Run by: pipelines/erasure.py.
-- Units: `$keys` are outbox keys.
-- Caveat: what they told besides is told by the next one; the incident stays open.
delete from outbox
where list_contains(cast($keys as varchar[]), outbox.outbox_key) and outbox.sent_at is null;
