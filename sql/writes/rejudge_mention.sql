-- Purpose: the subjects of a day's mentions as the queries of today have them.
-- Grain: one row per mention. Reads: mention, answered (mention_id, subject_id, version: which
--   query each mention answers). Run by: pipelines/query_history.py.
-- Writes: rejudged, touched_moment, mention.
-- Units: `$since` to `$until`, half open (UTC). `$subject_ids` are the subjects that were run
--   again; `$given` are "source_name/subject_id" of blocks that give their subject.
-- Caveat: a subject that a block gives, that the institution's own posts have, or that what a post
--   stands under names (which is not kept, so that no query can be asked of it again), stays
--   whatever queries say. Versions are a record and only ever grow: a mention that version 1 found
--   and version 2 does not keeps version 1 on record and loses the subject. A mention may be left
--   without subject: it counts nowhere, and comes back if its query does.
-- (noqa: the linter takes the parameter of a lambda for a column.)
create or replace temp table rejudged as
with piece as (
    select
        mention.mention_id,
        mention.published_at,
        mention.source_name,
        mention.is_own,
        mention.subject_ids,
        mention.query_versions is null as is_unmarked,
        coalesce(mention.query_versions, []) as query_versions
    from mention
    where
        mention.published_at >= $since
        and mention.published_at < $until
        and mention.deleted_at is null
        and mention.text_expired_at is null
        and not mention.optout
),

said as (
    select
        answered.mention_id,
        list(answered.subject_id) as subject_ids,
        list(answered.version) as versions
    from answered
    group by answered.mention_id
),

judged as (
    select
        piece.mention_id,
        piece.published_at,
        piece.subject_ids as old_ids,
        piece.query_versions as old_versions,
        list_filter(
            piece.subject_ids,
            lambda s: not list_contains($subject_ids, s)  -- noqa: RF02
            or list_contains(piece.query_versions, s || '@given')  -- noqa: RF02
            or list_contains(piece.query_versions, s || '@own')  -- noqa: RF02
            or list_contains(piece.query_versions, s || '@under')  -- noqa: RF02
            or list_contains($given, piece.source_name || '/' || s)  -- noqa: RF02
            or (piece.is_unmarked and piece.is_own)
        ) as kept_ids,
        coalesce(said.subject_ids, []) as said_ids,
        coalesce(said.versions, []) as said_versions
    from piece
    left join said on piece.mention_id = said.mention_id
),

renewed as (
    select
        judged.mention_id,
        judged.published_at,
        judged.old_ids,
        judged.old_versions,
        list_sort(list_distinct(list_concat(judged.kept_ids, judged.said_ids))) as subject_ids,
        list_sort(list_distinct(list_concat(judged.old_versions, judged.said_versions)))
            as query_versions
    from judged
)

select
    renewed.*,
    list_filter(
        renewed.subject_ids,
        lambda s: not list_contains(renewed.old_ids, s)  -- noqa: RF03
    ) as added_ids,
    list_filter(
        renewed.old_ids,
        lambda s: not list_contains(renewed.subject_ids, s)  -- noqa: RF03
    ) as removed_ids
from renewed;

insert into touched_moment
select rejudged.published_at
from rejudged
where len(rejudged.added_ids) > 0 or len(rejudged.removed_ids) > 0;

merge into mention
using (
    select rejudged.*
    from rejudged
    where
        len(rejudged.added_ids) > 0
        or len(rejudged.removed_ids) > 0
        or rejudged.query_versions != list_sort(rejudged.old_versions)
) as changed
    on
        mention.published_at = changed.published_at
        and mention.mention_id = changed.mention_id
when matched then update set
    subject_ids = changed.subject_ids,
    query_versions = changed.query_versions;
