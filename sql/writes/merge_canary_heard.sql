-- Purpose: which canaries of the institution the slice holds, heard by which source block.
-- Grain: one row per canary post and source block. Writes: canary_heard.
-- Reads: incoming_mention (an Arrow table of pipelines/load.py), staged_heard, canary.
-- Caveat: a canary is known by its word, in the text or the title, or by its address; only what a
--   load brings is looked at, since texts expire and this does not.
merge into canary_heard
using (
    select
        canary.canary_id,
        staged_heard.source_name,
        staged_heard.mention_id,
        any_value(staged_heard.published_at) as published_at,
        any_value(staged_heard.heard_at) as heard_at
    from incoming_mention as incoming
    inner join staged_heard
        on
            incoming.mention_id = staged_heard.mention_id
            and incoming.source_name = staged_heard.source_name
    inner join canary
        on
            contains(lower(concat_ws(' ', incoming.title, incoming.text)), canary.word)
            or rtrim(regexp_replace(incoming.url, '^[a-z]+://(www\.)?|#.*$', '', 'g'), '/')
            = rtrim(regexp_replace(canary.url, '^[a-z]+://(www\.)?|#.*$', '', 'g'), '/')
    group by canary.canary_id, staged_heard.source_name, staged_heard.mention_id
) as incoming
    on
        canary_heard.canary_id = incoming.canary_id
        and canary_heard.source_name = incoming.source_name
        and canary_heard.mention_id = incoming.mention_id
when not matched then insert (canary_id, source_name, mention_id, published_at, heard_at) values (
    incoming.canary_id,
    incoming.source_name,
    incoming.mention_id,
    incoming.published_at,
    incoming.heard_at
);
