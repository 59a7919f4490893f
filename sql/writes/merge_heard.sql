-- Purpose: which source block heard each mention of the slice, and when it first did.
-- Grain: one row per mention and source block. Writes: heard, touched_cover.
-- Reads: incoming_mention (an Arrow table of pipelines/load.py), known_key, heard.
-- Caveat: `known_key` holds no post that was erased or whose author objected, so neither does this.
--   What is known is looked for by moment of publication, so that DuckDB skips the other days.
create or replace temp table staged_heard as
select
    incoming.mention_id,
    incoming.source_name,
    any_value(known_key.published_at) as published_at,
    min(incoming.first_seen_at) as heard_at,
    bool_and(
        incoming.published_precision in ('second', 'minute') and not incoming.published_clamped
    ) as is_timed,
    not bool_or(incoming.is_own or incoming.optout) as is_counted
from incoming_mention as incoming
inner join known_key on incoming.mention_id = known_key.mention_id
group by incoming.mention_id, incoming.source_name;

create or replace temp table known_heard as
select
    heard.mention_id,
    heard.source_name
from heard
inner join staged_heard
    on
        heard.published_at = staged_heard.published_at
        and heard.mention_id = staged_heard.mention_id
        and heard.source_name = staged_heard.source_name;

create or replace temp table new_heard as
select staged_heard.*
from staged_heard
anti join known_heard
    on
        staged_heard.mention_id = known_heard.mention_id
        and staged_heard.source_name = known_heard.source_name;

-- (noqa: the linter does not know `by name`.)
insert into heard by name  -- noqa: PRS
select new_heard.*
from new_heard
order by new_heard.published_at;

insert into touched_cover
select distinct timezone('UTC', date_trunc('hour', timezone('UTC', new_heard.published_at)))
from new_heard;
