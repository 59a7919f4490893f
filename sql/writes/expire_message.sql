-- Purpose: empty the mails that quote texts which have had their time; that they were sent stays.
--   The words of messages that incidents keep (`shown` in `evidence`) go with them.
-- Grain: one row per message. Writes: incident, outbox. Run by: pipelines/retention.py.
-- Caveat: what could not be sent in all that time is dropped whole.
update incident set evidence = json_merge_patch(incident.evidence, '{"shown": []}')
where
    json_array_length(incident.evidence, '$.shown') > 0
    and incident.opened_at <= cast($message_before as timestamptz);

delete from outbox
where
    outbox.sent_at is null
    and outbox.created_at <= cast($message_before as timestamptz);

update outbox set message = ''::blob
where
    octet_length(outbox.message) > 0
    and outbox.created_at <= cast($message_before as timestamptz);
