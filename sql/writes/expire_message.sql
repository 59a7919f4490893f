-- Purpose: empty the mails that quote texts which have had their time; that they were sent stays.
-- Grain: one row per message. Writes: outbox. Run by: pipelines/retention.py.
-- Caveat: what could not be sent in all that time is dropped whole.
delete from outbox
where
    outbox.sent_at is null
    and outbox.created_at <= cast($message_before as timestamptz);

update outbox set message = ''::blob
where
    octet_length(outbox.message) > 0
    and outbox.created_at <= cast($message_before as timestamptz);
