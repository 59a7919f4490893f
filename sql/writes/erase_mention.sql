-- Purpose: delete posts from every table, and block their return.
-- Grain: one row per erased post. Reads: erased_key (mention_id, source, native_id, published_at,
--   null for a post that was never stored). Run by: pipelines/erasure.py.
-- Writes: tombstone, touched_moment, mention, mention_version, mention_metric, recheck, score,
--   heard, canary_heard, quarantine, outbox, incident, alert_evidence, label, label_task.
-- Caveat: mails sent since the first sight of an erased post may quote it, so they are emptied, and
--   so are the words of messages that incidents keep since then (`shown` in `evidence`).
merge into tombstone
using (select distinct erased_key.mention_id from erased_key) as incoming
    on tombstone.mention_id = incoming.mention_id
when not matched then insert (mention_id, reason, erased_at) values (
    incoming.mention_id, $reason, $as_of
);

insert into touched_moment
select erased_key.published_at
from erased_key
where erased_key.published_at is not null;

update outbox set message = ''::blob
where
    outbox.sent_at is not null
    and outbox.created_at >= (select min(erased_key.first_seen_at) from erased_key);

update incident set evidence = json_merge_patch(incident.evidence, '{"shown": []}')
where
    json_array_length(incident.evidence, '$.shown') > 0
    and coalesce(incident.resolved_at, incident.last_fired_at)
    >= (select min(erased_key.first_seen_at) from erased_key);

update alert_evidence set messages = '[]'
where exists (
    select 1
    from erased_key
    where contains(alert_evidence.messages, erased_key.mention_id)
);

delete from label
where
    label.task_id in (
        select label_task.task_id
        from label_task
        inner join erased_key on label_task.mention_id = erased_key.mention_id
    );

delete from label_task
where label_task.mention_id in (select erased_key.mention_id from erased_key);

delete from quarantine
where exists (
    select 1
    from erased_key
    where erased_key.source = quarantine.source and erased_key.native_id = quarantine.native_id
);

delete from heard
where heard.mention_id in (select erased_key.mention_id from erased_key);

delete from canary_heard
where canary_heard.mention_id in (select erased_key.mention_id from erased_key);

delete from score
where score.mention_id in (select erased_key.mention_id from erased_key);

delete from mention_version
where mention_version.mention_id in (select erased_key.mention_id from erased_key);

delete from mention_metric
where mention_metric.mention_id in (select erased_key.mention_id from erased_key);

delete from recheck
where recheck.mention_id in (select erased_key.mention_id from erased_key);

delete from mention
where mention.mention_id in (select erased_key.mention_id from erased_key);
