-- Question: which versions of each subject's query were used, and what did each find?
-- Purpose: `vigie query versions`. Grain: one row per version. Reads: query_version, mention.
-- Units: times are UTC; `mention_count` counts the mentions that are still stored.
-- Caveat: reads the versions of every stored mention, so that it grows with what is kept.
with said as (
    select
        version_of.version,
        count(*) as mention_count
    from (
        select unnest(mention.query_versions) as version
        from mention
        where mention.deleted_at is null
    ) as version_of
    group by version_of.version
)

select
    query_version.version,
    query_version.first_used_at,
    query_version.last_used_at,
    query_version.asked,
    coalesce(said.mention_count, 0) as mention_count
from query_version
left join said on query_version.version = said.version
order by query_version.subject_id, query_version.first_used_at, query_version.version;
