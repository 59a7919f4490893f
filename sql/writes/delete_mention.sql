-- Purpose: posts that are gone at their source: emptied, no longer counted, no longer scored.
-- Grain: one row per deleted mention. Reads: staged_deletion, known_key, mention.
-- Writes: mention, mention_version, score, label, label_task, touched_moment.
-- Caveat: the row stays, without what a person wrote or who it was, so that a late copy of the
--   post meets it and does not come back. A post that is deleted already is left alone.
create or replace temp table deleted_key as
select
    mention.mention_id,
    mention.published_at,
    min(staged_deletion.deleted_at) as deleted_at,
    arg_min(staged_deletion.reason, (staged_deletion.deleted_at, staged_deletion.reason)) as reason
from staged_deletion
inner join known_key on staged_deletion.mention_id = known_key.mention_id
inner join mention
    on
        known_key.published_at = mention.published_at
        and known_key.mention_id = mention.mention_id
where mention.deleted_at is null
group by mention.mention_id, mention.published_at;

insert into touched_moment
select deleted_key.published_at from deleted_key;

merge into mention
using deleted_key
    on
        mention.published_at = deleted_key.published_at
        and mention.mention_id = deleted_key.mention_id
when matched then update set
    deleted_at = deleted_key.deleted_at,
    deletion_reason = deleted_key.reason,
    url = null,
    title = null,
    content_warning = null,
    text = '',
    words = null,
    text_hash = '',
    author_key = null,
    relay_id = null,
    thread_id = null,
    parent_native_id = null,
    root_native_id = null,
    quoted_native_id = null,
    community = null,
    hashtags = [],
    mentioned_handles = [],
    urls = [],
    geo_place = null,
    place_codes = [],
    raw_ref = null,
    lookup_id = null;

update mention_version set text = '', text_hash = '', title = null, content_warning = null
from deleted_key
where
    mention_version.published_at = deleted_key.published_at
    and mention_version.mention_id = deleted_key.mention_id;

merge into score
using deleted_key
    on
        score.published_at = deleted_key.published_at
        and score.mention_id = deleted_key.mention_id
when matched then delete;

delete from label
where
    label.task_id in (
        select label_task.task_id
        from label_task
        inner join deleted_key on label_task.mention_id = deleted_key.mention_id
    );

delete from label_task
where label_task.mention_id in (select deleted_key.mention_id from deleted_key);
